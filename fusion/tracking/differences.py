"""What is known to differ between two runs besides their figures: versions, code, machine, threads, data, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fusion.tracking.recorded import Recorded, changed_settings

NUMERIC = (  # packages whose versions change numbers most; they are shown first
    "torch",
    "numpy",
    "pytorch-lightning",
    "torchmetrics",
    "scipy",
    "scikit-learn",
    "pandas",
    "sentence-transformers",
    "transformers",
    "funasr",
    "librosa",
    "soxr",
    "soundfile",
    "lancedb",
)
MOST = 12  # further packages, or settings, that are shown one by one


class Difference(NamedTuple):
    """One thing that was otherwise."""

    what: str
    then: str
    now: str


def known_differences(then: Recorded, now: Recorded) -> list[Difference]:
    """Everything recorded that could explain other figures; what explains most stands first."""
    found = [
        Difference(f"setting {key}", str(before), str(after))
        for key, before, after in changed_settings(then.config, now.config)[:MOST]
    ]
    before, after = then.environment, now.environment
    if before is None or after is None:
        return found + _versions(then.results.get("versions", {}), now.results.get("versions", {}))
    found += data_differences(before.get("data", {}), after.get("data", {}))
    found += _code(before, after)
    found += _differing("", before, after, ("python", "emofuse"))
    found += _differing(
        "machine: ",
        before.get("machine", {}),
        after.get("machine", {}),
        ("platform", "processor", "gpus", "cuda", "cudnn", "cores", "usable_cores", "threads"),
    )
    variables = before.get("variables", {}), after.get("variables", {})
    found += _differing("environment ", *variables, sorted(variables[0].keys() | variables[1].keys()))
    return found + _versions(before.get("distributions", {}), after.get("distributions", {}))


def data_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Files of data whose content is another."""
    return [
        Difference(f"content of {key}", _file(then.get(key)), _file(now.get(key)))
        for key in sorted(then.keys() | now.keys())
        if (then.get(key) or {}).get("hash") != (now.get(key) or {}).get("hash")
    ]


def _file(entry: Mapping[str, Any] | None) -> str:
    return "no file" if entry is None else f"{entry['hash'][:12]} ({entry['bytes']:,} bytes)"


def _code(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    states = [(entry.get("git") or {}).get("package") for entry in (before, after)]
    shown = [_commit(state) for state in states]
    if shown[0] != shown[1]:
        return [Difference("code (git commit)", *shown)]
    if states[0] and states[0].get("dirty"):
        return [Difference("code", "changed since its commit, see git.diff", "changed since its commit, see git.diff")]
    return []


def _commit(state: Mapping[str, Any] | None) -> str:
    return "not from git" if not state else state["commit"][:12] + (" and changes" if state.get("dirty") else "")


def _differing(prefix: str, then: Mapping[str, Any], now: Mapping[str, Any], keys: Any) -> list[Difference]:
    return [
        Difference(f"{prefix}{key}", _text(then.get(key)), _text(now.get(key)))
        for key in keys
        if then.get(key) != now.get(key)
    ]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else "none" if value is None else str(value)


def _versions(then: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    names = [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
    names.sort(key=lambda name: name not in NUMERIC)  # stable: by name within each part
    shown = [Difference(name, then.get(name, "not there"), now.get(name, "not there")) for name in names[:MOST]]
    if len(names) > MOST:
        shown.append(Difference("further packages", f"{len(names) - MOST} others", "see environment.json"))
    return shown
