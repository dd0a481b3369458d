"""`emofuse meeting`: the minutes, with what the voices and words carried."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table
from rich.text import Text
from yaml import YAMLError

from extractors.errors import EmofuseError, InputError
from fusion.alerts import Rule, check_rules, load_rules
from fusion.cli import verb
from fusion.meeting.enrich import enrich
from fusion.meeting.estimators import Estimator, open_estimator
from fusion.meeting.manners import BANNER, Manners, mentioned, purpose_of, purposes
from fusion.meeting.meeting import Item, Meeting, publish
from fusion.meeting.minutes import read_minutes
from fusion.meeting.notify import check_settings, notify, secret_of
from fusion.meeting.outputs.words import not_found, says, whose
from fusion.meeting.outputs.write import check_folder, write_outputs
from fusion.meeting.pooling import Pooled
from fusion.meeting.settings import Settings
from fusion.meeting.transcript import Transcript
from fusion.meeting.transcripts import account, read_transcript
from fusion.valence import ValenceMap, load_valence

log = logging.getLogger(__name__)

SHOWN = 20  # items in the terminal; the report has all
# taken as they stand: paths and titles with commas; and mappings, as Hydra puts no new key into one of its own
LITERAL = {
    name: name for name in ("audio", "transcript", "minutes", "rttm", "title", "output", "speaker_map", "columns")
}


@verb("meeting", literal=LITERAL)
def main(cfg: DictConfig) -> None:
    """Enrich one meeting and write its report. What is wrong is found before anything is computed."""
    manners = manners_of(cfg)
    if cfg.notify.url is not None:
        check_settings(cfg.notify.url, secret_of(cfg.notify.secret_env))
    settings = Settings(cfg.longest_s, cfg.window_s, cfg.verify_offset)
    folder = _path(cfg.output) if cfg.output else Path(HydraConfig.get().runtime.output_dir)
    transcript = read_transcript(
        _path(cfg.transcript),
        format=cfg.format,
        speaker_map=_mapping("speaker_map", cfg.speaker_map),
        exclude_speakers=_names("exclude_speakers", cfg.exclude_speakers),
        offset=cfg.offset,
        rttm=None if cfg.rttm is None else _path(cfg.rttm),
        columns=_mapping("columns", cfg.columns) or None,
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
    rules = _rules(cfg, estimator, valence)
    given = (cfg.audio, cfg.transcript, cfg.minutes, cfg.rttm)
    check_folder(folder, [_path(one) for one in given if one is not None])
    meeting = publish(
        enrich(
            transcript,
            manners=manners,
            estimator=estimator,
            valence=valence,
            store=instantiate(cfg.store),
            audio=audio,
            minutes=minutes,
            rules=rules,
            encoder=instantiate(cfg.text),
            title=_title(cfg, transcript, manners),
            settings=settings,
        )
    )
    written = write_outputs(meeting, folder)
    Console().print(meeting_table(meeting))
    log.info(
        "%s, and beside it %s", written["report.html"], ", ".join(name for name in written if name != "report.html")
    )
    if cfg.notify.url is not None:
        _notify(cfg, meeting, folder, list(written))


def manners_of(cfg: DictConfig) -> Manners:
    """What the configuration asks for, checked."""
    if OmegaConf.is_missing(cfg, "purpose"):
        words = {
            "acknowledged": "voices with acknowledge_restrictions=true",
            "refused": "words only, voices are refused",
        }
        raise InputError(
            "purpose: say what this recording is looked at for; it stands in every output",
            [f"purpose={one.name}: {one.about} ({words[one.voice]})" for one in purposes()],
            hint="RESPONSIBLE_USE.md says what each allows.",
        )
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
    rows: list[tuple[str, Pooled | Item]] = [
        ("in all", meeting.overall),
        *((whose("speaker", p.name), p) for p in meeting.speakers),
    ]
    rows += [(f"topic: {topic.name}", topic.pooled) for topic in meeting.topics]
    rows += [(f"· {item.aligned.item.text}", item) for item in meeting.items]
    for name, row in rows[:SHOWN]:
        # as Text: a name may hold what rich takes for markup
        if isinstance(row, Item) and not row.aligned.found:
            table.add_row(Text(name), Text(not_found(row), "dim"))
            continue
        pooled = row.pooled if isinstance(row, Item) else row
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


def _title(cfg: DictConfig, transcript: Transcript, manners: Manners) -> str:
    """As given; else the transcript's file name, unless that says who speaks and nobody is to be named."""
    if cfg.title:
        return str(cfg.title)
    name = _path(cfg.transcript).stem
    speakers = {u.speaker for u in transcript.utterances if u.speaker is not None}
    return "meeting" if manners.anonymise and mentioned(sorted(speakers), name.replace("_", " ")) else name


def _path(value: Any) -> Path:
    return Path(str(value)).expanduser()


def _mapping(name: str, value: Any) -> dict[str, str]:
    """{SPEAKER_00: Anna}, from a file's mapping or from the words of the command line."""
    try:
        found = OmegaConf.create(str(value)) if isinstance(value, str) else value
        plain = _plain({} if found is None else found)
    except (YAMLError, OmegaConfBaseException, ValueError, TypeError, AssertionError):
        plain = {"": None}
    if not all(key and isinstance(one, str | int) for key, one in plain.items()):
        raise InputError(f"{name}: expected names with names, got {value!r}", hint=f"Write {name}='{{old: new}}'.")
    return {key: str(one) for key, one in plain.items()}


def _names(name: str, value: Any) -> list[str]:
    if not isinstance(value, ListConfig | list) or any(one is None for one in value):
        raise InputError(f"{name}: expected a list of names, got {value!r}", hint=f"Write {name}=[Anna,Ben], or [].")
    return [str(one) for one in value]


def _plain(config: Any) -> dict[str, Any]:
    found = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else dict(config)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}
