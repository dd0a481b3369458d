"""`emofuse trajectory audio=…`: scores, valence, path and changes over one recording, as picture, page, tables and tracks."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from extractors.errors import InputError
from fusion.cli import verb

log = logging.getLogger(__name__)

PATHS = {name: name for name in ("audio", "transcript", "bundle", "output")}


@verb("trajectory", literal=PATHS)
def main(cfg: DictConfig) -> None:
    """Follow one recording, write what is found into the run's folder or `output`, and print the changes.

    In Python: `from fusion.explore.trajectory import trajectory`, then `trajectory("call.wav").write("out")`.
    """
    from fusion.explore.trajectory import trajectory
    from fusion.explore.trajectory.activity import check_silence
    from fusion.explore.trajectory.changes import check_search
    from fusion.explore.trajectory.files import check_folder
    from fusion.explore.trajectory.recording import Recording
    from fusion.explore.trajectory.said import no_classes

    shown = _whole("shown", cfg.shown)
    audio = Path(cfg.audio).expanduser()  # no shell does so behind a =
    folder = Path(cfg.output).expanduser() if cfg.output else Path(HydraConfig.get().runtime.output_dir)
    search = _search(cfg.changes)
    check_search(search)  # what is not installed is said before anything is read
    check_silence(cfg.silence)
    read = [audio, *([Path(cfg.transcript).expanduser()] if cfg.transcript else [])]
    earlier = check_folder(folder, read)
    Recording(audio)  # what cannot be read is refused before a model loads
    transcript = _transcript(cfg)
    predictor = _predictor(cfg)
    found = trajectory(
        audio,
        None if predictor else instantiate(cfg.speech),
        bundle=predictor,
        transcript=transcript,
        utterances_only=bool(cfg.exclude_speakers),
        window=cfg.window,
        smooth=cfg.smooth,
        silence=cfg.silence,
        valence=cfg.valence,
        signal=cfg.signal,
        changes=search,
    )
    files = found.write(folder, shown=shown)
    if earlier is not None:
        log.info("%s: the earlier course of %s was replaced", folder, earlier)
    Console().print(changes_table(found, shown))
    if without := no_classes(found):
        log.info("%s", without)
    log.info("\npage    %s\nfiles   %s", files[1], ", ".join(path.name for path in files if path != files[1]))


def changes_table(found: Any, shown: int) -> Table:
    """The strongest changes, in order of time."""
    from fusion.clock import clock
    from fusion.explore.trajectory.said import CAUTION

    changes = found.strongest(shown)
    many = f"{len(found.changes)} change{'' if len(found.changes) == 1 else 's'}"
    title = f"{found.name}: {clock(found.seconds)}, {clock(found.spoken_s)} spoken, {many}"
    table = Table(title=Text(title), title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("no.", "time", *(["speaker"] if found.speakers else []), "before → after"):
        table.add_column(name, justify="right" if name in ("no.", "time") else "left")
    valence = found.valence is not None
    for name in (*(["valence"] if valence else []), "evidence"):
        table.add_column(name, justify="right", no_wrap=True)
    for change in changes:
        moved = "–"
        if change.before_valence is not None and change.after_valence is not None:
            moved = f"{change.before_valence:+.2f} → {change.after_valence:+.2f}".replace("-", "−")
        table.add_row(
            str(change.rank),
            clock(change.time_s, tenths=True),
            *([Text(change.speaker or "")] if found.speakers else []),
            Text(change.said),  # as Text: a label may hold what rich takes for markup
            *([moved] if valence else []),
            f"{change.evidence:.1f}",
        )
    more = (
        f"{len(found.changes) - len(changes)} weaker ones are in changes.csv\n"
        if len(changes) < len(found.changes)
        else ""
    )
    table.caption = Text(f"{more}{CAUTION}")
    table.caption_justify = "left"
    return table


def _search(changes: DictConfig | None) -> Any:
    from fusion.explore.trajectory import Search

    if changes is None:
        return None
    if not isinstance(changes, DictConfig):
        raise InputError(f"changes: expected penalty and min_seconds, or null, got {changes!r}")
    return Search(**{str(name): changes[name] for name in changes})


def _transcript(cfg: DictConfig) -> Any:
    if cfg.transcript is None:
        if cfg.exclude_speakers:
            raise InputError("exclude_speakers needs a transcript that says who speaks", hint="Give transcript=…")
        return None
    from fusion.meeting.transcripts import read_transcript

    return read_transcript(
        Path(cfg.transcript).expanduser(), exclude_speakers=[str(name) for name in cfg.exclude_speakers]
    )


def _predictor(cfg: DictConfig) -> Any:
    if cfg.bundle is None:
        return None
    from fusion.predictor import Predictor

    return Predictor.from_bundle(
        Path(cfg.bundle).expanduser(),
        trusted=tuple(cfg.trusted),
        device=cfg.device,
        sources={"speech": cfg.speech_model, "text": cfg.text_model},
        offline=cfg.offline,
    )


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"{name}: expected a number from 0, got {value!r}")
    return value
