"""Lines of a text with their places, as Markdown counts them; and its front matter."""

from __future__ import annotations

import re
from dataclasses import dataclass

# not str.splitlines: that also ends lines at form feeds and Unicode separators, which Markdown does not
_END = re.compile(r"\r\n|\n|\r")
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\Z")
_KEY = re.compile(r"[\w.-]+[ \t]*:|#|[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of `text` without their ends; line `n` is `text[starts[n]:ends[n]]`."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> str:
        return self.text[self.starts[number] : self.ends[number]]

    def last_word(self, number: int) -> int:
        """Where the words of a line end: before the spaces at its end, which in Markdown are a line break."""
        return self.starts[number] + len(self[number].rstrip())


def find_lines(text: str) -> Lines:
    """
    >>> lines = find_lines("a\\r\\nb \\rc")
    >>> len(lines), lines[1], lines.last_word(1)
    (3, 'b ', 4)
    """
    starts, ends = [0], []
    for end in _END.finditer(text):
        ends.append(end.start())
        starts.append(end.end())
    ends.append(len(text))
    return Lines(text, tuple(starts), tuple(ends))


def front_matter(lines: Lines) -> int:
    """How many lines at the top are a YAML header between `---` lines; 0 where there is none."""
    if len(lines) < 3 or not _FRONT_MATTER.match(lines[0]) or not _KEY.match(lines[1]):
        return 0
    for number in range(1, len(lines)):
        if lines[number].rstrip() in ("---", "..."):
            return number + 1
    return 0
