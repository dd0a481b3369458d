"""AMI ES2011a with QMSum's summaries: timed utterances, and for every sentence of the summaries the span it is about.

QMSum gives spans in turns of its own transcript, which has no times. Speaker by speaker the words of its turns are
matched with the timed utterances' words; a span lasts from the first to the last utterance that a turn of it matched.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from fusion.meeting.transcript import Transcript, Utterance

WORD = re.compile(r"[a-z0-9']+")
NOISE = re.compile(r"\{[^}]*\}|_")  # {vocalsound}; T_V_
SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the minutes, the number of the answer it is from, its question, and the spans in seconds."""

    text: str
    answer: int
    question: str
    spans: tuple[tuple[float, float], ...]

    def holds(self, start_s: float, end_s: float) -> bool:
        """Whether the middle of a stretch lies in a span."""
        return any(first <= (start_s + end_s) / 2 <= last for first, last in self.spans)


def ami(folder: Path) -> tuple[Transcript, list[Sentence]]:
    """Transcript (speakers are the roles that the summaries speak of) and the sentences, of `meeting/ami_ES2011a`."""
    with gzip.open(folder / "ES2011a_sups.jsonl.gz", "rt", encoding="utf-8") as lines:
        said = sorted((json.loads(line) for line in lines), key=lambda entry: entry["start"])
    content = json.loads((folder / "qmsum_ES2011a.json").read_text(encoding="utf-8"))
    roles, matched = _match(said, content["meeting_transcripts"])
    utterances = [
        Utterance(
            entry["id"], entry["start"], entry["start"] + entry["duration"], entry["text"], roles[entry["speaker"]]
        )
        for entry in said
    ]

    def seconds(first: int, last: int) -> tuple[float, float]:
        found = [utterances[number] for turn in range(first, last + 1) for number in matched.get(turn, ())]
        return min(one.start_s for one in found), max(one.end_s for one in found)

    return Transcript(tuple(utterances), "jsonl", has_speakers=True), _sentences(content, seconds)


def qmsum(path: Path) -> tuple[Transcript, list[Sentence]]:
    """Any other meeting of QMSum: its turns stand for seconds, a turn lasting one."""
    content = json.loads(path.read_text(encoding="utf-8"))
    utterances = [
        Utterance(str(turn), float(turn), turn + 1.0, NOISE.sub("", entry["content"]), entry["speaker"])
        for turn, entry in enumerate(content["meeting_transcripts"])
    ]
    return Transcript(tuple(utterances), "qmsum", has_speakers=True), _sentences(content, lambda a, b: (a, b + 1.0))


def _sentences(content: dict[str, Any], seconds: Any) -> list[Sentence]:
    found = []
    for answer, entry in enumerate(content["specific_query_list"]):
        spans = tuple(seconds(int(first), int(last)) for first, last in entry["relevant_text_span"])
        found += [Sentence(text, answer, entry["query"], spans) for text in SENTENCE.split(entry["answer"].strip())]
    return found


def _match(said: list[dict[str, Any]], turns: list[dict[str, str]]) -> tuple[dict[str, str], dict[int, set[int]]]:
    """Role of each speaker, and the utterances of each turn: by the words that both have in the same order."""
    roles: dict[str, str] = {}
    matched: dict[int, set[int]] = defaultdict(set)
    for speaker in {entry["speaker"] for entry in said}:
        ours = _words((number, entry["text"]) for number, entry in enumerate(said) if entry["speaker"] == speaker)
        best: tuple[float, str, SequenceMatcher[str], list[tuple[int, str]]] | None = None
        for role in {turn["speaker"] for turn in turns}:
            theirs = _words((number, turn["content"]) for number, turn in enumerate(turns) if turn["speaker"] == role)
            matcher = SequenceMatcher(None, [word for _, word in ours], [word for _, word in theirs], autojunk=False)
            if best is None or matcher.ratio() > best[0]:
                best = matcher.ratio(), role, matcher, theirs
        assert best is not None
        roles[speaker] = best[1]
        for block in best[2].get_matching_blocks():
            for step in range(block.size):
                matched[best[3][block.b + step][0]].add(ours[block.a + step][0])
    return roles, matched


def _words(texts: Any) -> list[tuple[int, str]]:
    return [(number, word) for number, text in texts for word in WORD.findall(NOISE.sub("", text.lower()))]
