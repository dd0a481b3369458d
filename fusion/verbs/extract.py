"""`emofuse extract`: fill the embedding store from a manifest. Resumable; a second run computes nothing."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from extractors.errors import InputError
from fusion.cli import verb

log = logging.getLogger(__name__)


@verb("extract")
def main(cfg: DictConfig) -> None:
    """Embed every row of the manifest with the chosen encoders."""
    source = instantiate(cfg.data, require_label=False)
    if not hasattr(source, "extract"):
        raise InputError("extract needs a manifest; data=features are vectors already")
    source.extract(
        extractors={m: partial(instantiate, cfg[m]) for m in cfg.modalities},
        store=partial(instantiate, cfg.store),
        run_dir=Path(HydraConfig.get().runtime.output_dir),
        **cfg.extraction,
    )
