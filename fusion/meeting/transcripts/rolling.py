"""YouTube's rolling captions: every cue shows the line before again; each line is kept once."""

from __future__ import annotations

from collections.abc import Sequence

from fusion.meeting.transcripts.captions import TIMESTAMP_TAG, Block


def unroll(timed: Sequence[Block]) -> set[int]:
    """Takes the repeated lines out of the blocks, in place; returns the lines of blocks that had nothing else.

    >>> shown = [Block(4, True, lines=["so the first"]), Block(8, True, lines=["so the first", "thing we need"])]
    >>> unroll([*shown, Block(12, True, lines=["thing we need", " "])]), shown[1].lines
    ({12}, ['thing we need'])
    """
    repeats: set[int] = set()
    last = ""
    for block in timed:
        lines = [line for line in block.lines if line.strip()]
        shown = [" ".join(_bare(line).split()) for line in lines]
        fresh = lines[1:] if last and shown and shown[0] == last else lines
        if lines and not fresh:
            repeats.add(block.line)
        last = shown[-1] if shown else ""
        block.lines = fresh
    return repeats


def _bare(line: str) -> str:
    return TIMESTAMP_TAG.sub("", line).replace("<c>", "").replace("</c>", "")
