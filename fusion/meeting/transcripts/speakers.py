"""Who speaks, by the names that readers want, without those who are to be left out."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from rapidfuzz.distance import Levenshtein

from extractors.errors import InputError
from fusion.meeting.transcript import LeftOut, Transcript, Utterance
from fusion.meeting.transcripts.rttm import Turn

log = logging.getLogger(__name__)


def rename(
    transcript: Transcript,
    *,
    speaker_map: Mapping[str, str] | None = None,
    own_names: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    turns: Sequence[Turn] = (),
) -> Transcript:
    """The transcript with speakers renamed and some left out, both regardless of case.

    A speaker is known by the file's id ("Speaker 0", also "0"), by the file's own name for it, and by the name that
    `speaker_map` gives. Those in `exclude` are left out before anything looks at their voice or words: their cues are
    counted as left out, their times kept so that no span runs across them. `turns` of an RTTM add to those times.

    Raises InputError where nobody can be left out as no speaker is known, where a name is not there but one much like
    it is (a slip would let that person in), and where nothing remains.

    >>> said = (Utterance("1", 0.0, 1.0, "yes", "Speaker 0"), Utterance("2", 1.0, 2.0, "no", "Speaker 1"))
    >>> shown = rename(Transcript(said, "demo", cues=2), speaker_map={"0": "Ann"}, exclude=["speaker 1"])
    >>> [u.speaker for u in shown.utterances], shown.left_out, shown.excluded_times
    (['Ann'], (LeftOut(place='utterance 2', reason='its speaker was to be left out'),), ((1.0, 2.0),))
    """
    present = {u.speaker for u in transcript.utterances if u.speaker} | {turn.speaker for turn in turns}
    wanted = {_same(key): value for key, value in (speaker_map or {}).items()}
    shown: dict[str, str] = {}
    known_as: dict[str, set[str]] = {}
    for speaker in present:
        names = {speaker, speaker.removeprefix("Speaker "), (own_names or {}).get(speaker, speaker)}
        mapped = next((wanted[_same(name)] for name in sorted(names) if _same(name) in wanted), None)
        shown[speaker] = mapped or (own_names or {}).get(speaker, speaker)
        known_as[speaker] = {_same(name) for name in (*names, shown[speaker])}
    everyone = set().union(*known_as.values()) if known_as else set()
    for name in wanted.keys() - everyone:
        log.warning(
            "speaker_map: nobody in the transcript is called %r; there are %s", name, ", ".join(sorted(present))
        )
    gone = _gone(exclude, known_as, everyone, present)
    kept: list[Utterance] = []
    left_out: list[LeftOut] = []
    times = [(turn.start, turn.end) for turn in turns if turn.speaker in gone]
    for utterance in transcript.utterances:
        if utterance.speaker in gone:
            left_out.append(LeftOut(f"utterance {utterance.id}", "its speaker was to be left out"))
            times.append((utterance.start_s, utterance.end_s))
        elif utterance.speaker is None or shown[utterance.speaker] == utterance.speaker:
            kept.append(utterance)
        else:
            kept.append(replace(utterance, speaker=shown[utterance.speaker]))
    if not kept:
        raise InputError("nothing is left of the transcript: everyone in it was to be left out")
    return replace(
        transcript, utterances=tuple(kept), left_out=(*transcript.left_out, *left_out),
        excluded_times=(*transcript.excluded_times, *sorted(times)),
        has_speakers=any(u.speaker is not None for u in kept),
    )  # fmt: skip


def _gone(exclude: Sequence[str], known_as: Mapping[str, set[str]], everyone: set[str], present: set[str]) -> set[str]:
    if isinstance(exclude, str):
        raise InputError(f"exclude_speakers is a list of names; got {exclude!r}", hint=f"Write [{exclude!r}].")
    if exclude and not present:
        raise InputError(
            "nobody can be left out: the transcript says of no utterance who speaks",
            hint="Give an `rttm` that does, or a transcript with speakers.",
        )
    problems: list[str] = []
    for name in exclude:
        if _same(name) in everyone:
            continue
        near = _like(_same(name), sorted(everyone))
        if near:
            problems.append(f"{name!r} is not in the transcript; is it {near[0]!r}?")
        else:
            log.warning("exclude_speakers: %r is not in the transcript", name)
    if problems:
        raise InputError("exclude_speakers", problems, hint=f"Its speakers are {', '.join(sorted(present)[:40])}.")
    out = {_same(name) for name in exclude}
    return {speaker for speaker, names in known_as.items() if names & out}


def _like(name: str, known: Sequence[str]) -> list[str]:
    """Known names that are likely meant: nearly the same letters, one letter off, or all words of one in the other."""
    words = set(name.split())
    parts = [other for other in known if words <= set(other.split()) or set(other.split()) <= words]
    slips = [other for other in known if Levenshtein.distance(name, other, score_cutoff=1) <= 1 and len(name) > 2]
    return [*get_close_matches(name, known, 1, cutoff=0.8), *slips, *parts]


def _same(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
