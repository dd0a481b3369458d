"""Which folders are meant: a run, a sweep with its runs below, or a pattern of either."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from extractors.errors import InputError
from fusion.data.natural import natural

RESULTS = "results.json"
HYDRA = ".hydra"
HINT = "A RUN is a folder that training left, with results.json and predictions.csv; a folder of such folders; or a pattern."


@dataclass
class Found:
    """`finished` run folders in order, `unfinished` ones, and what is wrong with what was given."""

    finished: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_runs(given: Sequence[str | Path], *, unfinished: str = "refuse") -> tuple[list[Path], list[str]]:
    """The finished run folders that are meant, each once, in the order given; and notes on what was left out.

    Args:
        given: run folders, folders above them (a sweep), or patterns (`runs/train/*`, `runs/**/gated`).
        unfinished: "refuse" runs without results.json, or "skip" them with a note.

    Raises InputError that names everything given which is no run, is not there, or is not finished.
    """
    if unfinished not in ("refuse", "skip"):
        raise InputError(f"unfinished: expected refuse or skip, got {unfinished}")
    if not given:
        raise InputError("expected runs to compare, got none", hint=HINT)
    found = Found()
    for entry in given:
        paths = _expanded(str(entry))
        if not paths:
            found.problems.append(f"{entry}: not there")
        for path in paths:
            _look(path, found, alone=len(paths) == 1)
    late = [f"{path}: not finished, it has no {RESULTS}" for path in dict.fromkeys(found.unfinished)]
    if unfinished == "refuse":
        found.problems += late
        late = []
    if found.problems:
        hint = "unfinished=skip leaves unfinished runs out." if found.unfinished and unfinished == "refuse" else HINT
        raise InputError(f"runs to compare: {_count(len(found.problems))}", found.problems, hint)
    once: dict[Path, Path] = {}
    for path in found.finished:
        once.setdefault(path.resolve(), path)
    finished = list(once.values())
    if not finished:
        raise InputError("runs to compare: none is finished", late, HINT)
    return finished, [f"Left out: {line}." for line in late]


def _expanded(entry: str) -> list[Path]:
    path = Path(entry).expanduser()
    if path.name == RESULTS and path.is_file():
        return [path.parent]
    if path.exists():
        return [path]
    hits = (Path(hit) for hit in glob.glob(str(path), recursive=True))  # noqa: PTH207  # the pattern may be absolute
    folders = {hit.parent if hit.name == RESULTS else hit for hit in hits if hit.is_dir() or hit.name == RESULTS}
    return sorted(folders, key=natural)


def _look(path: Path, found: Found, *, alone: bool) -> None:
    """File `path` itself, or the runs below it. What is no run is only a problem where it was named (`alone`)."""
    if not path.is_dir():
        found.problems.append(f"{path}: expected a folder, got a file")
    elif (path / RESULTS).is_file():
        found.finished.append(path)
    elif (path / HYDRA).is_dir():
        verb = verb_of(path)
        if verb in (None, "train"):
            found.unfinished.append(path)
        elif alone:
            found.problems.append(f"{path}: a run of `{verb}`, not of `train`")
    else:
        before = len(found.finished) + len(found.unfinished)
        _search(path, found)
        if alone and before == len(found.finished) + len(found.unfinished):
            found.problems.append(f"{path}: no run, and none below it")


def _search(folder: Path, found: Found) -> None:
    for child in sorted((entry for entry in folder.iterdir() if entry.is_dir()), key=natural):
        if child.name.startswith(".") or child.is_symlink():
            continue
        if (child / RESULTS).is_file() or (child / HYDRA).is_dir():
            _look(child, found, alone=False)
        else:
            _search(child, found)


def verb_of(folder: Path) -> str | None:
    """The verb that Hydra started in `folder`, None where nothing tells."""
    try:
        config = OmegaConf.load(folder / HYDRA / "hydra.yaml")
    except Exception:  # whatever is wrong with that file, it does not say
        return None
    name = OmegaConf.select(config, "hydra.job.name") if isinstance(config, DictConfig) else None
    return str(name) if name else None


def _count(problems: int) -> str:
    return f"{problems} problem" + "s" * (problems != 1)
