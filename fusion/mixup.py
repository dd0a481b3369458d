"""Rows that are blends of two, so that between two classes a model learns a slope and not a cliff."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from extractors.errors import InputError


def mix_rows(
    features: Mapping[str, Tensor], present: Mapping[str, Tensor], targets: Tensor, *, alpha: float
) -> tuple[dict[str, Tensor], Tensor]:
    """Each row blended with a partner of its batch: x = λ x_i + (1 - λ) x_j, and y in the same way.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, eq. 1-2, on embeddings, which Verma et al.,
    "Manifold Mixup", ICML 2019, found to be the better place. λ ~ Beta(alpha, alpha) is drawn for each row, as in eq. 2.

    Partners have the same modalities. A blend of targets says what all of the input says in the same measure; where
    the partner lacked a modality, that modality would go on speaking for one class alone and be taught the blend. A row
    that no other is like is its own partner, and stays as it is.

    The vectors are blended as they come. A model that standardises them afterwards, as `FusionModel` does, sees the blend
    of the standardised vectors, for standardising is affine; only where a value lies so far out that it is clamped,
    it is the blend that is clamped and not each part.

    Draws from torch's global generator.

    Args:
        features: modality -> (batch, dim) float.
        present: modality -> (batch,) bool.
        targets: (batch, classes) float, each row a distribution.
        alpha: 0.1 to 0.4 in the paper; near 0, one of the two rows all but disappears; 1 is uniform.

    Returns the new features and targets. Raises InputError for sequences: frames of two clips do not belong together.

    >>> _ = torch.manual_seed(0)
    >>> features, present = {"text": torch.tensor([[0.0], [8.0]])}, {"text": torch.tensor([True, True])}
    >>> mixed, blended = mix_rows(features, present, torch.eye(2), alpha=1.0)
    >>> torch.allclose(mixed["text"][:, 0], 8 * blended[:, 1])
    True
    """
    sequences = [m for m, values in features.items() if not isinstance(values, Tensor) or values.ndim != 2]
    if sequences:
        raise InputError(
            f"mixup blends pooled vectors, and {' and '.join(sequences)} comes as sequences",
            hint="Set mixup=0, or take a head of pooled vectors.",
        )
    partner = partners(present)
    concentration = torch.full((len(targets), 2), alpha, device=targets.device)
    share = torch.distributions.Dirichlet(concentration, validate_args=False).sample()[:, :1]  # its first part is Beta
    # where alpha is so small that both gamma draws are 0 in float32, the row stays as it is
    share = torch.nan_to_num(share, nan=1.0)
    mixed = {m: _blend(values, partner, share) for m, values in features.items()}
    return mixed, _blend(targets, partner, share)


def partners(present: Mapping[str, Tensor]) -> Tensor:
    """(batch,) int64: a random order of the rows among those of the same modalities. Draws from the global generator.

    >>> present = {"speech": torch.tensor([True, False, True]), "text": torch.tensor([True, True, True])}
    >>> partners(present)[1].item()
    1
    """
    pattern = sum(mask.long() << place for place, mask in enumerate(present.values()))  # (batch,)
    assert isinstance(pattern, Tensor)
    order = torch.randperm(len(pattern), device=pattern.device)
    # rows pattern by pattern, once as they stand and once in random order: side by side, these are the pairs
    standing = torch.argsort(pattern, stable=True)
    drawn = order[torch.argsort(pattern[order], stable=True)]
    partner = torch.empty_like(order)
    partner[standing] = drawn
    return partner


def _blend(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    share = share.to(values.dtype)
    return share * values + (1 - share) * values[partner]
