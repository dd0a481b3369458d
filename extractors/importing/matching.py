"""Which clip of the manifest a vector belongs to. By name, since a vector carries none; never by guess."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from extractors.errors import InputError
from extractors.importing.found import FoundVector
from extractors.types import Clip

Match = Literal["auto", "id", "audio"]


class ClipNames:
    """The clips of a manifest by what a vector of theirs may be called.

    "id"    : the clip's id
    "audio" : the stem of its audio file, which is what FunASR calls a clip; or the audio file is the WebUI's own copy
              beside the vector. Only of clips without `start` and `end`, for such a vector is of the whole file.
    "auto"  : either, as long as they do not point to different clips

    >>> names = ClipNames([Clip("a", Path("wav/x.wav")), Clip("b", Path("wav/y.wav"))], "auto")
    >>> names.find(FoundVector(Path("b.npy"), ("b",))), names.find(FoundVector(Path("x.npy"), ("x",)))
    (1, 0)
    """

    def __init__(self, clips: Sequence[Clip], match: Match) -> None:
        if match not in get_args(Match):
            raise InputError(f"match: expected one of {', '.join(get_args(Match))}, got {match!r}")
        self._match = match
        self._clips = clips
        self._ids = {clip.id: i for i, clip in enumerate(clips)}
        self._stems: defaultdict[str, list[int]] = defaultdict(list)
        self._files: dict[str, int] = {}
        for i, clip in enumerate(clips):
            if clip.audio is not None and not clip.start and clip.end is None:
                self._stems[clip.audio.stem].append(i)
                self._files.setdefault(os.path.realpath(clip.audio), i)

    def find(self, vector: FoundVector) -> int | None:
        """Position of its clip; None where none is called so. ValueError says why it cannot be told."""
        by_id = {self._ids[name] for name in vector.names if name in self._ids} if self._match != "audio" else set()
        by_audio: set[int] = set()
        if self._match != "id":
            by_audio = {i for name in vector.names for i in self._stems.get(name, [])}
            if vector.audio is not None and (file := self._files.get(os.path.realpath(vector.audio))) is not None:
                by_audio.add(file)
        contents = {content_of(self._clips[i]): i for i in sorted(by_id | by_audio, reverse=True)}
        if not contents:
            return None
        (found, *others) = sorted(contents.values())
        if others:
            several = ", ".join(repr(self._clips[i].id) for i in (found, *others))
            hint = "; say which with match=id or match=audio" if by_id and by_audio else ""
            raise ValueError(f"may be of several clips: {several}{hint}")
        if self._clips[found].audio is None:
            raise ValueError(f"is of the clip {self._clips[found].id!r}, which has no audio in the manifest")
        return found


def content_of(clip: Clip) -> tuple[Path | None, float, float | None]:
    """File and span: clips of which this is the same have one vector."""
    return clip.audio, clip.start or 0.0, clip.end
