"""Which columns a manifest has, which of the table at hand are these, and what to say of the others."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import pandas as pd

REQUIRED = ("id", "audio", "text", "label")
OPTIONAL = ("speaker", "split", "group", "start", "end", "language")
COLUMNS = REQUIRED + OPTIONAL
SECONDS = ("start", "end")

# what the same things are called elsewhere; only ever used to suggest a name
ALSO_CALLED = {
    "id": ("uid", "utt", "utt_id", "utterance_id", "key", "name"),
    "audio": ("wav", "path", "file", "filename", "file_name", "audio_path", "audio_filepath", "wav_path"),
    "text": ("transcript", "transcription", "utterance", "sentence", "words"),
    "label": ("labels", "emotion", "class", "target", "emo", "category"),
    "speaker": ("speakers", "spk", "spk_id", "speaker_id", "actor", "subject"),
    "split": ("fold", "partition", "set", "subset"),
    "group": ("groups", "session", "dialogue", "dialog", "recording", "video"),
    "start": ("start_s", "start_time", "begin", "onset", "offset"),
    "end": ("end_s", "end_time", "stop"),
    "language": ("lang", "locale"),
}

HINT = (
    "Rename a column, say by what name it goes (columns: {label: emotion}; data.columns.label=emotion), or keep it as it "
    "is (extra_columns: [age]; data.extra_columns=[age], or '*' for all)."
)


def choose_columns(
    frame: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    extra_columns: Sequence[str] = (),
    require_label: bool = True,
) -> tuple[pd.DataFrame, list[str]]:
    """The manifest's columns out of `frame`, the declared extra ones behind them, and what is wrong with the names.

    A column that is not there is filled with missing values. `columns` maps the manifest's names to those of
    `frame`; `extra_columns` are kept as they are, "*" keeps all.
    """
    renamed = {name: there for name, there in (columns or {}).items() if there != name}
    problems = [
        f"columns: {_with_suggestion(f'{name!r} is no column of a manifest', name, COLUMNS)}"
        for name in renamed
        if name not in COLUMNS
    ]
    source = {name: renamed.get(name, name) for name in COLUMNS}
    problems += [
        f"columns: {name} is to be {there!r}, and there is no such column; there are {_listed(frame.columns)}"
        for name, there in renamed.items()
        if name in COLUMNS and there not in frame.columns
    ]
    missing = [name for name in COLUMNS if source[name] not in frame.columns and name not in renamed]
    # a column that another one was named to stand in for is not a mistake
    others = [name for name in map(str, frame.columns) if name not in source.values() and name not in renamed]
    needed = {"id"} | ({"label"} if require_label else set())
    for name in missing:
        if name in needed:
            problems.append(f"no column {name!r}{_looks_like(name, others)}")
    if "audio" in missing and "text" in missing:
        audio, text = _looks_like("audio", others), _looks_like("text", others)
        problems.append(f"neither a column 'audio'{audio} nor 'text'{text}")
    keeps_all = "*" in extra_columns
    declared = others if keeps_all else [name for name in others if name in extra_columns]
    problems += [
        _with_suggestion(f"extra_columns: there is no column {name!r}", name, others)
        for name in extra_columns
        if name not in frame.columns and name != "*"
    ]
    problems += [
        _with_suggestion(f"unknown column {name!r}" if name else "a column without a name", name, missing)
        for name in others
        if name not in declared
    ]
    empty = pd.Series(pd.array([None] * len(frame), dtype="str"), index=frame.index)
    chosen = {name: frame[there] if (there := source[name]) in frame.columns else empty for name in COLUMNS}
    return pd.DataFrame(chosen | {name: frame[name] for name in declared}, index=frame.index), problems


def nearest(name: str, candidates: Sequence[str]) -> str | None:
    """The one of `candidates` that `name` most likely means, by synonym or by spelling; None where none is near.

    >>> nearest("emotion", COLUMNS), nearest("speeker", COLUMNS), nearest("age", COLUMNS)
    ('label', 'speaker', None)
    """
    low = name.lower().strip()
    for known in candidates:
        if low == known.lower() or low in ALSO_CALLED.get(known, ()):
            return known
    near = difflib.get_close_matches(low, list(candidates), n=1, cutoff=0.7)
    return near[0] if near else None


def _with_suggestion(message: str, name: str, candidates: Sequence[str]) -> str:
    near = nearest(name, candidates) if name else None
    return f"{message}; did you mean {near!r}?" if near else message


def _looks_like(name: str, others: Sequence[str]) -> str:
    found = next((other for other in others if nearest(other, [name])), None)
    return f" (is it {found!r}?)" if found else ""


def _listed(names: Sequence[str] | pd.Index) -> str:
    return ", ".join(map(str, names))
