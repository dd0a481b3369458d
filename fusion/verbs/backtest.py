"""`emofuse backtest`: what the rules would have found of labelled episodes, what they would have missed and cried.

From Python:

    from fusion.alerts.backtest import backtest
    found = backtest(alerts, episodes, rules, seconds={None: 1080.0})
    print(found.of().precision, found.of().false_per_hour)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from extractors.errors import InputError
from extractors.files import write_text
from extractors.writable import check_writable_folder
from fusion.alerts.alert import Alert
from fusion.alerts.backtest import Backtest, backtest
from fusion.alerts.labelled import LabelledEpisode, read_episodes
from fusion.alerts.report import NOTICE, read_alerts, write_alerts
from fusion.alerts.rule import Rule
from fusion.alerts.rules import read_rules
from fusion.alerts.terminal import backtest_table
from fusion.cli import verb
from fusion.valence import ValenceMap, load_valence
from fusion.verbs.watch import LITERAL, follow, tell
from fusion.verbs.watch_sources import rules_of, watched

log = logging.getLogger(__name__)


@verb("backtest", literal=LITERAL | {"episodes": "episodes", "alerts": "alerts"})
def main(cfg: DictConfig) -> None:
    """Watch, or read the alerts of an earlier watch; then hold them against the episodes. Writes backtest.json."""
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    folder = Path(cfg.output) if cfg.output else run_dir
    if not isinstance(cfg.slack_s, int | float) or isinstance(cfg.slack_s, bool) or not cfg.slack_s >= 0:
        raise InputError(f"slack_s: expected seconds from 0, got {cfg.slack_s!r}")
    check_writable_folder(folder, "output")
    valence: ValenceMap | None
    if cfg.alerts is not None:
        alerts, rules, seconds, valence = _told_before(cfg)
    else:
        rules = rules_of(cfg)
        load_valence(cfg.valence)
        source = watched(cfg, run_dir)
        read_episodes(cfg.episodes, recordings=[one.name for one in source.recordings if one.name is not None])
        watch = follow(source, rules, cfg.valence)
        alerts, seconds, valence = watch.alerts, watch.seconds, watch.valence
        write_alerts(folder, watch.content, alerts)
        tell(watch, rules)
    episodes = read_episodes(cfg.episodes, recordings=[name for name in seconds if name is not None])
    found = backtest(alerts, episodes, rules, seconds=seconds, valence=valence, slack_s=cfg.slack_s)
    file = write_text(
        folder / "backtest.json", json.dumps(_content(found, alerts, episodes, rules, cfg), indent=1) + "\n"
    )
    Console().print(backtest_table(found))
    if found.unwanted:
        labels = sorted({episodes[number].label or "" for number in found.unwanted})
        one = len(found.unwanted) == 1
        log.warning(
            "%d episode%s that no rule looks for count%s nowhere: %s",
            len(found.unwanted),
            "" if one else "s",
            "s" if one else "",
            ", ".join(labels),
        )
    log.info("%s\n%s", NOTICE, file)


def _told_before(
    cfg: DictConfig,
) -> tuple[list[Alert], tuple[Rule, ...], dict[str | None, float], ValenceMap | None]:
    """What an earlier watch found, and by which rules."""
    alerts, content = read_alerts(cfg.alerts)
    rules = read_rules(content["rules"], where=f"{cfg.alerts}: rules")
    try:
        seconds = {one["name"]: float(one["seconds"]) for one in content["recordings"]}
        known = content["valence"]
        return alerts, rules, seconds, None if known is None else ValenceMap(known["map"], known["values"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{cfg.alerts} is not as `emofuse watch` writes it: {error!r}") from error


def _content(
    found: Backtest,
    alerts: Sequence[Alert],
    episodes: Sequence[LabelledEpisode],
    rules: Sequence[Rule],
    cfg: DictConfig,
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "what": "Emofuse backtest",
        "interval": {"level": 0.95, "kind": "exact; alerts taken for independent"},
        "slack_s": cfg.slack_s,
        "rules": {rule.name: rule.as_dict() for rule in rules},
        "figures": [one.as_dict() for one in found.figures],
        "alerts": [
            {
                "rule": a.rule,
                "recording": a.recording,
                "start_s": a.start_s,
                "end_s": a.end_s,
                "episodes": list(numbers),
            }
            for a, numbers in zip(alerts, found.matches, strict=True)
        ],
        "episodes": [
            {
                "recording": one.recording,
                "start_s": one.start_s,
                "end_s": one.end_s,
                "label": one.label,
                "speaker": one.speaker,
                "found": any(number in numbers for numbers in found.matches),
                "looked_for": number not in found.unwanted,
            }
            for number, one in enumerate(episodes)
        ],
    }
