"""meeting.json: everything that may be shown, for other programs. `meeting.schema.json` beside this file describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion.meeting.alignment.types import Aligned, Evidence
from fusion.meeting.estimate import Estimate
from fusion.meeting.manners import BANNER
from fusion.meeting.meeting import Item, Meeting
from fusion.meeting.pooling import Pooled

SCHEMA = "emofuse.meeting/2"  # raised when a program that reads the last one could not read this
DIGITS = 4  # of probabilities and valences
MILLISECONDS = 3  # digits of seconds


def meeting_data(meeting: Meeting) -> dict[str, Any]:
    """Plain data of a meeting that `publish` made fit; `None` is null, numbers are rounded, times are seconds."""
    manners, method, coverage, talk = meeting.manners, meeting.method, meeting.coverage, meeting.conversation
    return {
        "schema": SCHEMA,
        "banner": BANNER,
        "title": meeting.title,
        "purpose": {"name": manners.purpose.name, "about": manners.purpose.about, "note": manners.purpose.note},
        "manners": {
            "modality": manners.modality,
            "per_person": manners.per_person,
            "anonymised": manners.anonymise,
            "restrictions_acknowledged": manners.acknowledged,
            "min_utterances": manners.min_utterances,
            "min_speakers": manners.min_speakers,
        },
        "method": {
            "model": method.model,
            "modalities": list(method.modalities),
            "labels": list(method.labels),
            "calibrated": method.calibrated,
            "valence": dict(method.valence),
            "valence_map": method.valence_name,
            "metrics": method.metrics,
            "versions": method.versions,
            "alignment": method.alignment,
        },
        "notes": list(meeting.notes),
        "duration_s": _seconds(meeting.duration_s),
        "coverage": {
            "cues": coverage.cues,
            "utterances": coverage.utterances,
            "left_out": coverage.left_out,
            "excluded": coverage.excluded,
            "speech_s": _seconds(coverage.seconds),
            "estimated_s": _seconds(coverage.estimated_s),
        },
        "conversation": {
            "speech_s": _seconds(talk.speech_s),
            "overlap_s": _seconds(talk.overlap_s),
            "silence_s": _seconds(talk.silence_s),
            "turns": talk.turns,
            "longest_turn_s": _seconds(talk.longest_turn_s),
            "interruptions": talk.interruptions,
            "speakers": [
                {
                    "speaker": part.speaker,
                    "seconds": _seconds(part.seconds),
                    "share": round(part.share, DIGITS),
                    "turns": part.turns,
                    "longest_turn_s": _seconds(part.longest_turn_s),
                    "interruptions": part.interruptions,
                }
                for part in talk.speakers
            ],
        },
        "overall": pooled_data(meeting.overall),
        "speakers": [pooled_data(pooled) for pooled in meeting.speakers],
        "topics": [
            {
                "name": topic.name,
                "spans": [[_seconds(a), _seconds(b)] for a, b in topic.spans],
                **pooled_data(topic.pooled),
            }
            for topic in meeting.topics
        ],
        "windows": [
            {"start_s": _seconds(w.start_s), "end_s": _seconds(w.end_s), **pooled_data(w.pooled)}
            for w in meeting.windows
        ],
        "items": [_item(item) for item in meeting.items],
        "alerts": [alert.as_dict() for alert in meeting.alerts],
        "utterances": [utterance_data(estimate) for estimate in meeting.estimates],
    }


def pooled_data(pooled: Pooled) -> dict[str, Any]:
    """One pool; its numbers are null where `withheld` says why."""
    return {
        "name": pooled.name,
        "utterances": pooled.utterances,
        "counted": pooled.counted,
        "speakers": pooled.speakers,
        "speech_s": _seconds(pooled.seconds),
        "coverage": round(pooled.coverage, DIGITS),
        "probabilities": _rounded(pooled.probabilities) or None,
        "valence": _value(pooled.valence),
        "valence_interval": _interval(pooled.interval),
        "disagreements": pooled.disagreements,
        "withheld": pooled.withheld,
    }


def utterance_data(estimate: Estimate) -> dict[str, Any]:
    """One utterance and what is estimated of it."""
    said = estimate.utterance
    return {
        "id": said.id,
        "start_s": _seconds(said.start_s),
        "end_s": _seconds(said.end_s),
        "speaker": said.speaker,
        "text": said.text,
        "flags": list(said.flags),
        "overlap": round(estimate.overlap, DIGITS),
        "weight_s": _seconds(estimate.weight),
        "probabilities": _rounded(estimate.probabilities) or None,
        "label": estimate.label,
        "confidence": _value(estimate.confidence) if estimate.probabilities else None,
        "valence": _value(estimate.valence),
        "valence_speech": _value(estimate.valence_by.get("speech")),
        "valence_text": _value(estimate.valence_by.get("text")),
        "tone_against_words": estimate.disagrees,
        "reason": estimate.reason,
    }


def _item(item: Item) -> dict[str, Any]:
    aligned: Aligned = item.aligned
    return {
        "id": aligned.item.id,
        "kind": aligned.item.kind,
        "section": list(aligned.item.section),
        "text": aligned.item.text,
        "abstained": aligned.abstained,
        "notes": list(aligned.notes),
        "evidence": [_evidence(evidence) for evidence in aligned.evidence],
        **pooled_data(item.pooled),
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "utterances": list(evidence.utterance_ids),
        "start_s": _seconds(evidence.start_s),
        "end_s": _seconds(evidence.end_s),
        "score": _value(evidence.score),
        "method": evidence.method,
    }


def _interval(bounds: tuple[float, float] | None) -> list[float | None] | None:
    """Null where it has no width: utterances that all say the same leave the bootstrap nothing to draw."""
    low, high = (None, None) if bounds is None else map(_value, bounds)
    return None if low == high else [low, high]


def _seconds(value: float) -> float:
    return round(float(value), MILLISECONDS)


def _value(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)


def _rounded(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {label: round(float(p), DIGITS) for label, p in probabilities.items()}
