from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extractors.errors import InputError
from fusion.explore.collection import Collection, Maker, check_unique

MAKER = Maker("mean", "speech", 2, "a1")


def clips() -> Collection:
    return Collection(
        ids=("x", "y", "z"),
        vectors=np.arange(6, dtype=np.float32).reshape(3, 2),
        metadata=pd.DataFrame({"label": ["sad", None, "glad"], "start": [0.5, np.nan, 2.0]}),
        maker=MAKER,
        keys=("kx", "ky", "kz"),
        scores=np.array([[0.1, 0.9], [np.nan, np.nan], [0.8, 0.2]], np.float32),
        score_labels=("n", "p"),
    )


@pytest.mark.parametrize("index", [[2, 0], np.array([2, 0]), (2, 0)])
def test_take_keeps_all_that_belongs_to_a_row(index):
    taken = clips().take(index)
    assert (taken.ids, taken.keys) == (("z", "x"), ("kz", "kx"))
    assert taken.vectors.tolist() == [[4, 5], [0, 1]]
    assert taken.metadata["label"].tolist() == ["glad", "sad"]
    assert taken.metadata.index.tolist() == [0, 1]
    np.testing.assert_array_equal(taken.scores, np.array([[0.8, 0.2], [0.1, 0.9]], np.float32))
    assert taken.maker == MAKER


def test_a_mask_is_no_list_of_numbers():
    assert clips().take(np.array([False, True, True])).ids == ("y", "z")
    assert clips().take([False, True, True]).ids == ("y", "z")
    assert clips().take(np.zeros(3, bool)).ids == ()
    assert clips().take([]).vectors.shape == (0, 2)


def test_what_is_missing_is_none():
    assert clips().column("label") == ["sad", None, "glad"]
    assert clips().column("start") == [0.5, None, 2.0]
    assert clips().column("speaker") == [None, None, None]
    assert clips().labelled().ids == ("x", "z")


def test_row_of():
    assert (clips().row_of("y"), clips().row_of("Y"), len(clips())) == (1, None, 3)


def test_ids_that_are_there_twice_are_named():
    check_unique(["a", "b"])
    with pytest.raises(InputError, match="2 ids are there more than once: b, c"):
        check_unique(["a", "b", "c", "b", "c", "c"])


def test_vectors_of_different_makers_are_never_compared():
    MAKER.check_same(Maker("another name for it", "speech", 2, "a1"))
    with pytest.raises(InputError, match="never compared") as refused:
        MAKER.check_same(Maker("mean", "speech", 2, "b2"))
    assert "mean: 2 dims, fingerprint a1" in str(refused.value)
    assert "mean: 2 dims, fingerprint b2" in str(refused.value)
