"""`emofuse meeting`: the minutes, with what the voices and words carried."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from extractors.errors import EmofuseError, InputError
from fusion.alerts import Rule, check_rules, load_rules
from fusion.cli import verb
from fusion.meeting.enrich import Settings, enrich
from fusion.meeting.estimators import Estimator, open_estimator
from fusion.meeting.manners import BANNER, Manners, purpose_of
from fusion.meeting.meeting import Meeting, publish
from fusion.meeting.minutes import read_minutes
from fusion.meeting.notify import check_settings, notify, secret_of
from fusion.meeting.outputs.report import says
from fusion.meeting.outputs.write import write_outputs
from fusion.meeting.pooling import Pooled
from fusion.meeting.transcripts import account, read_transcript
from fusion.valence import ValenceMap, load_valence

log = logging.getLogger(__name__)

SHOWN = 20  # items in the terminal; the report has all
PATHS = {name: name for name in ("audio", "transcript", "minutes", "rttm", "title")}


@verb("meeting", literal=PATHS)
def main(cfg: DictConfig) -> None:
    """Enrich one meeting and write its report. What is wrong is found before anything is computed."""
    manners = manners_of(cfg)
    if cfg.notify.url is not None:
        check_settings(cfg.notify.url, secret_of(cfg.notify.secret_env))
    transcript = read_transcript(
        _path(cfg.transcript),
        format=cfg.format,
        speaker_map=_plain(cfg.speaker_map),
        exclude_speakers=list(cfg.exclude_speakers),
        offset=float(cfg.offset),
        rttm=None if cfg.rttm is None else _path(cfg.rttm),
        columns=_plain(cfg.columns) or None,
    )
    for line in account(transcript):  # cues in, utterances out, and what was left out and why
        log.info("%s", line)
    minutes = None if cfg.minutes is None else read_minutes(_path(cfg.minutes))
    audio = None if cfg.audio is None else _path(cfg.audio)
    if audio is not None and not audio.is_file():
        raise InputError(f"audio: no such file: {audio}")
    estimator = open_estimator(
        bundle=None if cfg.bundle is None else _path(cfg.bundle),
        modality=manners.modality,
        build_speech=partial(instantiate, cfg.speech),
        device=cfg.device,
        offline=cfg.offline,
        speech_model=cfg.speech_model,
        text_model=cfg.text_model,
    )
    valence = load_valence(cfg.valence, labels=estimator.labels)
    meeting = publish(
        enrich(
            transcript,
            manners=manners,
            estimator=estimator,
            valence=valence,
            store=instantiate(cfg.store),
            audio=audio,
            minutes=minutes,
            rules=_rules(cfg, estimator, valence),
            encoder=instantiate(cfg.text),
            title=cfg.title or _path(cfg.transcript).stem,
            settings=Settings(cfg.longest_s, cfg.window_s, cfg.verify_offset),
        )
    )
    folder = _path(cfg.output) if cfg.output else Path(HydraConfig.get().runtime.output_dir)
    written = write_outputs(meeting, folder)
    Console().print(meeting_table(meeting))
    log.info(
        "%s, and beside it %s", written["report.html"], ", ".join(name for name in written if name != "report.html")
    )
    if cfg.notify.url is not None:
        _notify(cfg, meeting, folder, list(written))


def manners_of(cfg: DictConfig) -> Manners:
    """What the configuration asks for, checked."""
    return Manners(
        purpose_of(_plain(cfg.purpose)),
        modality=cfg.modality,
        per_person=cfg.per_person,
        anonymise=cfg.anonymise,
        acknowledged=cfg.acknowledge_restrictions,
        min_utterances=cfg.min_utterances,
        min_speakers=cfg.min_speakers,
    )


def meeting_table(meeting: Meeting) -> Table:
    """What was expressed: in all, by topic, by statement of the minutes."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False, caption_justify="left")
    for heading in ("", "expressed (estimated)"):
        table.add_column(heading)
    for heading in ("utterances", "coverage"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows: list[tuple[str, Pooled | None]] = [
        ("in all", meeting.overall),
        *((f"speaker {p.name}", p) for p in meeting.speakers),
    ]
    rows += [(f"topic: {topic.name}", topic.pooled) for topic in meeting.topics]
    rows += [(f"· {item.aligned.item.text}", item.pooled if item.aligned.best else None) for item in meeting.items]
    for name, pooled in rows[:SHOWN]:
        # as Text: a name may hold what rich takes for markup
        if pooled is None:
            table.add_row(Text(name), Text("not found in the transcript", "dim"))
            continue
        table.add_row(
            Text(name), Text(says(pooled)), f"{pooled.counted} of {pooled.utterances}", f"{pooled.coverage:.0%}"
        )
    notes = [BANNER, f"{len(meeting.alerts)} alerts", *meeting.notes]
    if len(rows) > SHOWN:
        notes.insert(0, f"… and {len(rows) - SHOWN} more in the report")
    table.caption = Text("\n".join(notes))
    return table


def _rules(cfg: DictConfig, estimator: Estimator, valence: ValenceMap) -> tuple[Rule, ...]:
    """Those of the set that these labels can follow."""
    if cfg.rules is None:
        return ()
    try:
        rules, left_out = check_rules(load_rules(cfg.rules), estimator.labels, valence=valence)
    except InputError:
        if cfg.rules != "default":
            raise
        log.warning("no rule of the default set can be followed with the labels %s: no alerts", list(estimator.labels))
        return ()
    for sentence in left_out:
        log.warning("%s", sentence)
    return rules


def _notify(cfg: DictConfig, meeting: Meeting, folder: Path, names: list[str]) -> None:
    content = {
        "event": "meeting.completed",
        "title": meeting.title,
        "purpose": meeting.manners.purpose.name,
        "folder": str(folder.absolute()),
        "files": names,
        "duration_s": round(meeting.duration_s, 3),
        "utterances": meeting.coverage.utterances,
    }
    try:
        notify(cfg.notify.url, content, secret=secret_of(cfg.notify.secret_env) or "")
    except EmofuseError as error:  # the files are there: that nobody was told must not look like a failure of the work
        log.warning("%s", error)


def _path(value: Any) -> Path:
    return Path(str(value)).expanduser()


def _plain(config: Any) -> dict[str, Any]:
    found = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else dict(config)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}
