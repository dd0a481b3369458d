"""An enriched meeting: all that the outputs show, and nothing that they may not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fusion.alerts import Alert
from fusion.meeting.alignment.types import Aligned
from fusion.meeting.conversation import Conversation
from fusion.meeting.estimate import Estimate
from fusion.meeting.manners import Manners
from fusion.meeting.minutes.types import Minutes
from fusion.meeting.pooling import Pooled
from fusion.meeting.transcript import Transcript

FEW_SPEAKERS = "too few people to hide among"
PER_PERSON = "estimates of single people are not shown"
COARSE = 10.0  # s; an alert's own times are those of an utterance that was estimated so


@dataclass(frozen=True, slots=True)
class Item:
    """A statement of the minutes, where it was talked about, and what was expressed there."""

    aligned: Aligned
    pooled: Pooled


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the recording and what was expressed in it."""

    start_s: float
    end_s: float
    pooled: Pooled


@dataclass(frozen=True, slots=True)
class Topic:
    """A section of the minutes, or a stretch between two changes of content."""

    name: str
    spans: tuple[tuple[float, float], ...]
    pooled: Pooled


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of the recording the numbers rest on.

    seconds   : of speech in the utterances · estimated_s : of it, in utterances with an estimate
    excluded  : utterances left out before inference, by their speakers' wish
    """

    cues: int
    utterances: int
    left_out: int
    excluded: int
    seconds: float
    estimated_s: float

    @property
    def share(self) -> float:
        return self.estimated_s / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Method:
    """How the numbers came about: the method card of every output.

    model      : name of the bundle or encoder · modalities : what it was shown
    calibrated : whether its probabilities were calibrated on held-out rows; None: nobody knows
    metrics    : what the bundle says of its own accuracy, {} where it says nothing
    """

    model: str
    modalities: tuple[str, ...]
    labels: tuple[str, ...]
    calibrated: bool | None
    valence: dict[str, float | None]
    valence_name: str
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    alignment: str | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """One recording, what was said in it, and what is estimated of it. `publish` makes it fit to be written.

    estimates : of each utterance, in order of time
    overall, speakers, topics, windows, items : pools
    notes     : what a reader must know: mended times, offsets that could not be verified, labels without a valence
    audio     : the recording, where outputs may point to it
    published : what may not be shown has been taken out
    """

    title: str
    manners: Manners
    duration_s: float
    transcript: Transcript
    estimates: tuple[Estimate, ...]
    overall: Pooled
    speakers: tuple[Pooled, ...]
    topics: tuple[Topic, ...]
    windows: tuple[Window, ...]
    items: tuple[Item, ...]
    alerts: tuple[Alert, ...]
    conversation: Conversation
    coverage: Coverage
    method: Method
    minutes: Minutes | None = None
    notes: tuple[str, ...] = ()
    audio: Path | None = None
    published: bool = False


def publish(meeting: Meeting) -> Meeting:
    """What may be shown of a meeting, by its manners; every output is written from this.

    Without `per_person`: no estimate of a single utterance or speaker, nor of a pool of fewer than `min_speakers`
    people; of alerts only those on topics and on the whole, and only where they rest on that many people and on
    `min_utterances`. Their evidence is left out and their times are those of `COARSE` seconds, as each utterance that
    supports an alert is one that was estimated so. Of the conversation no single speaker's part.
    """
    manners = meeting.manners
    if manners.per_person or meeting.published:
        return meeting
    return replace(
        meeting,
        published=True,
        estimates=tuple(
            Estimate(e.utterance, overlap=e.overlap, reason=e.reason or PER_PERSON) for e in meeting.estimates
        ),
        overall=_enough(meeting.overall, manners),
        speakers=(),
        topics=tuple(replace(topic, pooled=_enough(topic.pooled, manners)) for topic in meeting.topics),
        windows=tuple(replace(window, pooled=_enough(window.pooled, manners)) for window in meeting.windows),
        items=tuple(replace(item, pooled=_enough(item.pooled, manners)) for item in meeting.items),
        alerts=tuple(
            _without_people(alert, meeting.duration_s) for alert in meeting.alerts if _is_shared(alert, manners)
        ),
        conversation=replace(meeting.conversation, speakers=()),
    )


def _enough(pooled: Pooled, manners: Manners) -> Pooled:
    """`disagreements` goes too: of one utterance it would be a single person's estimate."""
    if pooled.withheld is None and pooled.speakers < manners.min_speakers:
        return pooled.hidden(FEW_SPEAKERS)
    return pooled


def _is_shared(alert: Alert, manners: Manners) -> bool:
    people = {evidence.speaker for evidence in alert.evidence} - {None}
    many = len(people) >= manners.min_speakers and alert.utterances >= manners.min_utterances
    return alert.scope != "speaker" and many


def _without_people(alert: Alert, duration: float) -> Alert:
    def until(time: float) -> float:
        return min(math.ceil(time / COARSE) * COARSE, max(duration, time))

    return replace(
        alert,
        evidence=(),
        start_s=math.floor(alert.start_s / COARSE) * COARSE,
        end_s=until(alert.end_s),
        fired_s=until(alert.fired_s),
        peak_s=until(alert.peak_s),
    )
