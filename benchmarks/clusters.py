"""Clusters of many vectors: k-means, k-means in batches and HDBSCAN, their time, memory, and what they find again.

    python benchmarks/clusters.py [--rows 100000] [--shares 0.3 0.5]

Drawn, as no such archive of real vectors may be shared, to have what emotion2vec's have: a mean that all share and that
makes any two raw cosines high, and all variance in few directions, that of the i-th ∝ 1/i, turned at random. Each vector is
of one of 8 groups, the largest four times as frequent as the smallest, and of one of 500 speakers. `--shares` are the
groups' shares of the variance; the speakers have 0.2, the rest is each clip's own: at 0.3 the groups overlap, at 0.5 they
lie apart. ARI is the adjusted Rand index of what was found against the groups that were drawn; noise counts as a group.

Each method is a process of its own, so that its peak memory is its own; `held_gib` is what the process holds with all vectors
read and nothing done. `whole` is all of `emofuse clusters` with mini_batch: k by silhouette, silhouettes, stability, the map
and the files.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import GIB, RESULTS, describe_machine, write_json
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_info

from fusion.explore.clusters.build import find_clusters
from fusion.explore.clusters.files import write_all
from fusion.explore.clusters.partition import Partition, by_density, by_kmeans
from fusion.explore.clusters.rows import UnitRows
from fusion.explore.clusters.settings import Density, Settings
from fusion.explore.collection import Collection, Maker
from fusion.explore.space import Space

log = logging.getLogger("benchmarks.clusters")

DIM, GROUPS, SPEAKERS = 1024, 8, 500
SPEAKER_SHARE = 0.2  # of the variance
SHARED = 4.0  # length of the mean, in standard deviations of a whole vector
AT_ONCE = 10_000  # rows
METHODS = ("kmeans", "mini_batch", "hdbscan", "whole")


def draw(folder: Path, rows: int, share: float) -> None:
    """`vectors.npy` (rows, DIM) float32 and `groups.npy`, `speakers.npy` (rows,)."""
    random = np.random.default_rng(0)
    spectrum = np.arange(1, DIM + 1) ** -0.5
    spread = (spectrum / np.linalg.norm(spectrum)).astype(np.float32)
    turn = np.linalg.qr(random.standard_normal((DIM, DIM)))[0].astype(np.float32)
    mean = random.standard_normal(DIM)
    mean = (SHARED * mean / np.linalg.norm(mean)).astype(np.float32)
    centres, voices = (random.standard_normal((count, DIM), dtype=np.float32) for count in (GROUPS, SPEAKERS))
    frequency = np.geomspace(4, 1, GROUPS)
    groups = random.choice(GROUPS, rows, p=frequency / frequency.sum())
    speakers = random.integers(SPEAKERS, size=rows)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, DIM))
    for first in range(0, rows, AT_ONCE):
        here = slice(first, min(first + AT_ONCE, rows))
        part = random.standard_normal((here.stop - first, DIM), dtype=np.float32) * (1 - share - SPEAKER_SHARE) ** 0.5
        part += share**0.5 * centres[groups[here]] + SPEAKER_SHARE**0.5 * voices[speakers[here]]
        vectors[here] = (part * spread) @ turn + mean
    vectors.flush()
    np.save(folder / "groups.npy", groups)
    np.save(folder / "speakers.npy", speakers)


def measure(folder: Path, method: str) -> dict[str, Any]:
    """One method over the drawn vectors: seconds, peak memory, agreement."""
    vectors, groups = np.load(folder / "vectors.npy"), np.load(folder / "groups.npy")
    space = Space.fit(vectors, fingerprint="drawn")
    rows, held = UnitRows(vectors, space), now_held()
    began, busy = time.perf_counter(), time.process_time()
    more: dict[str, Any] = {}
    if method == "whole":
        speakers = [f"s{speaker}" for speaker in np.load(folder / "speakers.npy")]
        ids = tuple(f"clip-{row:06d}" for row in range(len(vectors)))
        about = pd.DataFrame({"speaker": speakers})
        found = find_clusters(
            Collection(ids, vectors, about, Maker("drawn", "speech", DIM, "drawn")), space, Settings(mini_batch=True)
        )
        write_all(folder / "out", found)
        partition = found.partition
        assert found.stability is not None
        more = {
            "silhouette": round(found.silhouette, 4),
            "stability": round(found.stability.mean, 4),
            "stability_95": [round(value, 4) for value in found.stability.interval],
        }
    else:
        partition = _partition(rows, method)
        more = {"fitted": partition.fitted} if method == "hdbscan" else {}
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(busy, 1),
        "held_gib": held,
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB, 2),
        "clusters": len(partition.centres),
        "noise": round(float((partition.labels < 0).mean()), 4),
        "ari": round(float(adjusted_rand_score(groups, partition.labels)), 4),
        **more,
    }


def _partition(rows: UnitRows, method: str) -> Partition:
    if method == "hdbscan":
        return by_density(rows, Density(), seed=0)
    return by_kmeans(rows, GROUPS, mini_batch=method == "mini_batch", seed=0)


def now_held() -> float:
    """GiB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / GIB, 2)


def main() -> None:
    """Draw, measure each method in a process of its own, log and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.3, 0.5])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--out", type=Path, default=RESULTS / "clusters.json")
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "METHOD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if options.one:
        sys.stdout.write(json.dumps(measure(Path(options.one[0]), options.one[1])) + "\n")
        return
    what = f"{options.rows:,} drawn vectors of {DIM} float32 values, {GROUPS} groups, {SPEAKERS} speakers"
    cases: dict[str, dict[str, Any]] = {}
    if options.out.is_file():  # what is not measured now stays
        before = json.loads(options.out.read_text(encoding="utf-8"))
        cases |= before["cases"] if before["what"] == what else {}
    for share in options.shares:
        found = cases.setdefault(f"groups have {share:g} of the variance", {})
        with tempfile.TemporaryDirectory() as folder:
            draw(Path(folder), options.rows, share)
            for method in options.methods:
                command = [sys.executable, __file__, "--one", folder, method]
                answer = subprocess.run(command, check=False, capture_output=True, text=True)
                if answer.returncode:
                    found[method] = {"failed": answer.stderr.strip().splitlines()[-1]}
                else:
                    found[method] = json.loads(answer.stdout.splitlines()[-1])
                    found[method]["load_average"] = describe_machine()["load_average"]
                log.info("share %g, %s: %s", share, method, found[method])
    write_json(
        options.out,
        {
            "what": what,
            "command": f"python benchmarks/clusters.py --rows {options.rows}",
            "threads": max(pool["num_threads"] for pool in threadpool_info()),
            "machine": describe_machine(["numpy", "scikit-learn", "scipy"]),
            "hdbscan": f"in {Density().dims} principal components of at most {Density().most:,} clips; others by neighbours",
            "cases": cases,
        },
    )


if __name__ == "__main__":
    main()
