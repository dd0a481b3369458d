"""Search by vector: `fusion.explore.search` against FAISS, on the same vectors, one query at a time.

    pip install faiss-cpu  # only this benchmark uses it (MIT licence)
    python benchmarks/search.py --folder /var/tmp/search [--rows 10000 100000 1000000]

What the vectors are like is told in `drawn_vectors.py` (any two raw cosines have a median of 0.95 here). `isotropic` is
the hard case for any index: the nearest neighbours are hardly nearer than anything else.
Queries are drawn like the rows and are none of them. Everybody searches the same unit vectors, centred by the statistics
that our index keeps; what is found is measured against all dot products.

Each step is a process of its own, so that its peak memory is its own. `--steps` runs some of them: what earlier ones left
in `--folder` stays there.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from drawn_vectors import AT_ONCE, DIM, EMOTIONS, SHARED, SHARES, SPEAKERS, Drawn, DrawnStream, names, parts
from machine import GIB, LIBRARIES, RESULTS, describe_machine, write_json
from numpy.typing import NDArray

from extractors.types import Float32
from fusion.explore.collection import Collection
from fusion.explore.search.building import SAMPLE
from fusion.explore.search.exact import ExactRows
from fusion.explore.search.index import VectorIndex
from fusion.explore.space import Space

log = logging.getLogger("benchmarks.search")

K, QUERIES, WARM = 10, 500, 50
SLOW_QUERIES = 100  # where every row is looked at
PROBES, EF = (10, 20, 50, 100), (16, 32, 64, 128, 256)
M, EF_CONSTRUCTION = 32, 40
EXACT_MOST = 200_000  # rows that the exact search in memory is measured with
STEPS = ("draw", "build", "truth", "build_hnsw", "search", "search_filtered", "exact", "flat", "hnsw")


# -- steps -------------------------------------------------------------------------------------------------------------


def draw(folder: Path, rows: int, kind: str) -> dict[str, Any]:
    """Vectors, what is known of them, and queries."""
    drawn, random = Drawn(kind), np.random.default_rng(1)
    known = np.empty((rows, 2), np.int32)
    with (folder / "vectors.f32").open("wb") as file:
        for first in range(0, rows, AT_ONCE):
            vectors, emotion, speaker = drawn.rows(min(AT_ONCE, rows - first), random)
            vectors.tofile(file)
            known[first : first + len(vectors)] = np.stack([emotion, speaker], axis=1)
    np.save(folder / "known.npy", known)
    queries, emotion, speaker = drawn.rows(QUERIES + WARM, random)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "query_known.npy", np.stack([emotion, speaker], axis=1))
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    return {"raw_cosines_of_any_two": {"median": float(np.median(cosines)), "5%": float(np.quantile(cosines, 0.05))}}


def build(folder: Path, rows: int) -> dict[str, Any]:
    """Our index."""
    began, busy = time.perf_counter(), time.process_time()
    index = VectorIndex.build(folder / "index", DrawnStream(folder, rows), space="centred", store=folder / "store")
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    kept = sum(path.stat().st_size for path in (folder / "index").rglob("*") if path.is_file())
    of_index = sum(path.stat().st_size for path in (folder / "index").rglob("_indices/**/*") if path.is_file())
    return {
        "build_seconds": round(seconds, 1),
        "build_cpu_seconds": round(busy, 1),
        "build_peak_gib": peak(),
        "disk_gib": round(kept / GIB, 3),
        "of_it_indexes_gib": round(of_index / GIB, 3),
        "trained": index.record.trained,
        "statistics_of_rows": min(rows, SAMPLE),
    }


def truth(folder: Path, rows: int) -> dict[str, Any]:
    """The nearest of all, by all dot products."""
    asked, space = unit_queries(folder)
    scores, found = np.empty((len(asked), 0), np.float32), np.empty((len(asked), 0), np.int64)
    for first, part in parts(folder, rows):
        dots = asked @ space.transform(part).T
        best = np.argpartition(-dots, K, axis=1)[:, :K]
        scores = np.hstack([scores, np.take_along_axis(dots, best, axis=1)])
        found = np.hstack([found, best + first])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        scores, found = np.take_along_axis(scores, best, axis=1), np.take_along_axis(found, best, axis=1)
    np.save(folder / "truth.npy", found)
    return {"cosine_of_the_nearest": float(scores[:, 0].mean()), "of_the_tenth": float(scores[:, -1].mean())}


def search(folder: Path, rows: int) -> dict[str, Any]:
    """Our index, hits with their metadata, as `Searcher` asks for them."""
    asked, _ = unit_queries(folder)
    began = time.perf_counter()
    index = VectorIndex.open(folder / "index", store=folder / "store")
    index.nearest(asked[0], K)
    first = time.perf_counter() - began
    curve = {}
    for probes in dict.fromkeys((*PROBES, index.probes)):
        default, index.probes = index.probes, probes
        curve[str(probes)] = measured(folder, lambda unit: [hit.id for hit in index.nearest(unit, K)])
        index.probes = default
    return {"open_and_first_ms": round(1e3 * first, 1), **curve[str(index.probes)], "probes": curve, "peak_gib": peak()}


def search_filtered(folder: Path, rows: int) -> dict[str, Any]:
    """Our index under filters: one that leaves a ninth, one that leaves a five-thousandth, both against all rows."""
    asked, space = unit_queries(folder)
    known, of_query = np.load(folder / "known.npy"), np.load(folder / "query_known.npy")
    index = VectorIndex.open(folder / "index", store=folder / "store")
    several = {
        "label": (lambda row: f"label = 'e{row[0]}'", lambda row: known[:, 0] == row[0]),
        "speaker": (lambda row: f"speaker = 's{row[1]}'", lambda row: known[:, 1] == row[1]),
        "label_and_other_speakers": (
            lambda row: f"label = 'e{row[0]}' AND speaker LIKE 's1%'",
            lambda row: (known[:, 0] == row[0]) & starts_with_one(known[:, 1]),
        ),
    }
    answer = {}
    for name, (condition, mask) in several.items():
        times, right, possible = [], 0, 0
        count = min(40, QUERIES)
        scores = {query: np.full(rows, -2, np.float32) for query in range(count)}
        for first, part in parts(folder, rows):
            dots = space.transform(part) @ asked[:count].T
            for query in range(count):
                scores[query][first : first + len(part)] = dots[:, query]
        for query in range(count):
            row = of_query[query]
            allowed = np.flatnonzero(mask(row))
            best = allowed[np.argsort(-scores[query][allowed], kind="stable")[:K]]
            index.nearest(asked[query], K, where=condition(row))
            began = time.perf_counter()
            found = index.nearest(asked[query], K, where=condition(row))
            times.append(time.perf_counter() - began)
            right += len({hit.id for hit in found} & set(names(best)))
            possible += len(best)
        answer[name] = {
            "p50_ms": round(1e3 * float(np.median(times)), 2),
            "recall": round(right / max(possible, 1), 4),
            "rows_left_about": len(allowed),
        }
    return answer


def starts_with_one(numbers: NDArray[Any]) -> NDArray[Any]:
    """Which numbers begin with the digit 1."""
    return np.array([str(number).startswith("1") for number in range(SPEAKERS)])[numbers]


def exact(folder: Path, rows: int) -> dict[str, Any]:
    """Our search of small collections: everything in memory, one matrix product."""
    _, space = unit_queries(folder)
    vectors = np.concatenate([part for _, part in parts(folder, rows)])
    collection = Collection(
        tuple(names(np.arange(rows))), vectors, pd.DataFrame(index=range(rows)), DrawnStream(folder, rows).maker
    )
    held = ExactRows(collection, space)
    return {
        **measured(folder, lambda unit: [hit.id for hit in held.nearest(unit, K)], SLOW_QUERIES),
        "peak_gib": peak(),
    }


def flat(folder: Path, rows: int) -> dict[str, Any]:
    """FAISS, every row looked at."""
    import faiss

    index = faiss.IndexFlatIP(DIM)
    _, space = unit_queries(folder)
    began = time.perf_counter()
    for _, part in parts(folder, rows):
        index.add(space.transform(part))
    seconds = time.perf_counter() - began
    found = measured(folder, lambda unit: names(index.search(unit[None], K)[1][0]), SLOW_QUERIES)
    return {"build_seconds": round(seconds, 1), **found, "peak_gib": peak()}


def build_hnsw(folder: Path, rows: int) -> dict[str, Any]:
    """FAISS, a graph: Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search …", 2018."""
    import faiss

    index = faiss.IndexHNSWFlat(DIM, M, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = EF_CONSTRUCTION
    _, space = unit_queries(folder)
    began, busy = time.perf_counter(), time.process_time()
    for first, part in parts(folder, rows):
        index.add(space.transform(part))
        if not first % 100_000:
            log.info("hnsw: %d of %d rows", first, rows)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    faiss.write_index(index, str(folder / "hnsw.faiss"))
    size = (folder / "hnsw.faiss").stat().st_size
    return {
        "build_seconds": round(seconds, 1),
        "build_cpu_seconds": round(busy, 1),
        "build_peak_gib": peak(),
        "disk_gib": round(size / GIB, 3),
    }


def hnsw(folder: Path, rows: int) -> dict[str, Any]:
    """The graph searched, at several widths; what is reported is the first that finds 0.95 of the nearest, or the last."""
    import faiss

    index = faiss.read_index(str(folder / "hnsw.faiss"))
    curve = {}
    for ef in EF:
        index.hnsw.efSearch = ef
        curve[str(ef)] = measured(folder, lambda unit: names(index.search(unit[None], K)[1][0]))
    chosen = next((ef for ef, found in curve.items() if found["recall"] >= 0.95), str(EF[-1]))
    return {"ef": int(chosen), **curve[chosen], "efs": curve, "peak_gib": peak()}


# -- measuring ---------------------------------------------------------------------------------------------------------


def measured(folder: Path, ask: Callable[[Float32], list[str]], queries: int = QUERIES) -> dict[str, Any]:
    """Milliseconds of one query after another, and recall@10; after some queries that are not counted."""
    asked, _ = unit_queries(folder)
    nearest = np.load(folder / "truth.npy")
    for unit in asked[QUERIES:]:
        ask(unit)
    times, right = [], 0
    for row in range(queries):
        began = time.perf_counter()
        found = ask(asked[row])
        times.append(time.perf_counter() - began)
        right += len(set(found) & set(names(nearest[row])))
    p50, p95 = (round(1e3 * float(np.quantile(times, share)), 2) for share in (0.5, 0.95))
    return {"p50_ms": p50, "p95_ms": p95, "recall": round(right / queries / K, 4), "queries": queries}


def unit_queries(folder: Path) -> tuple[Float32, Space]:
    """(queries, DIM) in our index's space, and that space."""
    name = json.loads((folder / "index" / "index.json").read_text())["space"]
    space = Space.load(folder / "store", name)
    return space.transform(np.load(folder / "queries.npy")), space


def peak() -> float:
    """GiB that this process held at most."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB, 2)


def main() -> None:
    """Run the steps, each in a process of its own, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for vectors and indexes: about 15 GB for a million")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--isotropic", type=int, nargs="*", default=[100_000], help="rows of the hard case")
    parser.add_argument("--steps", nargs="*", default=list(STEPS), choices=STEPS, help="none: gather")
    parser.add_argument("--out", type=Path, default=RESULTS / "search.json")
    parser.add_argument("--one", nargs=4, metavar=("STEP", "KIND", "ROWS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(sys.argv[1:] if "--one" not in sys.argv else ["--folder", ".", *sys.argv[1:]])
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if options.one:
        step, kind, rows, folder = options.one
        more = (kind,) if step == "draw" else ()
        sys.stdout.write(json.dumps(globals()[step](Path(folder), int(rows), *more)) + "\n")
        return
    cases = [("clustered", rows) for rows in options.rows] + [("isotropic", rows) for rows in options.isotropic]
    for kind, rows in cases:
        folder = options.folder / f"{kind}-{rows}"
        folder.mkdir(parents=True, exist_ok=True)
        for step in options.steps:
            if step == "exact" and rows > EXACT_MOST:
                continue
            command = [sys.executable, __file__, "--one", step, kind, str(rows), str(folder)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(answer.stdout.splitlines()[-1]) | {"load_average": describe_machine()["load_average"]}
            write_json(folder / f"{step}.json", found)
            log.info(
                "%s %s %s: %s",
                kind,
                f"{rows:,}",
                step,
                {key: found[key] for key in found if key not in ("probes", "efs")},
            )
    finished = {
        f"{kind} {rows}": {
            step: json.loads((options.folder / f"{kind}-{rows}" / f"{step}.json").read_text())
            for step in STEPS
            if (options.folder / f"{kind}-{rows}" / f"{step}.json").is_file()
        }
        for kind, rows in cases
    }
    write_json(
        options.out,
        {
            "what": f"the {K} nearest of {DIM} float32 values by cosine, one query at a time",
            "command": "python benchmarks/search.py --folder FOLDER",
            "machine": describe_machine([*LIBRARIES, "faiss-cpu"]),
            "drawn": {
                "emotions": EMOTIONS,
                "speakers": SPEAKERS,
                "shares_of_variance": SHARES,
                "length_of_mean": SHARED,
            },
            "hnsw": {"m": M, "ef_construction": EF_CONSTRUCTION},
            "cases": finished,
        },
    )


if __name__ == "__main__":
    main()
