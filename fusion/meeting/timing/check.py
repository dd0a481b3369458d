"""A transcript's times against the length of its recording: units, ends, overlap. Nothing is shifted here.

Flags set here
    overlap     : somebody else speaks during part of the utterance
    clipped_end : it ended up to `TOLERANCE` after the recording and was cut there
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from extractors.errors import InputError
from fusion.clock import clock
from fusion.meeting.timing.overlap import overlap_shares
from fusion.meeting.transcript import LeftOut, Transcript, Utterance
from fusion.meeting.transcripts.assemble import spoken_seconds

log = logging.getLogger(__name__)

TOLERANCE = 2.0  # s after the recording's end: recognisers round up, and hear the last word out
SLOW, FAST = 100.0, 0.02  # times as long as its words take to say: milliseconds read as seconds, or the other way
THOUSANDFOLD = (300.0, 1050.0)  # times the recording's length; where there are no words to tell the rate from
NOTED = 0.01  # share of an utterance; less overlap than that is rounding
FEWEST = 3  # utterances with words, to tell a rate from


def check_times(transcript: Transcript, audio_seconds: float | None) -> Transcript:
    """The transcript, its times in order and within the recording; utterances that others talk over are flagged.

    audio_seconds : the recording's length; None where there is none: then only the unit is checked, by the rate of speech

    Raises InputError, with what to do, for a transcript in another unit and for one that ends after its recording.

    >>> said = (Utterance("1", 4.0, 9.0, "so be it", "A"), Utterance("2", 8.0, 11.0, "yes", "B"))
    >>> [(u.end_s, u.flags) for u in check_times(Transcript(said, "srt", cues=2), 10.0).utterances]
    [(9.0, ('overlap',)), (10.0, ('clipped_end', 'overlap'))]
    """
    said = sorted(transcript.utterances, key=lambda u: (u.start_s, u.end_s))
    if audio_seconds is not None and not 0 < audio_seconds < float("inf"):
        raise InputError(f"the recording's length must be above 0 s; got {audio_seconds}")
    _check_unit(transcript, said, audio_seconds)
    left_out: list[LeftOut] = []
    if audio_seconds is not None:
        _check_end(transcript, said, audio_seconds)
        _warn_of_length(transcript, audio_seconds)
        left_out = [
            LeftOut(f"utterance {u.id}", "begins after the recording's end") for u in said if u.start_s >= audio_seconds
        ]
        said = [_clipped(u, audio_seconds) for u in said if u.start_s < audio_seconds]
    shares = overlap_shares(said, transcript.excluded_times)
    said = [_flagged(u, "overlap") if share > NOTED else u for u, share in zip(said, shares, strict=True)]
    return replace(transcript, utterances=tuple(said), left_out=(*transcript.left_out, *left_out))


def _check_unit(transcript: Transcript, said: Sequence[Utterance], audio_seconds: float | None) -> None:
    last = max((u.end_s for u in said), default=0.0)
    rates = [u.seconds / spoken_seconds(u.text) for u in said if u.text and u.seconds > 0]
    known = len(rates) >= FEWEST
    rate = float(np.median(rates)) if known else 1.0
    too_long = audio_seconds is None or last > audio_seconds + TOLERANCE
    thousandfold = audio_seconds is not None and THOUSANDFOLD[0] < last / audio_seconds < THOUSANDFOLD[1]
    if too_long and (rate > SLOW if known else thousandfold):
        against = f" and the recording lasts {clock(audio_seconds)}" if audio_seconds is not None else ""
        raise InputError(
            f"the transcript's times look like milliseconds taken for seconds: it ends at {clock(last)}{against}",
            hint='Say so: columns={"unit": "ms"} for a CSV or JSON Lines; other formats have their unit fixed, so the '
            "file was changed after it was made.",
        )
    if rate < FAST and (audio_seconds is None or last * 1000 <= audio_seconds + 1000 * TOLERANCE):
        raise InputError(
            f"the transcript's times look like seconds taken for milliseconds: {len(said)} utterances in {last:.3f} s",
            hint='Say columns={"unit": "s"} for a CSV or JSON Lines.',
        )


def _check_end(transcript: Transcript, said: Sequence[Utterance], audio_seconds: float) -> None:
    last = max((u.end_s for u in said), default=0.0)
    if last <= audio_seconds + TOLERANCE:
        return
    after = sum(u.end_s > audio_seconds + TOLERANCE for u in said)
    raise InputError(
        f"the transcript ends after its recording: at {clock(last)}, and the recording lasts {clock(audio_seconds)}",
        [
            f"{after:,} of {len(said):,} utterances end more than {TOLERANCE:g} s after it",
            f"its times would have to be shifted by {audio_seconds - last:.1f} s or more to fit"
            + (f"; {transcript.offset_s:+g} s were added already" if transcript.offset_s else ""),
        ],
        hint="Is it another meeting's transcript, or was the recording cut? If the recording began later than the "
        "transcript, give that as a negative offset, in seconds; `estimate_offset` can measure it where speech has pauses.",
    )


def _warn_of_length(transcript: Transcript, audio_seconds: float) -> None:
    said_to_be = transcript.duration_s
    if said_to_be and abs(said_to_be - audio_seconds) > max(5.0, 0.05 * audio_seconds):
        log.warning(
            "The transcript says its recording lasts %s, this one lasts %s: is it the same?",
            clock(said_to_be), clock(audio_seconds),
        )  # fmt: skip


def _clipped(utterance: Utterance, audio_seconds: float) -> Utterance:
    if utterance.end_s <= audio_seconds:
        return utterance
    return _flagged(replace(utterance, end_s=audio_seconds), "clipped_end")


def _flagged(utterance: Utterance, flag: str) -> Utterance:
    return utterance if flag in utterance.flags else replace(utterance, flags=(*utterance.flags, flag))
