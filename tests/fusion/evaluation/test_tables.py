from __future__ import annotations

import io

import pytest
from rich.console import Console

from fusion.evaluation.results import build_results
from fusion.evaluation.tables import number, print_results, span


def shown(systems, width=100, **changed):
    options = {"labels": ["a", "b", "c", "d"], "split": "speaker_disjoint", "seed": 1, "draws": 200} | changed
    results, out = build_results(systems, **options), io.StringIO()
    print_results(results, Console(file=out, width=width))
    return results, out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_is_cut_off(systems_maker, width):
    results, text = shown(systems_maker(), width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    table = text[: text.index(results["verdict"]["sentence"].split(":")[0])]
    assert table.count("…") == (5 if width >= 92 else 4)  # the difference's intervals, and no shortened cell
    for name in ("speech only", "text only", "fusion", "fusion − speech", "commonest label", "chance"):
        assert any(line.startswith(name) for line in lines)
    for metric in ("wa", "ua", "macro_f1"):
        entry = results["test"]["text"][metric]
        assert number(entry["value"]) in text
        assert span(entry) in text
    assert ("No room here for weighted F1: results.json and report.html have it." in text) == (width < 92)
    before = results["test"]["fusion"]["ece_uncalibrated"]["value"]
    assert f"{before:.3f} → {results['test']['fusion']['ece']['value']:.3f}" in text


def test_it_says_what_was_tested_and_what_to_beware_of(systems_maker):
    _, text = shown(systems_maker(speakers=2, folds=2), allow_leakage=True)
    text = " ".join(text.split())
    assert "Tested on 240 utterances of 2 speakers, pooled over 2 folds" in text
    assert "the epoch was chosen on validation" in text
    assert "only 2 speakers tested" in text
    assert "leakage between the sides of the split was allowed" in text


def test_a_perfect_score_is_put_into_words(systems_maker):
    _, text = shown({"speech": systems_maker(rows=40, speech=60.0)["speech"]})
    assert "means that no error was seen" in text
    assert "fusion" not in text.split("Only")[0]


def test_numbers():
    assert [number(0.12345), number(-0.0001, signed=True), number(-0.2)] == ["0.123", "+0.000", "−0.200"]
    assert span({"value": 1.0, "low": None, "high": None}) == ""
