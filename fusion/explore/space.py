"""The space in which vectors are compared: centred or whitened by statistics that have a name and stay.

Raw cosine between any two emotion2vec clips is above 0.9: their vectors share a large mean, and a few directions carry
most of the variance. Taking the mean away (centring), or also evening out the variance of each value (standardizing) or of
every direction (whitening), leaves what differs. Values of different units (Hz beside dB) ask for more than centring.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from sklearn.covariance import ledoit_wolf_shrinkage

from extractors.errors import InputError
from extractors.files import write_bytes
from extractors.store import EmbeddingStore
from extractors.types import Float32

Kind = Literal["raw", "centred", "standardized", "whitened"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMAT = "1"
SAMPLE = 100_000  # rows that statistics are taken from; more change nothing that a cosine would show
WHITENING_SAMPLE = 20_000  # rows of a covariance, which costs dim² a row
TINY = 1e-12


@dataclass(frozen=True)
class Space:
    """How vectors of one maker are compared: cosine after (x − mean) · whitening.

    kind        : "raw", "centred", "standardized" or "whitened"
    fingerprint : of what made the vectors
    rows        : how many vectors the statistics are of
    mean        : (dim,) float32, zeros for "raw"
    whitening   : None; (dim,) float32, one over each value's standard deviation; or (dim, dim) float32, the inverse square
                  root of the covariance after shrinkage (Ledoit & Wolf, "A well-conditioned estimator for
                  large-dimensional covariance matrices", J. Multivariate Analysis 88(2), 2004), symmetric (ZCA), so
                  that axes keep their meaning

    >>> rng = np.random.default_rng(0)
    >>> clips = (5 + rng.normal(size=(200, 3))).astype(np.float32)
    >>> space = Space.fit(clips, kind="centred", fingerprint="a1")
    >>> unit = space.transform(clips)
    >>> unit.dtype, bool(abs(unit.mean()) < 0.05), space.name.startswith("centred-")
    (dtype('float32'), True, True)
    """

    kind: Kind
    fingerprint: str
    rows: int
    mean: Float32
    whitening: Float32 | None = None

    @classmethod
    def fit(cls, vectors: Float32, *, kind: Kind = "centred", fingerprint: str, seed: int = 0) -> Space:
        """Statistics of (rows, dim) `vectors`; of more than 100,000 rows (whitened: 20,000), of that many drawn by `seed`.

        Raises InputError for a kind that there is not, or fewer than 2 rows where statistics are needed.
        """
        if kind not in KINDS:
            raise InputError(f"space: expected {', '.join(KINDS)}, got {kind!r}")
        dim = vectors.shape[1]
        if kind == "raw":
            return cls(kind, fingerprint, 0, np.zeros(dim, np.float32))
        if len(vectors) < 2:
            raise InputError(
                f"space: {kind} needs the mean of some vectors to compare with; there are {len(vectors)}",
                hint="Name more clips (data.path=, vectors=), or say space=raw and mind that raw cosines are all high.",
            )
        most = WHITENING_SAMPLE if kind == "whitened" else SAMPLE
        if len(vectors) > most:
            rows = np.random.default_rng(seed).choice(len(vectors), most, replace=False)
            vectors = vectors[np.sort(rows)]
        mean = vectors.mean(axis=0, dtype=np.float64)
        whitening = None
        if kind == "standardized":
            spread = vectors.std(axis=0, dtype=np.float64)
            # what does not vary says nothing, and is left out of every cosine
            whitening = np.divide(1, spread, out=np.zeros(dim), where=spread > TINY).astype(np.float32)
        if kind == "whitened":
            whitening = _whitening(vectors - mean)
        return cls(kind, fingerprint, len(vectors), mean.astype(np.float32), whitening)

    @property
    def digest(self) -> str:
        """8 hex digits of the numbers."""
        state = hashlib.blake2b(f"{self.kind}\0{self.fingerprint}".encode(), digest_size=4)
        state.update(self.mean.tobytes())
        state.update(b"" if self.whitening is None else self.whitening.tobytes())
        return state.hexdigest()

    @property
    def name(self) -> str:
        """What outputs call it, and what `space=` takes to use the same statistics again: "centred-3f2a9c11"."""
        return "raw" if self.kind == "raw" else f"{self.kind}-{self.digest}"

    def transform(self, vectors: Float32) -> Float32:
        """(rows, dim) or (dim,) -> the same shape, of unit length, so that a dot product is the cosine.

        A vector that is the mean itself has no direction and stays zero. Raises InputError where the width differs.
        """
        if vectors.shape[-1] != len(self.mean):
            raise InputError(f"expected vectors of {len(self.mean)} values, got {vectors.shape[-1]}")
        moved = np.asarray(vectors, np.float32) - self.mean
        if self.whitening is not None:
            moved = moved * self.whitening if self.whitening.ndim == 1 else moved @ self.whitening
        length = np.linalg.norm(moved, axis=-1, keepdims=True)
        return np.divide(moved, length, out=np.zeros_like(moved), where=length > TINY)

    # -- kept in the store ----------------------------------------------------------------------------------------

    def save(self, store: Path) -> Path:
        """Write it to `store`/spaces/NAME.safetensors; the store is made where there is none. Returns the path."""
        EmbeddingStore(store).make()
        arrays = {"mean": self.mean} | ({} if self.whitening is None else {"whitening": self.whitening})
        about = {"format": FORMAT, "kind": self.kind, "fingerprint": self.fingerprint, "rows": str(self.rows)}
        return write_bytes(_path(store, self.name), save(arrays, metadata={"emofuse": json.dumps(about)}))

    @classmethod
    def load(cls, store: Path, name: str) -> Space:
        """The space called `name` that `save` wrote. InputError where there is none, or where it is damaged."""
        path = _path(store, name)
        if not path.is_file():
            there = ", ".join(sorted(file.stem for file in path.parent.glob("*.safetensors"))) or "none"
            raise InputError(
                f"space: expected {', '.join(KINDS)} or a name, got {name!r}",
                hint=f"{store} keeps {there}.",
            )
        try:
            with safe_open(path, framework="numpy") as file:
                about: dict[str, Any] = json.loads((file.metadata() or {})["emofuse"])
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no dict
            space = cls(
                about["kind"], about["fingerprint"], int(about["rows"]), arrays["mean"], arrays.get("whitening")
            )
            dim = len(space.mean)
            if space.whitening is not None and space.whitening.shape not in ((dim,), (dim, dim)):
                raise ValueError(f"a whitening of {space.whitening.shape} for {dim} dims")
        except Exception as error:  # safetensors raises its own types
            raise InputError(f"space: {path} is damaged: {error}") from error
        if space.name != name:
            raise InputError(f"space: {path} holds {space.name}: it was renamed or changed")
        return space


def _whitening(centred: NDArray[np.float64]) -> Float32:
    """(dim, dim) float32, of (rows, dim) vectors whose mean is zero."""
    dim = centred.shape[1]
    shrinkage = float(ledoit_wolf_shrinkage(centred, assume_centered=True))
    covariance = centred.T @ centred / len(centred)
    scale = np.trace(covariance) / dim
    covariance = (1 - shrinkage) * covariance + shrinkage * scale * np.eye(dim)
    values, axes = np.linalg.eigh(covariance)
    # what no vector varies in has no variance to even out: it is left at the smallest scale that is seen
    values = np.maximum(values, max(1e-6 * values.max(), TINY))
    return ((axes / np.sqrt(values)) @ axes.T).astype(np.float32)


def _path(store: Path, name: str) -> Path:
    if not (isinstance(name, str) and name.replace("-", "").isalnum()):  # space=null
        raise InputError(f"space: expected {', '.join(KINDS)} or a name such as centred-3f2a9c11, got {name!r}")
    return store / "spaces" / f"{name}.safetensors"


def space_of(vectors: Float32, name: str, *, fingerprint: str, store: Path | None = None, keep: bool = True) -> Space:
    """The space that `space=` asks for: one of `KINDS`, fitted to `vectors` and kept in `store`, or a name kept there.

    Raises InputError where a kept space is of another maker's vectors.
    """
    if name in KINDS:
        space = Space.fit(vectors, kind=name, fingerprint=fingerprint)
        if keep and store is not None and space.kind != "raw":
            space.save(store)
        return space
    if store is None:
        raise InputError(f"space: expected {', '.join(KINDS)}, got {name!r}; there is no store that keeps others")
    space = Space.load(store, name)
    if space.fingerprint != fingerprint:
        raise InputError(
            f"space {name} holds the statistics of other vectors (fingerprint {space.fingerprint[:16]}, these "
            f"{fingerprint[:16]})",
            hint="Statistics of one model mean nothing for another: leave space= at centred.",
        )
    return space
