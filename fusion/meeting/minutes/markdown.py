"""Markdown minutes: bullets, tasks, paragraphs and table rows under their headings. CommonMark and tables, by markdown-it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from fusion.meeting.minutes.build import BOLD, Builder
from fusion.meeting.minutes.lines import Lines, find_lines, front_matter
from fusion.meeting.minutes.tables import read_table
from fusion.meeting.minutes.types import Minutes, Place

_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")
_INLINE = MarkdownIt("commonmark").enable("strikethrough")
_BREAK = re.compile(r"<br\s*/?>\Z", re.IGNORECASE)
_BOX = re.compile(r"\[([ xX])\]\s+")
_BOLD_LINE = re.compile(r"(\*\*|__)(?P<title>[^*_\n]{1,80}?)[:：]?\1[:：]?")
_LABEL = re.compile(r"(?P<title>[^\n.!?]{1,60})[:：]")
_DOTS = re.compile(r"[ \t]*[•‣◦▪●○·∙–][ \t]+")
LONGEST_INLINE = (
    20_000  # characters that are read for markup; longer ones are taken as they are (nested brackets cost n²)
)


def parse_markdown(text: str) -> Minutes:
    """Minutes of a Markdown text. Front matter, code, HTML blocks and rules give no items and are left as they are.

    A line in bold alone, and a short line that ends with a colon before a list, count as headings. HTML within a line is
    kept as text. Lines of a paragraph that begin with "•" are bullets of their own.

    >>> minutes = parse_markdown("# Sync\\n\\n## Action Items\\n\\n- [x] Ann: open a *ticket* (00:28)\\n")
    >>> [(item.kind, item.text, item.section, item.done) for item in minutes.items]
    [('task', 'Ann: open a ticket (00:28)', ('Sync', 'Action Items'), True)]
    """
    lines = find_lines(text)
    header = front_matter(lines)
    masked = "\n".join([""] * header + [lines[number] for number in range(header, len(lines))])
    tokens = _BLOCKS.parse(masked.removeprefix("\ufeff"))
    return _Reader(lines, tokens).read().finish(text, "markdown")


class _Reader:
    def __init__(self, lines: Lines, tokens: Sequence[Token]) -> None:
        self.lines, self.tokens = lines, tokens
        self.builder = Builder()
        self.nested: list[str | None] = []  # the words of the list items that are open; None before they are read
        self.skipped = 0

    def read(self) -> Builder:
        position = 0
        while position < len(self.tokens):
            token = self.tokens[position]
            if token.type == "table_open":
                position = read_table(self.tokens, position, self.lines, self.builder, plain_text)
            elif token.type == "list_item_open":
                self.nested.append(None)
            elif token.type == "list_item_close":
                self.nested.pop()
            elif token.type == "html_block":
                self._html(token)
            elif token.type == "inline":
                self._text(token, position)
            position += 1
        if self.skipped:
            self.builder.notes.append(f"{self.skipped} blocks of HTML give no items")
        return self.builder

    def _text(self, token: Token, position: int) -> None:
        assert token.map is not None
        opened = self.tokens[position - 1]
        if opened.type == "heading_open":
            self.builder.heading(int(opened.tag[1]), plain_text(token.content))
        elif self.nested:
            self._bullet(token, token.map)
        elif title := self._title(token, position):
            self.builder.heading(BOLD, title)
        elif _DOTS.match(token.content):
            self._dotted(token.map)
        else:
            self.builder.item(plain_text(token.content), "paragraph", self._place(*token.map))

    def _html(self, token: Token) -> None:
        """HTML that is the one line of a bullet is its text; other blocks are left alone."""
        assert token.map is not None
        if self.nested and self.nested[-1] is None and token.map[1] - token.map[0] == 1:
            self.nested[-1] = text = " ".join(token.content.split())
            context = tuple(outer for outer in self.nested[:-1] if outer)
            self.builder.item(text, "bullet", self._place(*token.map), context=context)
        else:
            self.skipped += not token.content.lstrip().startswith("<!--")

    def _bullet(self, token: Token, span: Sequence[int]) -> None:
        box = _BOX.match(token.content)
        text = plain_text(token.content[box.end() :] if box else token.content)
        first = self.nested[-1] is None
        if first:
            self.nested[-1] = text
        context = tuple(outer for outer in (self.nested[:-1] if first else self.nested) if outer)
        done = box.group(1) != " " if box and first else None
        self.builder.item(text, "bullet" if first else "paragraph", self._place(*span), context=context, done=done)

    def _title(self, token: Token, position: int) -> str | None:
        """The title that a paragraph stands for, if it is one."""
        content = token.content.strip()
        if bold := _BOLD_LINE.fullmatch(content):
            return plain_text(bold["title"])
        follows = self.tokens[position + 2].type if position + 2 < len(self.tokens) else ""
        if follows in ("bullet_list_open", "ordered_list_open", "table_open") and (label := _LABEL.fullmatch(content)):
            return plain_text(label["title"])
        return None

    def _dotted(self, span: Sequence[int]) -> None:
        start = span[0]
        for number in range(span[0] + 1, span[1] + 1):
            if number == span[1] or _DOTS.match(self.lines[number]):
                words = " ".join(self.lines[n].strip() for n in range(start, number))
                self.builder.item(plain_text(_DOTS.sub("", words, count=1)), "bullet", self._place(start, number))
                start = number

    def _place(self, start: int, end: int) -> Place:
        return Place(start, end, self.lines.last_word(end - 1))


def plain_text(markup: str) -> str:
    """The words of a line of Markdown: emphasis, code marks and link targets gone, HTML kept as it is written.

    >>> plain_text("a **b** `c` [d](http://e.org) <i>f</i>")
    'a b c d <i>f</i>'
    """
    if len(markup) > LONGEST_INLINE:
        return " ".join(markup.split())
    [inline] = _INLINE.parseInline(markup)
    parts = []
    for token in inline.children or ():
        if token.type in ("softbreak", "hardbreak") or (token.type == "html_inline" and _BREAK.match(token.content)):
            parts.append(" ")
        elif token.type == "image" or token.type not in ("link_open", "link_close"):
            parts.append(token.content)
    return " ".join("".join(parts).split())
