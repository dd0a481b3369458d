"""`where=`: a condition in SQL over the columns of the metadata, checked before anything is searched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import lancedb
import pyarrow as pa

from extractors.errors import InputError
from fusion.data.columns import nearest
from fusion.explore.search.columns import ID, KEY

SHOWN_COLUMNS = 20
UNKNOWN = re.compile(r"No field named (.+?)\. Valid fields|Column (\S+) does not exist")
PLACE = re.compile(r", /\S+\.rs:\d+(:\d+)?")  # a line of the library's source
CALCULATED = "Arrow error: "  # before what went wrong with a value
WRAPPERS = re.compile(r"^(Invalid (user )?input,? ?:?|Error parsing (statement|function):? ?|Schema error: )+")
STATEMENT = re.compile(r"SELECT 1 FROM t WHERE ")
MISFIT = re.compile(r"Received literal \w+\((.*)\) and could not convert to literal of type '(\w+)'")
TYPES = {"Utf8": "texts", "Int64": "whole numbers", "Float64": "numbers", "Boolean": "true and false"}
COMPARED = r"(<>|!=|<=|>=|==|=|<|>)"
NEVER = re.compile(  # true of no row, whatever the row holds
    rf"{COMPARED} ?NULL\b|(?<!IS )(?<!NOT )\bNULL ?{COMPARED}|\bLIKE NULL\b|\bNOT IN ?\([^()]*\bNULL\b[^()]*\)",
    re.IGNORECASE,
)
EXAMPLE = "A filter is SQL: speaker = 'anna' AND label IN ('angry', 'sad') AND end - start > 2."


def checked(where: str | None, columns: pa.Schema) -> str | None:
    """`where` as one condition in parentheses, or None where there is none.

    columns : those that a filter may name, and their types

    Only a condition passes: what would end it, begin a second statement or hide a part of it is refused, though LanceDB
    reads conditions and nothing else and has nothing that such a text could reach. Raises InputError, with the nearest
    column where one is unknown.

    >>> checked("label = 'sad'", pa.schema({"label": pa.string()}))
    "(label = 'sad')"
    """
    if where is None:
        return None
    if not isinstance(where, str) or not where.strip():
        raise InputError(f"where: expected a condition, got {where!r}", hint=EXAMPLE)
    if problem := _stray(where):
        raise InputError(f"where: {problem}: {where}", hint=EXAMPLE)
    if found := NEVER.search(" ".join(_unquoted(where).split())):
        raise InputError(
            f"where: nothing is equal to NULL, and nothing unequal, so this finds no clip: {where}",
            [found[0].strip()],
            hint="Use IS NULL or IS NOT NULL: speaker IS NULL.",
        )
    condition = f"({where})"
    nothing = lancedb.connect("memory://").create_table("nothing", schema=columns)
    try:
        nothing.search().where(condition).limit(1).to_arrow()
    except Exception as error:  # the parser has many ways to fail, a panic among them
        raise _explained(where, error, columns.names) from None
    return condition


@contextmanager
def applied(where: str | None) -> Iterator[None]:
    """A filter that parses may still fail on a value that some row has: a mistake of its own, not of the search.

    Raises InputError then.
    """
    try:
        yield
    except RuntimeError as error:
        if where is None or CALCULATED not in str(error):
            raise
        reason = PLACE.split(str(error).split(CALCULATED, 1)[1])[0].strip()
        hint = "TRY_CAST(column AS DOUBLE) passes over what is no number."
        raise InputError(f"where: {where}", [reason], hint=hint) from None


def columns_to_filter(columns: Mapping[str, pa.Array]) -> pa.Schema:
    """The columns that a filter may name, of a collection's metadata."""
    return pa.schema({ID: pa.string(), KEY: pa.string()} | {name: values.type for name, values in columns.items()})


def quoted(value: str) -> str:
    """A text as SQL writes it.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def _unquoted(where: str) -> str:
    """What stands outside quotes; what is inside is of the same length, and blank.

    >>> _unquoted("label = 'x = NULL' AND y > 1")
    "label = '        ' AND y > 1"
    """
    return re.sub(
        r"'[^']*'|\"[^\"]*\"|`[^`]*`", lambda found: found[0][0] + " " * (len(found[0]) - 2) + found[0][0], where
    )


def _stray(where: str) -> str | None:
    """What may not stand outside quotes, or a parenthesis or quote without its other half.

    >>> _stray("label = 'a;b' AND (x > 1)"), _stray("x > 1; DROP TABLE t"), _stray("x) OR (y")
    (None, 'expected one condition, got a second statement after ;', 'a ) closes nothing')
    """
    depth, quote = 0, ""
    place = 0
    while place < len(where):
        letter, pair = where[place], where[place : place + 2]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"`":
            quote = letter
        elif letter == "?":
            return "a ? stands for nothing"
        elif letter == ";":
            return "expected one condition, got a second statement after ;"
        elif pair in ("--", "/*"):
            return "a comment has no place in a filter"
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth < 0:
                return "a ) closes nothing"
        place += 1
    if quote:
        return f"the quote {quote} is not closed"
    return "a ( is not closed" if depth else None


def _explained(where: str, error: Exception, columns: Sequence[str]) -> InputError:
    said = str(error)
    there = ", ".join(columns[:SHOWN_COLUMNS]) + (" …" if len(columns) > SHOWN_COLUMNS else "")
    unknown = UNKNOWN.search(said)
    if unknown is None:
        if misfit := MISFIT.search(said):
            reason = f"{misfit[1]} is no value of a column of {TYPES.get(misfit[2], misfit[2])}"
            if misfit[2] in ("Utf8", "Int64"):
                reason += "; TRY_CAST(column AS DOUBLE) makes numbers of it"
            return InputError(f"where: {where}", [reason], hint=f"{EXAMPLE} Columns: {there}.")
        reason = WRAPPERS.sub("", STATEMENT.sub("", PLACE.sub("", said))).strip()
        return InputError(f"where: {where}", [reason.splitlines()[0]], hint=f"{EXAMPLE} Columns: {there}.")
    name = (unknown[1] or unknown[2]).strip("\"'`")
    near = nearest(name, columns) or next(iter(difflib.get_close_matches(name, columns, n=1, cutoff=0.5)), None)
    guess = f"; did you mean {near!r}?" if near else f"; a text is written '{name}', in single quotes"
    return InputError(f"where: there is no column {name!r}{guess}", hint=f"There are {there}. {EXAMPLE}")
