"""Crossmodal attention over sequences: every modality listens to every other, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

from fusion.heads.base import Head, HeadOutput
from fusion.heads.masking import shares
from fusion.heads.transformer import SPEECH_STRIDE, Layer, Tokens, masked_mean


class CrossAttentionHead(Head):
    """MulT of Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL 2019, eq. 1 to 5.

    For each ordered pair of modalities a crossmodal transformer (section 3.2): the target's tokens attend to the
    source's, whose words and frames need not be aligned (section 3.1). The streams of a target, averaged over the sources
    that are present, go through a transformer of its own, in which they attend to each other; the targets' vectors go
    side by side through one layer. A target whose sources are all absent goes on with its own tokens.

    It is smaller than the paper's, to stay near the size of the heads of pooled vectors: `strides` make neighbouring
    frames one token (see `Tokens`), each transformer has one layer, and a vector is the mean over tokens, not the last.

    `weights` are the shares of the lengths of what each modality's stream adds to the last layer, which is linear
    before its GELU: a description of this row, not a Shapley value.

    Args:
        dims: modality -> width of its frames.
        num_classes: how many labels.
        width: of the tokens and the fused vector.
        heads: of each attention; a divisor of `width`.
        layers: of each transformer.
        expansion: of the feed-forward layers, in widths.
        strides: modality -> neighbouring frames that are averaged into one token; 1 where not named.
        dropout: after projection, each feed-forward layer, and on the fused vector.

    >>> from fusion.heads.base import Sequences
    >>> head = CrossAttentionHead(dims={"speech": 6, "text": 4}, num_classes=3).eval()
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
        layers: int = 1,
        expansion: float = 4.0,
        strides: Mapping[str, int] = SPEECH_STRIDE,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.strides = {m: int(stride) for m, stride in strides.items()}
        self.tokens = Tokens(dims=dims, width=width, strides=strides, dropout=dropout)

        def transformer() -> nn.ModuleList:
            return nn.ModuleList(
                Layer(width=width, heads=heads, expansion=expansion, dropout=dropout) for _ in range(layers)
            )

        self.pairs = list(permutations(self.dims, 2))  # (target, source)
        self.streams = nn.ModuleDict({f"{source}_to_{target}": transformer() for target, source in self.pairs})
        self.hear = nn.ModuleDict({name: nn.LayerNorm(width) for name in self.streams})  # LN of the source in eq. 4
        self.own = nn.ModuleDict({m: transformer() for m in self.dims})
        self.mix = nn.Linear(len(self.dims) * width, width)
        self.activate = nn.Sequential(nn.GELU(), nn.Dropout(dropout))
        self.classify = nn.Linear(width, num_classes)

    def forward(self, features: Mapping[str, Any], present: Mapping[str, Tensor]) -> HeadOutput:
        tokens = self.tokens(features, present)
        mask = torch.stack([tokens[m].mask.any(dim=1) for m in self.dims], dim=1)  # (batch, modalities)
        pooled = torch.stack([self._heard(target, tokens) for target in self.dims], dim=1)  # (batch, modalities, width)
        blocks = self.mix.weight.unflatten(1, pooled.shape[1:])  # (width, modalities, width)
        parts = torch.einsum("bmi,omi->bmo", pooled, blocks)  # (batch, modalities, width)
        embedding = self.activate(parts.sum(dim=1) + self.mix.bias)  # (batch, width)
        return HeadOutput(self.classify(embedding), embedding, shares(parts.detach().norm(dim=2), mask))

    def _heard(self, target: str, tokens: Mapping[str, Any]) -> Tensor:
        """(batch, width): what the tokens of `target` say after listening to the others; zeros where it is absent."""
        values, mask = tokens[target]
        total, count = torch.zeros_like(values), mask.new_zeros(len(mask), dtype=torch.long)
        for hearer, source in self.pairs:
            if hearer != target:
                continue
            name, there = f"{source}_to_{target}", tokens[source].mask.any(dim=1)  # (batch,)
            stream, known = values, self.hear[name](tokens[source].values)
            for layer in self.streams[name]:  # type: ignore[attr-defined]
                stream = layer(stream, tokens[source].mask, known)
            total = total + torch.where(there[:, None, None], stream, 0.0)
            count = count + there
        alone = (count == 0)[:, None, None]
        heard = torch.where(alone, values, total / count.clamp(min=1)[:, None, None])
        for layer in self.own[target]:  # type: ignore[attr-defined]
            heard = layer(heard, mask)
        return masked_mean(heard, mask)
