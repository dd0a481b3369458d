"""Where the model is: a local folder, a hub's cache, or, unless offline, a hub."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from extractors.emotion2vec.folder import missing_files
from extractors.emotion2vec.hubs import (
    download_from_huggingface,
    download_from_modelscope,
    hub_ids,
    huggingface_folders,
    modelscope_folders,
)
from extractors.errors import InputError
from extractors.offline import is_offline

log = logging.getLogger(__name__)

Source = Literal["folder", "ModelScope cache", "Hugging Face cache", "ModelScope", "Hugging Face"]

_HINT = (
    "Pass the folder of a model (config.yaml, model.pt, tokens.txt), for example one that was fetched where there is a "
    "network with `modelscope download --model {id} --local_dir FOLDER`. The extractor `acoustic` needs no model."
)


@dataclass(frozen=True)
class ModelFolder:
    """A whole model on this machine.

    model_id : the hub's id, or the folder's own name
    source : where it came from
    """

    path: Path
    model_id: str
    source: Source


def resolve_model(model: str | Path, *, offline: bool | None = None) -> ModelFolder:
    """The folder of `model`: a path, a hub id (`iic/emotion2vec_plus_large`) or its short name.

    Looked for, in this order: a local folder (which wins over an id of the same name), the ModelScope cache, the
    Hugging Face cache, ModelScope, Hugging Face. `offline` True, or None with EMOFUSE_OFFLINE, MODELSCOPE_OFFLINE,
    HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE set, reaches for nothing beyond this machine.

    Raises InputError that names every place and what was wrong there.

    >>> resolve_model("/nowhere/emotion2vec", offline=True)
    Traceback (most recent call last):
    ...
    extractors.errors.InputError: no Emotion2Vec+ model at /nowhere/emotion2vec
      - folder /nowhere/emotion2vec: does not exist
    Pass the folder of a model ...
    """
    name, offline = str(model), is_offline(offline)
    ids = None if isinstance(model, Path) else hub_ids(name)
    problems: list[str] = []
    # absolute: FunASR takes a relative folder of a known name for the hub's model of that name
    found = _whole([Path(name).expanduser().absolute()], "folder", problems)
    if found:
        return ModelFolder(found, found.name, "folder")
    if ids is None:
        raise InputError(f"no Emotion2Vec+ model at {name}", problems, _HINT.format(id="iic/emotion2vec_plus_large"))
    modelscope_id, huggingface_id = ids
    caches: tuple[tuple[Source, str, Iterator[Path]], ...] = (
        ("ModelScope cache", modelscope_id, modelscope_folders(modelscope_id)),
        ("Hugging Face cache", huggingface_id, huggingface_folders(huggingface_id)),
    )
    for source, model_id, folders in caches:
        found = _whole(folders, source, problems)
        if found:
            return ModelFolder(found, model_id, source)
    hubs: tuple[tuple[Source, str, Callable[[str], Path]], ...] = (
        ("ModelScope", modelscope_id, download_from_modelscope),
        ("Hugging Face", huggingface_id, download_from_huggingface),
    )
    for source, model_id, download in hubs:
        if offline:
            problems.append(f"{source}: not asked, because this is offline")
            continue
        try:
            fetched = download(model_id)
        except Exception as error:  # hubs raise what they like; every one of them means: not from here
            log.debug("%s: %s", source, error, exc_info=True)
            problems.append(f"{source}: {_first_line(error)}")
            continue
        if found := _whole([fetched], source, problems):
            return ModelFolder(found, model_id, source)
    raise InputError(f"the Emotion2Vec+ model {name} is not here", problems, _HINT.format(id=modelscope_id))


def _whole(folders: list[Path] | Iterator[Path], source: Source, problems: list[str]) -> Path | None:
    """The first whole model among `folders`; says of each place why it was not."""
    for folder in folders:
        if not folder.is_dir():
            problems.append(f"{source} {folder}: does not exist")
            continue
        try:
            missing = missing_files(folder)
        except InputError as error:
            problems.append(f"{source} {folder}: {error.summary}")
            continue
        if not missing:
            return folder
        problems.append(f"{source} {folder}: without {' and '.join(missing)}")
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0]
