from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from fusion.evaluation.report import as_tables, confident_errors, write_report
from fusion.evaluation.results import build_results
from fusion.evaluation.scored import Scored

HOSTILE = ["<script>alert(1)</script>", '$\\frac{$ & "quotes" \'', "积极 😀 \u202eevil", "_" + "x" * 200]
VOID = {"meta", "img", "link", "br", "input"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.open = "", []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def reported(tmp_path, systems, *, labels=("a", "b", "c", "d"), history=(), config="", texts=None, **changed):
    options = {"labels": labels, "split": "leave_one_speaker_out", "seed": 1, "draws": 100} | changed
    results = build_results(systems, **options)
    path = write_report(tmp_path, results, systems, history=history, config_yaml=config, texts=texts)
    return results, path.read_text(encoding="utf-8")


HISTORY = [
    {"system": name, "fold": fold, "epoch": epoch, "train_loss": 1 / (epoch + 1), "val_loss": 1.0, "val_ua": 0.5,
     "chosen": epoch == 2}
    for name in ("fusion", "speech", "text") for fold in ("fold 0", "fold 1") for epoch in range(4)
]  # fmt: skip


@pytest.fixture(scope="module")
def run(systems_maker, tmp_path_factory):
    """A cross-validation's report: its folder, results, page, and matplotlib's settings before and after."""
    folder, before = tmp_path_factory.mktemp("run"), dict(mpl.rcParams)
    results, source = reported(
        folder,
        systems_maker(folds=2),
        history=HISTORY,
        config="head: gated\nseed: 1\n",
        allow_leakage=True,
        overlap={
            "overlap": [{"parts": "train-test", "transcripts": 10}],
            "leakage_allowed": True,
            "warnings": ["The same sentences stand on both sides."],
        },
        training={"fusion": [{"fold": "fold 0", "temperature": 1.5, "excluded": {"train": {"silent": 2}}}]},
    )
    return folder, results, source, (before, dict(mpl.rcParams))


def test_the_report_is_whole_and_fetches_nothing(run):
    _, results, source, _ = run
    page = Page(source)
    text = " ".join(page.text.split())
    assert results["verdict"]["sentence"] in text
    for words in (
        "240 utterances of 8 speakers", "leave_one_speaker_out", "chosen on validation", "Leakage was allowed",
        "train-test", "The same sentences stand on both sides.", "head: gated", "recognising sentences", "train: silent: 2",
    ):  # fmt: skip
        assert words in text
    values = [results["test"][name][key] for name in ("fusion", "text") for key in ("wa", "nll")]
    assert all(f"{value['value']:.3f}" in text for value in values)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href") is None
        assert attributes.get("src", "data:").startswith("data:")
    assert not re.search(r"url\(|@import|https?://", source)


def test_every_picture_is_there_beside_the_page_and_inside_it(run):
    folder, _, source, _ = run
    names = {"comparison", "confusion", "reliability", "risk_coverage", "learning_curves"}
    assert {path.name for path in folder.iterdir()} == {"report.html", *(f"{name}.png" for name in names)}
    for name in names:
        content = (folder / f"{name}.png").read_bytes()
        assert base64.b64encode(content).decode() in source
        pixels = mpl.image.imread(io.BytesIO(content))
        assert pixels.shape[0] > 300
        assert pixels.shape[1] > 500
        assert pixels[..., :3].std() > 0.02  # not an empty sheet


def test_pictures_leave_matplotlib_as_it_was(run):
    *_, (before, after) = run
    assert before == after


def test_hostile_text_stays_text(systems_maker, tmp_path):
    systems = {}
    for name, scored in systems_maker(folds=1).items():
        systems[name] = Scored(
            ids=[f"<img src=x onerror=alert({row})>" for row in range(len(scored))],
            targets=scored.targets,
            probabilities=scored.probabilities,
            uncalibrated=scored.uncalibrated,
            groups=[f"</td><b>{group}" for group in scored.groups],
            folds=["<i>fold</i>" if row % 2 else "{{ 7 * 7 }}" for row in range(len(scored))],
        )
    texts = dict.fromkeys(systems["text"].ids, "</table><script>alert(2)</script>")
    history = [record | {"fold": "$_{"} for record in HISTORY]
    _, source = reported(
        tmp_path,
        systems,
        labels=HOSTILE,
        texts=texts,
        history=history,
        config="a: '</pre><script>'",
        overlap={"<u>": "<s>"},
    )
    page = Page(source)
    assert not {"script", "s", "u"} & {tag for tag, _ in page.tags}
    assert "<i>fold</i>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "</table><script>alert(2)</script>" in page.text
    assert all(label in page.text for label in HOSTILE)
    assert [attributes for tag, attributes in page.tags if tag == "img" and "onerror" in attributes] == []


def test_one_modality_many_classes_no_history(tmp_path, systems_maker):
    systems = {"speech": systems_maker(rows=400, classes=28, speech=2.0)["speech"]}
    _, source = reported(tmp_path, systems, labels=[f"emotion {row}" for row in range(28)])
    assert "Learning curves" not in source
    assert "Only speech" in source
    assert "Leakage was not allowed" in source
    assert not (tmp_path / "learning_curves.png").exists()


def test_leakage_that_was_allowed_but_not_there_is_not_held_against_the_run(tmp_path, systems_maker):
    changed = {"allow_leakage": True, "overlap": {"leakage_allowed": False, "notes": []}}
    _, source = reported(tmp_path, systems_maker(rows=30), **changed)
    assert "there was none to allow" in source
    assert "upper bound" not in source


def test_hardly_a_row(tmp_path):
    p = [[0.9, 0.1]]
    systems = {
        name: Scored(ids=["only"], targets=[0], probabilities=p, uncalibrated=p)
        for name in ("fusion", "speech", "text")
    }
    _, source = reported(tmp_path, systems, labels=("a", "b"), history=[{"system": "fusion", "epoch": 0}])
    assert "Not one test row was classified wrongly" in source


def test_errors_come_surest_first_with_what_the_others_said(systems_maker):
    systems = systems_maker()
    fusion = systems["fusion"]
    texts = {id: "said so" if row % 2 else float("nan") for row, id in enumerate(fusion.ids)}
    errors = confident_errors(systems, list("abcd"), texts)
    assert {error["text"] for error in errors} == {"said so", None}
    assert [error["confidence"] for error in errors] == sorted(fusion.confidence[~fusion.correct])[::-1][: len(errors)]
    for error in errors:
        row = fusion.ids.index(error["id"])
        assert error["label"] == "abcd"[fusion.targets[row]] != error["prediction"]
        assert error["others"] == ["abcd"[systems[name].predictions[row]] for name in ("speech", "text")]


def test_any_plain_data_becomes_tables():
    assert as_tables({"train": {"a": 1, "b": 2.5}, "val": {"a": 3, "b": None}}) == [
        ("", ["·", "a", "b"], [["train", "1", "2.5"], ["val", "3", "–"]])
    ]
    assert as_tables({"fusion": [{"fold": "x", "ok": True}], "speech": [{"fold": "y", "ok": False}]}) == [
        ("fusion", ["fold", "ok"], [["x", "yes"]]),
        ("speech", ["fold", "ok"], [["y", "no"]]),
    ]
    assert as_tables("a note") == [("", ["", ""], [["", "a note"]])]
    assert as_tables([]) == as_tables(None) == []
    assert np.shape(as_tables({"shared": ["a", "b"]})[0][2]) == (1, 2)
