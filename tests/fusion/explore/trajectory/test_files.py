"""What is written is read back, by the tools' own libraries where there are any."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from fusion.clock import tick_step
from fusion.explore.trajectory import Search, Trajectory, trajectory
from fusion.explore.trajectory.figure import course_figure
from fusion.explore.trajectory.page import page_of
from fusion.meeting.transcript import Transcript, Utterance

HOSTILE = 'Ann </script><img src=x onerror="alert(1)"> "&\x00\ud800'


@pytest.fixture(scope="module")
def written(tmp_path_factory, encoder, speech) -> tuple[Trajectory, Path]:
    folder = tmp_path_factory.mktemp("course")
    audio = folder / "my call & co.flac"
    soundfile.write(audio, speech, 16_000)
    half = len(speech) / 32_000
    spoken = Transcript((Utterance("1", 0, half, "a", HOSTILE), Utterance("2", half, 2 * half, "b", "changes")), "test")
    found = trajectory(audio, encoder, transcript=spoken, signal="space")
    assert len(found.write(folder / "out")) == 9
    return found, folder / "out"


def test_the_table_has_every_row(written):
    found, folder = written
    table = pd.read_csv(folder / "trajectory.csv", keep_default_na=False, na_values=[""])
    assert list(table) == ["time_s", *found.labels, "valence", "speaker", "segment"]
    assert len(table) == len(found.scores)
    assert np.allclose(table.time_s, np.arange(len(table)) / 50)
    assert np.allclose(table[list(found.labels)], found.scores, atol=6e-5, equal_nan=True)
    assert (table.segment.isna() == (found.segment == 0)).all()
    assert len(pd.read_csv(folder / "path.csv")) == len(found.path.points)
    assert len(pd.read_csv(folder / "changes.csv")) == len(found.changes)
    assert json.loads((folder / "trajectory.json").read_text())["rows_per_second"] == 50


def test_praat_reads_the_grid(written):
    textgrid = pytest.importorskip("praatio.textgrid")
    found, folder = written
    grid = textgrid.openTextgrid(str(folder / "trajectory.TextGrid"), includeEmptyIntervals=True)
    assert grid.maxTimestamp == pytest.approx(found.seconds)
    read = [
        (round(entry.start, 3), round(entry.end, 3), entry.label)
        for name in grid.tierNames
        if name != "changes"
        for entry in grid.getTier(name).entries
        if entry.label
    ]
    assert sorted(read) == sorted((run.start_s, run.end_s, run.label) for run in found.runs)
    for name in grid.tierNames:
        if name != "changes":
            entries = grid.getTier(name).entries
            assert entries[0].start == 0
            assert all(a.end == b.start for a, b in pairwise(entries))
    if found.changes:
        times = [entry.time for entry in grid.getTier("changes").entries]
        assert times == pytest.approx(sorted({change.time_s for change in found.changes}))


def test_elan_reads_the_annotations(written):
    elan = pytest.importorskip("pympi.Elan")
    found, folder = written
    read = elan.Eaf(str(folder / "trajectory.eaf"))
    own = [
        entry
        for tier in read.get_tier_names()
        if tier != "changes"
        for entry in read.get_annotation_data_for_tier(tier)
    ]
    assert sorted(own) == sorted((round(r.start_s * 1e3), round(r.end_s * 1e3), r.label) for r in found.runs)
    assert read.media_descriptors[0]["RELATIVE_MEDIA_URL"] == "../my%20call%20%26%20co.flac"


def test_rttm_has_ten_fields_and_the_times(written):
    found, folder = written
    lines = (folder / "trajectory.rttm").read_text().splitlines()
    assert len(lines) == len(found.runs)
    for line, run in zip(lines, found.runs, strict=True):
        fields = line.split(" ")
        assert len(fields) == 10
        assert fields[:3] == ["SPEAKER", "my_call_&_co", "1"]
        assert float(fields[3]) == pytest.approx(run.start_s)
        assert float(fields[3]) + float(fields[4]) == pytest.approx(run.end_s, abs=2e-3)
        assert fields[7] == run.label


def test_runs_tile_the_speech(written):
    found, _ = written
    covered = np.zeros(len(found.speech), bool)
    for run in found.runs:
        part = slice(round(run.start_s * 50), round(run.end_s * 50))
        assert not covered[part].any()
        covered[part] = True
        assert run.label in found.labels
    assert (covered == found.speech).all()


def test_the_page_is_whole_and_no_name_gets_out_of_its_place(written):
    found, folder = written
    page = (folder / "trajectory.html").read_text()
    assert "<img" not in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert 'src="../my%20call%20%26%20co.flac"' in page
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL).group(1))
    assert data["rows"] == len(found.scores)
    levels = np.frombuffer(base64.b64decode(data["scores"]), np.uint8).reshape(data["rows"], -1)
    assert ((levels == 255).all(axis=1) == ~found.speech).all()
    assert np.allclose(levels[found.speech] / 250, found.scores[found.speech], atol=0.0021)


def test_a_very_long_course_is_pooled_and_says_so(written, monkeypatch):
    found, folder = written
    monkeypatch.setattr("fusion.explore.trajectory.page.MOST_ROWS", 100)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page_of(found, folder), re.DOTALL).group(1))
    assert data["rows"] <= 100
    assert data["pooled"] == -(-len(found.scores) // 100)
    assert data["rate"] == pytest.approx(50 / data["pooled"])


def test_without_scores_there_are_components_and_segments(acoustic, speech, tmp_path):
    found = trajectory(speech, acoustic)
    files = found.write(tmp_path)
    assert all(path.stat().st_size > 0 for path in files)
    table = pd.read_csv(tmp_path / "trajectory.csv")
    assert list(table) == ["time_s", "component_1", "component_2", "component_3", "speaker", "segment"]
    assert found.rate == 2
    assert {run.label for run in found.runs} == {f"segment {n}" for n in sorted(set(found.segment[found.segment > 0]))}


def heads(page: str) -> list[str]:
    return re.findall(r'<th(?: class="number")?>(.*?)</th>', page)


def test_what_no_classes_leave_empty_is_left_out_and_said(written, acoustic, speech, tmp_path):
    half = len(speech) / 32_000
    spoken = Transcript((Utterance("1", 0, half, "a", "Ben"), Utterance("2", half, 2 * half, "b", "Ann")), "test")
    found = trajectory(speech, acoustic, transcript=spoken, changes=Search(penalty=0.2))
    assert found.changes
    found.write(tmp_path)
    page = (tmp_path / "trajectory.html").read_text()
    assert heads(page) == ["no.", "time", "speaker", "before → after", "evidence", "speaker", "speech"]
    assert "acoustic brings no classes" in page
    table = pd.read_csv(tmp_path / "changes.csv")
    assert list(table) == ["time_s", "rank", "evidence", "distance", "speaker", "moved"]
    assert table.notna().all().all()
    with_scores = (written[1] / "trajectory.html").read_text()
    assert {"score", "valence"} <= set(heads(with_scores)) or not written[0].changes
    assert "brings no classes" not in with_scores
    assert "before_valence" in (written[1] / "changes.csv").read_text()


def test_axes_have_names_units_and_round_times(written, acoustic, speech):
    found = trajectory(speech, acoustic)
    for course, axis in ((found, "place in space (sd)"), (written[0], "score (estimated)")):
        data = json.loads(re.search(r'id="data">(.*?)</script>', page_of(course, Path("x")), re.DOTALL).group(1))
        assert data["axis"] == axis
        assert all(data["low"] <= tick <= data["high"] for tick in data["heights"])
        assert len(data["heights"]) >= 3
        assert {10, 15, 30, 60} <= set(data["ticks"])
        figure = course_figure(course)
        upper, lower = figure.subfigs
        assert upper.axes[0].get_ylabel() == axis
        figure.canvas.draw()
        ticks = [tick for tick in upper.axes[-1].get_xticks() if 0 <= tick <= course.seconds]
        step = tick_step(course.seconds, 12)
        assert ticks == pytest.approx([step * place for place in range(len(ticks))])
        assert "time into the recording" in [axes.get_ylabel() for axes in lower.axes]


@pytest.mark.parametrize("seconds", [0.5, 3.0, 7.2, 21.7, 28.9, 200.0, 3_700.0, 20_000.0])
def test_marks_of_time_are_round_and_neither_few_nor_many(seconds):
    step = tick_step(seconds, 10)
    assert 60 % step < 1e-9 or step % 60 == 0 or step < 1
    assert 3 <= seconds / step <= 10


def test_the_picture_is_large_and_not_empty(written):
    import matplotlib.image

    _, folder = written
    picture = matplotlib.image.imread(folder / "trajectory.png")
    assert picture.shape[1] > 1_500
    assert len(np.unique(picture[::8, ::8, :3].reshape(-1, 3), axis=0)) > 50


def test_labels_named_like_columns_stay_apart(written):
    from fusion.explore.trajectory.tables import rows_table

    found, _ = written
    renamed = replace(found, labels=("speaker", *found.labels[1:]))
    assert rows_table(renamed).splitlines()[0].startswith("time_s,label:speaker,disgusted")
