"""A recording, its transcript and its minutes in; an enriched meeting out. Read `enrich` from top to bottom."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from extractors.decoded import DecodedFile
from extractors.errors import InputError
from extractors.store import EmbeddingStore
from extractors.types import Clip, Extractor
from fusion.alerts import Alert, Observation, Rule, in_order, watch
from fusion.meeting.alignment import Aligned, align, coverage
from fusion.meeting.conversation import converse
from fusion.meeting.estimate import Estimate, Opinion, weight_of
from fusion.meeting.estimators import Estimator
from fusion.meeting.manners import Manners, anonymised, mentioned, numbered
from fusion.meeting.meeting import Coverage, Item, Meeting, Method, Topic, Window
from fusion.meeting.minutes import Minutes
from fusion.meeting.pooling import NOT_FOUND, Pooled, pool, window_spans
from fusion.meeting.settings import Settings
from fusion.meeting.timing import Span, check_times, estimate_offset, inference_spans, overlap_shares, per_utterance
from fusion.meeting.topics import topics_of
from fusion.meeting.transcript import Transcript, Utterance
from fusion.valence import ValenceMap

log = logging.getLogger(__name__)

LEAST_SHIFT = 1.0  # s; a shift smaller than that is the correlation's own coarseness


def enrich(
    transcript: Transcript,
    *,
    manners: Manners,
    estimator: Estimator,
    valence: ValenceMap,
    store: EmbeddingStore,
    audio: Path | None = None,
    minutes: Minutes | None = None,
    rules: Sequence[Rule] = (),
    encoder: Extractor | None = None,
    title: str = "meeting",
    settings: Settings | None = None,
) -> Meeting:
    """Estimate what was expressed in a meeting, and where its minutes' statements were talked about.

    transcript : as `read_transcript` gives it, people who are not to be looked at left out already
    audio      : the recording; needed where voices are looked at, else only its length and pauses are used
    minutes    : None: topics by change of content
    rules      : of alerts
    encoder    : of text, for finding the minutes' statements and topics; None: by words alone

    Returns everything that was estimated: `publish` makes it fit to be shown. Raises InputError where voices are wanted
    and there is no recording, where the transcript does not fit it, or where nothing was said.
    """
    settings = settings or Settings()
    if manners.hears and audio is None:
        raise InputError(f"modality={manners.modality} listens: expected a recording, audio=…")
    # decoded once: for its length, its pauses, the transcript's offset, and every span that is listened to
    recording = None if audio is None else DecodedFile(audio)
    duration = None if recording is None else recording.duration
    transcript = check_times(transcript, duration)
    if not transcript.utterances:
        raise InputError("the transcript has no utterance left, so there is nothing to estimate")
    if not manners.hears and not any(u.text for u in transcript.utterances):
        raise InputError(
            f"the {transcript.format} transcript has no words, and modality=text looks at nothing else",
            hint="Give one with words, rttm= beside it; or modality=speech, where that is lawful.",
        )
    if manners.anonymise:
        transcript = numbered(transcript)
    notes = _notes(transcript, recording, settings)
    length = duration or max(u.end_s for u in transcript.utterances)
    # before names are taken away: minutes call people by them
    aligned = [] if minutes is None else align(minutes, transcript, encoder=encoder, top=settings.max_evidence)
    if minutes is not None:
        notes += [f"Minutes: {note}." for note in minutes.notes]
        if warning := coverage(aligned).warning:
            notes.append(warning)
    sections = topics_of(transcript, minutes, aligned, encoder)
    if manners.anonymise:
        transcript, names = anonymised(transcript)
        notes += _still_named(sorted(names), transcript, minutes)

    estimates = _estimates(transcript, manners, estimator, valence, store, recording, settings)
    speakers = dict.fromkeys(u.speaker for u in transcript.utterances if u.speaker is not None)
    if not speakers:
        notes.append("The transcript names no speakers: nothing can be said of how many people a number rests on.")

    def pooled(some: Sequence[Estimate], scope: str, name: str):  # type: ignore[no-untyped-def]  # -> Pooled
        return pool(some, valence, scope=scope, name=name, least=manners.min_utterances)

    topics = tuple(Topic(name, spans, pooled(_within(estimates, spans), "topic", name)) for name, spans in sections)
    items = tuple(
        Item(one, pooled(_evidence_of(one, estimates), "item", one.item.id))
        if one.found
        else Item(one, Pooled("item", one.item.id, withheld=NOT_FOUND))  # no number without evidence of its own
        for one in aligned
        if one.item.kind != "meta"
    )
    windows = tuple(
        Window(start, end, pooled(_within(estimates, ((start, end),)), "window", f"{start:g}"))
        for start, end in window_spans(length, settings.window_s)
    )
    return Meeting(
        title=title,
        manners=manners,
        duration_s=length,
        transcript=transcript,
        estimates=tuple(estimates),
        overall=pooled(estimates, "meeting", title),
        speakers=tuple(
            pooled([e for e in estimates if e.utterance.speaker == name], "speaker", name) for name in speakers
        ),
        topics=topics,
        windows=windows,
        items=items,
        alerts=tuple(_alerts(estimates, sections, rules, valence, estimator)),
        conversation=converse(transcript.utterances, length, others=transcript.excluded_times),
        coverage=_coverage(transcript, estimates),
        method=_method(estimator, valence, minutes, encoder),
        minutes=minutes,
        notes=tuple(notes),
        audio=audio,
    )


def _notes(transcript: Transcript, recording: DecodedFile | None, settings: Settings) -> list[str]:
    notes = []
    if not transcript.has_end_times:
        notes.append("The transcript has no end times: they were guessed from the words and the next cue.")
    if recording is None or not settings.verify_offset:
        return notes
    found = estimate_offset(transcript, recording.samples)
    if found.seconds is None:
        notes.append(f"Whether transcript and recording lie over one another cannot be verified: {found.reason}.")
    elif abs(found.seconds) >= LEAST_SHIFT:
        notes.append(
            f"The transcript seems to be shifted: {found.seconds:+.1f} s would fit the recording better (correlation "
            f"{found.correlation:.2f}, as it is {found.as_it_is:.2f}). Nothing was shifted; offset={found.seconds:.1f} would."
        )
        log.warning("%s", notes[-1])
    return notes


def _still_named(names: Sequence[str], transcript: Transcript, minutes: Minutes | None) -> list[str]:
    words = " ".join([*(u.text for u in transcript.utterances), minutes.source if minutes is not None else ""])
    found = mentioned(names, words)
    if not found:
        return []
    where = "what was said" if minutes is None else "what was said or in the minutes"
    return [
        f"Not anonymous: the names of {len(found)} of {len(names)} speakers stand in {where}. Speakers are renamed, but words "
        "are left as they are."
    ]


def _estimates(
    transcript: Transcript,
    manners: Manners,
    estimator: Estimator,
    valence: ValenceMap,
    store: EmbeddingStore,
    recording: DecodedFile | None,
    settings: Settings,
) -> list[Estimate]:
    """One an utterance, in their order."""
    samples = None if recording is None else recording.samples
    spans = inference_spans(transcript, samples=samples, longest_s=settings.longest_s)
    heard = recording.path if recording is not None and manners.hears else None
    clips = [
        Clip(f"span {number}", heard, span.text or None, span.start_s, span.end_s)
        for number, span in enumerate(spans, start=1)
    ]
    opinions = estimator.estimate(clips, store, decoded=[] if recording is None else [recording])
    utterances = transcript.utterances
    overlap = overlap_shares(utterances, transcript.excluded_times)
    views = {
        view: _spread(spans, opinions, len(utterances), estimator.labels, view) for view in (None, "speech", "text")
    }
    reasons = _reasons(spans, opinions)
    estimates = []
    for row, said in enumerate(utterances):
        whole = views[None][row]
        if whole is None:
            why = reasons.get(row, "too short to be heard")
            estimates.append(Estimate(said, overlap=float(overlap[row]), reason=why))
            continue
        confidence = min(max(whole.values()), 1.0)
        by = {view: valence(seen) for view in ("speech", "text") if (seen := views[view][row]) is not None}
        estimates.append(
            Estimate(
                said,
                whole,
                valence(whole),
                {view: value for view, value in by.items() if value is not None},
                confidence,
                float(overlap[row]),
                weight_of(said.seconds, confidence, float(overlap[row])),
            )
        )
    return estimates


def _spread(
    spans: Sequence[Span], opinions: Sequence[Opinion], utterances: int, labels: Sequence[str], view: str | None
) -> list[dict[str, float] | None]:
    """What the spans' opinions, or those by one modality, say of each utterance; None where no span has one."""
    seen = [opinion.probabilities if view is None else opinion.by_modality.get(view, {}) for opinion in opinions]
    having = [place for place, probabilities in enumerate(seen) if probabilities]
    if not having:
        return [None] * utterances
    values = np.array([[seen[place][label] for label in labels] for place in having])
    rows = per_utterance([spans[place] for place in having], values, utterances)
    return [None if np.isnan(row).any() else dict(zip(labels, map(float, row), strict=True)) for row in rows]


