"""Zoom AI Companion's meeting summary, as `GET /meetings/{id}/meeting_summary` and the webhook give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fusion.meeting.minutes.markdown import parse_markdown
from fusion.meeting.minutes.render import Draft, render
from fusion.meeting.minutes.types import Kind, Minutes

KEYS = ("summary_overview", "summary_details", "next_steps", "summary_content", "edited_summary")
_WRAPPERS = ("payload", "object", "summary", "meeting_summary")


def find_summary(content: Any) -> Mapping[str, Any] | None:
    """The summary in a JSON document: itself, or within the webhook's `payload.object`; None where it is another's."""
    for _ in range(4):
        if not isinstance(content, Mapping):
            return None
        if any(key in content for key in KEYS):
            return content
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
    return None


def parse_zoom(summary: Mapping[str, Any]) -> Minutes:
    """Overview, details by topic and next steps; what somebody edited stands for what was generated.

    >>> found = parse_zoom({"summary_title": "Sync", "summary_details": [{"label": "API", "summary": "It is done."}],
    ...                     "next_steps": ["Ann opens a ticket"]})
    >>> [(item.kind, item.section, item.text) for item in found.items]
    [('paragraph', ('Sync', 'API'), 'It is done.'), ('task', ('Sync', 'Next steps'), 'Ann opens a ticket')]
    """
    edited = summary.get("edited_summary")
    merged = (
        {**summary, **{key: value for key, value in edited.items() if value}}
        if isinstance(edited, Mapping)
        else summary
    )
    if not any(merged.get(key) for key in KEYS[:3]) and isinstance(merged.get("summary_content"), str):
        return parse_markdown(merged["summary_content"])
    return render(_drafts(merged), "zoom")


def _drafts(summary: Mapping[str, Any]) -> Iterator[Draft]:
    title = summary.get("summary_title") or summary.get("meeting_topic")
    yield Draft(str(title or "Meeting summary"), 1)
    if overview := _lines(summary.get("summary_overview")):
        yield Draft("Overview", 2)
        yield from _statements(overview, "paragraph")
    details = summary.get("summary_details")
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, Mapping):
            yield Draft(str(detail.get("label") or detail.get("title") or "Details"), 2)
            yield from _statements(_lines(detail.get("summary") or detail.get("summary_content")), "paragraph")
        elif lines := _lines(detail):
            yield Draft("Details", 2)
            yield from _statements(lines, "paragraph")
    steps = summary.get("next_steps")
    found = [line for step in (steps if isinstance(steps, list) else [steps]) for line in _lines(_words(step))]
    if found:
        yield Draft("Next steps", 2)
        yield from _statements(found, "task")


def _words(step: Any) -> Any:
    return (
        next((step[key] for key in ("text", "step", "summary") if step.get(key)), None)
        if isinstance(step, Mapping)
        else step
    )


def _lines(text: Any) -> list[str]:
    return [line.strip(" \t-*•") for line in text.splitlines() if line.strip(" \t-*•")] if isinstance(text, str) else []


def _statements(lines: list[str], kind: Kind) -> Iterator[Draft]:
    for line in lines:
        yield Draft(line, kind=kind)
