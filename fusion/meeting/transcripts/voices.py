"""Cues that name their speaker in the text, taken apart."""

from __future__ import annotations

from collections.abc import Sequence

from fusion.meeting.transcripts.cue import Cue
from fusion.meeting.transcripts.names import split_name


def named_parts(base: Cue, lines: Sequence[str], names: frozenset[str], before: str | None) -> list[Cue]:
    """One cue a named speaker; a cue that names nobody goes on with the speaker `before` it and is flagged.

    >>> [(c.speaker, c.text, c.flags) for c in named_parts(Cue("line 1", 0, 1, ""), ["so it is"], frozenset({"Ann"}), "Ann")]
    [('Ann', 'so it is', ('continued_speaker',))]
    """
    parts: list[tuple[str | None, str]] = []
    for line in lines:
        found = split_name(line)
        if found and found[0] in names:
            parts.append(found)
        elif parts:
            parts[-1] = (parts[-1][0], f"{parts[-1][1]} {line}")
        else:
            parts.append((before, line))
            if before is not None:
                base.flags = (*base.flags, "continued_speaker")
    parts = [(speaker, text) for speaker, text in parts if text.strip()] or parts[:1]
    return share_time(base, parts) if parts else [base]


def share_time(base: Cue, parts: Sequence[tuple[str | None, str]]) -> list[Cue]:
    """Several voices' cues out of one, its time divided by the length of their texts, in their order."""
    if len(parts) == 1:
        base.speaker, base.text = parts[0]
        return [base]
    total = sum(len(text) for _, text in parts)
    cues: list[Cue] = []
    begun = 0
    for speaker, text in parts:
        start, end = base.start, base.end
        if start is not None and end is not None and end >= start:
            start, end = (start + (end - start) * at / total for at in (begun, begun + len(text)))
        begun += len(text)
        flags = (*base.flags, "shared_cue")
        cues.append(
            Cue(
                base.place,
                start,
                end,
                text,
                speaker,
                base.id,
                (),
                base.confidence,
                flags,
                bool(cues),
                dropped=base.dropped,
            )
        )
    return cues
