"""Who speaks in each row, by a transcript."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from extractors.errors import InputError
from fusion.explore.trajectory.names import plain
from fusion.explore.trajectory.recording import FRAME_RATE
from fusion.explore.trajectory.result import NO_SPEAKER, Bools
from fusion.meeting.transcript import Transcript

log = logging.getLogger(__name__)

LATE = 1.0  # s; an utterance may end so much after its recording, as clocks differ


def check_belongs(transcript: Transcript | None, seconds: float) -> None:
    """Raise InputError where nothing of a transcript was said while the recording ran; warn where some of it was not."""
    if transcript is None:
        return
    later = [utterance for utterance in transcript.utterances if utterance.start_s >= seconds]
    if len(later) == len(transcript.utterances):
        raise InputError("no utterance of the transcript lies within the recording", hint="Do the two belong together?")
    if later or max(utterance.end_s for utterance in transcript.utterances) > seconds + LATE:
        log.warning(
            "the recording ends at %.1f s, the transcript goes on (%d of %d utterances begin later): do they belong together?",
            seconds,
            len(later),
            len(transcript.utterances),
        )


def speakers_of(transcript: Transcript | None, rows: int, rate: float) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """(names in order of appearance, (rows,) index of them or -1). Where two speak at once, whoever began last has the row.

    A row belongs to an utterance whose time its middle lies in.
    """
    owner = np.full(rows, NO_SPEAKER, np.int64)
    if transcript is None:
        return (), owner
    named = sorted((u for u in transcript.utterances if u.speaker), key=lambda u: (u.start_s, u.end_s))
    names = tuple(dict.fromkeys(plain(str(utterance.speaker)) for utterance in named))
    for utterance in named:
        first = max(0, int(np.ceil(utterance.start_s * rate - 0.5)))
        last = max(first, int(np.ceil(utterance.end_s * rate - 0.5)))
        owner[first:last] = names.index(plain(str(utterance.speaker)))
    return names, owner


def said_in(transcript: Transcript | None, frames: int) -> Bools:
    """(frames,) bool: what lies in somebody's utterance. Raises InputError where nothing does."""
    mask = np.zeros(frames, bool)
    for utterance in () if transcript is None else transcript.utterances:
        mask[max(0, round(utterance.start_s * FRAME_RATE)) : max(0, round(utterance.end_s * FRAME_RATE))] = True
    if not mask.any():
        raise InputError("no utterance of the transcript lies within the recording", hint="Do the two belong together?")
    return mask


def per_step(owner: NDArray[np.int64], rate: float, steps: int, hop: float) -> NDArray[np.int64]:
    """(steps,) the speaker with most rows of each step; -1 where nobody has one."""
    size = max(1, round(rate * hop))
    found = np.full(steps, NO_SPEAKER, np.int64)
    for step in range(steps):
        rows = owner[step * size : (step + 1) * size]
        rows = rows[rows >= 0]
        if len(rows):
            found[step] = np.bincount(rows).argmax()
    return found
