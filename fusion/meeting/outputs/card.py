"""The banner and the method card in words: ABOUT.md, the end of the annotated minutes."""

from __future__ import annotations

from fusion.meeting.manners import AT_WORK, BANNER
from fusion.meeting.meeting import Meeting

SHOWN = {"text": "the words", "speech": "the voices", "both": "voices and words"}


def method_card(meeting: Meeting) -> str:
    """Markdown without a heading: what the numbers are, what they rest on, and what they are not."""
    manners, method, coverage = meeting.manners, meeting.method, meeting.coverage
    known = {True: "calibrated on held-out rows", False: "not calibrated", None: "not known to be calibrated"}
    lines = [
        f"**{BANNER}**",
        f"Purpose: {_plain(manners.purpose.name)}, {_plain(manners.purpose.about)}. {_plain(manners.purpose.note)}",
        f"Model: {_plain(method.model)}, {known[method.calibrated]}, shown {SHOWN[manners.modality]}. "
        f"Labels: {', '.join(map(_plain, method.labels))}. Valence map: {_plain(method.valence_name)}.",
        f"Rests on {coverage.utterances} utterances, {coverage.share:.0%} of the speech; {coverage.left_out} of "
        f"{coverage.cues} cues left out, {coverage.excluded} excluded by wish. Intervals: 95 %, bootstrap over "
        f"utterances. Fewer than {manners.min_utterances} utterances that count: no number.",
        "Single people are shown." if manners.per_person else "Only several people together are shown, never one.",
    ]
    if manners.hears:
        lines.insert(1, AT_WORK)
    if meeting.notes:
        lines += [f"- {_plain(note)}" for note in meeting.notes]
    return "\n\n".join(line for line in lines if not line.startswith("- ")) + "".join(
        f"\n{line}" if number else f"\n\n{line}"
        for number, line in enumerate(line for line in lines if line.startswith("- "))
    )


def _plain(text: str) -> str:
    """As Markdown that shows it as it is, on one line."""
    special = "\\`*_[]<>#|"
    return "".join(f"\\{letter}" if letter in special else letter for letter in " ".join(text.split()))
