"""What goes wrong, said once and the same way everywhere: expected, got, what to do."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN_PROBLEMS = 40  # lines; more would scroll the first, most useful ones away


class EmofuseError(Exception):
    """Base of every error that Emofuse raises on purpose. The command line exits with `exit_code`."""

    exit_code = 1


class InputError(EmofuseError):
    """Wrong input or configuration: the user can mend it, and no traceback would help.

    `problems` are all the problems found, not only the first; the message shows the first
    `SHOWN_PROBLEMS` of them and counts the rest.

    >>> print(InputError("calls.csv: 2 problems", ["row 3: no label", "row 9: end before start"]))
    calls.csv: 2 problems
      - row 3: no label
      - row 9: end before start
    """

    exit_code = 2

    def __init__(self, summary: str, problems: Sequence[str] = (), hint: str | None = None) -> None:
        self.summary, self.problems, self.hint = summary, tuple(problems), hint
        lines = [summary, *(f"  - {problem}" for problem in self.problems[:SHOWN_PROBLEMS])]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"  … and {len(self.problems) - SHOWN_PROBLEMS:,} more")
        if hint:
            lines.append(hint)
        super().__init__("\n".join(lines))


class StoreError(EmofuseError):
    """The store could not be read or written: no space, no permission, damage. What was committed before stays."""


class MissingExtraError(EmofuseError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package} is needed here and is not installed. Run: pip install 'emofuse[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.package, self.extra)  # a sweep's worker hands it to the main process
