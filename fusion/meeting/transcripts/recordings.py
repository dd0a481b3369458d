"""Files that hold several recordings: which one is meant."""

from __future__ import annotations

from collections.abc import Iterable

from extractors.errors import InputError

OTHER = "of another recording"


def chosen_recording(names: Iterable[str], wanted: str | None, file: str) -> str | None:
    """The one recording there is, or the one wanted. Raises InputError where several are left to choose from.

    >>> chosen_recording(["call", "call"], None, "call.rttm")
    'call'
    """
    known = list(dict.fromkeys(names))
    if wanted is not None and known and wanted not in known:
        raise InputError(f"{file}: no recording {wanted!r} in it", [f"it has {name}" for name in known[:20]])
    if wanted is None and len(known) > 1:
        stem = file.rpartition("/")[2].partition(".")[0]
        if stem in known:
            return stem
        raise InputError(
            f"{file}: it has {len(known)} recordings: {', '.join(known[:10])}", hint="Say which: recording=" + known[0]
        )
    return wanted if wanted is not None else next(iter(known), None)
