"""What a trained model is on disk: model.safetensors, model.json and MODEL_CARD.md. No pickle anywhere."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from extractors.errors import InputError
from extractors.types import Modality
from fusion.ensemble import Ensemble
from fusion.heads.base import Head
from fusion.model import FusionModel

log = logging.getLogger(__name__)

FORMAT = 2  # of model.json; raised when an older Emofuse could not read a newer file

OWN_HEADS = "fusion.heads."
OWN_EXTRACTORS = "extractors."


@dataclass(frozen=True)
class BundleInfo:
    """Everything about a trained model but its weights: model.json, field by field.

    labels    : the ordered class names; every probability vector is in this order
    dims      : modality -> width of its vectors
    encoders  : modality -> {"config": constructor arguments with `_target_`, "fingerprint", "describe"};
                empty for a model trained on vectors that the user brought
    head      : the head's `_target_` and keyword arguments
    prior     : share of each label among the training rows, in the order of `labels`
    threshold : below this confidence the answer is `uncertain`
    members   : how many models are asked together; with more than one, each has its temperature among the weights
    """

    labels: tuple[str, ...]
    dims: dict[Modality, int]
    encoders: dict[Modality, dict[str, Any]]
    head: dict[str, Any]
    prior: tuple[float, ...]
    temperature: float = 1.0
    threshold: float = 0.0
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    members: int = 1
    format: int = FORMAT

    @property
    def modalities(self) -> tuple[Modality, ...]:
        return tuple(self.dims)


def build(target: str, arguments: dict[str, Any], *, prefix: str, trusted: Sequence[str] = ()) -> Any:
    """The object that a bundle names. Only classes under `prefix`, or in modules the caller trusts, are imported:
    a bundle from a stranger must not choose which code runs here.
    """
    module, _, name = target.rpartition(".")
    if not (module + ".").startswith(prefix) and module not in trusted:
        raise InputError(
            f"the bundle wants {target!r}, which is not part of Emofuse",
            hint=f"If you wrote or trust that module, pass trusted=[{module!r}].",
        )
    if "_target_" in json.dumps(arguments):
        raise InputError(f"the bundle's arguments of {target!r} name code to run, which no bundle of ours does")
    try:
        cls = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"the bundle wants {target!r}, which this version of Emofuse does not have") from error
    # what a module of ours imported is not ours: fusion.heads.gated.Tensor would be torch's
    if not isinstance(cls, type) or cls.__module__ != module:
        raise InputError(f"the bundle wants {target!r}, which is no class of that module")
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"the bundle's arguments of {target!r} do not fit: {error}") from error


def save_bundle(folder: Path, model: FusionModel | Ensemble, info: BundleInfo, card: str) -> Path:
    """Write the bundle as one step: a folder that is there is whole. An older one at the same place is replaced."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        save_file(state, draft / "model.safetensors")
        text = json.dumps(asdict(info), ensure_ascii=False, indent=2, allow_nan=False)
        (draft / "model.json").write_text(text + "\n", encoding="utf-8")
        (draft / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        draft.chmod(0o755)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            os.replace(folder, old / "bundle")
            os.replace(draft, folder)
            shutil.rmtree(old)
        else:
            os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


def find_bundle(path: Path) -> Path:
    """The bundle that a path means: itself, the `bundle/` of a run, or the newest under a folder of runs (the log says which).

    What is none of these is returned as it is: `read_info` says what is missing.
    """
    path = Path(path).expanduser()
    for folder in (path, path / "bundle"):
        if (folder / "model.json").is_file():
            return folder
    found = [model.parent for model in path.glob("**/bundle/model.json")] if path.is_dir() else []
    if not found:
        return path
    newest = max(found, key=lambda folder: (folder / "model.json").stat().st_mtime)
    log.info("the newest of %d bundles under %s: %s", len(found), path, newest)
    return newest


def read_info(folder: Path) -> BundleInfo:
    """model.json, checked. InputError says what is missing or wrong."""
    folder = Path(folder)
    absent = [name for name in ("model.json", "model.safetensors") if not (folder / name).is_file()]
    if absent:
        raise InputError(
            f"{folder} is not a bundle: no {' and no '.join(absent)}",
            hint="Give the `bundle/` folder of a finished `emofuse train` run.",
        )
    try:
        raw = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if raw.get("format", 0) > FORMAT:
            raise InputError(f"{folder} was written by a newer Emofuse (format {raw['format']}, known {FORMAT})")
        raw["labels"], raw["prior"] = tuple(raw["labels"]), tuple(raw["prior"])
        info = BundleInfo(**raw)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{folder}/model.json is damaged: {error}") from error
    if not isinstance(info.members, int) or info.members < 1:
        raise InputError(f"{folder}/model.json is damaged: {info.members!r} members")
    if len(info.prior) != len(info.labels):
        raise InputError(f"{folder}/model.json is damaged: {len(info.labels)} labels, {len(info.prior)} priors")
    return info


def load_bundle(folder: Path, *, trusted: Sequence[str] = ()) -> tuple[FusionModel | Ensemble, BundleInfo]:
    """The model, ready to predict on the CPU, and what is known of it."""
    info = read_info(folder)
    arguments = {key: value for key, value in info.head.items() if key not in ("_target_", "_partial_")}
    arguments |= {"dims": info.dims, "num_classes": len(info.labels)}
    members = []
    for _ in range(info.members):
        head = build(str(info.head.get("_target_")), arguments, prefix=OWN_HEADS, trusted=trusted)
        if not isinstance(head, Head):
            raise InputError(f"the bundle wants {info.head['_target_']!r} as its head, which is no fusion head")
        members.append(FusionModel(head))
    model = Ensemble(members) if info.members > 1 else members[0]
    try:
        model.load_state_dict(load_file(Path(folder) / "model.safetensors"))
    except Exception as error:  # safetensors and torch raise their own types for damaged or foreign weights
        raise InputError(f"{folder}/model.safetensors does not fit model.json: {error}") from error
    return model.eval(), info
