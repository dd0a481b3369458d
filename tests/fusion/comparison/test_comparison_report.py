from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from rich.console import Console

from extractors.errors import InputError
from fusion.comparison.compare import compare
from fusion.comparison.plots import GRID_POINTS, intervals_figure, risk_coverage_curve
from fusion.comparison.report import write_comparison
from fusion.comparison.terminal import print_tables
from fusion.comparison.views import all_tables
from fusion.evaluation.tables import number


class Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def compared(*folders, **changed):
    return compare(folders, **({"draws": 200, "min_rows": 5} | changed))


def table_of(found, name):
    return next(table for table in all_tables(found) if table.name == name)


def texts(table, column):
    return [line[table.columns.index(column)].text for line in table.lines]


def test_everything_is_written(two, tmp_path):
    before = {key: value for key, value in mpl.rcParams.items() if not key.startswith("backend")}
    found = compared(*two, by=["speaker"])
    paths = write_comparison(tmp_path / "out", found)
    assert {path.name for path in paths} == {
        "comparison.html", "comparison.md", "comparison.tex", "comparison.csv", "pairs.csv", "groups.csv",
        "one-checkpoint.csv", "intervals.png", "risk-coverage.png", "by-speaker.png",
    }  # fmt: skip
    assert all(path.is_file() for path in paths)
    assert {key: mpl.rcParams[key] for key in before} == before
    page = Page(Path(paths[0]).read_text())
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3
    assert all(source.startswith("data:image/png;base64,") for source in pictures)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert "://" not in Path(paths[0]).read_text()
    for row in found.rows:
        for entry in row.metrics.values():
            assert number(entry.value) in page.text


def test_what_an_earlier_comparison_left_is_taken_away(two, tmp_path):
    write_comparison(tmp_path / "out", compared(*two, by=["speaker"]))
    write_comparison(tmp_path / "out", compared(two[0]))
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert not {"pairs.csv", "groups.csv", "by-speaker.png"} & left
    assert "Every two rows" not in (tmp_path / "out" / "comparison.md").read_text()


def test_the_best_is_bold_only_among_the_comparable(write, head, two, tmp_path):
    good, bad = two
    table = table_of(compared(good, bad), "comparison")
    ua, ece = table.columns.index("UA"), table.columns.index("NLL")
    assert [line[ua].bold for line in table.lines] == [True, False]
    assert [line[ece].bold for line in table.lines] == [True, False]  # of a loss the least
    other = write(tmp_path / "other", rows=80, **head("film"))
    table = table_of(compared(good, bad, other), "comparison")
    assert not any(cell.bold for line in table.lines for cell in line)
    assert any("Nothing is bold" in note for note in table.notes)
    assert not any(cell.bold for line in table_of(compared(good), "comparison").lines for cell in line)


def test_deviation_and_interval_are_never_mixed(write, head, tmp_path):
    folders = [write(tmp_path / str(seed), seeds=(seed,), **head("film")) for seed in (1, 2, 3)]
    found = compared(*folders, write(tmp_path / "late", **head("late")))
    table = table_of(found, "comparison")
    seeds, single = (line[table.columns.index("UA")] for line in table.lines)
    entry = found.rows[0].metrics["ua"]
    assert seeds.text == f"{number(entry.value)} ± {number(entry.sd)}"
    assert seeds.small == f"{number(entry.low)}–{number(entry.high)}"  # of the mean over seeds, and apart from ±
    assert "±" not in single.text
    assert "–" in single.small
    assert any("mean ± sd (sample, n=3 seeds)" in note for note in table.notes)
    assert any(note.startswith("Intervals, low–high: 95 % bootstrap over speakers") for note in table.notes)
    assert texts(table, "seeds") == ["3", "1"]
    rows = list(
        csv.DictReader(
            io.StringIO((write_comparison(tmp_path / "out", found)[0].parent / "comparison.csv").read_text())
        )
    )
    assert float(rows[0]["ua_sd_over_seeds"]) == pytest.approx(entry.sd)
    assert float(rows[0]["ua_low"]) == pytest.approx(entry.low)
    assert rows[1]["ua_sd_over_seeds"] == ""
    assert rows[0]["seeds"] == "1 2 3"


def test_pairs_that_cannot_be_are_said(write, head, two, tmp_path):
    other = write(tmp_path / "other", rows=40, first=140, **head("film"))
    found = compared(*two, other)
    table = table_of(found, "pairs")
    assert texts(table, "Δ UA")[1:] == ["–", "–"]
    assert [note for note in table.notes if note.startswith("Not paired: head=gated − head=film: only 20 of 160")]
    assert any("corrected for 1 comparison in its column" in note for note in table.notes)
    assert any("treats utterances as independent" in note for note in table.notes)


