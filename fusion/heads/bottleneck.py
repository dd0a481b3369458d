"""Attention bottlenecks over sequences: modalities exchange a few tokens, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput, Sequences
from fusion.heads.masking import shares
from fusion.heads.transformer import SPEECH_STRIDE, Layer, Tokens, masked_mean


class BottleneckHead(Head):
    """MBT of Nagrani et al., "Attention Bottlenecks for Multimodal Fusion", NeurIPS 2021, section 3.2, eq. 4 to 8.

    Each modality has a transformer of its own. From layer `fusion_layer` on (L_f of section 3.3), its tokens and
    `bottlenecks` shared ones attend to each other, and what the modalities made of the shared tokens is averaged before
    the next layer: all that one modality learns of another has passed through them. The average is over the modalities
    that are present in a row. The fused vector is the mean of the modalities' vectors, as the paper averages the logits of
    their class tokens; here a vector is the mean over a modality's tokens, for heads that learn from few rows.

    `weights` are the shares of how far each of those vectors moves the logits apart, by the length of its part of them
    less their mean: a description of this row, not a Shapley value.

    Args:
        dims: modality -> width of its frames.
        num_classes: how many labels.
        width: of the tokens and the fused vector.
        heads: of each attention; a divisor of `width`.
        layers: of each modality's transformer.
        fusion_layer: the first layer with bottlenecks, from 0; two layers at least must follow, one to tell, one to hear.
        bottlenecks: shared tokens.
        expansion: of the feed-forward layers, in widths.
        strides: modality -> neighbouring frames that are averaged into one token; 1 where not named.
        dropout: after projection, each feed-forward layer, and on the fused vector.

    >>> head = BottleneckHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
    >>> speech = Sequences(torch.ones(2, 20, 6), torch.ones(2, 20, dtype=torch.bool))
    >>> text = Sequences(torch.ones(2, 5, 4), torch.ones(2, 5, dtype=torch.bool))
    >>> out = head({"speech": speech, "text": text},
    ...            {"speech": torch.tensor([True, True]), "text": torch.tensor([True, False])})
    >>> out.logits.shape, out.weights[1].tolist()
    (torch.Size([2, 3]), [1.0, 0.0])
    """

    needs_sequences = True

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        num_classes: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 3,
        fusion_layer: int = 1,
        bottlenecks: int = 4,
        expansion: float = 2.0,
        strides: Mapping[str, int] = SPEECH_STRIDE,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        if not 0 <= fusion_layer <= layers - 2 or bottlenecks < 1:
            raise ValueError(
                f"expected at least one bottleneck and 0 <= fusion_layer <= layers - 2, or no modality would hear another; "
                f"got bottlenecks={bottlenecks}, fusion_layer={fusion_layer}, layers={layers}"
            )
        self.strides = {m: int(stride) for m, stride in strides.items()}
        self.fusion_layer = fusion_layer
        self.tokens = Tokens(dims=dims, width=width, strides=strides, dropout=dropout)
        self.bottlenecks = nn.Parameter(0.02 * torch.randn(bottlenecks, width))  # the spread of the paper's
        self.transformers = nn.ModuleDict(
            {
                m: nn.ModuleList(
                    Layer(width=width, heads=heads, expansion=expansion, dropout=dropout) for _ in range(layers)
                )
                for m in self.dims
            }
        )
        self.normalize = nn.ModuleDict({m: nn.LayerNorm(width) for m in self.dims})
        self.drop = nn.Dropout(dropout)
        self.classify = nn.Linear(width, num_classes)

    def forward(self, features: Mapping[str, Any], present: Mapping[str, Tensor]) -> HeadOutput:
        tokens: dict[str, Sequences] = self.tokens(features, present)
        mask = torch.stack([tokens[m].mask.any(dim=1) for m in self.dims], dim=1)  # (batch, modalities)
        count = mask.sum(dim=1).clamp(min=1)  # (batch,)
        shared = self.bottlenecks.expand(len(mask), -1, -1)  # (batch, bottlenecks, width)
        for depth, layers in enumerate(zip(*self.transformers.values(), strict=True)):
            told = torch.zeros_like(shared)
            for column, (m, layer) in enumerate(zip(self.dims, layers, strict=True)):
                if depth < self.fusion_layer:
                    tokens[m] = Sequences(layer(*tokens[m]), tokens[m].mask)
                    continue
                tokens[m], after = _with_shared(layer, tokens[m], shared)
                told = told + torch.where(mask[:, column, None, None], after, 0.0)
            if depth >= self.fusion_layer:
                shared = told / count[:, None, None]
        vectors = [self.normalize[m](masked_mean(*tokens[m])) for m in self.dims]
        hidden = torch.where(mask[:, :, None], torch.stack(vectors, dim=1), 0.0)  # (batch, modalities, width)
        embedding = hidden.sum(dim=1) / count[:, None]  # (batch, width)
        parts = hidden.detach() @ self.classify.weight.detach().T  # (batch, modalities, classes)
        moved = (parts - parts.mean(dim=2, keepdim=True)).norm(dim=2)  # (batch, modalities)
        return HeadOutput(self.classify(self.drop(embedding)), embedding, shares(moved, mask))


def _with_shared(layer: nn.Module, tokens: Sequences, shared: Tensor) -> tuple[Sequences, Tensor]:
    """The layer over tokens and shared tokens side by side, and the two apart again."""
    own = tokens.values.shape[1]
    mask = torch.cat([tokens.mask, tokens.mask.new_ones(shared.shape[:2])], dim=1)
    values = layer(torch.cat([tokens.values, shared], dim=1), mask)
    return Sequences(values[:, :own], tokens.mask), values[:, own:]
