"""The contract every fusion head meets (tests/fusion/heads walks conf/head and checks it)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from extractors.errors import InputError


class Sequences(NamedTuple):
    """What a head of sequences gets of one modality.

    values : (batch, frames, dim) float; frames of 50 Hz speech, tokens of text
    mask   : (batch, frames) bool, true where there is a frame; the rest is padding, and inert whatever it holds
    """

    values: Tensor
    mask: Tensor


class HeadOutput(NamedTuple):
    """What a head says of a batch.

    logits    : (batch, classes) float
    embedding : (batch, dim) float, the fused representation
    weights   : (batch, modalities) float >= 0, summing to one over present modalities (all zero where none is),
                in the order of `Head.modalities`
    """

    logits: Tensor
    embedding: Tensor
    weights: Tensor


class Head(nn.Module, ABC):
    """Projects every modality to a common width and fuses what is present. Nothing is ever padded.

    `dims` maps modality to vector width and comes from the data. Any subset of modalities may be given at
    construction; any of those may be absent in any row.

    needs_sequences : `features[m]` are `Sequences`, and `dims` their widths
    strides         : modality -> neighbouring frames that become one token before any attention; 1 where not named
    standardize     : features are brought to mean 0 and spread 1 first; False for what has a meaning as it is, such as
                      probabilities over the labels
    fits_itself     : it finds its parameters from all rows at once, by a method `fit`, and takes no gradient steps
    """

    needs_sequences: bool = False
    strides: Mapping[str, int] = {}
    standardize: bool = True
    fits_itself: bool = False

    def __init__(self, *, dims: Mapping[str, int], num_classes: int) -> None:
        super().__init__()
        self.dims, self.num_classes = dict(dims), num_classes

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.dims)

    @abstractmethod
    def forward(self, features: Mapping[str, Any], present: Mapping[str, Tensor]) -> HeadOutput:
        """`features[m]` (batch, dim) float, or `Sequences`; `present[m]` (batch,) bool. Absent rows are inert
        whatever they hold.

        Raises InputError where the vectors are not of the kind or width this head was built for; a head
        gets that by calling `check_features` before it computes anything.
        """


POOLED = (
    "This head reads sequences, and these are pooled vectors: extract with frames, or take a head of pooled vectors."
)
DISGUISED = (
    "Attention over one token ignores its query: this is a pooled vector in disguise. Extract with frames, or take a head "
    "of pooled vectors."
)
NOT_POOLED = "This head reads pooled vectors, and these are sequences: pool them, or take a head of sequences."


def check_features(features: Mapping[str, Any], dims: Mapping[str, int], *, sequences: bool = False) -> None:
    """Refuse pooled vectors where sequences are needed, sequences where vectors are, and foreign widths.

    A batch of shape (batch, 1, dim) is refused as well, by its shape and whatever it holds, so that no row decides over
    another; a sequence that is truly one token long is padded to two.

    Raises InputError naming every modality that does not fit.

    >>> import torch
    >>> check_features({"speech": torch.zeros(2, 3)}, {"speech": 3})
    >>> check_features({"speech": torch.zeros(2, 3)}, {"speech": 3}, sequences=True)
    Traceback (most recent call last):
    extractors.errors.InputError: the features do not fit this head
      - speech: expected sequences (batch, frames, 3), got (2, 3)
    This head reads sequences, and these are pooled vectors: extract with frames, or take a head of pooled vectors.
    """
    wrong, hint = [], None
    for modality, dim in dims.items():
        found = features.get(modality)
        values = found.values if isinstance(found, Sequences) else found
        shape = () if values is None else tuple(values.shape)
        if sequences:
            expected, fits = f"sequences (batch, frames, {dim})", _are_sequences(found) and shape[-1] == dim
        else:
            expected, fits = f"(batch, {dim})", len(shape) == 2 and shape[-1] == dim
        one = len(shape) == 3 and shape[1] == 1
        if fits and not (sequences and one):
            continue
        wrong.append(f"{modality}: expected {expected}, got {shape or 'nothing'}")
        if shape and sequences and not fits:
            hint = hint or POOLED
        elif sequences and one:
            hint = hint or DISGUISED
        elif len(shape) == 3:
            hint = NOT_POOLED
    if wrong:
        raise InputError("the features do not fit this head", wrong, hint)


def _are_sequences(found: Any) -> bool:
    return isinstance(found, Sequences) and found.values.ndim == 3 and found.mask.shape == found.values.shape[:2]


def check_lengths(lengths: Mapping[str, NDArray[np.int64]], strides: Mapping[str, int]) -> None:
    """Refuse rows of which a modality never has two tokens, counted after the head's strides.

    lengths : modality -> (rows,) frames of each row, 0 where it is absent

    Raises InputError naming every such modality.

    >>> check_lengths({"speech": np.array([9, 3]), "text": np.array([1, 1])}, {"speech": 4})
    Traceback (most recent call last):
    extractors.errors.InputError: attention needs sequences
      - text: none of 2 rows is longer than one token
    Attention over one token ignores its query: ...
    """
    wrong = [
        f"{modality}: none of {(frames > 0).sum()} rows is longer than "
        + (
            "one token"
            if (stride := strides.get(modality, 1)) == 1
            else f"{stride} frames, which the head makes one token"
        )
        for modality, frames in lengths.items()
        if (frames > 0).any() and frames.max() <= strides.get(modality, 1)
    ]
    if wrong:
        raise InputError("attention needs sequences", wrong, DISGUISED)


def reads_sequences(head: Any) -> bool:
    """Whether a head, or the heads that a factory of them makes, read sequences rather than pooled vectors.

    >>> from functools import partial
    >>> from fusion.heads.bottleneck import BottleneckHead
    >>> reads_sequences(partial(BottleneckHead, width=8))
    True
    """
    return bool(getattr(getattr(head, "func", head), "needs_sequences", False))
