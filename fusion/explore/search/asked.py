"""What is searched for: a clip of the collection, an audio file, an .npy file, a text, or a vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from extractors.audio_info import content_hash
from extractors.errors import InputError
from extractors.keys import embedding_key
from extractors.types import Float32
from fusion.explore.opening import AUDIO_SUFFIXES
from fusion.explore.search.hits import Match, Rows
from fusion.explore.sources import ARRAY, VectorSource, check_heard

Query = str | Path | Float32


@dataclass(frozen=True)
class Asked:
    """A query in the search's space, and what in the collection is the query itself.

    unit  : (dim,) float32
    what  : "clip", "audio", "vector" or "text"
    id    : of the row that is the query
    key   : of the content that was heard; a row of the same key is the query under another name
    audio : absolute path of the file that was heard, and its span in seconds
    """

    unit: Float32
    what: str
    id: str | None = None
    key: str | None = None
    audio: str | None = None
    span: tuple[float, float] = (0.0, float("inf"))

    def is_itself(self, match: Match) -> bool:
        """Whether a row is the query: the same row, the same content, or a span of the same file that overlaps."""
        if match.id == self.id or (self.key is not None and match.key == self.key):
            return True
        if self.audio is None or match.metadata.get("audio") != self.audio:
            return False
        first, last = _span(match.metadata.get("start"), match.metadata.get("end"))
        return first < self.span[1] and self.span[0] < last


def asked(
    query: Query,
    rows: Rows,
    source: VectorSource | None,
    *,
    start: float | None = None,
    end: float | None = None,
    words: str | None = None,
) -> Asked:
    """`query` in the space of `rows`: a row's id, a file, a text where the encoder reads, or a vector (dim,).

    start, end : seconds of an audio file
    words      : what is said in it, for a bundle that also reads

    Raises InputError where it is none of these, silent, of another width, not finite, or the very mean of the space.
    """
    spanned = start is not None or end is not None
    _check_span(start, end)
    if isinstance(query, np.ndarray):
        _no_span(spanned)
        return Asked(_unit(query, rows), "vector")
    name = str(query)
    match = rows.match(name)
    if match is not None:
        _no_span(spanned)
        unit = rows.unit(name)
        assert unit is not None
        _check_direction(unit, name)
        if rows.maker.modality == "speech":
            check_heard(*(match.metadata.get(about) for about in ("audio", "start", "end")))
        heard = rows.maker.modality != "text"  # a sentence that others said too is worth finding
        audio = match.metadata.get("audio") if heard else None
        key = match.key if heard else None
        return Asked(unit, "clip", name, key, audio, _span(match.metadata.get("start"), match.metadata.get("end")))
    if source is None:
        raise InputError(f"{name}: no id of the {len(rows):,} clips, and no encoder was given to embed anything else")
    path = _file(name)
    if path is None:
        if rows.maker.modality != "speech" and Path(name).suffix.lower() not in AUDIO_SUFFIXES | {ARRAY}:
            _no_span(spanned)
            return Asked(_unit(source.embed(text=name).vector, rows), "text")
        hint = None
        if rows.maker.modality == "speech":
            hint = "To search for what is said: modality=text, or mode=keyword."
        raise InputError(f"{name}: no such file, and no id of the {len(rows):,} clips", hint=hint)
    if path.suffix == ARRAY:
        _no_span(spanned)
        return Asked(_unit(source.embed(audio=path).vector, rows), "vector")
    said = words if rows.maker.modality == "fused" else None
    unit = _unit(source.embed(audio=path, text=said, start=start, end=end).vector, rows)
    key = embedding_key(content_hash(path), start, end, rows.maker.fingerprint)
    return Asked(unit, "audio", None, key, str(path.absolute()), _span(start, end))


def _unit(vector: Float32, rows: Rows) -> Float32:
    if vector.ndim != 1:
        raise InputError(f"query: expected a vector of {rows.maker.dim} values, got an array of shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise InputError("query: the vector is not finite")
    unit = rows.space.transform(np.asarray(vector, np.float32))
    _check_direction(unit, "query")
    return unit


def _check_direction(unit: Float32, name: str) -> None:
    if not unit.any():
        raise InputError(
            f"{name}: its vector is the mean of the space itself: it is like nothing more than anything else"
        )


def _check_span(start: object, end: object) -> None:
    problems = [
        f"{name}: expected seconds, at least 0, got {value!r}"
        for name, value in (("start", start), ("end", end))
        if value is not None
        and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"))
    ]
    if problems:
        raise InputError("the query's span", problems)


def _no_span(spanned: bool) -> None:
    if spanned:
        raise InputError("start and end are of an audio file, and the query is none")


def _span(start: object, end: object) -> tuple[float, float]:
    first = float(start) if isinstance(start, (int, float)) else 0.0
    return first, float(end) if isinstance(end, (int, float)) else float("inf")


def _file(name: str) -> Path | None:
    """The file called `name`, or None; a text may begin with ~ or be longer than any path."""
    try:
        path = Path(name).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None
