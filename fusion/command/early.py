"""Ctrl-C while the first libraries are loaded: one line instead of where each of them was. Imported before all others."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

COMMANDS = ("emofuse", "train.py")  # in another program, how it stops is not Emofuse's affair


def _stopped(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("\nStopped.\n")
    else:
        sys.__excepthook__(kind, error, trace)


if Path(sys.argv[0] if sys.argv else "").name in COMMANDS and sys.excepthook is sys.__excepthook__:
    sys.excepthook = _stopped
