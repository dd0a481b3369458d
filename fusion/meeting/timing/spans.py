"""What goes to an encoder: utterances, the long ones cut at pauses, a speaker's short ones joined to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from extractors.errors import InputError
from fusion.meeting.timing.cut import cut_points, cut_text
from fusion.meeting.timing.overlap import Talk
from fusion.meeting.transcript import Transcript, Utterance

LONGEST, SHORT, GAP = 30.0, 1.0, 1.0  # s
SHORTEST = 0.1  # s; less sound than that says nothing, and some encoders cannot take it


@dataclass(frozen=True, slots=True)
class Part:
    """An utterance in a span.

    index  : of the utterance in its transcript
    id     : of the utterance
    share  : the part of the utterance that this span holds; over all spans they sum to 1 for every utterance covered
    weight : the part of the span's speech that is this utterance's; within a span they sum to 1
    """

    index: int
    id: str
    share: float
    weight: float


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of one speaker that is encoded at once, seconds into the recording."""

    start_s: float
    end_s: float
    speaker: str | None
    text: str
    parts: tuple[Part, ...]

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def inference_spans(
    transcript: Transcript,
    *,
    samples: NDArray[np.floating] | None = None,
    sampling_rate: int = 16_000,
    longest_s: float = LONGEST,
    short_s: float = SHORT,
    gap_s: float = GAP,
) -> list[Span]:
    """Spans in order of time; each says which utterances it holds, and how much of them.

    samples   : (samples,) of the recording, to find pauses in where words have no times
    longest_s : no span is longer; utterances are cut at the pauses nearest to equal pieces
    short_s   : an utterance shorter than that is joined to the same speaker's neighbour at most `gap_s` away, if nobody
                else speaks in between (nor somebody who was left out by wish)

    An utterance shorter than 0.1 s that has no neighbour to be joined to is in no span: there is nothing to hear.

    >>> said = (Utterance("1", 0.0, 0.6, "well", "A"), Utterance("2", 1.0, 4.0, "so be it", "A"), Utterance("3", 4, 44, "…"))
    >>> for span in inference_spans(Transcript(said, "srt")):
    ...     print(span.start_s, span.end_s, [(part.id, part.share, round(part.weight, 2)) for part in span.parts])
    0.0 4.0 [('1', 1.0, 0.17), ('2', 1.0, 0.83)]
    4 24.0 [('3', 0.5, 1.0)]
    24.0 44 [('3', 0.5, 1.0)]
    """
    if not (longest_s > 0 and short_s >= 0 and gap_s >= 0):
        raise InputError(f"longest_s must be above 0, short_s and gap_s not below; got {longest_s}, {short_s}, {gap_s}")
    said = transcript.utterances
    spans: list[Span] = []
    for group in _groups(transcript, longest_s, short_s, gap_s):
        if len(group) == 1 and said[group[0]].seconds > longest_s:
            spans += _pieces(said[group[0]], group[0], samples, sampling_rate, longest_s)
        else:
            span = _joined([(index, said[index]) for index in group])
            if span.seconds >= SHORTEST:
                spans.append(span)
    return sorted(spans, key=lambda span: (span.start_s, span.end_s))


def per_utterance(spans: Sequence[Span], values: NDArray[np.floating], utterances: int) -> NDArray[np.float64]:
    """(utterances, dim) float64: what each span gave (spans, dim), averaged by share; NaN where no span is.

    >>> spans = [Span(0, 20, None, "", (Part(0, "1", 0.5, 1.0),)), Span(20, 40, None, "", (Part(0, "1", 0.5, 1.0),))]
    >>> per_utterance(spans, np.array([[1.0, 0.0], [0.0, 1.0]]), 2).tolist()
    [[0.5, 0.5], [nan, nan]]
    """
    if len(values) != len(spans):
        raise InputError(f"a row of values for each of the {len(spans)} spans is expected; got {len(values)}")
    summed = np.zeros((utterances, values.shape[1]))
    shares = np.zeros(utterances)
    for span, row in zip(spans, np.asarray(values, dtype=np.float64), strict=True):
        for part in span.parts:
            summed[part.index] += part.share * row
            shares[part.index] += part.share
    return np.where(shares[:, None] > 0, summed / np.where(shares > 0, shares, 1.0)[:, None], np.nan)


def _groups(transcript: Transcript, longest_s: float, short_s: float, gap_s: float) -> list[list[int]]:
    """Indices of utterances that are encoded together. Those of nobody known stay alone: neighbours may be two people."""
    said = transcript.utterances
    by_speaker: dict[str, list[int]] = {}
    groups: list[list[int]] = []
    for index, utterance in enumerate(said):
        if utterance.speaker is None:
            groups.append([index])
        else:
            by_speaker.setdefault(utterance.speaker, []).append(index)
    joinable = {speaker for speaker, own in by_speaker.items() if any(said[i].seconds < short_s for i in own)}
    for speaker, own in by_speaker.items():
        if speaker not in joinable:
            groups += [[index] for index in own]
            continue
        own.sort(key=lambda i: (said[i].start_s, said[i].end_s))
        free = _free_before(transcript, own)
        group: list[int] = []
        start = end = 0.0
        for index, is_free in zip(own, free, strict=True):
            utterance = said[index]
            if (
                group
                and is_free
                and min(end - start, utterance.seconds) < short_s
                and utterance.start_s - end <= gap_s
                and max(end, utterance.end_s) - start <= longest_s
            ):
                group.append(index)
                end = max(end, utterance.end_s)
            else:
                group = [index]
                groups.append(group)
                start, end = utterance.start_s, utterance.end_s
    return groups


def _free_before(transcript: Transcript, own: Sequence[int]) -> NDArray[np.bool_]:
    """Of one speaker's utterances, whether nobody else speaks between the one before and it."""
    said, mine = transcript.utterances, set(own)
    others = [(u.start_s, u.end_s) for i, u in enumerate(said) if i not in mine] + list(transcript.excluded_times)
    times = np.array(others, dtype=np.float64).reshape(-1, 2)
    starts = np.array([said[i].start_s for i in own])
    before = np.concatenate([starts[:1], np.maximum.accumulate([said[i].end_s for i in own])[:-1]])
    gap_starts = np.minimum(before, starts)
    return Talk(times[:, 0], times[:, 1]).seconds(gap_starts, np.where(before > starts, gap_starts, starts)) < 1e-6


def _joined(group: Sequence[tuple[int, Utterance]]) -> Span:
    seconds = np.array([max(u.seconds, 1e-3) for _, u in group])
    weights = seconds / seconds.sum()
    return Span(
        min(u.start_s for _, u in group),
        max(u.end_s for _, u in group),
        group[0][1].speaker,
        " ".join(u.text for _, u in group if u.text),
        tuple(Part(index, u.id, 1.0, float(w)) for (index, u), w in zip(group, weights, strict=True)),
    )


def _pieces(
    utterance: Utterance, index: int, samples: NDArray[np.floating] | None, sampling_rate: int, longest_s: float
) -> list[Span]:
    cuts = cut_points(utterance, longest_s, samples, sampling_rate)
    bounds = [utterance.start_s, *cuts, utterance.end_s]
    texts = cut_text(utterance, cuts)
    return [
        Span(start, end, utterance.speaker, text, (Part(index, utterance.id, (end - start) / utterance.seconds, 1.0),))
        for (start, end), text in zip(pairwise(bounds), texts, strict=True)
    ]
