"""The contract every fusion head meets (tests/fusion/heads walks conf/head and checks it)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from extractors.errors import InputError


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
    """

    needs_sequences: bool = False

    def __init__(self, *, dims: Mapping[str, int], num_classes: int) -> None:
        super().__init__()
        self.dims, self.num_classes = dict(dims), num_classes

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.dims)

    @abstractmethod
    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        """`features[m]` (batch, dim) float, `present[m]` (batch,) bool. Absent rows are inert whatever they hold.

        Raises InputError where the vectors are not of the kind or width this head was built for; a head
        gets that by calling `check_features` before it computes anything.
        """


def check_features(features: Mapping[str, Tensor], dims: Mapping[str, int], *, sequences: bool = False) -> None:
    """Refuse pooled vectors where sequences are needed, sequences where vectors are, and foreign widths.

    Raises InputError naming every modality that does not fit.

    >>> import torch
    >>> check_features({"speech": torch.zeros(2, 3)}, {"speech": 3})
    >>> check_features({"speech": torch.zeros(2, 3)}, {"speech": 3}, sequences=True)
    Traceback (most recent call last):
    extractors.errors.InputError: the features do not fit this head
      - speech: expected (batch, frames, 3), got (2, 3)
    This head reads sequences, and these are pooled vectors: extract with frames, or take a head of pooled vectors.
    """
    rank = 3 if sequences else 2
    wrong = []
    for modality, dim in dims.items():
        shape = features[modality].shape if modality in features else None
        if shape is None or len(shape) != rank or shape[-1] != dim:
            expected = f"(batch, frames, {dim})" if sequences else f"(batch, {dim})"
            wrong.append(f"{modality}: expected {expected}, got {'nothing' if shape is None else tuple(shape)}")
    if wrong:
        kinds = {features[modality].ndim for modality in dims if modality in features}
        hint = None
        if sequences and 2 in kinds:
            hint = (
                "This head reads sequences, and these are pooled vectors: extract with frames, "
                "or take a head of pooled vectors."
            )
        elif not sequences and 3 in kinds:
            hint = "This head reads pooled vectors, and these are sequences: pool them, or take a head of sequences."
        raise InputError("the features do not fit this head", wrong, hint)
