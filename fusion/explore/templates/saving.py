"""Templates on disk: templates.json to read and templates.safetensors with the numbers. Nothing in them can run code."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
from safetensors.numpy import load, save

from extractors.errors import InputError
from fusion.evaluation.calibration import Calibration
from fusion.explore.collection import Maker
from fusion.explore.space import KINDS as SPACES
from fusion.explore.space import Space
from fusion.explore.templates.prototypes import Kind, Prototypes
from fusion.explore.templates.templates import Templates

FORMAT = 1
ABOUT, NUMBERS = "templates.json", "templates.safetensors"
BEGINNING = re.compile(r'\{\s*"format": \d+,\s*"labels": \[')


def save_templates(folder: Path, templates: Templates) -> Path:
    """Write them as one step: a folder that is there is whole. Older templates at the same place are replaced.

    Raises InputError where there is something else.
    """
    folder = Path(folder).expanduser()
    check_place(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    numbers = save(_arrays(templates))
    about = _about(templates) | {"numbers": hashlib.blake2b(numbers, digest_size=16).hexdigest()}
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (draft / NUMBERS).write_bytes(numbers)
        text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False)
        (draft / ABOUT).write_text(text + "\n", encoding="utf-8")
        draft.chmod(0o755)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            os.replace(folder, old / "templates")
            os.replace(draft, folder)
            shutil.rmtree(old)
        else:
            os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


def check_place(folder: Path) -> bool:
    """Whether earlier templates will be replaced there, asked before the long work. Raises InputError where anything else
    would be."""
    folder = Path(folder).expanduser()
    if not folder.exists():
        return False
    inside = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if folder.is_dir() and not inside:
        return False
    if not _is_ours(folder) or not _begins_as_ours(folder / ABOUT):
        raise InputError(f"output: {folder} is there already and holds no templates", hint="Name another folder.")
    if others := [name for name in inside if name not in (ABOUT, NUMBERS)]:
        raise InputError(
            f"output: {folder} holds more than templates", others, hint="Name another folder, or move them."
        )
    return True


def _begins_as_ours(about: Path) -> bool:
    """By the first lines, so that templates of another version, or damaged ones, may be replaced too."""
    try:
        with about.open(encoding="utf-8", errors="replace") as file:
            return bool(BEGINNING.match(file.read(100)))
    except OSError:
        return False


def load_templates(folder: Path) -> Templates:
    """What `save_templates` wrote. InputError where there is nothing of the kind, or where it is damaged."""
    folder = Path(folder).expanduser()
    if not _is_ours(folder):
        raise InputError(
            f"templates: {folder} holds no templates",
            hint=f"Make some: emofuse templates data.path=few.csv output={folder.name}",
        )
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if about["format"] > FORMAT:
            raise InputError(f"{folder} was written by a newer Emofuse (format {about['format']}, known {FORMAT})")
        numbers = (folder / NUMBERS).read_bytes()
        if hashlib.blake2b(numbers, digest_size=16).hexdigest() != about["numbers"]:
            raise ValueError(f"{NUMBERS} is not the one that belongs to {ABOUT}")
        return _built(about, load(numbers))
    except InputError:
        raise
    except Exception as error:  # safetensors raises its own types
        raise InputError(f"templates: {folder} is damaged: {error}") from error


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and (folder / ABOUT).is_file()


def _arrays(templates: Templates) -> dict[str, np.ndarray]:
    prototypes, space = templates.prototypes, templates.space
    arrays = {
        "prototypes": prototypes.vectors,
        "classes": prototypes.classes,
        "shots": prototypes.shots,
        "rows": prototypes.rows,
        "mean": space.mean,
    }
    if space.whitening is not None:
        arrays["whitening"] = space.whitening
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _about(templates: Templates) -> dict[str, Any]:
    space = templates.space
    return {
        "format": FORMAT,
        "labels": list(templates.labels),
        "kind": templates.kind,
        "shots": templates.shots,
        "clips": list(templates.clips),
        "maker": asdict(templates.maker),
        "space": {"name": space.name, "kind": space.kind, "rows": space.rows},
        "calibration": asdict(templates.calibration),
        "calibrated": templates.calibrated,
        "measured": templates.measured,
    }


def _built(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Templates:
    """Raises what it meets where the two files do not make templates."""
    maker = Maker(**about["maker"])
    kind, count = about["kind"], len(arrays["prototypes"])
    prototypes = Prototypes(arrays["prototypes"], arrays["classes"], arrays["shots"], arrays["rows"])
    space_kind = about["space"]["kind"]
    if kind not in get_args(Kind) or space_kind not in SPACES:
        raise ValueError(f"kind {kind!r} in a space {space_kind!r}")
    if {arrays[name].shape for name in ("classes", "shots", "rows")} != {(count,)} or len(about["clips"]) != count:
        raise ValueError("the prototypes and what is said of them differ in number")
    if arrays["prototypes"].shape != (count, maker.dim) or arrays["mean"].shape != (maker.dim,):
        raise ValueError(f"prototypes of {arrays['prototypes'].shape} for {maker.dim} dims")
    if not np.array_equal(np.unique(arrays["classes"]), np.arange(len(about["labels"]))):
        raise ValueError("a label has no prototype")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("numbers that are not finite")
    space = Space(space_kind, maker.fingerprint, about["space"]["rows"], arrays["mean"], arrays.get("whitening"))
    if space.name != about["space"]["name"]:
        raise ValueError(f"the space is {space.name}, not {about['space']['name']}")
    calibration = Calibration(**about["calibration"])
    return Templates(
        tuple(about["labels"]),
        prototypes,
        tuple(about["clips"]),
        space,
        maker,
        calibration,
        about["calibrated"],
        kind,
        dict(about["measured"]),
    )
