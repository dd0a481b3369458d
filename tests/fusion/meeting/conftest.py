"""A small meeting, with everything that outputs show."""

from __future__ import annotations

import pytest

from fusion.alerts import Alert
from fusion.alerts.alert import Evidence
from fusion.meeting.alignment.types import Aligned
from fusion.meeting.alignment.types import Evidence as Found
from fusion.meeting.conversation import converse
from fusion.meeting.estimate import Estimate
from fusion.meeting.manners import Manners, Purpose
from fusion.meeting.meeting import Coverage, Item, Meeting, Method, Topic, Window
from fusion.meeting.minutes.types import MinutesItem, Place
from fusion.meeting.pooling import pool
from fusion.meeting.transcript import Transcript, Utterance
from fusion.valence import ValenceMap

VALUES = ValenceMap("mine", {"angry": -1.0, "happy": 1.0})
PURPOSE = Purpose("customer_calls", "calls", "acknowledged", "note")


def alert(scope: str, speakers: list[str]) -> Alert:
    evidence = tuple(
        Evidence(str(i), i, i + 1, 1.0, 0.93, {"angry": 0.93}, speaker=who, text="so late", confidence=0.93)
        for i, who in enumerate(speakers)
    )
    return Alert(
        "anger", "warning", scope, None, 0, 9, 5, 0.9, 4, 0.8, 6.0, len(speakers), evidence, "angry", "above", 0.5
    )


def item(id: str) -> MinutesItem:
    return MinutesItem(id, "Refund agreed", "decision", ("Decisions",), Place(3, 4, 20))


@pytest.fixture
def meeting() -> Meeting:
    said = tuple(Utterance(str(i), 5.0 * i, 5.0 * i + 4, "words", "ab"[i % 2]) for i in range(20))
    rows = tuple(
        Estimate(u, {"angry": 0.7, "happy": 0.3}, -0.4, {"text": -0.4}, confidence=0.7, weight=2.8) for u in said
    )

    def pooled(scope, some, name="x"):
        return pool(some, VALUES, scope=scope, name=name)

    return Meeting(
        title="call",
        manners=Manners(PURPOSE),
        duration_s=100.0,
        transcript=Transcript(said, "srt"),
        estimates=rows,
        overall=pooled("meeting", rows),
        speakers=(pooled("speaker", rows[::2], "a"), pooled("speaker", rows[1::2], "b")),
        topics=(
            Topic("both", ((0.0, 50.0),), pooled("topic", rows[:10])),
            Topic("one", ((50.0, 100.0),), pooled("topic", rows[10::2])),
        ),
        windows=(
            Window(0.0, 50.0, pooled("window", rows[:10], "0")),
            Window(50.0, 100.0, pooled("window", rows[10:], "1")),
        ),
        items=(
            Item(Aligned(item("1"), (Found(("1", "2"), 5.0, 14.0, 0.7, "retrieval"),)), pooled("item", rows[:8], "1")),
            Item(Aligned(item("2"), (), "nothing like it was said"), pooled("item", (), "2")),
        ),
        alerts=(alert("speaker", ["a", "a"]), alert("meeting", ["a", "a"]), alert("meeting", ["a", "b"] * 3)),
        conversation=converse(said, 100.0),
        coverage=Coverage(20, 20, 0, 0, 80.0, 80.0),
        method=Method("m", ("text",), ("angry", "happy"), True, dict(VALUES.values), "mine"),
    )
