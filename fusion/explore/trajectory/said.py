"""Words that pictures, pages and tables share."""

from __future__ import annotations

from fusion.explore.trajectory.result import Trajectory

CAUTION = (
    "Automated estimate of expressed emotion, often wrong; not for employment, education, legal or medical decisions."
)
UNIT = "sd"  # of the space: standard deviations of its dimensions, each brought to 1 over the recording
LONGEST = 22  # characters of a name in a picture; tables have all of it


def clock(seconds: float, *, tenths: bool = False) -> str:
    """A time into a recording as people read it.

    >>> clock(75.26), clock(75.26, tenths=True), clock(3_700)
    ('1:15', '1:15.3', '1:01:40')
    """
    whole = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(whole, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 10:04.1f}" if tenths else f"{rest // 10:02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400)  # s


def tick_step(seconds: float, most: int) -> float:
    """Seconds between the marks of a time axis of that length: a round time, and at most `most` steps of it.

    >>> tick_step(28.9, 10), tick_step(200, 10), tick_step(3_700, 10)
    (5, 30, 600)
    """
    return next((step for step in TICK_STEPS if seconds / step <= most), TICK_STEPS[-1])


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
