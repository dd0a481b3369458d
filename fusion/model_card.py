"""MODEL_CARD.md, written from what was measured and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fusion.bundle import BundleInfo
from fusion.evaluation.tables import epoch_note

Origin = Literal["split", "fold", "refit", "ensemble"]
METRICS = {"wa": "WA (accuracy)", "ua": "UA (unweighted average recall)", "macro_f1": "macro F1",
           "weighted_f1": "weighted F1", "ece": "ECE after temperature scaling"}  # fmt: skip


def model_card(info: BundleInfo, results: Mapping[str, Any], *, origin: Origin, which: str = "") -> str:
    """Markdown text of the card.

    Args:
        info: what the bundle will say of itself.
        results: the run's results, as `results.json` holds them.
        origin: where the bundle's model comes from.
        which: of several fits, the one it is.
    """
    system = "fusion" if "fusion" in results["test"] else next(iter(results["test"]))
    measured = results["test"][system]
    lines = [
        f"# Emotion classifier: {', '.join(_escape(label) for label in info.labels)}",
        "",
        f"Listens and reads: {' and '.join(info.modalities)}. Trained with Emofuse {info.versions.get('emofuse', '')}.",
        "",
        "## What it hears and reads with",
        "",
        *(_encoder(modality, info) for modality in info.modalities),
        "",
        "## How well it does",
        "",
        _how_measured(results, origin, which, info.members),
        "",
        "| metric | value | 95 % interval |",
        "|---|---|---|",
        *(
            f"| {name} | {_number(measured[key]['value'])} | {_interval(measured[key])} |"
            for key, name in METRICS.items()
            if key in measured
        ),
        "",
        *([_escape(results["notice"]), ""] if results.get("notice") else []),
        *_verdict(results),
        "## How it decides",
        "",
        (
            f"Logits are divided by the temperature {info.temperature:.3f}. "
            if info.members == 1
            else f"Each of the {info.members} models has a temperature of its own, and their probabilities are averaged. "
        )
        + f"Below a confidence of {info.threshold:.3f} the answer is `uncertain`. Validation rows taught both.",
        "",
        "## What it must not be used for",
        "",
        "It predicts the labels that annotators gave to clips like those it was trained on. It does not know what a "
        "person feels, and its errors differ between speakers. Do not decide about a person on its word alone; inferring "
        "emotions of people at work or in education is prohibited or restricted in some places (the EU AI Act among them).",
        "",
    ]
    return "\n".join(lines)


def _encoder(modality: str, info: BundleInfo) -> str:
    encoder = info.encoders.get(modality)  # type: ignore[call-overload]
    if not encoder:
        return f"- {modality}: vectors of {info.dims[modality]} dimensions that the user brought"  # type: ignore[index]
    return f"- {modality}: `{encoder['describe'].get('name', '?')}`, fingerprint `{encoder['fingerprint']}`"


def _how_measured(results: Mapping[str, Any], origin: Origin, which: str, members: int) -> str:
    text = f"Split `{results['split']}`, seed {results['seed']}{epoch_note(results)}."
    seeds = results.get("seeds") or [results["seed"]]
    pools = [f"{len(seeds)} seeds of training"] if len(seeds) > 1 else []
    pools += ["the folds of a cross-validation"] if results["folds"] else []
    if pools:
        text += f" The figures are pooled over {' and '.join(pools)}."
    if origin == "fold" or (origin == "split" and len(seeds) > 1):
        text += f" The model in this bundle is the one of {which}."
    if origin == "refit":
        text += (
            " The model in this bundle was then trained by the same recipe on the rows of all folds, less those that chose"
            " its epoch, so it is none of the models that were measured."
        )
    if origin == "ensemble":
        text += (
            f" The bundle asks {members} of the measured models together and averages their calibrated probabilities; the"
            " figures are those of single models, and the ensemble was not measured."
        )
        if results["folds"]:
            text += " No row was held out from all of them, so the threshold below is the mean of theirs."
    return text


def _verdict(results: Mapping[str, Any]) -> list[str]:
    verdict = results.get("verdict") or {}
    sentence = verdict.get("sentence") if isinstance(verdict, Mapping) else str(verdict)
    return [f"Does fusion help on this data? {sentence}", ""] if sentence else []


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(metric: Mapping[str, float | None]) -> str:
    return f"{_number(metric.get('low'))} – {_number(metric.get('high'))}"


def _escape(text: str) -> str:
    """Labels are the user's text and must not become markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
