"""Words that pictures, pages and tables share."""

from __future__ import annotations

from fusion.explore.trajectory.result import Trajectory

CAUTION = (
    "Automated estimate of expressed emotion, often wrong; not for employment, education, legal or medical decisions."
)
UNIT = "sd"  # of the space: standard deviations of its dimensions, each brought to 1 over the recording
LONGEST = 22  # characters of a name in a picture; tables have all of it


def short(name: str, most: int = LONGEST) -> str:
    """A name on one line, cut to fit a picture.

    >>> short("a" * 30)
    'aaaaaaaaaaaaaaaaaaaaa…'
    """
    plain = " ".join(name.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def no_classes(found: Trajectory) -> str | None:
    """Why there are no scores and no valence, where there are none."""
    if found.scores is not None:
        return None
    return (
        f"{found.settings['encoder']} brings no classes, so there are no scores and no valence; "
        "speech=emotion2vec_plus_large or bundle= brings them"
    )


def method(found: Trajectory) -> str:
    """How it was made, in a line."""
    s = found.settings
    gaps = {"energy": "by level", "vad": "by Silero VAD", "none": "none"}[s["silence"]]
    parts = [
        f"{s['encoder']}{' with a bundle' if s['bundle'] else ''}",
        f"windows of {s['window_s']:g} s every {s['step_s']:g} s",
        f"gaps {gaps}",
    ]
    if found.scores is not None:
        parts.append(f"scores smoothed over {s['smooth_s']:g} s" if s["smooth_s"] else "scores not smoothed")
    if s["signal"]:
        parts.append(f"changes of the {s['signal']} by PELT at {s['penalty_bics']:g} BIC")
    return "; ".join(parts)
