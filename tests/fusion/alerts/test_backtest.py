"""What counts as found, as false, as late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats

from extractors.errors import InputError
from fusion.alerts import Alert, read_rules
from fusion.alerts.backtest import ALL, backtest, median, rate, share
from fusion.alerts.labelled import LabelledEpisode, from_frame, read_episodes
from fusion.valence import load_valence

RULES = read_rules(
    {
        "anger": {"signal": "angry", "on": 0.5},
        "low": {"signal": "valence", "direction": "below", "on": -0.5, "scope": "meeting"},
    }
)
VALENCE = load_valence("emotion2vec")


def alert(start: float, end: float, *, rule: str = "anger", who: str | None = "a", **known: object) -> Alert:
    scope = "speaker" if rule == "anger" else "meeting"
    plain = {
        "rule": rule,
        "severity": "warning",
        "scope": scope,
        "scope_value": who if scope == "speaker" else None,
        "start_s": start,
        "end_s": end,
        "fired_s": start + 5,
        "smoothed_peak": 0.6,
        "peak_s": end,
        "smoothed_mean": 0.6,
        "speech_s": 5.0,
        "utterances": 2,
        "evidence": (),
        "signal": "angry",
        "direction": "above",
        "on": 0.5,
    }
    return Alert(**(plain | known))  # type: ignore[arg-type]


def test_figures_by_hand() -> None:
    episodes = [
        LabelledEpisode(100, 160, "angry", "a"),
        LabelledEpisode(300, 360, "angry", "b"),
        LabelledEpisode(500, 560, "sad"),
        LabelledEpisode(700, 760, "happy"),
    ]
    alerts = [
        alert(110, 150),  # true
        alert(155, 200),  # true, the same episode; 40 of 45 s outside
        alert(310, 350),  # another's episode: false
        alert(510, 550),  # sad is not angry: false
        alert(510, 550, rule="low"),  # true
        alert(310, 350, rule="low"),  # angry is negative: true
        alert(705, 750, rule="low"),  # happy is not: false
    ]
    found = backtest(alerts, episodes, RULES, seconds={None: 3600.0}, valence=VALENCE)
    anger, low, everything = found.of("anger"), found.of("low"), found.of(ALL)
    assert found.matches == ((0,), (0,), (), (), (2,), (1,), ())
    assert (anger.true_alerts, anger.alerts, anger.found, anger.episodes) == (2, 4, 1, 2)
    assert (low.true_alerts, low.alerts, low.found, low.episodes) == (2, 3, 2, 3)
    assert (everything.true_alerts, everything.alerts, everything.found, everything.episodes) == (4, 7, 3, 3)
    assert anger.precision.value == 0.5
    assert anger.false_per_hour.value == 2.0
    assert anger.delay_s.value == 15.0  # fired at 115
    assert anger.outside_share == pytest.approx((40 + 40 + 40) / (40 + 45 + 40 + 40))
    assert anger.alert_share == pytest.approx(165 / 3600)
    assert found.unwanted == (3,)  # nobody looks for happy


def test_recordings_and_slack() -> None:
    episodes = [LabelledEpisode(100, 110, recording="x"), LabelledEpisode(100, 110, recording="y")]
    alerts = [alert(105, 120, recording="x"), alert(112, 120, recording="y")]
    seconds = {"x": 1800.0, "y": 1800.0}
    strict = backtest(alerts, episodes, RULES[:1], seconds=seconds).of("anger")
    assert (strict.true_alerts, strict.found, strict.false_per_hour.value) == (1, 1, 1.0)
    lenient = backtest(alerts, episodes, RULES[:1], seconds=seconds, slack_s=5).of("anger")
    assert (lenient.true_alerts, lenient.found, lenient.false_per_hour.value) == (2, 2, 0.0)


def test_nothing_to_find_and_nothing_found() -> None:
    empty = backtest([], [], RULES, seconds={None: 3600.0}).of(ALL)
    assert (empty.precision.value, empty.recall.value, empty.outside_share) == (None, None, None)
    assert (empty.false_per_hour.low, empty.false_per_hour.high) == (0.0, pytest.approx(3.69, abs=0.01))


def test_intervals_hold_what_they_promise() -> None:
    """Exact ones cover at least their level, whatever the truth is."""
    for truth in (0.05, 0.4, 0.9):
        limits = [share(hits, 20) for hits in range(21)]
        covered = sum(stats.binom.pmf(h, 20, truth) for h, one in enumerate(limits) if one.low <= truth <= one.high)
        assert covered >= 0.95
    for truth in (0.5, 4.0):
        limits = [rate(events, 1.0) for events in range(60)]
        covered = sum(stats.poisson.pmf(e, truth) for e, one in enumerate(limits) if one.low <= truth <= one.high)
        assert covered >= 0.95
    for count in (6, 9, 30):
        limits = median([float(value) for value in range(count)])
        outside = int(limits.low)  # values below
        assert 1 - 2 * stats.binom.cdf(outside, count, 0.5) >= 0.95
        assert 1 - 2 * stats.binom.cdf(outside + 1, count, 0.5) < 0.95  # and no wider than it must be
    assert median([1.0, 2.0, 3.0]).low is None


def test_episodes_are_read(tmp_path) -> None:
    file = tmp_path / "e.csv"
    file.write_text("start,end,label,recording\n1,2,angry,a.wav\n3,4.5,,sub/b.wav\n5,6,sad,c\n")
    watched = ["/data/a.wav", "/data/sub/b.wav", "/other/b.wav", "/data/c.flac"]
    episodes = read_episodes(file, recordings=watched)
    assert [one.recording for one in episodes] == ["/data/a.wav", "/data/sub/b.wav", "/data/c.flac"]
    assert episodes[1].label is None
    assert read_episodes(file) == [
        replace(e, recording=n) for e, n in zip(episodes, ["a.wav", "sub/b.wav", "c"], strict=True)
    ]
    file.write_text("start,end\n1,2\n")
    assert read_episodes(file, recordings=["x.wav"]) == [LabelledEpisode(1, 2, recording="x.wav")]
    file.write_text("start,end\n")
    assert read_episodes(file) == []
    file.write_text("start,end,recording\n1,x,a.wav\n5,2,b.wav\n-1,2,\n1,2,d.wav\n")
    with pytest.raises(InputError) as told:
        read_episodes(file, recordings=watched)
    assert [problem.split(":")[0] for problem in told.value.problems] == [
        "row 1",
        "row 2",
        "row 2",
        "row 3",
        "row 3",
        "row 4",
    ]
    file.write_text("begin,end,labels\n1,2,angry\n")
    with pytest.raises(InputError, match=r"unknown column 'labels'; did you mean 'label'"):
        read_episodes(file)


def test_episodes_from_a_frame() -> None:
    import pandas as pd

    with pytest.raises(InputError, match="no column end"):
        from_frame(pd.DataFrame({"start": [1.0]}))
