"""Reads a manifest, the table of (audio, text, label) that everything begins with, and tells all that is wrong in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from extractors.errors import InputError
from extractors.types import Clip
from fusion.data.columns import HINT, choose_columns
from fusion.data.labels import tell_of_distributions
from fusion.data.manifest_checks import check_rows, tidy
from fusion.data.problems import UNUSABLE_AUDIO, Numbering, Problems
from fusion.data.raw import line_numbers, read_raw
from fusion.data.raw_table import RawTable
from fusion.data.soft_labels import read_labels

log = logging.getLogger(__name__)

ID_HINT = "An id is any name that no two rows share: the file's name, or a running number."


def read_manifest(
    path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    extra_columns: Sequence[str] | str = (),
    require_label: bool = True,
    check_audio: bool = True,
    delimiter: str | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Read and check a manifest: CSV, TSV, JSON Lines or Parquet in UTF-8, by the file's suffix.

    Columns: `id`, `audio` (a path, relative to the manifest), `text`, `label`; optional `speaker`, `split`
    (train, val, test), `group`, `start` and `end` (seconds into the audio), `language`. Audio or text may be
    missing in any row, not both. Every cell is text: "001" stays "001", "NA" and "None" are words; only an empty
    cell is missing.

    A `label` is a name, or what several annotators said: `angry:3|sad:1`, `angry|angry|angry|sad`, and in JSON Lines
    also `{"angry": 3, "sad": 1}` or a list. `fusion.data.soft_labels` says when `|` and `:` are letters of a name.

    Args:
        path: the file.
        columns: where a column goes by another name in the file: `{"label": "emotion"}`.
        extra_columns: further columns to keep; "*" keeps all. Others are a problem: most are a misspelt name.
        require_label: False where labels are not needed, as for prediction.
        check_audio: look at every audio file's header, so that missing and unreadable ones are known at once.
        delimiter: what separates the fields of a .csv that is not separated by commas.
        workers: threads that look at audio.

    Returns:
        DataFrame with the ten columns above, then the extra ones; RangeIndex in the order of the file. `audio` is
        absolute. `start` and `end` are float64 seconds, all else is `str`; what is missing is NaN (ask with `isna`).

    Raises:
        InputError: every problem of the file, with the row numbers (the first data row is row 1).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "calls.csv")
    ...     _ = file.write_text("id,text,label\\n1,fine,calm\\n1,great,happy\\n3,,happy\\n4,okay,calm\\n")
    ...     read_manifest(file)
    Traceback (most recent call last):
    extractors.errors.InputError: calls.csv: 2 problems in 4 rows
      - row 2 (line 3): id '1' is that of row 1 already
      - row 3 (line 4): neither audio nor text
    """
    path = Path(path)
    extra = [extra_columns] if isinstance(extra_columns, str) else list(extra_columns)
    raw = read_raw(path, delimiter=delimiter, label=(columns or {}).get("label", "label"))
    source = raw.frame.set_axis(pd.RangeIndex(len(raw.frame)), axis=0)
    frame, wrong_names = choose_columns(source, columns=columns, extra_columns=extra, require_label=require_label)
    problems = Problems([*wrong_names, *raw.problems])
    if not len(frame) and not raw.broken:
        problems.of_file.append("no rows")
    frame = tidy(frame, problems)
    known = {name for name in frame.columns if (columns or {}).get(name, name) in raw.frame.columns}
    check_rows(frame, problems, raw.rows, require_label=require_label, known=known, complete=not raw.broken)

    written = frame["audio"]
    if written.notna().any():
        from fusion.data.manifest_audio import absolute_audio, check_audio_files

        frame["audio"] = absolute_audio(written, path.absolute().parent)
        if check_audio:
            check_audio_files(written, frame["audio"], frame["start"], frame["end"], problems, workers=workers)
    if problems.count:
        numbering = _numbering(path, raw, problems, delimiter)
        hints = raw.hints + ([HINT] if wrong_names else [])
        hints += [ID_HINT] if any("no column 'id'" in problem for problem in wrong_names) else []
        hints += _audio_hint(problems, path)
        plural = "s" if problems.count > 1 else ""
        summary = f"{path.name}: {problems.count:,} problem{plural} in {len(frame) + raw.broken:,} rows"
        raise InputError(summary, problems.tell(numbering), "\n".join(hints) or None)
    log.info(
        "%s: %s rows, %d labels, %d speakers",
        path.name,
        f"{len(frame):,}",
        len(read_labels(frame["label"]).names),
        frame["speaker"].nunique(),
    )
    tell_of_distributions(frame["label"], path.name)
    return frame


def clips_of(frame: pd.DataFrame) -> list[Clip]:
    """The rows of a manifest as extractors want them."""
    audio, text = (frame[name].astype(object).where(frame[name].notna(), None) for name in ("audio", "text"))
    start, end = (frame[name].astype(object).where(frame[name].notna(), None) for name in ("start", "end"))
    return [
        Clip(id, Path(a) if a is not None else None, t, s, e)
        for id, a, t, s, e in zip(frame["id"], audio, text, start, end, strict=True)
    ]


def _numbering(path: Path, raw: RawTable, problems: Problems, delimiter: str | None) -> Numbering:
    """With the lines of the file, which are only counted now that somebody wants them."""
    if raw.lines is not None or not problems.of_rows:
        return raw.numbering
    lines = line_numbers(path, delimiter=delimiter)
    return Numbering(raw.rows, lines if lines is not None and len(lines) == len(raw.rows) else None)


def _audio_hint(problems: Problems, path: Path) -> list[str]:
    found = [finding for finding in problems.of_rows if finding.what == UNUSABLE_AUDIO]
    if not found:
        return []
    missing = any(f.detail and "no such file" in f.detail(int(np.min(f.positions))) for f in found)
    return [
        *([f"Audio is looked for relative to the manifest, in {path.absolute().parent}."] if missing else []),
        "To go on without such clips, up to the share that may fail: data.check_audio=false.",
    ]
