"""Items of minutes, collected in the order of the file under the headings that were seen."""

from __future__ import annotations

from collections.abc import Iterable

from extractors.errors import InputError
from fusion.meeting.minutes.citations import find_quotes, find_times
from fusion.meeting.minutes.kinds import kind_of
from fusion.meeting.minutes.types import Citation, Kind, Minutes, MinutesItem, Place, Section

MOST_ITEMS = 5_000  # a day's minutes have a hundred; beyond this it is the transcript, or a log
MOST_LINES = 20_000  # the same, told before anything is read
TOO_MUCH = "is this the transcript, or a log? minutes= takes what was written about the meeting"
BOLD = 7  # the level of a line in bold that stands as a heading: below the six that Markdown has


class Builder:
    """Takes headings and items as a parser meets them; `finish` gives the minutes."""

    def __init__(self) -> None:
        self.items: list[MinutesItem] = []
        self.sections: list[Section] = []
        self.notes: list[str] = []
        self._headings: list[tuple[int, str]] = []

    @property
    def section(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._headings)

    def heading(self, level: int, title: str, citations: Iterable[Citation] | None = None) -> None:
        """A heading of `level` 1 to 7; it closes those of its level and below."""
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, title))
        self.sections.append(Section(self.section, tuple(find_times(title) if citations is None else citations)))

    def item(
        self,
        text: str,
        kind: Kind,
        place: Place,
        *,
        citations: Iterable[Citation] | None = None,
        context: tuple[str, ...] = (),
        done: bool | None = None,
    ) -> None:
        """A statement. Its kind is refined by its label and its headings; its citations are looked for where not given."""
        if not any(character.isalnum() for character in text):
            return
        if len(self.items) == MOST_ITEMS:
            raise InputError(f"expected minutes, found more than {MOST_ITEMS:,} items", hint=TOO_MUCH)
        if citations is None:
            citations = find_quotes(text) + find_times(text)
        kind = "task" if done is not None else kind_of(text, self.section, kind)
        name = f"item-{len(self.items) + 1}"
        self.items.append(MinutesItem(name, text, kind, self.section, place, tuple(citations), context, done))

    def finish(self, source: str, format: str, *, rendered: bool = False) -> Minutes:
        """Raises InputError where nothing was found: minutes without a statement say nothing about a meeting."""
        if not self.items:
            raise InputError(
                f"no item found in the minutes (read as {format})",
                self.notes,
                "expected bullets, tasks, table rows or paragraphs; without minutes= topics are made from the transcript",
            )
        found = tuple(self.items), format, source, tuple(self.sections)
        return Minutes(*found, rendered=rendered, notes=tuple(self.notes))
