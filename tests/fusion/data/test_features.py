"""Vectors from an .npz: what is read, what is an absent modality, and every problem by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors.errors import InputError
from fusion.data.features import load_features

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(**arrays: Any) -> Path:
        np.savez(tmp_path / "x.npz", **arrays)
        return tmp_path / "x.npz"

    return save


def good(**changed: Any) -> dict[str, Any]:
    """Arrays of six rows that nothing is wrong with, some of them changed, or left out where None."""
    random = np.random.default_rng(0)
    arrays = {
        "speech": random.normal(size=(6, 3)).astype(np.float32),
        "text": random.normal(size=(6, 5)),
        "label": np.array(["calm", "angry"] * 3),
        "speaker": np.array(["01", "01", "02", "02", "03", "03"]),
        "transcript": np.array(["yes", "no", "", "NA", "ja", "nein"]),
        "split": np.array(["train", "train", "dev", "test", "test", ""]),
        "id": np.arange(6),
    }
    return {name: values for name, values in (arrays | changed).items() if values is not None}


def problems_of(path: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_features(path, **options)
    return caught.value


def test_everything_finds_its_place(save: Save) -> None:
    arrays = good()
    table = load_features(save(**arrays))
    np.testing.assert_array_equal(table.features["speech"], arrays["speech"])
    np.testing.assert_array_equal(table.features["text"], arrays["text"].astype(np.float32))
    assert {values.dtype for values in table.features.values()} == {np.dtype(np.float32)}
    assert all(flags.all() for flags in table.present.values())
    assert table.labels == ("angry", "calm")
    assert table.targets.tolist() == [1, 0] * 3
    rows = table.rows
    assert rows["id"].tolist() == ["0", "1", "2", "3", "4", "5"]
    assert rows["speaker"].tolist() == ["01", "01", "02", "02", "03", "03"]
    assert rows["text"].tolist() == ["yes", "no", None, "NA", "ja", "nein"]
    assert rows["split"].tolist() == ["train", "train", "val", "test", "test", None]
    assert rows["content"].tolist() == rows["group"].tolist() == [None] * 6
    assert not table.encoders


@pytest.mark.parametrize("missing", ["speech", "text"])
def test_either_modality_may_be_missing(save: Save, missing: str) -> None:
    table = load_features(save(**good(**{missing: None, "id": None, "speaker": None})))
    assert set(table.features) == {"speech", "text"} - {missing}
    assert table.rows["id"].tolist() == list("123456")
    assert table.rows["speaker"].tolist() == [None] * 6


def test_a_row_of_nan_has_no_such_modality(save: Save) -> None:
    arrays = good()
    arrays["speech"][2] = np.nan
    table = load_features(save(**arrays))
    assert table.present["speech"].tolist() == [True, True, False, True, True, True]
    assert table.present["text"].all()
    assert (table.features["speech"][2] == 0).all()


def test_all_problems_come_together(save: Save) -> None:
    arrays = good(split=np.array(["train"] * 5 + ["fold1"]), id=np.array(list("abcdea")))
    arrays["speech"][1, 2] = np.inf
    arrays["speech"][3] = np.nan
    arrays["text"][3] = np.nan
    arrays["text"][4, 0] = 1e300
    arrays["label"] = np.array(["x", "x", "x", "y", "y", "z"])
    problems = problems_of(save(**arrays)).problems
    assert problems == (
        "row 2: `speech` holds NaN, or values beyond float32, in part of its vector",
        "row 5: `text` holds NaN, or values beyond float32, in part of its vector",
        "row 6: split is not train, val or test",
        "row 6: the id of another row",
        "row 4: neither speech nor text",
        "row 6: label 'z' has only one example; expected two or more",
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"speech": np.zeros((6, 4, 3))},
            "`speech`: expected numbers of shape (rows, dim), got float64 (6, 4, 3); pool",
        ),
        ({"speech": np.zeros(6)}, "got float64 (6,)"),
        ({"speech": np.zeros((6, 0))}, "got float64 (6, 0)"),
        ({"speech": np.ones((6, 2)) * 1j}, "got complex128 (6, 2)"),
        ({"text": np.array(["a"] * 6)}, "got <U1 (6,); if these are the words, say arrays: {transcript: text}"),
        ({"speech": np.full((6, 2), np.nan)}, "`speech`: every vector is NaN; leave the array out"),
        (
            {"speech": np.zeros((5, 3))},
            "the arrays disagree on the number of rows: speech (5, 3), text (6, 5), label (6,)",
        ),
        (
            {"label": np.arange(6) / 2},
            "`label`: expected text or whole numbers of shape (rows,), got float64 (6,); take",
        ),
        ({"label": np.array([["a"]] * 6)}, "got <U1 (6, 1)"),
        ({"label": None}, "no array `label`"),
        ({"label": np.array(["calm"] * 6)}, "only one class: every label is 'calm'"),
        ({"label": np.array(["calm", "calm", "", "x", "x", "x"])}, "row 3: no label"),
        ({"speech": None, "text": None}, "neither `speech` nor `text` can be used"),
        ({"speaker": None, "speakers": np.arange(6)}, "array 'speakers' is not used; did you mean 'speaker'?"),
        ({"transcript": np.array(["a", None] * 3, dtype=object)}, "array 'transcript' holds Python objects"),
    ],
)
def test_what_will_not_do(save: Save, changed: dict[str, Any], expected: str) -> None:
    assert expected in str(problems_of(save(**good(**changed))))


def test_objects_are_never_unpickled(save: Save, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    path = save(**good(label=np.array([Bomb()] * 6, dtype=object)))
    assert "because they can run code" in str(problems_of(path))
    assert not (tmp_path / "ran").exists()


class TestLabels:
    def test_numbers_stand_by_size(self, save: Save) -> None:
        table = load_features(save(**good(label=np.array([10, 9, 2, 10, 9, 2]))))
        assert table.labels == ("2", "9", "10")
        assert table.targets.tolist() == [2, 1, 0, 2, 1, 0]

    @pytest.mark.parametrize(
        "names", [["negative", "positive"], {0: "negative", 1: "positive"}, {"0": "negative", "1": "positive"}]
    )
    def test_numbers_get_names_in_the_order_given(self, save: Save, names: Any) -> None:
        table = load_features(save(**good(label=np.array([1, 0] * 3))), label_names=names)
        assert table.labels == ("negative", "positive")
        assert table.targets.tolist() == [1, 0] * 3

    def test_numbers_without_a_name(self, save: Save) -> None:
        error = problems_of(save(**good(label=np.array([0, 1, 2] * 2))), label_names=["a", "b"])
        assert "label_names has no name for 2" in error.problems

    def test_an_order_of_ones_own(self, save: Save) -> None:
        path = save(**good())
        assert load_features(path, labels=["calm", "angry"]).labels == ("calm", "angry")
        with pytest.raises(InputError, match="not those of the table") as caught:
            load_features(path, labels=["calm", "sad"])
        assert caught.value.problems == ("no row has the label 'sad'", "3 rows have the label 'angry'")

    def test_not_needed_for_prediction(self, save: Save) -> None:
        table = load_features(save(**good(label=None)), require_label=False)
        assert table.targets.tolist() == [-1] * 6
        assert table.labels == ()

    def test_bytes_and_booleans(self, save: Save) -> None:
        assert load_features(save(**good(label=np.array([b"x", b"y"] * 3)))).labels == ("x", "y")
        assert load_features(save(**good(label=np.array([True, False] * 3)))).labels == ("0", "1")


class TestNames:
    def test_are_mapped(self, save: Save) -> None:
        arrays = good(text=np.array(list("abcdef")), feat_text=np.ones((6, 2)), transcript=None)
        table = load_features(save(**arrays), arrays={"text": "feat_text", "transcript": "text", "speaker": None})
        assert table.dims == {"speech": 3, "text": 2}
        assert table.rows["text"].tolist() == list("abcdef")
        assert table.rows["speaker"].tolist() == [None] * 6

    def test_that_are_not_there(self, save: Save) -> None:
        error = problems_of(save(**good()), arrays={"text": "txt", "audio": "speech"})
        assert "arrays: text is to be 'txt', and there is no such array" in error.problems
        assert any(problem.startswith("arrays: 'audio' is none of speech, text, label") for problem in error.problems)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut short", b"\x80\x04\x95"])
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    assert "cannot be read" in str(problems_of(path))


def test_no_file_and_a_single_array(tmp_path: Path) -> None:
    assert "no such file" in str(problems_of(tmp_path / "x.npz"))
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    assert "holds a single array" in str(problems_of(tmp_path / "x.npy"))


def test_mosi(shared_data: Path) -> None:
    arrays = {
        "speech": "feat_audio",
        "text": "feat_text",
        "transcript": "text",
        "split": "split_bclstm",
        "speaker": "video",
    }
    path = shared_data / "mosi" / "mosi_utterance.npz"
    table = load_features(path, arrays=arrays, label_names=["negative", "positive"])
    assert table.dims == {"speech": 73, "text": 100}
    assert table.labels == ("negative", "positive")
    assert table.rows["split"].value_counts().to_dict() == {"train": 1447, "test": 752}
    assert table.rows["speaker"].nunique() == 93
    with np.load(path) as archive:
        np.testing.assert_array_equal(table.targets, archive["label"])
