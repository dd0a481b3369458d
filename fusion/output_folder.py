"""A folder for many files that replace those of an earlier run, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from extractors.errors import InputError
from extractors.writable import check_writable_folder


def check_output_folder(folder: Path, names: Iterable[str], *, ours: bool, inputs: Sequence[Path] = ()) -> None:
    """Whether files of these names may be written into `folder`, the value of `output`, asked before the work.

    ours   : whether what is there was written by an earlier run, and so may be replaced
    inputs : what is read meanwhile

    Raises InputError where the folder cannot be written to, holds files of these names that are not ours, or where an
    input would be written over.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "report.html").write_text("somebody's")
    ...     check_output_folder(Path(place), ["report.html"], ours=False)
    Traceback (most recent call last):
        ...
    extractors.errors.InputError: output: ... holds files of other origin, which would be written over
      - report.html
    Give another folder: output=…, or move them.
    """
    check_writable_folder(folder, "output")
    there = [path for name in names if (path := folder / name).exists()]
    resolved = {path.resolve() for path in there}
    if taken := [str(path) for path in inputs if path.resolve() in resolved]:
        raise InputError("output: what is read would be written over", taken, hint="Give another folder: output=…")
    if there and not ours:
        raise InputError(
            f"output: {folder} holds files of other origin, which would be written over",
            sorted(path.name for path in there),
            hint="Give another folder: output=…, or move them.",
        )
