from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from extractors.types import Embedding
from fusion.explore.similar import align, compare_running
from fusion.explore.similar.running import frame_rate, sample_frames
from fusion.explore.similar.running_figure import running_figure
from fusion.explore.similar.warping import path_table, second_by_second, shorten
from fusion.explore.sources import FileVectors
from fusion.explore.space import Space


def unit(frames: np.ndarray) -> np.ndarray:
    return Space.fit(frames, kind="raw", fingerprint="f").transform(frames.astype(np.float32))


def best_by_hand(first: np.ndarray, second: np.ndarray) -> float:
    """The highest weighted mean cosine of any path, by the recursion of Sakoe and Chiba's symmetric form."""
    costs = 1 - first.astype(np.float64) @ second.T.astype(np.float64)
    total = np.full(costs.shape, np.inf)
    for i, j in np.ndindex(costs.shape):
        if i == j == 0:
            total[0, 0] = 2 * costs[0, 0]
            continue
        ways = [total[i - 1, j - 1] + 2 * costs[i, j]] if i and j else []
        ways += [total[i - 1, j] + costs[i, j]] if i else []
        ways += [total[i, j - 1] + costs[i, j]] if j else []
        total[i, j] = min(ways)
    return 1 - total[-1, -1] / sum(costs.shape)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_the_path_is_the_best_there_is(rows, columns, seed):
    rng = np.random.default_rng(seed)
    first, second = unit(rng.normal(size=(rows, 4))), unit(rng.normal(size=(columns, 4)))
    found = align(first, second)
    assert found.path[0].tolist() == [0, 0]
    assert found.path[-1].tolist() == [rows - 1, columns - 1]
    steps = np.diff(found.path, axis=0)
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (steps.sum(axis=1) > 0).all()
    assert found.weights.sum() == rows + columns
    assert found.similarity == pytest.approx(best_by_hand(first, second), abs=1e-6)
    assert found.similarity == pytest.approx(align(second, first).similarity, abs=1e-9)


