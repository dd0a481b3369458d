"""How often minutes find the place they are about, by method, and whether minutes of another meeting are turned away.

    python benchmarks/minutes_alignment.py [--qmsum ES2008a.json …] [--foreign covid_7.json …]

Needs AMI ES2011a with QMSum's summaries at $EMOFUSE_DATA/meeting/ami_ES2011a and the packaged all-MiniLM-L6-v2. More
meetings of QMSum can be given: `--qmsum` measures them too (turns for seconds), `--foreign` takes their sentences as
minutes of another meeting. Writes results/minutes_alignment.json.

A sentence is found where the middle of the best stretch lies in the span that QMSum gives for it. Sentences are looked
for alone: neither the question nor the other sentences of the answer help.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import LIBRARIES, RESULTS, describe_machine, write_json
from meeting_foreign import FAR, NEAR
from meeting_gold import Sentence, ami, qmsum

from extractors.text import SentenceTransformerExtractor
from fusion.meeting.alignment.align import COSINE, LEXICAL, align
from fusion.meeting.alignment.retrieval import LENGTHS, STRETCH, Retrieval
from fusion.meeting.minutes import parse_minutes
from fusion.meeting.transcript import Transcript

log = logging.getLogger("benchmarks.minutes_alignment")

ROUNDS = 5
DRAWS = 2_000
SETTINGS = [  # words of a stretch, words of the TF-IDF's windows: what the nested choice has to choose from
    (stretch, lengths) for stretch in (60, 75, 90) for lengths in ((60,), (90,), (60, 120), (60, 90, 120))
]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qmsum", type=Path, nargs="*", default=[])
    parser.add_argument("--foreign", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=RESULTS / "minutes_alignment.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data = Path(os.environ.get("EMOFUSE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    encoder = SentenceTransformerExtractor(device="cpu")
    transcript, sentences = ami(data / "meeting" / "ami_ES2011a")
    own = f"AMI ES2011a, {len(sentences)} sentences of {len({one.answer for one in sentences})} answers"
    content: dict[str, Any] = {
        "machine": describe_machine([*LIBRARIES, "scikit-learn", "rapidfuzz"]),
        "measure": "the middle of the stretch lies in QMSum's span; 95 % intervals by Wilson, sentences taken as independent",
        "meeting": own,
        "chance": round(chance(transcript, sentences), 3),
        "methods": by_method(transcript, sentences, encoder),
        "shipped": {"stretch": STRETCH, "lengths": LENGTHS, "min_cosine": COSINE, "min_lexical": LEXICAL},
        "align": whole_way(transcript, sentences, encoder),
        "nested_choice": nested(transcript, sentences, encoder),
        "abstention": abstention(transcript, sentences, encoder, options.foreign),
    }
    for path in options.qmsum:
        content.setdefault("other_meetings", {})[path.stem] = by_method(*qmsum(path), encoder)
    for name in ("methods", "align", "nested_choice", "abstention"):
        log.info("%s: %s", name, content[name])
    write_json(options.out, content)


def whole_way(transcript: Transcript, sentences: Sequence[Sentence], encoder: Any) -> dict[str, Any]:
    """Top-1 by `align` as shipped, which abstains: sentences as bullets alone, and under their questions as headings."""
    questions = dict.fromkeys(one.question for one in sentences)
    headed = "".join(
        f"## {question}\n" + "".join(f"- {one.text}\n" for one in sentences if one.question == question)
        for question in questions
    )
    found = {}
    for name, text in (("bullets", "".join(f"- {one.text}\n" for one in sentences)), ("under_headings", headed)):
        best = [one.best for one in align(parse_minutes(text), transcript, encoder=encoder)]
        right = [bool(one and gold.holds(one.start_s, one.end_s)) for one, gold in zip(best, sentences, strict=True)]
        answered = [good for good, one in zip(right, best, strict=True) if one]
        found[name] = {"of_all": share(right), "of_answered": share(answered), "abstained": len(best) - len(answered)}
    return found


def chance(transcript: Transcript, sentences: Sequence[Sentence]) -> float:
    """Top-1 of a stretch drawn at random."""
    windows = Retrieval(transcript).windows
    return float(np.mean([[one.holds(window.start_s, window.end_s) for window in windows] for one in sentences]))


def by_method(transcript: Transcript, sentences: Sequence[Sentence], encoder: Any) -> dict[str, Any]:
    """Top-1 and top-3 of each method, and its seconds: index and search, methods interleaved, median of the rounds."""
    texts = [one.text for one in sentences]
    ways = {"minilm": _minilm, "tfidf": _tfidf, "hybrid_without_votes": _sum, "hybrid": _hybrid}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[list[bool]]] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.perf_counter()
            spans = way(transcript, texts, encoder)
            seconds[name].append(time.perf_counter() - begun)
            found[name] = [[one.holds(*span) for span in top] for one, top in zip(sentences, spans, strict=True)]
    return {
        name: {
            "top1": share([top[0] for top in found[name]]),
            "top3": share([any(top) for top in found[name]]),
            "seconds": round(float(np.median(seconds[name])), 3),
        }
        for name in ways
    }


Spans = list[list[tuple[float, float]]]


def _minilm(transcript: Transcript, texts: list[str], encoder: Any) -> Spans:
    index = Retrieval(transcript, encoder=encoder, lengths=())
    return _best(index, index.cosines(texts))


def _tfidf(transcript: Transcript, texts: list[str], encoder: Any) -> Spans:
    index = Retrieval(transcript)
    return _best(index, index.similarities(texts)[2])


def _sum(transcript: Transcript, texts: list[str], encoder: Any) -> Spans:
    index = Retrieval(transcript, encoder=encoder)
    _, cosines, lexical = index.similarities(texts)
    return _best(index, _z(cosines) + _z(lexical))


def _hybrid(transcript: Transcript, texts: list[str], encoder: Any) -> Spans:
    hits = Retrieval(transcript, encoder=encoder).search(texts)
    return [[(hit.window.start_s, hit.window.end_s) for hit in top] for top in hits]


def nested(transcript: Transcript, sentences: Sequence[Sentence], encoder: Any) -> dict[str, Any]:
    """Every setting, and what a choice among them is worth: for each answer the setting that is best on the other answers."""
    texts = [one.text for one in sentences]
    right = []
    for stretch, lengths in SETTINGS:
        hits = Retrieval(transcript, encoder=encoder, stretch=stretch, lengths=lengths).search(texts)
        right.append(
            [one.holds(top[0].window.start_s, top[0].window.end_s) for one, top in zip(sentences, hits, strict=True)]
        )
    table = np.array(right)
    answers = np.array([one.answer for one in sentences])
    held_out = []
    for answer in np.unique(answers):
        chosen = int(np.argmax(table[:, answers != answer].mean(axis=1)))
        held_out += table[chosen, answers == answer].tolist()
    return {
        "settings": [
            {"stretch": stretch, "lengths": lengths, "top1": round(float(row.mean()), 3)}
            for (stretch, lengths), row in zip(SETTINGS, table, strict=True)
        ],
        "leave_one_answer_out": share(held_out),
    }


def abstention(
    transcript: Transcript, sentences: Sequence[Sentence], encoder: Any, files: Sequence[Path]
) -> dict[str, Any]:
    """Own against foreign sentences, by the best similarity among the three best stretches: what `align` abstains by."""
    foreign = {"written, other subjects": list(FAR), "written, product design": list(NEAR)}
    for path in files:
        foreign[f"QMSum {path.stem}"] = [one.text for one in qmsum(path)[1]]
    scores: dict[str, dict[str, Any]] = {}
    for name, index, limit in (
        ("cosine", Retrieval(transcript, encoder=encoder), COSINE),
        ("tfidf", Retrieval(transcript), LEXICAL),
    ):

        def best(texts: list[str], index: Retrieval = index) -> np.ndarray:
            return np.array(
                [max(hit.lexical if hit.cosine is None else hit.cosine for hit in top) for top in index.search(texts)]
            )

        own = best([one.text for one in sentences])
        scores[name] = {"threshold": limit, "own_kept": share((own >= limit).tolist()), "foreign": {}}
        for kind, texts in foreign.items():
            other = best(texts)
            scores[name]["foreign"][kind] = {
                "n": len(texts),
                "auroc": auroc(own, other),
                "turned_away": share((other < limit).tolist()),
            }
    return scores


def _best(index: Retrieval, scores: np.ndarray) -> Spans:
    """Three stretches for each row of scores that share no words, as `Retrieval.search` takes them."""
    return [
        [(window.start_s, window.end_s) for window in (index.windows[column] for column in index.apart(row, 3))]
        for row in scores
    ]


def _z(values: Any) -> np.ndarray:
    return (values - values.mean(axis=1, keepdims=True)) / (values.std(axis=1, keepdims=True) + 1e-9)


def share(right: Sequence[bool]) -> dict[str, Any]:
    """A share with its 95 % interval (Wilson 1927)."""
    n, z = len(right), 1.96
    p = sum(right) / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return {"value": round(p, 3), "low": round(float(low), 3), "high": round(float(high), 3), "n": n}


def auroc(own: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Area under the curve, with a 95 % interval bootstrapped over both sides."""
    random = np.random.default_rng(0)

    def area(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean(a[:, None] > b[None, :]) + 0.5 * np.mean(a[:, None] == b[None, :]))

    draws = [area(random.choice(own, len(own)), random.choice(other, len(other))) for _ in range(DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"value": round(area(own, other), 3), "low": round(float(low), 3), "high": round(float(high), 3)}


if __name__ == "__main__":
    main()
