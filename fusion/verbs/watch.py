"""`emofuse watch`: rules over one file, a manifest or given scores; alerts with the speech that they rest on.

From Python:

    from fusion.alerts import Observation, load_rules, watch
    from fusion.valence import load_valence
    for alert in watch(observations, load_rules("rules.yaml"), valence=load_valence("default")): ...
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from extractors.writable import check_writable_folder
from fusion.alerts.alert import Alert
from fusion.alerts.engine import AlertEngine, in_order
from fusion.alerts.report import NOTICE, alerts_json, write_alerts
from fusion.alerts.rule import Rule
from fusion.alerts.terminal import alerts_table
from fusion.cli import verb
from fusion.valence import ValenceMap, load_valence
from fusion.verbs.watch_sources import Watched, rules_of, watched

log = logging.getLogger(__name__)

LITERAL = {name: name for name in ("audio", "scores", "rules", "when", "valence", "output")}


@dataclass(frozen=True)
class Found:
    """Alerts in order, and what the files say beside them."""

    alerts: list[Alert]
    content: dict[str, Any]
    seconds: dict[str | None, float]
    valence: ValenceMap | None


@verb("watch", literal=LITERAL)
def main(cfg: DictConfig) -> None:
    """Follow the rules; print the alerts, and write alerts.json, alerts.csv and evidence.csv."""
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    folder = Path(cfg.output) if cfg.output else run_dir
    rules = rules_of(cfg)  # what is wrong with them is known before anything heavy loads
    load_valence(cfg.valence)
    check_writable_folder(folder, "output")
    found = follow(watched(cfg, run_dir), rules, cfg.valence)
    files = write_alerts(folder, found.content, found.alerts)
    if found.alerts:
        Console().print(alerts_table(found.alerts))
    tell(found, rules)
    log.info("%s\n%s", NOTICE, ", ".join(map(str, files)))


def follow(source: Watched, rules: Sequence[Rule], valence: str) -> Found:
    """Every recording through an engine of its own."""
    alerts: list[Alert] = []
    recordings: list[dict[str, Any]] = []
    left_out: tuple[str, ...] = ()
    known: ValenceMap | None = None
    for recording in source.recordings:
        engine: AlertEngine | None = None
        for observation in recording.observations:
            if known is None and any(rule.signal.valence for rule in rules):
                known = _valence_of(valence, list(observation.scores))
            if engine is None:
                engine = AlertEngine(rules, valence=known, calibrated=source.calibrated, recording=recording.name)
            alerts += engine.add(observation)
        if engine is not None:
            alerts += engine.finish()
            left_out = engine.left_out
        recordings.append(
            {
                "name": recording.name,
                "seconds": round(recording.seconds, 3),
                "observations": 0 if engine is None else engine.observations,
                "skipped": {} if engine is None else {rule: dict(why) for rule, why in engine.skipped.items() if why},
            }
        )
    alerts = in_order(alerts)
    content = alerts_json(
        alerts,
        rules,
        recordings=recordings,
        model=source.model,
        calibrated=source.calibrated,
        valence=known,
        left_out=left_out,
        failed=source.failed,
    )
    return Found(alerts, content, {one.name: one.seconds for one in source.recordings}, known)


def _valence_of(name: str, labels: Sequence[str]) -> ValenceMap:
    """The map, with a warning of labels that it does not know; where it knows none, the rules decide what that means."""
    found = load_valence(name)
    return found if all(found.of(label) is None for label in labels) else load_valence(name, labels=labels)


def tell(found: Found, rules: Sequence[Rule]) -> None:
    """What was watched, in a few sentences."""
    content = found.content
    for sentence in content["left_out"]:
        log.warning("%s", sentence)
    if content["failed"]:
        log.warning("%d utterances could not be scored; alerts.json says why", len(content["failed"]))
    heard = sum(one["observations"] for one in content["recordings"])
    hours = sum(found.seconds.values()) / 3600
    log.info(
        "%s by %s in %s, %.2f hours; %s by %s, %s",
        _count(len(found.alerts), "alert"),
        _count(len(rules) - len(content["left_out"]), "rule"),
        _count(len(found.seconds), "recording"),
        hours,
        _count(heard, "observation"),
        content["model"],
        {True: "calibrated", False: "not calibrated", None: "nobody knows whether calibrated"}[content["calibrated"]],
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
