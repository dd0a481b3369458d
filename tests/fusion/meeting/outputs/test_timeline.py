"""The picture draws what it should, and its curve is what weighing by hand gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import image

from fusion.meeting.manners import Manners
from fusion.meeting.meeting import publish
from fusion.meeting.outputs.chart import chart_of
from fusion.meeting.outputs.timeline import GAP, draw_timeline, smooth_valence


def wide(meeting):
    return replace(meeting, manners=Manners(meeting.manners.purpose, per_person=True, acknowledged=True))


def test_the_curve_weighs_by_nearness_and_breaks_in_gaps(meeting):
    first, second = meeting.estimates[0], meeting.estimates[1]
    early = replace(first, valence=-1.0, weight=2.0)  # 0 to 4 s
    late = replace(second, valence=1.0, weight=1.0, utterance=replace(second.utterance, start_s=10.0, end_s=14.0))
    times, curve = smooth_valence([early, late], 200.0, tau=10.0, step=1.0)
    near = 2.0 * np.exp(-3 / 10), 1.0 * np.exp(-3 / 10)  # at 7 s, three from each
    assert curve[7] == pytest.approx((near[1] - near[0]) / sum(near))
    assert np.isnan(curve[times > 14 + GAP]).all()
    assert not np.isnan(curve[times <= 14 + GAP]).any()


def test_nothing_estimated_is_no_curve(meeting):
    _, curve = smooth_valence(publish(meeting).estimates, 100.0)
    assert np.isnan(curve).all()


def test_speakers_have_lanes_only_where_they_may_be_shown(meeting, tmp_path):
    meeting = replace(meeting, title="<b>$\\frac$ </b>")
    narrow = image.imread(draw_timeline(publish(meeting), tmp_path / "narrow.png"))
    shown = image.imread(draw_timeline(publish(wide(meeting)), tmp_path / "wide.png"))
    assert shown.shape[0] > narrow.shape[0]
    assert shown[..., :3].std() > 0.01


def test_one_utterance_and_twelve_speakers_in_four_hours_both_draw(meeting, tmp_path):
    one = replace(wide(meeting), estimates=meeting.estimates[:1], windows=(), topics=(), items=(), alerts=())
    draw_timeline(one, tmp_path / "one.png")
    many = tuple(
        replace(
            meeting.estimates[0],
            utterance=replace(meeting.estimates[0].utterance, start_s=5.0 * i, end_s=5.0 * i + 4, speaker=f"S{i % 30}"),
        )
        for i in range(2880)
    )
    draw_timeline(replace(wide(meeting), estimates=many, duration_s=4 * 3600.0), tmp_path / "many.png")


@pytest.mark.parametrize("duration", [0.7, 4.0, 50.0, 3600.0])
def test_every_mark_of_time_says_another_time(meeting, duration):
    published = publish(replace(meeting, duration_s=duration))
    chart = chart_of(published, {one.utterance.id: "row" for one in published.estimates})
    said = [text for _, text in chart.ticks]
    assert 2 <= len(set(said)) == len(said) <= 11
