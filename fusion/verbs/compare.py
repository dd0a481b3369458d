"""`emofuse compare RUN…`: finished runs side by side, with intervals, paired tests and pictures."""

from __future__ import annotations

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from extractors.errors import InputError
from extractors.writable import check_writable_folder
from fusion.cli import verb

log = logging.getLogger(__name__)


@verb("compare", positional=("folders*",), literal={"output": "output"})
def main(cfg: DictConfig) -> None:
    """Read the runs, write the tables and pictures into the run's folder or `output`, and print the tables."""
    from fusion.comparison.compare import compare
    from fusion.comparison.report import write_comparison
    from fusion.comparison.terminal import print_tables
    from fusion.comparison.views import all_tables

    _check_numbers(cfg)
    folder = Path(cfg.output) if cfg.output else Path(HydraConfig.get().runtime.output_dir)
    check_writable_folder(folder, "output")
    found = compare(
        _texts(cfg.folders),
        by=_texts(cfg.by),
        draws=cfg.draws,
        level=cfg.level,
        seed=cfg.seed,
        min_common=cfg.min_common,
        min_rows=cfg.min_rows,
        unfinished=cfg.unfinished,
    )
    page, *others = write_comparison(folder, found)
    print_tables(all_tables(found))
    log.info("\npage    %s\nfiles   %s", page, ", ".join(path.name for path in others))


def _check_numbers(cfg: DictConfig) -> None:
    """What must be a number is one; of which size is for `compare` to say."""
    whole, any_number = (int,), (int, float)
    wanted = {"draws": whole, "seed": whole, "min_rows": whole, "level": any_number, "min_common": any_number}
    problems = [
        f"{name}: expected a number, got {cfg[name]}"
        for name, kind in wanted.items()
        if not isinstance(cfg[name], kind) or isinstance(cfg[name], bool)
    ]
    if problems:
        raise InputError("settings of the comparison", problems)


def _texts(value: object) -> list[str]:
    """A list of words; a single word is one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(entry) for entry in value]  # type: ignore[attr-defined]