def test_leakage_notices_and_few_speakers_are_said(write, head, tmp_path):
    overlap = {"leakage_allowed": True}
    leaking = write(tmp_path / "1", speakers=3, changed={"allow_leakage": True, "overlap": overlap}, **head("film"))
    found = compared(leaking, write(tmp_path / "2", speakers=3, changed={"notice": "It is synthetic."}, **head("late")))
    table = table_of(found, "comparison")
    assert texts(table, "")[0] == "head=film †"
    notes = " ".join(table.notes)
    assert "† leakage was allowed" in notes
    assert "It is synthetic." in notes
    assert "only 3 speakers tested" in notes
    assert any("fewer than five speakers" in note for note in table_of(found, "pairs").notes)


def test_one_checkpoint_with_either_modality(write, head, tmp_path):
    folders = [write(tmp_path / str(seed), seeds=(seed,), **head("film")) for seed in (1, 2)]
    single = write(tmp_path / "late", **head("late"))
    none = write(tmp_path / "old", changed={"one_checkpoint": None}, **head("gated"))
    found = compared(*folders, single, none)
    table = table_of(found, "one-checkpoint")
    assert table.columns[1::2] == ["UA, speech only", "UA, text only", "UA, both"]
    told = [run.results["one_checkpoint"]["text"]["ua"]["value"] for run in found.rows[0].runs]
    assert texts(table, "UA, text only")[0] == f"{number(np.mean(told))} ± {number(np.std(told, ddof=1))}"
    assert texts(table, "UA, text only")[2] == "–"
    assert any("not recorded by head=gated" in note for note in table.notes)
    assert all(name.name != "one-checkpoint" for name in all_tables(compared(none)))


def test_hostile_names_stay_names(write, tmp_path):
    hostile = "</td><script>alert(1)</script>{{ 7 * 7 }} $_{"
    folders = [
        write(
            tmp_path / str(place),
            choices={"head": f"{hostile}{place}"},
            config={"head": {"width": place}},
            meta={"room": lambda id: hostile},
        )
        for place in range(2)
    ]
    found = compared(*folders, by=["room"])
    page = Page(write_comparison(tmp_path / "out", found)[0].read_text())
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(hostile) >= 4
    assert "{{ 7 * 7 }}" in page.text
    assert r"\{\{ 7 * 7 \}\}" in (tmp_path / "out" / "comparison.tex").read_text()


@pytest.mark.parametrize("width", [60, 80, 120, 300])
def test_the_terminal_is_not_overrun(write, two, tmp_path, width):
    buffer = io.StringIO()
    print_tables(all_tables(compared(*two, by=["speaker"])), Console(file=buffer, width=width))
    said = buffer.getvalue()
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said.split("Every two rows")[0]
    assert ("No room here" in said) == (width < 300)
    assert "head=gated" in said


def test_the_risk_coverage_curve_is_the_accuracy_of_the_surest(two):
    [row, _] = compared(*two).rows
    scored = row.replicates[0].scored
    curve = risk_coverage_curve(row)
    order = np.argsort(-scored.confidence)
    for place in (30, 60, 98):
        kept = order[: round(GRID_POINTS[place] * len(order))]
        assert curve[place] == pytest.approx(scored.correct[kept].mean(), abs=0.02)
    assert np.isnan(curve[: np.searchsorted(GRID_POINTS, 20 / 160)]).all()
    assert curve[-1] == pytest.approx(row.metrics["wa"].value)


@pytest.mark.parametrize(
    "changed", [{"draws": 10}, {"level": 1.0}, {"min_common": 0}, {"min_common": 1.5}, {"min_rows": 0}]
)
def test_settings_out_of_range_are_refused(two, changed):
    with pytest.raises(InputError, match=next(iter(changed))):
        compared(*two, **changed)


def test_what_was_resampled_is_named_where_the_bars_are(write, head, tmp_path):
    """Of three speakers the utterances are resampled; no legend or caption may say speakers."""
    runs = [write(tmp_path / name, speakers=3, **head(name)) for name in ("gated", "late")]
    found = compare(runs, draws=200)
    legend = [text.get_text() for text in intervals_figure(found).legends[0].get_texts()]
    assert "interval over utterances" in legend
    page, *_ = write_comparison(tmp_path / "out", found)
    assert "Bars are intervals over utterances;" in page.read_text()
    assert "intervals over speakers" not in page.read_text()


def test_wide_tables_are_drawn_smaller_on_the_page(two, tmp_path):
    page, *_ = write_comparison(tmp_path / "out", compare(two, draws=200))
    assert page.read_text().count('<table class="wide">') == 2  # the main one and the pairs
