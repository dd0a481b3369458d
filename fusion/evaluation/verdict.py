"""Does fusion help here? One word and one plain sentence, from the paired difference in UA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FUSION = "fusion"


def primary(systems: Sequence[str] | Mapping[str, Any]) -> str:
    """The system that the bundle ships: fusion where it was trained, else the only one.

    >>> primary(["speech", "text", "fusion"]), primary(["text"])
    ('fusion', 'text')
    """
    return FUSION if FUSION in systems else next(iter(systems))


def better_single(ua: Mapping[str, float]) -> str | None:
    """The single modality of highest UA on the test rows, None where fusion or every single one is missing.

    Chosen on test: if anything that flatters the single modality, never fusion.

    >>> better_single({"fusion": 0.8, "speech": 0.5, "text": 0.7})
    'text'
    """
    singles = [name for name in ua if name != FUSION]
    return max(singles, key=lambda name: ua[name]) if FUSION in ua and singles else None


def verdict(
    test: Mapping[str, Mapping[str, Any]],
    difference: Mapping[str, Mapping[str, float | None]] | None,
    against: str | None,
    interval: Mapping[str, Any],
    *,
    leaked: bool = False,
) -> dict[str, str | None]:
    """{"fusion_helps": "yes" | "no" | "not shown" | None, "sentence"}.

    "yes" where the whole interval of the difference in UA is above zero, "no" where all of it is below, "not shown"
    otherwise; None where there was nothing to compare. Where a leak was let pass (`leaked`), a gain is never "yes":
    text has seen the test's sentences in training, and what it adds may be no more than knowing which one is spoken.

    >>> test = {"fusion": {"ua": {"value": 0.80}}, "text": {"ua": {"value": 0.60}}}
    >>> verdict(test, {"ua": {"value": 0.2, "low": 0.1, "high": 0.3}}, "text",
    ...         {"level": 0.95, "unit": "speaker", "units": 12})["sentence"]
    'Fusion helps: UA 0.800 against 0.600 with text alone, a gain of 0.200 (95 % interval +0.100 to +0.300, 12 speakers).'
    """
    if difference is None or against is None:
        alone = " and ".join(f"{name} (UA {entry['ua']['value']:.3f})" for name, entry in test.items())
        return {"fusion_helps": None, "sentence": f"Only {alone} was trained: there is no fusion to compare."}
    ua = difference["ua"]
    value, low, high = ua["value"], ua["low"], ua["high"]
    versus = f"UA {test[FUSION]['ua']['value']:.3f} against {test[against]['ua']['value']:.3f} with {against} alone"
    if value is None or low is None or high is None:
        return {
            "fusion_helps": "not shown",
            "sentence": f"Not shown that fusion helps: {versus}, from too little data.",
        }
    span = f"{interval['level']:.0%} interval {low:+.3f} to {high:+.3f}".replace("%", " %").replace("-", "−")
    over = f"{span}, {interval['units']} {interval['unit']}s"
    if low > 0 and leaked:
        answer = "not shown"
        sentence = (
            f"Not shown that fusion helps: {versus}, a gain of {value:.3f} ({over}), but this split leaks: "
            "fusion knew the test's sentences or speakers from training, and the gain says nothing of new ones."
        )
    elif low > 0:
        answer, sentence = "yes", f"Fusion helps: {versus}, a gain of {value:.3f} ({over})."
    elif high < 0:
        answer, sentence = "no", f"Fusion does not help: {versus}, a loss of {-value:.3f} ({over})."
    else:
        answer = "not shown"
        signed = f"{value:+.3f}".replace("-", "−")
        sentence = f"Not shown that fusion helps: {versus}; a difference of {signed} may be chance ({over})."
    if interval["unit"] == "utterance":
        sentence += " Speakers are too few or unknown to say this of new ones."
    return {"fusion_helps": answer, "sentence": sentence}
