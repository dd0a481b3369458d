"""The class head and its names: softmax over the classes that a model shows, in English, on vectors or on frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from extractors.types import Float32

_HIDDEN = "unuse"  # FunASR's prefix of slots that were never trained; it masks them before the softmax
_UNKNOWN = "<unk>"


class ClassHead:
    """Scores of vectors or frames, by the model's own linear layer.

    labels : English names of the classes shown, in the model's order
    tokens : the same classes as the folder has them

    proj : (dim -> all classes); tokens : a name for each of its rows
    """

    def __init__(self, proj: nn.Linear, tokens: tuple[str, ...]) -> None:
        shown = [index for index, token in enumerate(tokens) if not token.startswith(_HIDDEN)]
        self.tokens = tuple(tokens[index] for index in shown)
        self.labels = english_names(self.tokens)
        # -inf before the softmax leaves nothing to a class; leaving its row out is the same, and drops it
        self._weight = proj.weight.detach().float().cpu().numpy()[shown].T.copy()  # (dim, classes)
        self._bias = proj.bias.detach().float().cpu().numpy()[shown]

    def __call__(self, vectors: Float32) -> Float32:
        """(rows, dim) -> (rows, classes) float32, each row summing to one."""
        logits = vectors @ self._weight + self._bias
        logits -= logits.max(axis=-1, keepdims=True)
        powers = np.exp(logits)
        return powers / powers.sum(axis=-1, keepdims=True)


def english_names(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """The English half of each token; tokens stay as they are where two would get one name.

    >>> english_names(("生气/angry", "other", "<unk>"))
    ('angry', 'other', 'unknown')
    """
    names = tuple("unknown" if token == _UNKNOWN else token.rsplit("/", 1)[-1] for token in tokens)
    return names if len(set(names)) == len(names) else tokens


def smooth_frames(values: Float32, frames: int) -> Float32:
    """Mean over a centred window of `frames` (made odd) along the first axis; at the ends, over what of it exists.

    >>> smooth_frames(np.array([[0.0], [3.0], [6.0]], np.float32), 3).ravel().tolist()
    [1.5, 3.0, 4.5]
    """
    reach = frames // 2
    totals: NDArray[np.float64] = np.cumsum(values, axis=0, dtype=np.float64)
    totals = np.concatenate([np.zeros_like(totals[:1]), totals])
    start = np.maximum(np.arange(len(values)) - reach, 0)
    stop = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    return ((totals[stop] - totals[start]) / (stop - start)[:, None]).astype(np.float32)
