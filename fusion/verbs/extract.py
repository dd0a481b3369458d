"""`emofuse extract`: fill the embedding store from a manifest, and write what others read. A second run computes nothing."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from extractors.errors import InputError
from extractors.export import Exporter, StoredClips
from fusion.cli import verb
from fusion.data.manifest import clips_of
from fusion.data.sources import Extracted

log = logging.getLogger(__name__)

GRANULARITIES = ("utterance", "frame")


@verb("extract", literal={"export.path": "export.path"})
def main(cfg: DictConfig) -> None:
    """Embed every row of the manifest with the chosen encoders; `export=` writes files besides."""
    source = instantiate(cfg.data, require_label=False)
    if not hasattr(source, "extract"):
        raise InputError("extract needs a manifest; data=features are vectors already")
    if cfg.granularity not in GRANULARITIES:
        raise InputError(f"granularity: expected utterance or frame, got {cfg.granularity!r}")
    frames = cfg.granularity == "frame"
    export: Exporter | None = instantiate(cfg.export)
    if export is not None and export.modality not in cfg.modalities:
        raise InputError(
            f"export: {export.modality} vectors are to be written, and modalities={list(cfg.modalities)} computes none",
            hint=f"Set export.modality to one of them, or add {export.modality} to modalities.",
        )
    extracted = source.extract(
        extractors={m: partial(instantiate, cfg[m]) for m in cfg.modalities},
        store=partial(instantiate, cfg.store),
        run_dir=Path(HydraConfig.get().runtime.output_dir),
        frames=frames,
        check=None if export is None else export.check,  # what could not be written is refused before the long work
        **cfg.extraction,
    )
    if export is not None:
        _write(export, extracted, cfg, frames=frames)


def _write(export: Exporter, extracted: Extracted, cfg: DictConfig, *, frames: bool) -> None:
    if export.modality not in extracted.done:
        raise InputError(f"export: no row of the manifest has {export.modality}")
    encoder, summary = extracted.done[export.modality]
    clips = clips_of(extracted.frame)
    stored = StoredClips(instantiate(cfg.store), encoder["fingerprint"], clips, summary.keys, frames=frames)
    path = export.write(stored)
    scores = f" with scores of {len(stored.labels)} classes" if stored.labels else ""
    log.info("%d clips%s in %s", len(stored), scores, path)