def wave(seconds: float, *, rate: float = 50.0, seed: int = 0, dim: int = 6) -> np.ndarray:
    """(frames, dim) a smooth movement that depends on the seed; slower where it lasts longer."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, int(seconds * rate))[:, None]
    speeds, phases = rng.uniform(1, 4, (2, dim))
    return (7 + np.sin(2 * np.pi * speeds * time + phases)).astype(np.float32)


def test_the_same_movement_at_another_speed_is_the_same_movement():
    space = Space.fit(np.concatenate([wave(2, seed=seed) for seed in range(8)]), fingerprint="f")
    a, slower, other = (space.transform(frames) for frames in (wave(2), wave(3), wave(2, seed=5)))
    assert align(a, slower).similarity > 0.99
    assert align(a, other).similarity < 0.9


def test_seconds_say_where_it_is_slower_and_where_it_parts():
    movement = wave(4)
    stretched = np.concatenate([movement[:100], np.repeat(movement[100:], 2, axis=0)])  # twice as slow from 2 s on
    stretched[250:] = -stretched[250:]  # and another thing altogether at the end
    found = align(unit(movement - 7), unit(stretched - 7))
    table = second_by_second(found, frame_seconds=0.02, starts=(10, 0))
    assert table["a_start"].tolist() == pytest.approx([10, 11, 12, 13])
    assert table["a_end"].iloc[-1] == pytest.approx(14)
    assert table["b_end"].iloc[-1] == pytest.approx(6)
    assert table["tempo"].iloc[0] == pytest.approx(1, abs=0.1)
    assert table["tempo"].iloc[2] == pytest.approx(2, abs=0.3)
    assert table["cosine"].iloc[0] > 0.99
    assert table["cosine"].iloc[3] < 0.8
    path = path_table(found, frame_seconds=0.02)
    assert list(path) == ["a", "b", "cosine"]
    assert len(path) == len(found.path)


def test_a_band_keeps_to_the_diagonal_or_says_that_it_cannot():
    rng = np.random.default_rng(0)
    first, second = unit(rng.normal(size=(40, 5))), unit(rng.normal(size=(40, 5)))
    free, narrow = align(first, second), align(first, second, band=0.1)
    assert narrow.similarity <= free.similarity
    assert np.abs(np.diff(narrow.path, axis=1)).max() <= 4
    for band in (0, 1.5, -1):
        with pytest.raises(InputError, match="band: expected a share"):
            align(first, second, band=band)


def test_shortening_takes_means_of_neighbours():
    frames = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert shorten(frames, 1) is frames
    np.testing.assert_array_equal(shorten(frames, 2), [[1, 2], [5, 6], [8, 9]])
    np.testing.assert_array_equal(shorten(frames, 9), [[4, 5]])


# -- against a collection -----------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path) -> FileVectors:
    """Twelve clips of two seconds that move each in their own way, one of them three seconds."""
    for number in range(12):
        np.save(tmp_path / f"{number:02}.npy", wave(3 if number == 4 else 2, seed=number))
    return FileVectors(tmp_path, model="mine")


def test_like_is_told_from_unlike(files):
    clips = files.collect()
    model, learner = Embedding(np.zeros(6), frames=wave(2)), Embedding(np.zeros(6), frames=wave(2.6))
    other = Embedding(np.zeros(6), frames=wave(2.6, seed=7))
    good = compare_running(learner, model, files, clips)
    bad = compare_running(other, model, files, clips)
    assert good.percentile > 95
    assert good.percentile > bad.percentile
    assert (good.clips, len(good.reference), good.factor, good.frame_rate) == (12, 66, 1, 50)
    assert good.seconds == pytest.approx((2.6, 2.0))
    assert good.reference_seconds == pytest.approx(2.0)
    assert good.as_dict()["references"][0]["pairs"] == 66


def test_the_picture_has_a_scale_and_no_curve_goes_through_its_words(files):
    clips = files.collect()
    model, learner = Embedding(np.zeros(6), frames=wave(2)), Embedding(np.zeros(6), frames=wave(2.6))
    figure = running_figure(compare_running(learner, model, files, clips), a="learner", b="model")
    assert "cosine of two frames" in [axes.get_ylabel() for axes in figure.axes]
    figure.canvas.draw()
    below = next(axes for axes in figure.axes if axes.get_ylabel() == "cosine")
    (words,) = (text for text in below.texts if "median" in text.get_text())
    box = words.get_window_extent()
    assert not box.overlaps(below.get_window_extent())
    assert figure.bbox.fully_containsx(box.x1)


def test_draws_are_seeded_and_bounded(files):
    clips = files.collect()
    a, b = (files.frames_of(clips, row) for row in (0, 1))
    one, again, other = (compare_running(a, b, files, clips, clips=6, pairs=9, seed=seed) for seed in (3, 3, 4))
    assert (one.clips, len(one.reference), one.reference.possible) == (6, 9, 15)
    np.testing.assert_array_equal(one.reference.values, again.reference.values)
    assert one.space.name == again.space.name
    assert one.space.name != other.space.name


def test_long_sequences_are_averaged_down_and_so_are_those_they_are_measured_against(files, caplog):
    clips = files.collect()
    a, b = (Embedding(np.zeros(6), frames=np.tile(wave(2), (20, 1))) for _ in range(2))
    found = compare_running(a, b, files, clips, longest=300)
    assert (found.factor, found.frame_rate, len(found.first)) == (7, 50 / 7, 286)
    assert found.seconds[0] == pytest.approx(40, abs=0.2)
    assert "their percentile says little" in caplog.text
    _, sampled = sample_frames(files, clips, clips=12, most=30, seed=0)
    assert {len(frames) for frames in sampled} == {30}


def test_movement_does_not_hear_whose_voice_it_is(files):
    clips = files.collect()
    a = Embedding(np.zeros(6), frames=wave(2))
    raised = Embedding(np.zeros(6), frames=wave(2) + np.float32([3, -3, 2, -2, 1, 0]))
    heard, moved = (compare_running(a, raised, files, clips, movement=movement) for movement in (False, True))
    assert moved.alignment.similarity > 0.999 > 0.9 > heard.alignment.similarity


def test_what_has_no_frames(files, tmp_path):
    clips = files.collect()
    frames = files.frames_of(clips, 0)
    with pytest.raises(InputError, match="b has no frames"):
        compare_running(frames, Embedding(np.zeros(6)), files, clips)
    for name, value in (("clips", 1), ("pairs", 0), ("longest", 1.5)):
        with pytest.raises(InputError, match=f"frames.{name}: expected a whole number"):
            compare_running(frames, frames, files, clips, **{name: value})
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name in "ab":
        np.save(folder / f"{name}.npy", np.ones(6, np.float32))
    pooled = FileVectors(folder, model="mine")
    with pytest.raises(InputError, match="needs frames of at least 2 clips") as refused:
        compare_running(frames, frames, pooled, pooled.collect())
    assert "a holds a vector, and no frames" in str(refused.value)


def test_frame_rates(files):
    assert frame_rate(files) == 50
    assert frame_rate(files, 12.5) == 12.5
    with pytest.raises(InputError, match="expected frames a second"):
        frame_rate(files, 0)

    class Tokens:
        maker = files.maker
        extractor = type("Reader", (), {"frame_rate": None})

    with pytest.raises(InputError, match="no frames in time"):
        frame_rate(Tokens())


def test_clips_of_one_content_make_no_reference(tmp_path):
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", wave(1))
    same = FileVectors(tmp_path, model="mine")
    clips = same.collect()
    with pytest.raises(InputError, match="all 3 that were drawn hold the same"):
        compare_running(same.frames_of(clips, 0), same.frames_of(clips, 1), same, clips)
    assert isinstance(clips.metadata, pd.DataFrame)
