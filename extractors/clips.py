"""Clips of a call that an extractor cannot use, all named together."""

from __future__ import annotations

from extractors.errors import InputError


class ClipsError(InputError):
    """Some clips of a call cannot be used; nothing of it was returned. `reasons` maps their positions to why.

    `reason` is one line, fit for a table of failures: of a call with a single clip, just why.

    >>> print(ClipsError({1: "expected float32, got int16"}, total=3))
    1 of 3 clips cannot be used
      - clip 1: expected float32, got int16
    Pass (samples,) float32 arrays, mono, 16 kHz, within [-1, 1], or paths of audio files.
    >>> ClipsError({0: "holds NaN"}, total=1).reason
    'holds NaN'
    """

    def __init__(self, reasons: dict[int, str], total: int, *, hint: str | None = None) -> None:
        self.reasons = reasons
        said = [f"clip {index}: {reason}" for index, reason in sorted(reasons.items())]
        summary = f"{len(reasons)} of {total} clips cannot be used"
        self.reason = next(iter(reasons.values())) if total == 1 else f"{summary}: {'; '.join(said)}"
        takes_files = "Pass (samples,) float32 arrays, mono, 16 kHz, within [-1, 1], or paths of audio files."
        super().__init__(summary, said, hint or takes_files)
