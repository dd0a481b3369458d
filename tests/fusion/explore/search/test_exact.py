"""Search in memory finds what all cosines say, under any filter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extractors.errors import InputError
from fusion.explore.collection import Collection, Maker
from fusion.explore.search.exact import ExactRows
from fusion.explore.space import Space


@pytest.fixture
def rows(clips: Collection) -> ExactRows:
    return ExactRows(clips, Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint))


def test_the_nearest_are_those_of_highest_cosine(rows, clips) -> None:
    unit = rows.space.transform(clips.vectors)
    for row in (0, 17, 199):
        found = rows.nearest(unit[row], 5)
        best = np.argsort(-(unit @ unit[row]), kind="stable")[:5]
        assert [match.id for match in found] == [clips.ids[place] for place in best]
        assert [match.value for match in found] == pytest.approx((unit @ unit[row])[best])


@pytest.mark.parametrize(
    "where", ["label = 'sad'", "speaker = 's7'", "end > 90", "label = 'sad' AND start < 3", "label = 'none'"]
)
def test_k_rows_under_a_filter(rows, clips, where) -> None:
    """Not those of the k nearest that pass it."""
    frame = clips.metadata
    masks = {
        "label = 'sad'": frame.label == "sad",
        "speaker = 's7'": frame.speaker == "s7",
        "end > 90": frame.end > 90,
        "label = 'sad' AND start < 3": (frame.label == "sad") & (frame.start < 3),
        "label = 'none'": frame.label == "none",
    }
    allowed = np.flatnonzero(masks[where])
    unit = rows.space.transform(clips.vectors)
    best = allowed[np.argsort(-(unit[allowed] @ unit[3]), kind="stable")[:10]]
    assert [match.id for match in rows.nearest(unit[3], 10, where=where)] == [clips.ids[place] for place in best]


def test_keywords(rows) -> None:
    found = rows.saying("MONEY", 10)
    assert {match.id for match in found} == {"clip-7", "clip-107"}
    assert found[0].metadata["text"].endswith("about money")
    assert found[0].metadata["label"] in ("angry", "sad", "calm")
    assert [match.id for match in rows.saying("money", 10, where="start > 10")] == ["clip-107"]
    assert rows.saying("elephant", 10) == []


def test_without_texts_no_keyword_is_found_and_a_wrong_filter_still_is_one(clips) -> None:
    silent = Collection(clips.ids, clips.vectors, clips.metadata.drop(columns="text"), clips.maker)
    rows = ExactRows(silent, Space.fit(clips.vectors, fingerprint="drawn-1"))
    assert rows.saying("money", 3) == []
    with pytest.raises(InputError, match="no column 'text'"):
        rows.nearest(rows.unit_vectors[0], 3, where="text LIKE 'a%'")


def test_percentiles_are_among_pairs_of_the_collection(rows) -> None:
    assert len(rows.percentiles) > 10_000
    assert rows.percentiles.percentile(1.0) == 100.0


def test_columns_that_a_filter_could_not_say_are_refused() -> None:
    metadata = pd.DataFrame({"vector": ["x", "y"], "a.b": ["x", "y"], "fine": ["x", "y"]})
    clips = Collection(("x", "y"), np.eye(2, dtype=np.float32), metadata, Maker("m", "speech", 2, "f"))
    with pytest.raises(InputError) as caught:
        ExactRows(clips, Space.fit(clips.vectors, fingerprint="f")).nearest(clips.vectors[0], 1, where="fine = 'x'")
    assert "'vector': that name is the index's own" in str(caught.value)
    assert "'a.b': a dot" in str(caught.value)


def test_a_language_without_stems_is_refused(clips) -> None:
    with pytest.raises(InputError, match="language: expected null or one of"):
        ExactRows(clips, Space.fit(clips.vectors, fingerprint="drawn-1"), language="Klingon")


def test_stems_of_a_language(clips) -> None:
    space = Space.fit(clips.vectors, fingerprint="drawn-1")
    assert ExactRows(clips, space).saying("numbers", 5) == []
    assert len(ExactRows(clips, space, language="English").saying("numbers", 5)) == 5