def _reasons(spans: Sequence[Span], opinions: Sequence[Opinion]) -> dict[int, str]:
    return {
        part.index: opinion.reason
        for span, opinion in zip(spans, opinions, strict=True)
        if opinion.reason is not None
        for part in span.parts
    }


def _within(estimates: Sequence[Estimate], spans: Sequence[tuple[float, float]]) -> list[Estimate]:
    """Utterances whose middle lies in one of the spans: each counts in one window, and not in two."""
    return [e for e in estimates if any(a <= _middle(e.utterance) < b for a, b in spans)]


def _middle(said: Utterance) -> float:
    return (said.start_s + said.end_s) / 2


def _evidence_of(aligned: Aligned, estimates: Sequence[Estimate]) -> list[Estimate]:
    """Of the best stretch alone: the others are where else it may have been."""
    if aligned.best is None:
        return []
    ids = set(aligned.best.utterance_ids)
    return [e for e in estimates if e.utterance.id in ids]


def _alerts(
    estimates: Sequence[Estimate],
    topics: Sequence[tuple[str, tuple[tuple[float, float], ...]]],
    rules: Sequence[Rule],
    valence: ValenceMap,
    estimator: Estimator,
) -> list[Alert]:
    if not rules:
        return []
    observations = [
        Observation(
            e.utterance.start_s,
            e.utterance.end_s,
            e.probabilities,
            speaker=e.utterance.speaker,
            text=e.utterance.text,
            id=e.utterance.id,
            confidence=e.confidence,
            overlap=e.overlap,
            topic=next((name for name, spans in topics if any(a <= _middle(e.utterance) < b for a, b in spans)), None),
        )
        for e in sorted(estimates, key=lambda e: e.utterance.start_s)
        if e.probabilities
    ]
    return in_order(list(watch(observations, rules, valence=valence, calibrated=estimator.calibrated)))


def _coverage(transcript: Transcript, estimates: Sequence[Estimate]) -> Coverage:
    return Coverage(
        cues=transcript.cues or len(transcript.utterances),
        utterances=len(transcript.utterances),
        left_out=len(transcript.left_out),
        excluded=len(transcript.excluded_times),
        seconds=sum(e.utterance.seconds for e in estimates),
        estimated_s=sum(e.utterance.seconds for e in estimates if e.probabilities),
    )


def _method(estimator: Estimator, valence: ValenceMap, minutes: Minutes | None, encoder: Extractor | None) -> Method:
    how = "citations, then words" if encoder is None else f"citations, then {encoder.name} and TF-IDF"
    return Method(
        model=estimator.name,
        modalities=estimator.modalities,
        labels=tuple(estimator.labels),
        calibrated=estimator.calibrated,
        valence={label: valence.of(label) for label in estimator.labels},
        valence_name=valence.name,
        metrics=estimator.metrics,
        versions={name: version(name) for name in ("emofuse", "torch", "sentence-transformers", "funasr")},
        alignment=None if minutes is None else how,
    )
