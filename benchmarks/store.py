"""The embedding store with many vectors: written, read back, and recognised by a second run.

    python benchmarks/store.py [--vectors 100000] [--dim 1024]

Vectors are put as the pipeline does it, some thousands a commit. "Recognised" is a whole second run of
`extract_to_store` over as many texts, which computes nothing. Beside the seconds stand those of copying the same bytes
to and from a file with numpy, in the same run: what the disk itself allows.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, describe_machine, write_json

from extractors import Clip, EmbeddingStore, extract_to_store
from extractors.keys import text_hash
from extractors.types import Embedding, Float32

log = logging.getLogger("benchmarks.store")

PER_COMMIT = 5_000  # vectors


class Known:
    """Says the vector that belongs to each text `n`; the run that must compute nothing gets one that refuses."""

    name, modality, frame_rate, fingerprint = "benchmark", "text", None, "benchmark"

    def __init__(self, vectors: Float32, *, refuse: bool = False) -> None:
        self._vectors, self.dim, self._refuse = vectors, vectors.shape[1], refuse

    def describe(self) -> dict[str, Any]:
        """Nothing more to say."""
        return {"name": self.name}

    def extract(self, clips: Sequence[str], *, frames: bool = False) -> list[Embedding]:
        """The vectors of these texts."""
        if self._refuse:
            raise AssertionError("the second run was to compute nothing")
        return [Embedding(self._vectors[int(text)]) for text in clips]


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--out", type=Path, default=RESULTS / "store.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((options.vectors, options.dim), dtype=np.float32)
    texts = [str(n) for n in range(options.vectors)]
    order = rng.permutation(options.vectors)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store, extractor = EmbeddingStore(Path(folder, "store")), Known(vectors)
        keys = [store.key(text_hash(text), None, None, extractor.fingerprint) for text in texts]
        with _timed(seconds, "write"):
            for first in range(0, options.vectors, PER_COMMIT):
                part = slice(first, first + PER_COMMIT)
                store.put(extractor, keys[part], [Embedding(vector) for vector in vectors[part]])
        with _timed(seconds, "compact"):
            store.compact()
        store = EmbeddingStore(store.path)
        with _timed(seconds, "has"):
            found = store.has(keys)
        with _timed(seconds, "read_all_shuffled"):
            read = store.read_vectors([keys[i] for i in order])
        with _timed(seconds, "read_1000"):
            few = store.read_vectors([keys[i] for i in order[:1000]])
        if not (found.all() and np.array_equal(read, vectors[order]) and np.array_equal(few, read[:1000])):
            raise RuntimeError("the store lost or changed vectors")
        with _timed(seconds, "second_run"):
            clips = [Clip(text, text=text) for text in texts]
            again = extract_to_store(clips, Known(vectors, refuse=True), store, progress=False)
        if (again.new, again.reused) != (0, options.vectors):
            raise RuntimeError(f"the second run did not recognise everything: {again}")
        with _timed(seconds, "numpy_write"):
            np.save(Path(folder, "plain.npy"), vectors)
        with _timed(seconds, "numpy_read_shuffled"):
            np.load(Path(folder, "plain.npy"))[order]
        size = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
    write_json(
        options.out,
        {
            "what": f"{options.vectors:,} vectors of {options.dim} float32 values, {PER_COMMIT:,} a commit",
            "command": f"python benchmarks/store.py --vectors {options.vectors} --dim {options.dim}",
            "machine": describe_machine(),
            "vectors": options.vectors,
            "dim": options.dim,
            "seconds": seconds,
            "second_run": {"new": again.new, "reused": again.reused},
            "bytes_on_disk": size,
            "bytes_of_numbers": vectors.nbytes,
        },
    )


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[what] = round(time.perf_counter() - began, 3)
    log.info("%-20s %7.3f s", what, seconds[what])


if __name__ == "__main__":
    main()
