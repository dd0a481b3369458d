"""What one check found, in a form for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from extractors.errors import InputError

Status = Literal["skip", "ok", "warn", "fail"]
ORDER: tuple[Status, ...] = ("skip", "ok", "warn", "fail")  # from the least to the most serious


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a diagnosis.

    check : what was looked at
    status : "ok"; "warn", Emofuse works but something is missing or odd; "fail", something is broken; "skip", not tried
    found : what there is, for people
    todo : what to do about it, if anything
    details : the same as JSON-able values, for scripts
    """

    check: str
    status: Status
    found: str
    todo: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def from_error(check: str, error: Exception, *, todo: str = "") -> Finding:
    """A failure in the words of the error: its summary and all its problems; its hint is what to do.

    >>> from_error("store", InputError("store: x is a file", ["row 1", "row 2"], "Use a folder."))
    Finding(check='store', status='fail', found='store: x is a file\\nrow 1\\nrow 2', todo='Use a folder.', details={})
    """
    if isinstance(error, InputError):
        return Finding(check, "fail", "\n".join([error.summary, *error.problems]), todo or error.hint or "")
    return Finding(check, "fail", str(error) or type(error).__name__, todo)


def worst(findings: Iterable[Finding]) -> Status:
    """The most serious status of all; "ok" where nothing was checked.

    >>> worst([Finding("a", "ok", ""), Finding("b", "warn", ""), Finding("c", "skip", "")])
    'warn'
    """
    return max((finding.status for finding in findings), key=ORDER.index, default="ok")
