"""The annotated copy: badges beside their items, and every other character as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.meeting.minutes import annotate_markdown, brackets_for, parse_minutes, read_minutes, strip_annotations

BLOCKS = (
    "# Heading *one*",
    "**Bold heading**",
    "Setext\n======",
    "A paragraph with `code` and <b>HTML</b>\nover two lines  ",
    "- a bullet\n- [ ] a task\n  - nested\n\n    its second paragraph\n- [x] done \\",
    "1. one\n2) two\n\n3. three with trailing\t",
    "* loose\n\n* list\n\n  ```\n  - code\n  ```",
    "| Task | Owner | Time |\n|:--|--|--|\n| do `a\\|b` | Ann | 00:18 |\n| x | | |",
    "Topic | Note\n--- | ---\nno outer | pipes",
    "> quoted text\n> - bullet in it\n>\n> | a | b |\n> |---|---|\n> | 1 | 10 |",
    "```python\n- not an item\n| nor | this |\n```",
    "    - indented code",
    "<div>\n- in HTML\n</div>",
    "<!-- a comment -->",
    "---",
    "• dotted\n• lines",
    "[ref]: http://example.org\nText after [ref]",
    "预算太高了，我们需要更便宜的方案",
    "\u2028 odd separators \x0c inside",
    "- \n- empty before",
    "Ends in an open `tick",
    "Line with a hard break\\\nand its end",
    "![image](a.png) [link](b.html 'title')",
)
TEXTS = st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=8)
BADGES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


def _compose(blocks: list[str], gap: str, end: str, header: bool) -> str:
    text = ("---\ntitle: a\n---\n" if header else "") + gap.join(blocks) + "\n"
    return text.replace("\n", end)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(["\n\n", "\n"]), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.data())
def test_without_its_badges_a_copy_is_the_source(
    blocks: list[str], gap: str, end: str, header: bool, data: st.DataObject
) -> None:
    source = _compose(blocks, gap, end, header)
    try:
        minutes = parse_minutes(source, format="markdown")
    except InputError:  # nothing in it that could be an item
        return
    annotations = {item.id: data.draw(BADGES) for item in minutes.items}
    copy = annotate_markdown(minutes, annotations)
    assert strip_annotations(copy, brackets_for(minutes)) == source
    assert len(copy) > len(source) or not any(badge.strip() for badge in annotations.values())


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(["\n\n", "\n"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_copy_reads_as_the_same_items_with_their_badges(blocks: list[str], gap: str, end: str, header: bool) -> None:
    try:
        minutes = parse_minutes(_compose(blocks, gap, end, header), format="markdown")
    except InputError:
        return
    copy = annotate_markdown(minutes, {item.id: f"badge {item.id} a|b" for item in minutes.items})
    again = parse_minutes(copy, format="markdown")
    assert [item.id for item in again.items] == [item.id for item in minutes.items]
    for before, after in zip(minutes.items, again.items, strict=True):
        badge = f" ⟦badge {before.id} a|b⟧"
        assert badge in after.text or "`tick" in before.text
        assert (before.kind, before.place.start_line) == (after.kind, after.place.start_line)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["markdown", "text"]))
def test_any_text_can_be_annotated_and_stripped(source: str, format: str) -> None:
    try:
        minutes = parse_minutes(source, format=format)  # type: ignore[arg-type]
        copy = annotate_markdown(minutes, {item.id: "badge" for item in minutes.items})
    except InputError:
        return
    assert strip_annotations(copy, brackets_for(minutes)) == source


def test_bytes_survive_for_every_encoding(tmp_path: Path) -> None:
    text = "\ufeff# Sync\r\n\r\n- prices go up  \r\n- 预算\r\n\tno item end"
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        path = tmp_path / "minutes.md"
        path.write_bytes(text.encode(encoding))
        minutes = read_minutes(path)
        assert annotate_markdown(minutes, {}).encode(minutes.encoding) == path.read_bytes()
        copy = annotate_markdown(minutes, {"item-1": "−0.42"})
        assert "- prices go up ⟦−0.42⟧  \r\n" in copy


def test_a_badge_is_text_whatever_it_holds() -> None:
    minutes = parse_minutes("- one\n\n| Task |\n|--|\n| two |\n")
    copy = annotate_markdown(minutes, {"item-1": "<img src=x onerror=y>\n# a", "item-2": "a|b ⟧ ⟦ c"})
    assert "\\<img src=x onerror=y\\>" in copy
    assert "\n# a" not in copy
    assert "| two ⟦a&#124;b \\] \\[ c⟧ |" in copy
    assert strip_annotations(copy) == minutes.source


def test_minutes_that_use_the_brackets_get_others() -> None:
    minutes = parse_minutes("- a copy of a copy ⟦+0.3⟧\n")
    assert annotate_markdown(minutes, {"item-1": "−0.1"}) == "- a copy of a copy ⟦+0.3⟧ ⦗−0.1⦘\n"


def test_an_unknown_item_is_an_error() -> None:
    with pytest.raises(InputError, match="do not have"):
        annotate_markdown(parse_minutes("- a thing\n"), {"item-2": "x"})
