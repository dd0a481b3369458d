"""RTTM-like lines (NIST, RT-09): what a diarisation tool reads, with labels where it has speakers."""

from __future__ import annotations

from fusion.explore.trajectory.names import plain
from fusion.explore.trajectory.result import Trajectory


def rttm(found: Trajectory) -> str:
    """`SPEAKER file 1 start duration speaker|<NA> <NA> label score <NA>`, times in seconds to the millisecond.

    The label stands in the name's place, so that tools that score diarisation score labels; the speaker, where one is known,
    in the place of the words. Blanks within names become underscores.
    """
    name = _word(found.name)
    lines = []
    for run in found.runs:
        who = _word(run.speaker) if run.speaker else "<NA>"
        score = "<NA>" if run.score is None else f"{run.score:.4f}"
        span = f"{run.start_s:.3f} {run.end_s - run.start_s:.3f}"
        lines.append(f"SPEAKER {name} 1 {span} {who} <NA> {_word(run.label)} {score} <NA>\n")
    return "".join(lines)


def _word(text: str) -> str:
    return "_".join(plain(text).split()) or "_"
