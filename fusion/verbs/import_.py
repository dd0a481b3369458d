"""`emofuse import`: vectors that FunASR, the WebUI or another Emofuse computed, from a folder into the store."""

from __future__ import annotations

import logging
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from extractors.errors import InputError
from extractors.importing import ImportedVectors, import_folder
from extractors.types import Extractor
from fusion.cli import verb
from fusion.command.arguments import for_shell, quoted
from fusion.data.manifest import clips_of

log = logging.getLogger(__name__)

RECOMPUTED = 3  # clips, where the vectors are said to be of the same weights


@verb("import", literal={"path": "path", "origin": "origin"})
def main(cfg: DictConfig) -> None:
    """Check a folder of vectors as a whole, then store them under the clips of a manifest."""
    source = instantiate(cfg.data, require_label=False)
    if not hasattr(source, "extract"):
        raise InputError("import needs a manifest; data=features are vectors already")
    extractor = _extractor(cfg)
    summary = import_folder(
        Path(cfg.path),
        clips_of(source.read(workers=cfg.workers)),
        extractor,
        instantiate(cfg.store),
        match=cfg.match,
        unmatched=cfg.unmatched,
        scores=cfg.scores,
        recompute=RECOMPUTED if cfg.same_weights else 0,
        workers=cfg.workers,
    )
    log.info("%s", summary)
    if isinstance(extractor, ImportedVectors):
        log.info("Train on them with %s", _selection(extractor))


def _extractor(cfg: DictConfig) -> Extractor:
    """Whose vectors these are to be: an import's, or with `same_weights` the model's own."""
    if not cfg.same_weights and "model" in cfg.speech and "origin" not in cfg.speech:
        # the model is named, not needed: it may be one that this machine does not have
        return ImportedVectors(model=cfg.speech.model, dim=cfg.dim, origin=cfg.origin)
    extractor: Extractor = instantiate(cfg.speech)
    if isinstance(extractor, ImportedVectors):
        given = [f"{name}={cfg[name]}" for name in ("dim", "origin") if cfg[name] is not None]
        given += ["same_weights=true"] if cfg.same_weights else []
        if given:
            raise InputError(
                f"speech=imported with {', '.join(given)}: expected speech.dim and speech.origin, or a model for speech"
            )
        return extractor
    if cfg.dim not in (None, extractor.dim):
        raise InputError(f"dim: {extractor.name} has vectors of {extractor.dim} values, not of {cfg.dim}")
    if cfg.same_weights:
        return extractor
    return ImportedVectors(model=extractor.name, dim=extractor.dim, origin=cfg.origin, frame_rate=extractor.frame_rate)


def _selection(extractor: ImportedVectors) -> str:
    """What to write behind `emofuse train` to use these very vectors."""
    words = ["speech=imported", f"speech.model={extractor.model}", f"speech.dim={extractor.dim}"]
    if extractor.origin:
        origin = quoted(f"speech.origin={extractor.origin}", {"speech.origin": "speech.origin"})  # for Hydra's grammar
        words.append(for_shell(origin))
    return " ".join(words + ([] if extractor.frame_rate else ["speech.frame_rate=null"]))
