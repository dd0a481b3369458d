"""A bundle whose head has random weights over real encoders: it answers, and means nothing by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from extractors.types import Extractor
from fusion.bundle import BundleInfo, save_bundle
from fusion.heads.gated import GatedHead
from fusion.model import FusionModel

CONFIGS: dict[str, dict[str, Any]] = {
    "speech": {"_target_": "extractors.acoustic.AcousticExtractor", "pitch_min": 60.0, "pitch_max": 500.0},
    "text": {"_target_": "extractors.text.SentenceTransformerExtractor", "model": "all-MiniLM-L6-v2"},
}


def save_random_bundle(
    folder: Path, extractors: Sequence[Extractor], labels: Sequence[str], prior: Sequence[float], *, seed: int = 0
) -> Path:
    """`extractors` are an acoustic one, a text one of the default model, or both."""
    torch.manual_seed(seed)
    dims = {one.modality: one.dim for one in extractors}
    info = BundleInfo(
        labels=tuple(labels),
        dims=dims,
        encoders={
            one.modality: {
                "config": CONFIGS[one.modality], "fingerprint": one.fingerprint, "describe": one.describe()
            }
            for one in extractors
        },
        head={"_target_": "fusion.heads.gated.GatedHead", "_partial_": True, "width": 8},
        prior=tuple(prior),
    )  # fmt: skip
    return save_bundle(folder, FusionModel(GatedHead(dims=dims, num_classes=len(labels), width=8)), info, "card")
