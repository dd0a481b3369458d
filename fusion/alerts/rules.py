"""Reads rules: a YAML file, a mapping or one line, checked as a whole before anything is watched."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from extractors.errors import InputError
from fusion.alerts.rule import MissingLabel, Rule, Scope
from fusion.alerts.signals import Direction, Signal, read_signal, read_when
from fusion.valence import ValenceMap, read_yaml

KEYS = ("when", *(field.name for field in fields(Rule) if field.name != "name"))
CHOICES: dict[str, tuple[str, ...]] = {
    "direction": get_args(Direction),
    "scope": get_args(Scope),
    "missing_label": get_args(MissingLabel),
}
SECONDS = ("tau_s", "min_evidence_s", "min_speech_s", "min_utterance_s", "max_silence_s", "merge_s", "cooldown_s")
SAID_BY_WHEN = ("signal", "direction", "on", "off")
LEAST_EVIDENCE_S = 2.0  # where a rule does not say; and at most a quarter of tau
OFF_SHARE = 0.7  # of `on`, where a rule gives no `off`: 0.50 ends at 0.35


def load_rules(source: str | Path) -> tuple[Rule, ...]:
    """Rules by their name in conf/tables/rules, or from a YAML file: `rules:` maps names to settings, `shared:` holds settings
    of all of them.

    Raises InputError with every problem of the file.
    """
    from fusion.configuration import conf_folder

    path, packaged = Path(source).expanduser(), conf_folder() / "tables" / "rules"
    if path.suffix not in (".yaml", ".yml"):
        path = packaged / f"{source}.yaml"
        if not path.is_file() or path.parent != packaged:
            names = sorted(file.stem for file in packaged.glob("*.yaml"))
            near = difflib.get_close_matches(str(source), names, n=1)
            raise InputError(
                f"rules: there is no set {str(source)!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
                hint=f'In conf/tables/rules there are {", ".join(names)}. Or give a YAML file, or one rule as when="…".',
            )
    content = read_yaml(path)
    known = {"rules", "shared"}
    problems = [_with_nearest(f"{key}: no such key", key, known) for key in content if key not in known]
    rules, shared = content.get("rules"), content.get("shared") or {}
    if not isinstance(rules, Mapping) or not rules:
        problems.append("rules: expected a mapping of names to settings")
    if not isinstance(shared, Mapping):
        problems.append("shared: expected a mapping of settings")
    if problems:
        raise InputError(f"{path}: {_count(problems)}", problems, hint="rules: {anger: {signal: angry, on: 0.5}}")
    assert isinstance(rules, Mapping)
    assert isinstance(shared, Mapping)
    return read_rules(rules, shared=shared, where=str(path))


def read_rules(
    rules: Mapping[str, Any], *, shared: Mapping[str, Any] | None = None, where: str = "rules"
) -> tuple[Rule, ...]:
    """Rules from a mapping of names to settings; `shared` are settings of all that do not say otherwise.

    A rule in a line that says how long (`when: angry > 0.7 for 5 s of speech`) has a `tau_s` of half of that and needs one
    utterance, unless it, or `shared`, says otherwise.

    >>> anger, = read_rules({"anger": {"when": "angry + fearful > 0.7 for 5 s of speech", "scope": "meeting"}})
    >>> anger.on, round(anger.off, 2), anger.min_speech_s, anger.scope
    (0.7, 0.49, 5.0, 'meeting')
    >>> read_rules({"anger": {"signal": "angry", "on": 0.3, "off": 0.5, "scop": "meeting"}})
    Traceback (most recent call last):
    extractors.errors.InputError: rules: 2 problems
      - anger: no key 'scop'; did you mean scope?
      - anger.off: expected less than on (0.3), got 0.5: an alert above 0.3 would end where it begins
    """
    shared = _with_switches(shared or {})
    problems = [_with_nearest(f"shared.{key}: no such key", key, set(KEYS)) for key in shared if key not in KEYS]
    shared = {key: value for key, value in shared.items() if key in KEYS}
    found = []
    for name, settings in rules.items():
        if not isinstance(settings, Mapping):
            problems.append(f"{name}: expected settings, got {settings!r}")
            continue
        own = _with_switches(settings)
        said = {"when": SAID_BY_WHEN, "signal": ("when",)}
        told = {key for key_, keys in said.items() if key_ in own for key in keys}  # what shared settings cannot say
        shared_here = {key: value for key, value in shared.items() if key not in told}
        wrong: list[str] = []
        rule = _rule(str(name), shared_here | own, wrong)
        problems += [f"{name}{'.' if problem.split(':')[0] in KEYS else ': '}{problem}" for problem in wrong]
        if rule is not None and not wrong:
            found.append(rule)
    if problems:
        raise InputError(f"{where}: {_count(problems)}", problems)
    return tuple(found)


def check_rules(
    rules: Sequence[Rule], labels: Sequence[str], *, valence: ValenceMap | None = None
) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """The rules that a model with these labels can follow, and sentences on those that are left out.

    Raises InputError where a rule's label is missing and the rule calls that an error, all such rules together.
    """
    problems, left_out, kept = [], [], []
    for rule in rules:
        missing = [label for label in rule.signal.weights if label not in labels]
        said = ", ".join(_with_nearest(f"no label {label!r}", label, set(labels)) for label in missing)
        if rule.signal.valence and (valence is None or all(valence.of(label) is None for label in labels)):
            missing.append("valence")
            said = ", ".join([*([said] if said else []), "no label has a valence"])
        if missing and rule.missing_label == "error":
            problems.append(f"{rule.name}: {said}")
        elif "valence" in missing or (missing and rule.missing_label == "skip"):
            left_out.append(f"rule {rule.name} is left out: {said}")
        elif rule.signal.weights and len(missing) == len(rule.signal.weights) and not rule.signal.valence:
            left_out.append(f"rule {rule.name} is left out: {said}")  # nothing to add up
        else:
            kept.append(rule)
    if problems:
        raise InputError(
            f"rules that need other labels than there are ({', '.join(labels)})",
            problems,
            hint="Write the rule with these labels; or missing_label: skip leaves it out, zero counts the label as 0.",
        )
    if not kept:
        raise InputError("no rule is left to watch", left_out)
    return tuple(kept), tuple(left_out)


def _rule(name: str, settings: dict[str, Any], wrong: list[str]) -> Rule | None:
    wrong += [_with_nearest(f"no key {key!r}", key, set(KEYS)) for key in settings if key not in KEYS]
    known = {key: value for key, value in settings.items() if key in KEYS}
    if not name.strip():
        wrong.append("name: expected a name, got none")
    signal, known = _signal(known, wrong)
    for key, choices in CHOICES.items():
        if key in known and known[key] not in choices:
            wrong.append(_with_nearest(f"{key}: expected {_either(choices)}, got {known[key]!r}", known[key], choices))
    for key in SECONDS:
        if key in known and not (_is_number(known[key]) and known[key] >= 0):
            wrong.append(f"{key}: expected seconds from 0, got {known[key]!r}")
    if "min_confidence" in known and not (_is_number(known["min_confidence"]) and 0 <= known["min_confidence"] <= 1):
        wrong.append(f"min_confidence: expected a number from 0 to 1, got {known['min_confidence']!r}")
    least = known.get("min_utterances", 1)
    if not isinstance(least, int) or isinstance(least, bool) or least < 1:
        wrong.append(f"min_utterances: expected a whole number from 1, got {least!r}")
    _thresholds(known, signal, wrong)
    if not wrong:
        tau = float(known.get("tau_s", Rule.tau_s))
        known["min_evidence_s"] = evidence = float(known.get("min_evidence_s", min(LEAST_EVIDENCE_S, tau / 4)))
        if 0 < tau <= evidence:
            wrong.append(
                f"min_evidence_s: expected less than tau_s ({tau:g}), more is never in memory; got {evidence:g}"
            )
    if wrong or signal is None:
        return None
    numbers = {key: float(known[key]) for key in (*SECONDS, "on", "off", "min_confidence") if key in known}
    return Rule(name=name, signal=signal, **{k: v for k, v in known.items() if k != "signal"} | numbers)


def _with_switches(settings: Mapping[Any, Any]) -> dict[str, Any]:
    """The settings with keys as they were written: YAML takes a bare `on` for true, and `off` for false."""
    written = {True: "on", False: "off"}
    return {written[key] if isinstance(key, bool) else str(key): value for key, value in settings.items()}


def _signal(known: dict[str, Any], wrong: list[str]) -> tuple[Signal | None, dict[str, Any]]:
    """The signal, and the settings with what `when` says put in."""
    when, text = known.pop("when", None), known.get("signal")
    if (when is None) == (text is None):
        wrong.append("expected either `signal` or `when`, got " + ("neither" if text is None else "both"))
        return None, known
    try:
        if when is None:
            return read_signal(str(text)), known
        signal, direction, on, seconds = read_when(str(when))
    except InputError as error:
        wrong.append(error.summary)
        return None, known
    given = {"direction": direction, "on": on} | ({} if seconds is None else {"min_speech_s": seconds})
    if twice := [key for key in ("direction", "on") if key in known and known[key] != given[key]]:
        wrong.append(f"when: says {twice[0]} {given[twice[0]]}, and {twice[0]} is {known[twice[0]]}")
    # "for 5 s of speech" is to mean that: a memory of 20 s would ask for far more, and two utterances for other than it says
    meant = {} if seconds is None else {"tau_s": min(Rule.tau_s, seconds / 2), "min_utterances": 1}
    return signal, meant | known | given


def _thresholds(known: dict[str, Any], signal: Signal | None, wrong: list[str]) -> None:
    """on, off and the severities: numbers, on the right sides of each other, and within what the signal can reach."""
    if known.get("off") is None and _is_number(known.get("on")):
        known["off"] = OFF_SHARE * known["on"]
    numbers = True
    for key in ("on", "off"):
        if not _is_number(known.get(key)):
            numbers = False
            if key == "on" or "on" in known:
                wrong.append(f"{key}: expected a number, got {known.get(key, 'none')!r}")
    direction = known.get("direction", "above")
    if not numbers or direction not in CHOICES["direction"]:
        return
    above = direction == "above"
    on, off = known["on"], known["off"]
    if (off >= on) if above else (off <= on):
        wrong.append(
            f"off: expected {'less' if above else 'more'} than on ({on:g}), got {off:g}: an alert {direction} {on:g} "
            "would end where it begins"
        )
    if signal is not None:
        low, high = signal.reach()
        if on > high if above else on < low:
            wrong.append(f"on: {signal.text} never reaches {on:g}; it lies from {low:g} to {high:g}")
        elif on <= low if above else on >= high:
            wrong.append(f"on: {signal.text} always is at {on:g} or {direction}; it lies from {low:g} to {high:g}")
    known["severities"] = _severities(known.get("severities") or {}, on, above=above, wrong=wrong)


def _severities(given: Any, on: float, *, above: bool, wrong: list[str]) -> tuple[tuple[str, float], ...]:
    if not isinstance(given, Mapping) or not all(_is_number(level) for level in given.values()):
        wrong.append(f"severities: expected names with levels, such as {{warning: 0.5, severe: 0.7}}, got {given!r}")
        return ()
    levels = sorted(((str(name), float(level)) for name, level in given.items()), key=lambda pair: pair[1])
    levels = levels if above else levels[::-1]
    if levels and (levels[0][1] > on if above else levels[0][1] < on):
        name, level = levels[0]
        wrong.append(f"severities: {name}, the mildest, begins at {level:g}; an alert from {on:g} on would have none")
    return tuple(levels)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _count(problems: Sequence[str]) -> str:
    return f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"


def _with_nearest(message: str, name: object, known: set[str] | Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), sorted(known), n=1, cutoff=0.6)
    return f"{message}; did you mean {near[0]}?" if near and near[0] != name else message
