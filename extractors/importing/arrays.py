"""One .npy file of somebody else's, read without trust: no pickle, no huge allocation, nothing but finite numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.types import Embedding, Float32

ROWS_AT_ONCE = 8192  # frames


class ArrayError(ValueError):
    """A file that is no embedding, and why in one line. `width`: the last number of a shape that is else in order."""

    def __init__(self, reason: str, width: int | None = None) -> None:
        super().__init__(reason)
        self.width = width


def check_array(path: Path, dim: int) -> int:
    """Rows of a file that holds a float16, float32 or float64 array of shape (dim,), (1, dim) or (frames, dim) that is
    finite, also as float32; 0 for (dim,). Else raises ArrayError. Holds a few thousand rows at a time."""
    array = _mapped(path)
    shape = f"shape {array.shape}, {array.dtype}"
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        raise ArrayError(f"{shape}: expected float16, float32 or float64")
    if array.ndim not in (1, 2) or array.shape[-1] != dim:
        width = array.shape[-1] if array.ndim in (1, 2) else None
        raise ArrayError(f"{shape}: expected ({dim},), (1, {dim}) or (frames, {dim})", width)
    if not array.size:
        raise ArrayError(f"{shape}: no frames")
    rows = array.reshape(-1, dim)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        if bad := int((~np.isfinite(_float32(rows[first : first + ROWS_AT_ONCE]))).sum()):
            raise ArrayError(f"{shape}: {bad:,} values are NaN, infinite or beyond float32")
    return 0 if array.ndim == 1 else len(array)


def read_embedding(path: Path, *, one_frame: bool = False) -> Embedding:
    """The vector, or the frames and their mean (taken in float64), of a file that `check_array` passed.

    one_frame : (1, dim) is a clip of one frame, and not a vector with an axis too many

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.array([[1, 2], [3, 5]], np.float16))
    ...     found = read_embedding(Path(folder) / "x.npy")
    >>> found.vector, found.frames.shape
    (array([2. , 3.5], dtype=float32), (2, 2))
    """
    array = _mapped(path)
    if array.ndim == 1 or (len(array) == 1 and not one_frame):
        return Embedding(_float32(array.reshape(-1)))
    return Embedding(array.mean(axis=0, dtype=np.float64).astype(np.float32), frames=_float32(array))


def _float32(array: NDArray[np.floating]) -> Float32:
    with np.errstate(over="ignore"):  # checked by isfinite
        return np.array(array, dtype=np.float32)


def _mapped(path: Path) -> NDArray[np.floating]:
    """The array on disk. `open_memmap` has no way to a pickle, and a header that promises more than there is fails."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a damaged header fails in numpy's parser, in many ways
        if "Python objects" in str(error):
            raise ArrayError("holds Python objects (a pickle), which are never read") from None
        if "magic string" in str(error):
            raise ArrayError("is no .npy file") from None
        raise ArrayError(f"cannot be read: {' '.join(str(error).split())[:200] or type(error).__name__}") from None
