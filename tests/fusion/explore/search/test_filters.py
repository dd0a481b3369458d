"""What a filter may say, and what is said to one that cannot be."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.explore.search.filters import checked, quoted
from fusion.explore.search.tables import in_memory

COLUMNS = {
    "id": pa.array(["a", "b", "c"]),
    "label": pa.array(["angry", "sad", "it's; --odd"]),
    "speaker": pa.array(["anna", "bob", None]),
    "start": pa.array([0.0, 1.0, 2.0]),
    "end": pa.array([1.0, 3.5, 2.5]),
}
TABLE = in_memory(COLUMNS)


def left(where: str) -> list[str]:
    return TABLE.search().where(checked(where, TABLE.schema)).select(["id"]).to_arrow()["id"].to_pylist()


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("speaker = 'anna' AND label = 'angry'", ["a"]),
        ("speaker = 'anna' OR label = 'sad'", ["a", "b"]),
        ("end - start > 2", ["b"]),
        ("label IN ('angry', 'sad') AND NOT speaker = 'bob'", ["a"]),
        ("speaker IS NULL", ["c"]),
        ("(speaker IS NULL) = true", ["c"]),
        ("speaker IS NOT NULL = false", ["c"]),
        ("label = 'x = NULL' OR nullif(label, 'sad') = 'angry'", ["a"]),
        ("label LIKE 'a%'", ["a"]),
        ("label = 'it''s; --odd'", ["c"]),
        ("(label = 'sad')", ["b"]),
        ('"end" > 3', ["b"]),
        ("lower(speaker) = 'bob'", ["b"]),
        ("label = 'nobody'", []),
    ],
)
def test_a_condition_leaves_the_rows_for_which_it_is_true(where: str, ids: list[str]) -> None:
    assert left(where) == ids


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("speeker = 'anna'", "did you mean 'speaker'"),
        ("emotion = 'angry'", "did you mean 'label'"),
        ("speaker = anna", "'anna', in single quotes"),
        ('label = "angry"', "'angry', in single quotes"),
        ("speaker = 'anna' AND", "Expected: an expression"),
        ("label = 'angry", "the quote ' is not closed"),
        ("(label = 'angry'", "a ( is not closed"),
        ("label = 'angry') OR (true", "a ) closes nothing"),
        ("label", "does not return a boolean"),
        ("start > 'soon'", '"soon" is no value of a column of numbers'),
        ("label = 3", "3 is no value of a column of texts; TRY_CAST(column AS DOUBLE)"),
        ("foo(label) = 1", "Invalid function 'foo'"),
        ("true; DROP TABLE rows", "a second statement"),
        ("label = 'x' -- AND speaker = 'anna'", "a comment has no place"),
        ("label = 'x' /* AND */", "a comment has no place"),
        ("id IN (SELECT id FROM rows)", "not supported"),
        ("label = 'sad' LIMIT 1", "error"),
        ("label = 'sad' UNION SELECT 1", "error"),
        ("label = ?", "a ? stands for nothing"),
        ("label = NULL", "Use IS NULL"),
        ("end > 1 AND speaker<>null", "Use IS NULL or IS NOT NULL"),
        ("NULL = speaker", "Use IS NULL"),
        ("label NOT IN ('sad', NULL)", "Use IS NULL"),
        ("", "expected a condition"),
        ("   ", "expected a condition"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_reason(where: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(where, TABLE.schema)
    assert said in str(caught.value)
    assert ".rs:" not in str(caught.value)
    assert "SELECT 1 FROM" not in str(caught.value)
    assert "FilterClose" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_whatever_is_asked_is_a_condition_or_an_input_error(where: str) -> None:
    try:
        condition = checked(where, TABLE.schema)
    except InputError:
        return
    assert set(TABLE.search().where(condition).select(["id"]).to_arrow()["id"].to_pylist()) <= {"a", "b", "c"}
    assert TABLE.count_rows() == 3


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30))
def test_a_quoted_text_is_that_text_and_nothing_else(text: str) -> None:
    table = in_memory({"id": pa.array([text, text + "x"])})
    found = table.search().where(checked(f"id = {quoted(text)}", table.schema)).select(["id"]).to_arrow()
    assert found["id"].to_pylist() == [text]
