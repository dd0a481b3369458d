"""`emofuse rerun RUN`: repeat a finished training run from its record, and say whether the figures agree.

Exit status 0: they agree; 1: they differ; 2: the run cannot be repeated.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from extractors.errors import InputError
from extractors.files import write_text
from fusion.cli import verb
from fusion.configuration import conf_folder
from fusion.tracking.agreement import Figure, Rows, compare_figures, compare_rows, counts
from fusion.tracking.differences import Difference, data_differences, known_differences
from fusion.tracking.environment import data_files
from fusion.tracking.recorded import RECIPE, Recorded, read_run, targets, write_recipe
from fusion.tracking.trust import refuse_foreign
from fusion.verbs.rerun_table import rerun_view

log = logging.getLogger(__name__)


@verb("rerun", positional=("run",))
def main(cfg: DictConfig) -> None:
    """Repeat the run in a new folder and compare results.json and predictions.csv."""
    if isinstance(cfg.tolerance, bool) or not isinstance(cfg.tolerance, int | float) or cfg.tolerance < 0:
        raise InputError(f"tolerance: expected a number from 0 on, got {cfg.tolerance!r}")
    folder = Path(HydraConfig.get().runtime.output_dir)
    then = read_run(Path(cfg.run))
    refuse_foreign(targets(then.config), tuple(cfg.trusted))
    cwd = _working_folder(then)
    log.info("repeating %s", then.folder)
    now = _repeat(then, folder, cwd)
    figures = compare_figures(then.results, now.results, cfg.tolerance)
    rows = compare_rows(then.folder / "predictions.csv", now.folder / "predictions.csv")
    differences = known_differences(then, now)
    agree = not any(figure.verdict in ("differs", "gone") for figure in figures) and rows.agree(cfg.tolerance)
    report = _report(then, now, figures, rows, differences, agree=agree, tolerance=cfg.tolerance)
    file = write_text(folder / "rerun.json", json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    Console().print(rerun_view(figures, rows, differences, agree=agree, tolerance=cfg.tolerance))
    log.info("\nthe new run  %s\nevery figure that is not exact  %s", now.folder, file)
    if not agree:
        raise SystemExit(1)


def _working_folder(then: Recorded) -> Path:
    """Where relative paths of the run start: where it was started, or here if that is gone and the data is here."""
    cwd = then.cwd if then.cwd.is_dir() else Path.cwd()
    path = OmegaConf.select(then.config, "data.path")
    if isinstance(path, str) and not (cwd / path).exists():
        raise InputError(
            f"{then.folder} cannot be rerun: its data is not there: data.path {path}",
            hint=f"It was started in {then.cwd}"
            + ("." if then.cwd.is_dir() else ", which is gone; go where the data is."),
        )
    if cwd != then.cwd:
        log.warning("%s, where the run was started, is gone; its relative paths are taken from here", then.cwd)
    recorded = (then.environment or {}).get("data", {})
    if isinstance(path, str) and not Path(path).is_absolute():
        path = str(cwd / path)
    found = data_files(OmegaConf.create({"data": {"path": path}}))
    for changed in data_differences({k: v for k, v in recorded.items() if k in found}, found if recorded else {}):
        log.warning("%s is not what it was: %s, now %s", changed.what, changed.then, changed.now)
    return cwd


def _repeat(then: Recorded, folder: Path, cwd: Path) -> Recorded:
    """Train once more, in a process of its own as the first time, from the recorded configuration."""
    script = find_spec("train")
    if script is None or script.origin is None:
        raise InputError("the training script is not there; is Emofuse installed?")
    run_dir = folder / "run"
    write_recipe(then, folder / "recipe", run_dir=run_dir, conf=conf_folder())
    command = [sys.executable, script.origin, "--config-dir", str(folder / "recipe"), "--config-name", RECIPE]
    status = subprocess.run(command, cwd=cwd, check=False).returncode
    if status != 0:
        raise InputError(
            f"{then.folder} cannot be rerun: training left with status {status}",
            hint="Its own message stands above. The record may be of another version of Emofuse, or the data is gone.",
        )
    return read_run(run_dir)


def _report(
    then: Recorded,
    now: Recorded,
    figures: list[Figure],
    rows: Rows,
    differences: list[Difference],
    *,
    agree: bool,
    tolerance: float,
) -> dict[str, Any]:
    return {
        "agree": agree,
        "tolerance": tolerance,
        "then": str(then.folder),
        "now": str(now.folder),
        "figures": counts(figures),
        "not_exact": [
            {"figure": figure.name, "then": figure.then, "now": figure.now, "verdict": figure.verdict}
            for figure in figures
            if figure.verdict not in ("exact", "new")
        ],
        "rows": vars(rows),
        "known_differences": [difference._asdict() for difference in differences],
    }
