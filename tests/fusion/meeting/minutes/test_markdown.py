"""Markdown minutes: what becomes an item, of which kind, under which heading, cited how."""

from __future__ import annotations

from pathlib import Path

from fusion.meeting.minutes import parse_minutes, read_minutes


def test_minutes_in_meetilys_shape_keep_sections_owners_quotes_and_times(shared_data: Path) -> None:
    minutes = read_minutes(shared_data / "meeting" / "synthetic" / "minutes_meetily_style.md")

    assert [(item.kind, item.section[-1]) for item in minutes.items] == [
        ("paragraph", "Summary"),
        ("decision", "Key Decisions"),
        ("task", "Action Items"),
        ("bullet", "Discussion Highlights"),
    ]
    row, last = minutes.items[2], minutes.items[3]
    assert row.text == "Alice: Open a ticket to update the staging config"
    assert [(cited.kind, cited.text, cited.start_s) for cited in row.citations] == [
        ("quote", "I'll open a ticket and get it done today", None),
        ("time", "00:28", 28.0),
    ]
    assert [cited.start_s for cited in last.citations] == [18.0]
    assert not minutes.rendered


def test_nested_bullets_know_what_they_stand_under() -> None:
    minutes = parse_minutes("- Budget\n  - too high\n    more of it\n\n    second paragraph\n- Staff\n")
    assert [(item.text, item.context) for item in minutes.items] == [
        ("Budget", ()),
        ("too high more of it", ("Budget",)),
        ("second paragraph", ("Budget", "too high more of it")),
        ("Staff", ()),
    ]


def test_tasks_are_told_by_box_heading_and_label() -> None:
    text = "# Notes\n- [ ] call Ann\n- [x] sent\n- Decision: blue\n## Next steps\n1. write it up\n## Interactions\n- none\n"
    assert [(item.kind, item.done) for item in parse_minutes(text).items] == [
        ("task", False),
        ("task", True),
        ("decision", None),
        ("task", None),
        ("bullet", None),
    ]


def test_people_and_dates_are_no_statements() -> None:
    minutes = parse_minutes("## Attendees\n- Ann\n- Bob\n\n## Notes\nDate: 3 May\n\nwe talked\n")
    assert [item.kind for item in minutes.items] == ["meta", "meta", "meta", "paragraph"]


def test_front_matter_code_and_html_blocks_give_no_items_and_html_in_a_line_stays_text() -> None:
    text = "---\ntitle: Sync\n---\n```\n- no item\n```\n<div>\n- no item\n</div>\n\n- <script>x()</script>\n- a <b>c</b> & *d*"
    minutes = parse_minutes(text)
    assert [item.text for item in minutes.items] == ["<script>x()</script>", "a <b>c</b> & d"]
    assert minutes.notes == ("1 blocks of HTML give no items",)


def test_a_table_row_with_pipes_empty_cells_and_no_outer_pipes() -> None:
    text = "Task | Owner | Due | Time\n--- | --- | --- | ---\nuse a \\| b | Ann | 10:30 | 0:10-0:20\n | | | \nN/A | – | | 0:30"
    [item] = parse_minutes(text).items
    assert item.text == "use a | b · Ann"
    assert [(cited.start_s, cited.end_s) for cited in item.citations] == [(10.0, 20.0)]
    assert text[: item.place.insert].endswith("use a \\| b")


def test_a_label_before_a_list_and_a_bold_line_are_headings() -> None:
    minutes = parse_minutes("Decisions:\n\n- blue\n\n**Risks**\n\n- rain\n\n# Other\n\n- sun\n")
    assert [item.section for item in minutes.items] == [("Decisions",), ("Risks",), ("Other",)]


def test_dots_of_word_processors_are_bullets() -> None:
    minutes = parse_minutes("# A\n• one thing\n  goes on\n• another\n")
    assert [(item.text, item.kind, item.place.start_line, item.place.end_line) for item in minutes.items] == [
        ("one thing goes on", "bullet", 1, 3),
        ("another", "bullet", 3, 4),
    ]


def test_nested_brackets_do_not_take_forever() -> None:
    [item] = parse_minutes("- a" + "[" * 200_000).items
    assert len(item.text) == 200_001
