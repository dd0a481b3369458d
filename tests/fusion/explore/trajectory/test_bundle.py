"""A bundle's labels over windows, with and without words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extractors.errors import InputError
from fusion import Predictor
from fusion.explore.trajectory import trajectory
from fusion.explore.trajectory.windows import Grid
from fusion.meeting.transcript import Transcript, Utterance
from tests.fusion.random_bundle import save_random_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, acoustic) -> Path:
    """A head with random weights over the real acoustic encoder."""
    return save_random_bundle(tmp_path_factory.mktemp("bundle") / "bundle", [acoustic], ("happy", "sad"), (0.5, 0.5))


def test_a_row_is_what_the_bundle_says_of_its_window(bundle, speech):
    predictor = Predictor.from_bundle(bundle)
    found = trajectory(speech, bundle=predictor, smooth=0)
    assert found.rate == 1.0  # windows of 2 s every second
    assert found.labels == ("happy", "sad")
    grid = Grid(found.seconds, 2.0)
    for row in np.flatnonzero(found.speech)[[0, 3, -1]]:
        start, stop = grid.span(int(row), len(speech))
        assert start == max(0, round((row + 0.5) * 16_000) - 16_000)
        expected = predictor.predict(speech[start:stop]).probabilities
        assert found.scores[row] == pytest.approx([expected["happy"], expected["sad"]], abs=1e-5)
        assert found.valence[row] == pytest.approx(expected["happy"] - expected["sad"], abs=1e-5)


def test_files_of_a_bundles_course_are_written(bundle, speech, tmp_path):
    assert all(path.is_file() for path in trajectory(speech, bundle=bundle, window=1.0).write(tmp_path))


def test_words_come_from_the_utterance_of_the_time(tmp_path, speech, acoustic):
    from extractors import SentenceTransformerExtractor

    both = [acoustic, SentenceTransformerExtractor()]
    folder = save_random_bundle(tmp_path / "bundle", both, ("a", "b"), (0.5, 0.5), seed=1)
    predictor = Predictor.from_bundle(folder)
    spoken = Transcript((Utterance("1", 0.0, 4.0, "what a lovely day", "Ann"),), "test")
    found = trajectory(speech, bundle=predictor, transcript=spoken, smooth=0, valence=None)
    grid = Grid(found.seconds, 2.0)
    for row, words in ((1, "what a lovely day"), (int(np.flatnonzero(found.speech)[-1]), None)):
        start, stop = grid.span(row, len(speech))
        expected = predictor.predict(speech[start:stop], words).probabilities
        assert found.scores[row] == pytest.approx(list(expected.values()), abs=1e-4)


def test_one_or_the_other(bundle, acoustic, speech):
    with pytest.raises(InputError, match="a bundle brings its own encoder"):
        trajectory(speech, acoustic, bundle=bundle)
