"""What is said after Ctrl-C: one line, and how to go on."""

from __future__ import annotations

import shlex
from pathlib import Path

from hydra.core.hydra_config import HydraConfig


def by_hand(left: BaseException) -> bool:
    """Whether this is Ctrl-C, also where Lightning has made a bare `sys.exit(1)` of it."""
    return isinstance(left, KeyboardInterrupt) or isinstance(left.__context__, KeyboardInterrupt)


def how_to_go_on(verb: str) -> str:
    """Of the job that runs: where its work is, as far as it is kept."""
    if verb == "train" and HydraConfig.initialized():
        folder = Path(HydraConfig.get().runtime.output_dir)
        if (folder / "fits").is_dir():
            return f"Stopped. emofuse train {shlex.quote(f'resume={shown(folder)}')} goes on from there."
    return "Stopped. What was extracted is kept; the same command goes on from there."


def shown(folder: Path) -> Path:
    """Relative to here where it lies below."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
