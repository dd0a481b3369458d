"""The words that minutes are described with: item, place, citation, section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["bullet", "task", "decision", "paragraph", "row", "topic", "meta"]
CitationKind = Literal["time", "quote"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands in `Minutes.source`.

    start_line, end_line : its lines, from 0, the last one not included
    insert               : the character before which a badge goes, right after the item's own words
    in_table             : whether that is inside a table's cell
    """

    start_line: int
    end_line: int
    insert: int
    in_table: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """What an item says of where it comes from: a time of the recording, a span of it, or words that were said.

    text    : as it stands in the minutes; for a quote, what is between the quotation marks
    start_s : seconds, on the clock of the transcript that the minutes were made from; None for a quote
    end_s   : None where only one time is given
    """

    kind: CitationKind
    text: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, by the path of headings that leads to it, and the times that it names."""

    path: tuple[str, ...]
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class MinutesItem:
    """One statement of the minutes: what a badge is put beside.

    id      : "item-1", … in the order of the file
    text    : its words without markup; HTML in it is text like any other and must be escaped where it is shown
    kind    : what it says ("task", "decision", "topic"; "meta": people or dates, no statement about the talk) or, where
              that is not known, how it stands ("bullet", "paragraph", "row")
    section : headings above it, outermost first
    context : the words of the bullets that it is nested in, outermost first
    done    : of a task with a box: ticked or not; else None
    """

    id: str
    text: str
    kind: Kind
    section: tuple[str, ...]
    place: Place
    citations: tuple[Citation, ...] = ()
    context: tuple[str, ...] = ()
    done: bool | None = None


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes as statements, and the text that they stand in.

    source   : the text that the places point into: the file's, character for character; for JSON, and where there were
               no minutes, a Markdown text made of it (`rendered` says so)
    format   : "markdown", "text", "zoom", "highlights", "topics"
    encoding : of the file: a copy written with it keeps every byte
    notes    : what a reader of the minutes should know: what was left out, and why
    """

    items: tuple[MinutesItem, ...]
    format: str
    source: str
    sections: tuple[Section, ...] = ()
    encoding: str = "utf-8"
    rendered: bool = False
    notes: tuple[str, ...] = ()
