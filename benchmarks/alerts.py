"""False alerts and found episodes of alert rules, on the timing of a real meeting with made-up scores.

    python benchmarks/alerts.py

The timing is AMI ES2011a: 348 turns of four speakers in 18 minutes, from its RTTM at $EMOFUSE_DATA/meeting/ami_ES2011a.
`fusion/alerts/simulation.py` says how scores are drawn. Each of `--meetings` draws is heard twice: without an episode, for
false alerts; and with one of 60 s, placed at random where its speaker speaks at least 10 s, for what is found. The naive
rule alerts at every utterance at 0.5 or more. Intervals are exact, at 95 %.

Then: what correlated errors do (one voice whose false scores are four times as frequent), and the engine's speed on
utterances and on frames of 20 ms. Writes results/alerts.json and prints the tables in Markdown.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import environ
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, describe_machine, write_json

from fusion.alerts import AlertEngine, Observation, Rule, load_rules, read_rules
from fusion.alerts.backtest import Figures, backtest
from fusion.alerts.simulation import Turn, place_episode, read_turns, simulate
from fusion.valence import load_valence

log = logging.getLogger("benchmarks.alerts")

TAKEN_FROM_NOTES = {"naive": (21.6, None), "0.50 / 0.35": (0.42, 0.81), "0.40 / 0.30": (1.39, 0.96)}
CAREFUL = {
    "signal": "angry",
    "scope": "speaker",
    "tau_s": 20,
    "min_speech_s": 5,
    "min_utterances": 2,
    "merge_s": 30,
}
AT_ONCE = {  # every utterance by itself
    "tau_s": 0,
    "min_evidence_s": 0,
    "min_speech_s": 0,
    "min_utterances": 1,
    "min_utterance_s": 0,
    "merge_s": 0,
}
RULES: dict[str, dict[str, Any]] = {
    "naive": CAREFUL | AT_ONCE | {"on": 0.5, "off": 0.499},
    "naive, from 1 s on": CAREFUL | AT_ONCE | {"on": 0.5, "off": 0.499, "min_utterance_s": 1},
    "0.50 / 0.35": CAREFUL | {"on": 0.50, "off": 0.35},
    "0.40 / 0.30": CAREFUL | {"on": 0.40, "off": 0.30},
    "0.50 / 0.35, whole meeting": CAREFUL | {"on": 0.50, "off": 0.35, "scope": "meeting"},
    "0.40 / 0.30, whole meeting": CAREFUL | {"on": 0.40, "off": 0.30, "scope": "meeting"},
}
LOUD_VOICE = 4.0  # times as many false scores


def main() -> None:
    """Simulate, time, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meetings", type=int, default=1_000)
    parser.add_argument("--out", type=Path, default=RESULTS / "alerts.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data = Path(environ.get("EMOFUSE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    turns = read_turns(data / "meeting" / "ami_ES2011a" / "ES2011a.rttm")
    length = max(turn.end_s for turn in turns)
    found = {name: measure(turns, settings, meetings=options.meetings) for name, settings in RULES.items()}
    speakers = sorted({turn.speaker for turn in turns})
    loudest = max(speakers, key=lambda who: sum(turn.end_s - turn.start_s for turn in turns if turn.speaker == who))
    correlated = {
        name: measure(turns, RULES[name], meetings=options.meetings, voices={loudest: LOUD_VOICE})
        for name in ("naive", "0.50 / 0.35", "0.40 / 0.30")
    }
    speed = {kind: rate(observations) for kind, observations in speed_inputs(turns).items()}
    content = {
        "turns": len(turns),
        "speakers": len(speakers),
        "meeting_minutes": length / 60,
        "meetings": options.meetings,
        "taken_from_notes": TAKEN_FROM_NOTES,
        "rules": RULES,
        "independent_errors": found,
        "one_voice_with_four_times_the_false_scores": correlated,
        "observations_per_second": speed,
        "machine": describe_machine(["numpy", "scipy"]),
    }
    log.info("%s\n\n%s", table(found), table(correlated))
    log.info("\n%s", ", ".join(f"{kind}: {each:,.0f} observations a second" for kind, each in speed.items()))
    write_json(options.out, content)


def measure(
    turns: Sequence[Turn], settings: Mapping[str, Any], *, meetings: int, voices: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """False alerts in a meeting without an episode; share found and delay of one episode in a meeting."""
    rules = read_rules({"rule": dict(settings)})
    seconds = {str(number): max(turn.end_s for turn in turns) for number in range(meetings)}
    quiet: list[Any] = []
    heard: list[Any] = []
    episodes = []
    for number in range(meetings):
        random = np.random.default_rng([7, number])
        quiet += told(rules, simulate(turns, random, voices=voices), str(number))
        episode = replace(place_episode(turns, random), recording=str(number))
        episodes.append(episode)
        heard += told(rules, simulate(turns, random, episodes=[episode], voices=voices), str(number))
    false = backtest(quiet, [], rules, seconds=seconds).of("rule")
    there = backtest(heard, episodes, rules, seconds=seconds).of("rule")
    return {
        "false_alerts_per_meeting": per_meeting(false, meetings),
        "found": there.recall.as_dict(),
        "median_delay_s": there.delay_s.as_dict(),
        "precision_with_an_episode_in_each_meeting": there.precision.as_dict(),
    }


def told(rules: Sequence[Rule], observations: Sequence[Observation], recording: str) -> list[Any]:
    engine = AlertEngine(rules, recording=recording)
    return [alert for one in observations for alert in engine.add(one)] + engine.finish()


def per_meeting(figures: Figures, meetings: int) -> dict[str, float | None]:
    hours = figures.hours / meetings
    return {key: None if value is None else value * hours for key, value in figures.false_per_hour.as_dict().items()}


def speed_inputs(turns: Sequence[Turn]) -> dict[str, list[Observation]]:
    """The meeting by utterances, ten times over, and ten minutes of frames."""
    random = np.random.default_rng(1)
    length = max(turn.end_s for turn in turns)
    labels = ("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown")
    utterances = [
        Observation(
            turn.start_s + lap * length,
            turn.end_s + lap * length,
            dict(zip(labels, random.dirichlet(np.ones(9)).tolist(), strict=True)),
            speaker=turn.speaker,
            id=f"{lap}.{number}",
        )
        for lap in range(10)
        for number, turn in enumerate(turns)
    ]
    scores = random.dirichlet(np.ones(9), size=30_000).tolist()
    frames = [
        Observation(
            number * 0.02,
            (number + 1) * 0.02,
            dict(zip(labels, row, strict=True)),
            id=str(number // 250),
            utterance_s=5.0,
        )
        for number, row in enumerate(scores)
    ]
    return {"utterances": utterances, "frames": frames}


def rate(observations: Sequence[Observation]) -> float:
    """Observations a second through the five rules of conf/tables/rules/default.yaml; the best of three."""
    rules, valence = load_rules("default"), load_valence("emotion2vec")
    best = float("inf")
    for _ in range(3):
        engine = AlertEngine(rules, valence=valence)
        begun = time.perf_counter()
        for one in observations:
            engine.add(one)
        engine.finish()
        best = min(best, time.perf_counter() - begun)
    return len(observations) / best


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "| rule: on / off | false alerts a meeting | noted | found of 60 s | noted | median delay |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        false, share = TAKEN_FROM_NOTES.get(name, (None, None))
        lines.append(
            f"| {name} | {_shown(row['false_alerts_per_meeting'], 2)} | {false or ''} "
            f"| {_shown(row['found'], 3)} | {share or ''} | {row['median_delay_s']['value']:.0f} s |"
        )
    return "\n".join(lines)


def _shown(entry: Mapping[str, float], digits: int) -> str:
    return f"{entry['value']:.{digits}f} [{entry['low']:.{digits}f}, {entry['high']:.{digits}f}]"


if __name__ == "__main__":
    main()
