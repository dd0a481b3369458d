"""minutes.annotated.md: a copy of the minutes with what was expressed where each statement was talked about."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt

from extractors.files import write_bytes
from fusion.clock import clock
from fusion.meeting.manners import BANNER
from fusion.meeting.meeting import Item, Meeting
from fusion.meeting.minutes import annotate_markdown
from fusion.meeting.outputs.card import method_card
from fusion.meeting.outputs.words import not_found, says

CLOSINGS = ("-->", "```", "~~~", "</script>", "</style>", "</pre>", "</textarea>", "?>", "]]>")
_BLOCKS = MarkdownIt("commonmark").disable("inline")


def write_annotated(meeting: Meeting, path: Path) -> Path:
    """Markdown in, Markdown out, never in place; every character of the minutes stays, badges and a card are added.

    Raises ValueError for a meeting without minutes.
    """
    minutes = meeting.minutes
    if minutes is None:
        raise ValueError("the meeting has no minutes to annotate")
    badges = {item.aligned.item.id: badge(item) for item in meeting.items}
    text = annotate_markdown(minutes, {id: words for id, words in badges.items() if words})
    ends = "\r\n" if "\r\n" in minutes.source else "\n"
    card = ends.join(["", "", "---", "", *method_card(meeting).split("\n"), ""])
    whole = text + card if minutes.format == "text" else _shown(text, card, ends)
    return write_bytes(path, whole.encode(minutes.encoding, errors="xmlcharrefreplace"))


def _shown(text: str, card: str, ends: str) -> str:
    """Text and card; a comment, a tag or code that the text leaves open is closed first, or nobody would see the card."""
    for closing in ("", *CLOSINGS):
        whole = f"{text}{ends if closing else ''}{closing}{card}"
        hidden = (token.content for token in _BLOCKS.parse(whole) if token.type in ("html_block", "fence"))
        if not any(BANNER in content for content in hidden):
            return whole
    return text + card


def badge(item: Item) -> str:
    """A few words: the estimate, how many utterances, where. Nothing where the item was found nowhere.

    >>> from fusion.meeting.alignment.types import Aligned
    >>> from fusion.meeting.minutes import parse_minutes
    >>> from fusion.meeting.pooling import Pooled
    >>> badge(Item(Aligned(parse_minutes("- so be it").items[0], (), "not said"), Pooled("item", "1")))
    ''
    """
    best = item.aligned.best
    if best is None:
        return ""
    if not item.aligned.found:
        return not_found(item)
    when = f"{clock(best.start_s)}–{clock(best.end_s)}"
    return f"{says(item.pooled)} · {item.pooled.counted} utterances · {when} · estimated"
