"""From a corpus' folder to the manifest that `read_manifest` reads, written whole or not at all."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extractors.audio_info import SPAN_TOLERANCE
from extractors.errors import InputError
from extractors.files import atomic_path, write_text
from fusion.corpora.base import Corpus, Reading, Utterance
from fusion.corpora.files import found_in, is_lfs_pointer
from fusion.corpora.summary import counts_of, mismatches
from fusion.data.columns import COLUMNS, REQUIRED
from fusion.data.manifest_audio import probe_files

log = logging.getLogger(__name__)

UNUSABLE = ("refuse", "skip")


@dataclass(frozen=True)
class Built:
    """A manifest that was written.

    path       : the .csv
    frame      : its rows, `audio` as written
    mismatches : where the counts are not those published, one line each
    problems   : what was left out because `unusable="skip"`
    notes      : what was left out by rule
    hours      : of audio, counted once a file; None where it was not looked at
    """

    path: Path
    frame: pd.DataFrame
    mismatches: list[str]
    problems: list[str]
    notes: list[str]
    hours: float | None


def build_manifest(
    corpus: Corpus,
    root: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    unusable: str = "refuse",
    check_audio: bool = True,
    overwrite: bool = False,
    workers: int | None = None,
) -> Built:
    """Read `corpus` from the folder `root` and write its manifest, and beside it `<output>.notes.json`.

    Audio lies relative to the manifest where it is below its folder, else absolute. Counts that are not those published
    are told and no error: the download may be incomplete, or the release another.

    Args:
        corpus: which, and how to read it.
        root: its folder, unpacked.
        output: the .csv to write; `manifest.csv` in `root` by default.
        unusable: what happens to files that are none of the corpus's, unreadable audio and contradictions: "refuse"
            lists all of them and writes nothing, "skip" leaves them out.
        check_audio: look at the header of every file.
        overwrite: replace a manifest that is there.
        workers: threads that look at audio.

    Raises:
        InputError: no such folder, nothing of the corpus in it, something unusable, or a manifest that is there.

    >>> import soundfile, tempfile
    >>> from fusion.corpora.tess import Tess
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("OAF_dog_sad", "OAF_dog_happy", "YAF_dog_sad", "YAF_dog_happy"):
    ...         soundfile.write(Path(folder, f"{name}.wav"), [0.0] * 800, 16_000)
    ...     built = build_manifest(Tess(), folder)
    ...     print(built.path.read_text().splitlines()[1], built.mismatches[0])
    OAF_dog_happy,OAF_dog_happy.wav,Say the word dog.,happy,OAF,en,female,64 angry: 400 published, 0 here
    """
    root = Path(root).expanduser().absolute()
    output = root / "manifest.csv" if output is None else Path(output).expanduser().absolute()
    _check_arguments(corpus, root, output, unusable, overwrite)
    reading = _with_unique_ids(corpus.read(root))
    if not reading.utterances:
        raise InputError(
            f"{root}: nothing of {corpus.title} (variant {corpus.variant})",
            [f"found {found_in(root)}", *reading.problems, *reading.notes],
            f"Expected: {corpus.layout}",
        )
    hours = None
    if check_audio:
        reading, hours = _with_readable_audio(reading, root, workers)
    if reading.problems and unusable == "refuse":
        count = f"{len(reading.problems):,} problem" + ("s" if len(reading.problems) > 1 else "")
        raise InputError(
            f"{root}: {count}; nothing was written",
            reading.problems,
            "unusable=skip leaves these out and writes the rest.",
        )
    if not reading.utterances:
        raise InputError(f"{root}: nothing usable is left", reading.problems)
    frame = _as_written(corpus, reading.utterances, output.parent)
    wrong = mismatches(frame, corpus.published)
    with atomic_path(output) as draft:
        frame.to_csv(draft, index=False, lineterminator="\n")
    notes = _notes(corpus, frame, reading, wrong, hours)
    write_text(output.with_suffix(".notes.json"), json.dumps(notes, indent=2, ensure_ascii=False) + "\n")
    return Built(output, frame, wrong, reading.problems, reading.notes, hours)


def _check_arguments(corpus: Corpus, root: Path, output: Path, unusable: str, overwrite: bool) -> None:
    if unusable not in UNUSABLE:
        raise InputError(f"unusable: expected {' or '.join(UNUSABLE)}, got {unusable!r}")
    if not root.is_dir():
        what = "is a file: unpack it, and give the folder" if root.exists() else "no such folder"
        raise InputError(f"{root}: {what}", hint=f"Expected in it: {corpus.layout}")
    if output.suffix.lower() != ".csv":
        raise InputError(f"output: expected a name that ends in .csv, got {output.name}")
    if output.exists() and not overwrite:
        raise InputError(f"{output} is there already", hint="Give another output=…, or overwrite=true.")


def _with_unique_ids(reading: Reading) -> Reading:
    kept: dict[str, Utterance] = {}
    problems = list(reading.problems)
    for utterance in reading.utterances:
        first = kept.setdefault(utterance.id, utterance)
        if first is not utterance:
            problems.append(f"{utterance.audio} and {first.audio} are both {utterance.id}")
    return Reading(list(kept.values()), problems, reading.notes)


def _with_readable_audio(reading: Reading, root: Path, workers: int | None) -> tuple[Reading, float]:
    """Without the utterances whose audio cannot be used, each a problem; and the hours of audio there are."""
    files = list(dict.fromkeys(str(utterance.audio) for utterance in reading.utterances if utterance.audio))
    seconds, reasons = probe_files(files, workers=workers)
    durations = dict(zip(files, seconds, strict=True))
    problems = {file: reason for file, reason in zip(files, reasons, strict=True) if reason}
    if pointers := [file for file in problems if is_lfs_pointer(Path(file))]:
        problems |= dict.fromkeys(pointers, "Git left a pointer in its place: run `git lfs pull` in the clone")
    kept, told = [], [f"{os.path.relpath(file, root)}: {reason}" for file, reason in problems.items()]
    for utterance in reading.utterances:
        file = str(utterance.audio)
        if file in problems:
            continue
        if utterance.audio and (utterance.end or 0.0) > durations[file] + SPAN_TOLERANCE:
            told.append(f"{utterance.id}: ends at {utterance.end:g} s of {durations[file]:.3f} s")
            continue
        kept.append(utterance)
    return replace(reading, utterances=kept, problems=[*reading.problems, *told]), float(np.nansum(seconds)) / 3600


def _as_written(corpus: Corpus, utterances: Sequence[Utterance], folder: Path) -> pd.DataFrame:
    """The columns that hold something, and all of `corpus.extra`: whoever declares them must find them."""
    frame = corpus.frame(list(utterances))
    frame["audio"] = [None if audio is None else _relative(audio, folder) for audio in frame["audio"]]
    kept = [name for name in COLUMNS if name in REQUIRED or frame[name].notna().any()]
    return frame[[*kept, *corpus.extra]]


def _relative(audio: Path, folder: Path) -> str:
    return audio.relative_to(folder).as_posix() if audio.is_relative_to(folder) else str(audio)


def _notes(
    corpus: Corpus, frame: pd.DataFrame, reading: Reading, wrong: list[str], hours: float | None
) -> dict[str, Any]:
    """What the .csv cannot say of itself."""
    return {
        "corpus": corpus.name,
        "title": corpus.title,
        "variant": corpus.variant,
        "citation": corpus.citation,
        "licence": corpus.licence,
        "scripted": corpus.scripted,
        "notice": corpus.notice,
        "extra_columns": list(corpus.extra),
        "counts": counts_of(frame),
        "published": None
        if corpus.published is None
        else {"source": corpus.published.source, "counts": {k: list(v) for k, v in corpus.published.counts.items()}},
        "mismatches": wrong,
        "left_out": reading.problems,
        "notes": reading.notes,
        "hours": hours,
    }
