"""A rule: when to alert, as configuration. Reading and checking is in `fusion.alerts.rules`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from fusion.alerts.signals import Direction, Signal

Scope = Literal["speaker", "meeting", "topic"]
MissingLabel = Literal["error", "skip", "zero"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When to alert.

    signal          : what is watched
    on, off         : an alert begins where the smoothed signal reaches `on`, and ends where it leaves `off` (hysteresis)
    direction       : "above": from `on` upwards; "below": from `on` downwards, as for valence
    scope           : whose speech is smoothed together: each "speaker"'s, the whole "meeting"'s, or each "topic"'s
    tau_s           : of the exponential smoothing, s; 0: none
    min_evidence_s  : weighted seconds of speech in the smoothing's memory, under which its value is not known;
                      where a rule does not say, 2 and at most a quarter of tau_s
    min_speech_s    : supporting speech that an alert needs, s; speech supports it where its own value is beyond `off`
    min_utterances  : supporting utterances that an alert needs
    min_utterance_s : shorter utterances weigh nothing, s
    min_confidence  : less confident scores are not heard
    max_silence_s   : a longer pause ends what is pending or firing, s
    merge_s         : alerts closer than this are one, s
    cooldown_s      : after an alert, seconds until another may begin to fire
    severities      : (name, level) from mild to severe: the last one that the peak reaches is the alert's
    missing_label   : a model without one of the signal's labels is an "error", or the rule is left out ("skip"), or
                      the label counts as 0 ("zero")
    """

    name: str
    signal: Signal
    on: float
    off: float
    direction: Direction = "above"
    scope: Scope = "speaker"
    tau_s: float = 20.0
    min_evidence_s: float = 2.0
    min_speech_s: float = 5.0
    min_utterances: int = 2
    min_utterance_s: float = 1.0
    min_confidence: float = 0.0
    max_silence_s: float = 60.0
    merge_s: float = 30.0
    cooldown_s: float = 0.0
    severities: tuple[tuple[str, float], ...] = ()
    missing_label: MissingLabel = "error"

    def beyond(self, value: float, threshold: float) -> bool:
        """Whether `value` is at `threshold` or on the alert's side of it."""
        return value >= threshold if self.direction == "above" else value <= threshold

    def worse(self, one: float, other: float) -> bool:
        """Whether `one` is further on the alert's side than `other`."""
        return one > other if self.direction == "above" else one < other

    def severity(self, peak: float) -> str:
        """The last severity that the peak reaches; "alert" where the rule names none."""
        reached = [name for name, level in self.severities if self.beyond(peak, level)]
        return reached[-1] if reached else "alert"

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as a rules file would have it."""
        plain = asdict(self) | {"signal": self.signal.text, "severities": dict(self.severities)}
        return {key: value for key, value in plain.items() if key != "name"}
