"""The readers: whatever text stands in a table comes back to the letter, on the fast way and on the slow one."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.data.raw import line_numbers, read_raw
from fusion.data.raw_csv import _read_slowly as read_csv_slowly
from fusion.data.raw_jsonl import _read_fast as read_jsonl_fast
from fusion.data.raw_jsonl import _read_slowly as read_jsonl_slowly
from fusion.data.raw_parquet import frame_of

ALPHABET = st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")
CELL = st.one_of(
    st.text(ALPHABET, max_size=8),
    st.text(',"\n\t; a', max_size=6),
    st.sampled_from(["NA", "nan", "null", "None", "001", "1e5", "true", "-inf", "2024-01-01", "2024-01-01T00:00:00Z"]),
)
ROWS = st.lists(st.tuples(st.text("abc", min_size=1, max_size=3), CELL, CELL), min_size=1, max_size=8)
NAMES = ["id", "text", "label"]


def as_lists(frame: object) -> list[list[str | None]]:
    return [[cell if isinstance(cell, str) else None for cell in row] for row in frame[NAMES].to_numpy()]  # type: ignore[index]


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, delimiter=st.sampled_from([",", "\t"]))
def test_csv_comes_back_to_the_letter(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.csv" if delimiter == "," else "m.tsv")
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([NAMES, *rows])
        expected = [[cell or None for cell in row] for row in rows]
        raw = read_raw(path)
        slow = read_csv_slowly(path, delimiter, NAMES)
        lines = line_numbers(path)
        assert not raw.problems
        assert as_lists(raw.frame) == expected
        assert as_lists(slow.frame) == expected
        assert not slow.problems
        breaks = [sum(cell.count("\n") for cell in row) for row in rows]
        begins = 2 + np.arange(len(rows)) + np.concatenate([[0], np.cumsum(breaks)[:-1]])
        np.testing.assert_array_equal(lines, begins)
        np.testing.assert_array_equal(slow.lines, begins)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS)
def test_json_lines_come_back_to_the_letter(rows: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.jsonl")
        lines = [json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8", newline="")
        expected = [[cell or None for cell in row] for row in rows]
        assert as_lists(read_raw(path).frame) == expected
        assert as_lists(read_jsonl_slowly(path).frame) == expected
        if (table := read_jsonl_fast(path)) is not None:
            assert as_lists(frame_of(table)) == expected


def test_well_formed_files_take_the_fast_way(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"id": 1, "text": "x", "start": 1.5}\n{"id": 2, "text": "2024-01-01", "label": null}\n')
    assert read_jsonl_fast(path) is not None
    path = tmp_path / "m.csv"
    path.write_text("id,text,label\n1,x,a\n")
    assert read_raw(path).lines is None  # the slow way counts lines
