"""From probabilities to valence, by a map."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.configuration import conf_folder
from fusion.valence import ValenceMap, load_valence

NINE = ("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown")
MAPS = sorted(path.stem for path in (conf_folder() / "tables" / "valence").glob("*.yaml"))


@pytest.mark.parametrize("name", MAPS)
def test_every_map_loads_and_agrees_with_the_default(name) -> None:
    default = load_valence("default")
    for label, value in load_valence(name).values.items():
        assert value is None or -1 <= value <= 1
        if label in default.values:
            assert default.of(label) == value


def test_what_is_excluded_and_what_is_unknown(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        load_valence("emotion2vec", labels=NINE)
        assert not caplog.records  # other and unknown are excluded on purpose
        found = load_valence("emotion2vec", labels=["Angry", "triumphant", "happy"])
    assert "no entry for triumphant: excluded" in caplog.text
    assert found({"Angry": 0.4, "triumphant": 0.4, "happy": 0.2}) == pytest.approx(-1 / 3)
    assert found({"Angry": 0.2, "triumphant": 0.6, "happy": 0.2}) is None  # less than half of the mass
    assert found({"Angry": 0.25, "triumphant": 0.5, "happy": 0.25}) == 0.0  # half is enough
    assert found.coverage({"Angry": 0.25, "triumphant": 0.5, "happy": 0.25}) == 0.5
    assert found({}) is None
    with pytest.raises(InputError, match="no label of triumphant, flat has one in the map 'default'"):
        load_valence("default", labels=["triumphant", "flat"])


@given(st.lists(st.floats(0, 1), min_size=9, max_size=9))
def test_rows_are_what_mappings_are(values) -> None:
    found = load_valence("emotion2vec")
    one = found(dict(zip(NINE, values, strict=True)))
    (row,) = found.of_rows(np.array([values]), NINE)
    if one is None:
        assert np.isnan(row)
    else:
        assert row == pytest.approx(one, abs=1e-9)
        assert -1 - 1e-9 <= one <= 1 + 1e-9


def test_a_map_of_your_own(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("triumphant: 0.8\nflat: -0.3\nnoise: null\n")
    found = load_valence(file)
    assert (found.of("TRIUMPHANT"), found.of("noise"), found.of("?")) == (0.8, None, None)
    assert found.without_entry(["noise", "?"]) == ["?"]
    assert load_valence({"good": 1, "bad": -1})({"good": 0.75, "bad": 0.25}) == 0.5
    file.write_text("a: 2\nb: high\nc: true\nd: .nan\n")
    with pytest.raises(InputError) as told:
        load_valence(file)
    assert len(told.value.problems) == 4
    file.write_text("a: null\n")
    with pytest.raises(InputError, match="no label has a valence"):
        load_valence(file)


def test_an_excluded_label_beats_its_lower_case_namesake() -> None:
    assert ValenceMap("x", {"Other": None, "happy": 1.0}).of("other") is None
