"""Labels that are distributions: every way to write one, when it is one, and every way to get it wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.data.assemble import outline
from fusion.data.features import load_features
from fusion.data.labels import encode_labels, soft_targets
from fusion.data.manifest import read_manifest
from fusion.data.soft_labels import DistributionError, as_cell, parse, read_labels

Write = Callable[..., Path]


def column(*cells: str | None) -> pd.Series:
    return pd.Series(cells, dtype=object)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(labels: list[Any], name: str = "m.csv") -> Path:
        path = tmp_path / name
        if name.endswith(".jsonl"):
            rows = [{"id": i, "text": "hi", "label": label} for i, label in enumerate(labels)]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            pd.DataFrame({"id": range(len(labels)), "text": "hi", "label": labels}).to_csv(path, index=False)
        return path

    return write


def problems_of(path: Path, **options: Any) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        (load_features if path.suffix == ".npz" else read_manifest)(path, **options)
    return caught.value.problems


@pytest.mark.parametrize(
    "cell", ["angry:0.75|sad:0.25", "angry:3|sad:1", " angry : 3 | sad : 1e0 | calm:0 ", "angry|sad|angry|angry"]
)
def test_every_notation_says_the_same(cell: str) -> None:
    assert parse(cell) == {"angry": 0.75, "sad": 0.25}


@pytest.mark.parametrize(
    "value", [{"angry": 3, "sad": 1}, {"angry": 0.75, "sad": 0.25, "calm": 0}, ["angry"] * 3 + ["sad"]]
)
def test_json_says_the_same(value: Any) -> None:
    assert parse(as_cell(value)) == {"angry": 0.75, "sad": 0.25}


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text("abc :.1", min_size=1).map(str.strip).filter(lambda name: name and not name.endswith(":")),
        st.floats(0, 1e300),
        min_size=2,
    )
)
def test_any_weights_come_back_as_shares(weights: dict[str, float]) -> None:
    cell = "|".join(f"{name}:{weight!r}" for name, weight in weights.items())
    if not any(weights.values()):
        with pytest.raises(DistributionError, match="sum to zero"):
            parse(cell)
        return
    shares = parse(cell)
    total = sum(weight / max(weights.values()) for weight in weights.values())
    assert sum(shares.values()) == pytest.approx(1.0)
    for name, weight in weights.items():
        assert shares.get(name, 0.0) == pytest.approx(weight / max(weights.values()) / total)


@pytest.mark.parametrize(
    "cells",
    [
        ("session:1", "session:2", "session:1"),  # no |
        ("happy|excited", "calm", "happy|excited"),  # neither name is one of its own
        ("a:x|b:y", "calm"),  # no numbers
        ("|", "a||b", "a|", "calm"),  # empty parts
        ("5:30|late", "calm"),  # a part without a number
        ("anger (low|high)", "calm"),
    ],
)
def test_names_with_bars_and_colons_stay_names(cells: tuple[str, ...]) -> None:
    targets, labels = encode_labels(column(*cells))
    assert labels == tuple(sorted(set(cells)))
    assert [labels[target] for target in targets] == list(cells)
    assert soft_targets(column(*cells), labels) is None


@pytest.mark.parametrize(
    "cells",
    [
        ("a:1|b:2", "zzz"),
        ("a:-1|b:2", "zzz"),  # meant as one, and a problem
        ("a:nan|b:2", "zzz"),
        ("a|a|b", "zzz"),  # twice in the cell
        ("a|b", "a"),  # alone
        ("a|b", "c|b"),  # in another vote
    ],
)
def test_one_cell_beyond_doubt_makes_the_column_one_of_distributions(cells: tuple[str, ...]) -> None:
    assert read_labels(column(*cells)).soft
    assert read_labels(column(*cells, "x:3")).shares[-1] == {"x": 1.0}, "in such a column, a unanimous count"


def test_targets_are_the_likeliest_and_of_equals_the_first() -> None:
    cells = column("angry:1|sad:2", "sad|angry", "calm", None, "calm:1|sad:1|angry:1")
    targets, labels = encode_labels(cells)
    assert labels == ("angry", "calm", "sad")
    assert targets.tolist() == [2, 0, 1, -1, 0]
    soft = soft_targets(cells, labels)
    assert soft is not None
    assert soft.dtype == np.float32
    np.testing.assert_allclose(soft, [[1 / 3, 0, 2 / 3], [0.5, 0, 0.5], [0, 1, 0], [0, 0, 0], [1 / 3] * 3], rtol=1e-6)
    targets, labels = encode_labels(cells, ["sad", "calm", "angry"])
    assert targets.tolist() == [0, 0, 1, -1, 0]
    read = read_labels(cells)
    assert (read.divided, read.ties) == (3, 2)


def test_labels_asked_for_must_be_all_that_have_a_share() -> None:
    with pytest.raises(InputError) as caught:
        encode_labels(column("a:1|b:2", "a", "c:1|a:3"), ["a", "d"])
    assert caught.value.problems == (
        "no row has the label 'd'",
        "1 rows have the label 'b'",
        "1 rows have the label 'c'",
    )


def test_encoding_names_the_rows_that_cannot_be_read() -> None:
    with pytest.raises(InputError) as caught:
        encode_labels(column("a:1|b:2", "a:x|b:2"))
    assert caught.value.problems == ("row 2: label 'a:x|b:2': the weight of 'a' is 'x'; expected a number",)


class TestManifest:
    LABELS = ("angry:3|sad:1", "angry", "sad|sad|angry", "sad", "angry|sad")

    def test_of_text(self, write: Write, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            frame = read_manifest(write(list(self.LABELS)))
        assert frame["label"].tolist() == list(self.LABELS), "as it was written"
        assert "m.csv: 5 rows, 2 labels" in caplog.text
        assert "3 of 5 rows are divided between labels, of which 1 have no single likeliest" in caplog.text
        table = outline(frame, ["text"])
        assert table.labels == ("angry", "sad")
        assert table.targets.tolist() == [0, 0, 1, 1, 0]
        assert table.soft is not None
        np.testing.assert_allclose(table.soft[:, 0], [0.75, 1, 1 / 3, 0, 0.5], rtol=1e-6)
        part = table.take(np.array([4, 0])).only(["text"])
        assert part.soft is not None
        np.testing.assert_array_equal(part.soft[:, 0], [0.5, 0.75])

    def test_of_json(self, write: Write) -> None:
        cells = [{"angry": 3, "sad": 1}, {"angry": 2}, ["sad", "sad", "angry"], "sad", {"angry": 1, "sad": 1}]
        table = outline(read_manifest(write(cells, "m.jsonl")), ["text"])
        assert table.targets.tolist() == [0, 0, 1, 1, 0]
        assert table.soft is not None
        np.testing.assert_allclose(table.soft[:, 0], [0.75, 1, 1 / 3, 0, 0.5], rtol=1e-6)

    def test_of_json_under_another_name(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        rows = [{"id": i, "text": "hi", "votes": {"a": 1 + i % 3, "b": 2}} for i in range(6)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        frame = read_manifest(path, columns={"label": "votes"})
        assert encode_labels(frame["label"])[0].tolist() == [1, 0, 0] * 2
        assert "line 1: 'votes' holds an object; expected text or a number" in problems_of(path)

    def test_a_table_of_names_has_no_distributions(self, write: Write, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            frame = read_manifest(write(["a", "b"] * 2))
        assert outline(frame, ["text"]).soft is None
        assert "distributions" not in caplog.text

    def test_all_problems_come_together(self, write: Write) -> None:
        cells = [
            "a:1|b:2",
            "a:-1|b:2",
            "a:0|b:0",
            "a:1|b:many",
            "a:1|b",
            "a||b",
            "a:1|a:2",
            "",
            "a:nan|b:1",
            ":1|b:1",
            "a:inf|b:1",
            "b:0",
        ]
        assert problems_of(write(cells)) == (
            "row 8 (line 9): no label",
            "row 2 (line 3): label 'a:-1|b:2': the weight of 'a' is negative",
            "row 3 (line 4): label 'a:0|b:0': the weights sum to zero",
            "row 12 (line 13): label 'b:0': the weights sum to zero",
            "row 4 (line 5): label 'a:1|b:many': the weight of 'b' is 'many'; expected a number",
            "row 9 (line 10): label 'a:nan|b:1': the weight of 'a' is 'nan'; expected a number",
            "row 11 (line 12): label 'a:inf|b:1': the weight of 'a' is 'inf'; expected a number",
            "row 5 (line 6): label is 'a:1|b'; expected name:weight in every part, or names alone",
            "row 6 (line 7): label 'a||b' has an empty part; expected a name",
            "row 7 (line 8): label 'a:1|a:2' has 'a' twice",
            "row 10 (line 11): label ':1|b:1' has a weight without a name",
        )

    def test_json_problems_by_line(self, write: Write) -> None:
        cells = [{"a": 1, "b": 2}, {"a": -1}, {"a": "x"}, {"a|b": 1}, [1], {"a": 0}, {"a": True}, {"a": float("nan")}]
        problems = problems_of(write(cells, "m.jsonl"))
        assert [problem.split(":")[0] for problem in problems] == [f"line {n}" for n in range(2, 9)]
        assert problems[0] == "line 2: 'label': {'a': -1}: the weight of 'a' is negative"

    def test_a_label_that_is_the_likeliest_of_no_row(self, write: Write) -> None:
        assert problems_of(write(["a:3|b:1", "a", "c|c|b", "c"])) == (
            "label 'b' has a share in 2 rows and is the likeliest of none; expected two or more: merge it with another, "
            "or take it out of these rows",
        )
        assert problems_of(write(["a:3|b:1", "a|a|b"])) == (
            "only one class: the likeliest label of every row is 'a'; expected two or more",
        )
        assert problems_of(write(["a:3|b:1", "a|a|b", "b"])) == (
            "row 3 (line 4): label 'b' has only one example; expected two or more",
        )

    def test_not_looked_at_for_prediction(self, write: Write) -> None:
        assert len(read_manifest(write(["a:1|b:2", "a:x|b:2"]), require_label=False)) == 2


class TestArrays:
    VOTES = np.array([[3, 1, 0], [0, 2, 0], [0, 2, 2], [5, 0, 0], [0, 0, 1], [1, 1, 4]])

    @pytest.fixture
    def save(self, tmp_path: Path) -> Callable[..., Path]:
        def save(label: Any, **arrays: Any) -> Path:
            np.savez(tmp_path / "x.npz", text=np.ones((len(label), 2)), label=label, **arrays)
            return tmp_path / "x.npz"

        return save

    @pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.uint8])
    @pytest.mark.parametrize("stored", [False, True])
    def test_shares_and_counts(self, save: Callable[..., Path], kind: Any, stored: bool) -> None:
        names = ["sad", "calm", "angry"]
        votes = self.VOTES.astype(kind)
        table = (
            load_features(save(votes, label_names=np.array(names)))
            if stored
            else load_features(save(votes), label_names=names)
        )
        assert table.labels == tuple(names)
        assert table.targets.tolist() == [0, 1, 1, 0, 2, 2]
        assert table.soft is not None
        np.testing.assert_allclose(table.soft, self.VOTES / self.VOTES.sum(axis=1, keepdims=True), rtol=1e-6)
        assert table.rows["label"].tolist() == ["sad", "calm", "calm", "sad", "angry", "angry"]

    def test_an_order_of_ones_own_and_rows_without_a_label(self, save: Callable[..., Path]) -> None:
        votes = self.VOTES.astype(float)
        votes[1] = np.nan
        path = save(votes)
        options: dict[str, Any] = {"label_names": {0: "a", 1: "b", 2: "c"}}
        assert problems_of(path, **options) == (
            "row 2: no label",
            "row 3: label 'b' has only one example; expected two or more",
        )
        table = load_features(path, labels=["c", "b", "a"], require_label=False, **options)
        assert table.targets.tolist() == [2, -1, 0, 2, 0, 0], "of equals, the first in this order"
        assert table.soft is not None
        np.testing.assert_array_equal(table.soft[:3], [[0, 0.25, 0.75], [0, 0, 0], [0.5, 0.5, 0]])

    def test_a_column_of_zeros_is_no_class(self, save: Callable[..., Path]) -> None:
        table = load_features(save(self.VOTES * [1, 0, 1] + [1, 0, 0]), label_names=["a", "b", "c"])
        assert table.labels == ("a", "c")
        assert table.soft is not None
        assert table.soft.shape == (6, 2)

    def test_text_may_be_a_distribution(self, save: Callable[..., Path]) -> None:
        table = load_features(save(np.array(["a:1|b:3", "b", "a|a|b", "a"])))
        assert table.targets.tolist() == [1, 1, 0, 0]
        assert table.soft is not None

    def test_problems(self, save: Callable[..., Path]) -> None:
        votes = self.VOTES.astype(float)
        votes[0, 0], votes[1, 1], votes[3] = -1, np.inf, 0
        assert problems_of(save(votes), label_names=["a", "b", "c"]) == (
            "row 2: `label` holds NaN or infinity in part",
            "row 1: `label` holds a negative weight",
            "row 4: `label` holds weights that sum to zero",
        )
        assert problems_of(save(self.VOTES)) == ("`label` has 3 columns: label_names must name them",)
        assert problems_of(save(self.VOTES), label_names=["a", "b"]) == (
            "`label` has 3 columns, and label_names 2 names",
        )
        assert problems_of(save(self.VOTES), label_names=["a", "b", "a"]) == (
            "label_names: 'a' stands for several columns",
        )
        assert problems_of(save(self.VOTES), label_names={0: "a", 1: "b"}) == ("label_names has no name for 2",)
        assert problems_of(save(self.VOTES[:, [0, 1]], speaker=np.arange(5)), label_names=["a", "b"]) == (
            "the arrays disagree on the number of rows: text (6, 2), label (6, 2), speaker (5,)",
        )
