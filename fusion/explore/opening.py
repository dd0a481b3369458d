"""The vectors that a verb's configuration names, and the clips that its arguments name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from extractors.errors import InputError
from extractors.store import EmbeddingStore
from extractors.types import Embedding
from fusion.bundle import find_bundle
from fusion.data.sources import ManifestSource
from fusion.explore.collection import Collection
from fusion.explore.sources import BundleVectors, EncoderVectors, FileVectors, VectorSource, check_heard
from fusion.predictor import Predictor

AUDIO_SUFFIXES = frozenset([".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf", ".m4a"])


def open_vectors(cfg: DictConfig, run_dir: Path | None = None, *, rows: bool = True) -> VectorSource:
    """The source that the keys `vectors, bundle, modality, data, speech, text, store` of a verb's configuration name.

    vectors=FOLDER : .npy files, said to be of `vectors_model`; with data.path, their metadata by id
    bundle=FOLDER  : the fused embeddings of a trained model, of the rows of data.path
    else           : what the encoder of `modality` makes of the rows of data.path; without it, the encoder's whole store

    rows : all of it will be collected; False: it only embeds single clips

    Raises InputError for two of these at once, or too little.
    """
    has_manifest = not OmegaConf.is_missing(cfg.data, "path")
    source: ManifestSource | None = instantiate(cfg.data, require_label=False) if has_manifest else None
    if source is not None and not isinstance(source, ManifestSource):
        raise InputError("expected a manifest of clips: data=manifest data.path=clips.csv")
    if cfg.vectors is not None and cfg.bundle is not None:
        raise InputError("expected vectors= or bundle=, got both")
    if cfg.vectors is not None:
        metadata = None if source is None else source.read(check_audio=False)
        return FileVectors(Path(cfg.vectors).expanduser(), model=cfg.vectors_model, metadata=metadata)
    store: EmbeddingStore = instantiate(cfg.store)
    if cfg.bundle is not None:
        if source is None and rows:
            raise InputError("a bundle's embeddings need clips", hint="Give data.path=clips.csv.")
        folder = find_bundle(Path(cfg.bundle))
        predictor = Predictor.from_bundle(folder, device=cfg.device, offline=cfg.offline)
        return BundleVectors(source, predictor=predictor, store=store, name=_bundle_name(folder))
    if cfg.modality not in ("speech", "text"):
        raise InputError(f"modality: expected speech or text, got {cfg.modality!r}")
    return EncoderVectors(
        source, build=partial(instantiate, cfg[cfg.modality]), store=store, run_dir=run_dir, max_failed=cfg.max_failed
    )


def clip_named(what: Any, source: VectorSource, collection: Collection | None, *, frames: bool = False) -> Embedding:
    """The embedding of a clip that an argument names: an id of `collection`, an audio file, an .npy file or a text.

    Raises InputError where it is none of these.

    A name that is both an id and a file is taken for the id.
    """
    name = str(what)
    row = None if collection is None else collection.row_of(name)
    if row is not None and collection is not None:
        if source.maker.modality == "speech":
            check_heard(*(collection.column(about)[row] for about in ("audio", "start", "end")))
        return source.frames_of(collection, row) if frames else Embedding(collection.vectors[row])
    path = _path(name)
    if _is_file(path):
        return source.embed(audio=path, frames=frames)
    if source.maker.modality != "speech" and path.suffix.lower() not in AUDIO_SUFFIXES | {".npy"}:
        return source.embed(text=name, frames=frames)
    known = "" if collection is None else f", and no id of the {len(collection):,} clips"
    raise InputError(f"{name}: no such file{known}")


def _path(name: str) -> Path:
    """`name` as a path; a text may begin with `~` and mean nobody's home."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def _is_file(path: Path) -> bool:
    """A text may be longer than any path, which is an error to the system and none here."""
    try:
        return path.is_file()
    except OSError:
        return False


def _bundle_name(folder: Path) -> str:
    """What people call a bundle: its folder, or the run's where that is only `bundle`."""
    folder = folder.absolute()
    return folder.parent.name if folder.name == "bundle" else folder.name
