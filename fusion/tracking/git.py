"""What git says of a folder: commit, branch, and what differs from the commit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

LONGEST_DIFF = 1_000_000  # bytes
LISTED = 100  # untracked files
TIMEOUT = 15.0  # s; a repository on a slow disk must not hold a run up


def git_state(folder: Path, *, of: str | None = None) -> tuple[dict[str, Any] | None, str]:
    """The state of the repository around `folder`, and the difference of its files to the commit.

    Args:
        folder: anywhere in it.
        of: a file of the folder that the repository must know; a package that was installed below somebody's
            repository is none of its business.

    Returns None and an empty text where there is no repository, no git, or no commit yet.
    """
    if of is not None and not _git(folder, "ls-files", "--", of):
        return None, ""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None, ""
    diff = _git(folder, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color") or ""
    untracked = (_git(folder, "ls-files", "--others", "--exclude-standard", "--full-name") or "").splitlines()
    state = {
        "folder": (_git(folder, "rev-parse", "--show-toplevel") or "").strip(),
        "commit": commit.strip(),
        "branch": (_git(folder, "symbolic-ref", "--short", "-q", "HEAD") or "").strip() or None,  # None: detached
        "dirty": bool(diff),
        "untracked": untracked[:LISTED],
        "untracked_files": len(untracked),
    }
    return state, _shortened(diff)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, None where it fails. It neither locks the repository nor starts what its settings name."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "--no-pager", *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _shortened(diff: str) -> str:
    encoded = diff.encode()
    if len(encoded) <= LONGEST_DIFF:
        return diff
    kept = encoded[:LONGEST_DIFF].decode(errors="ignore")
    return f"{kept}\n… cut here: {len(encoded):,} bytes in all\n"
