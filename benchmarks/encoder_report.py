"""Times and vectors turned into the figures of `emotion2vec.py`, and its table."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table


def speed_of(
    name: str,
    times: list[list[float]],
    reference: list[list[float]],
    audio: float,
    work: float,
    ceilings: dict[str, float],
) -> dict[str, Any]:
    """`times` and `reference`: seconds of each group of each repeat."""
    ratios = [
        base / own for one, other in zip(times, reference, strict=True) for own, base in zip(one, other, strict=True)
    ]
    kind = name.partition(" ")[0].replace("funasr", "float32")
    ceiling = max(rate for known, rate in ceilings.items() if known.startswith(kind))
    middle = statistics.median(map(sum, times))
    return {
        "audio_seconds_per_second": round(audio / middle, 2),
        "over_funasr": round(statistics.median(ratios), 3),
        "over_funasr_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "share_of_ceiling": round(work / middle / ceiling, 3),
        "seconds": [round(sum(spent), 3) for spent in times],
    }


def losses_of(found: np.ndarray, expected: np.ndarray, head: tuple[np.ndarray, np.ndarray] | None) -> dict[str, float]:
    """Of utterance vectors (clips, dim); centring takes away what all clips share, which would flatter the cosine."""
    centre = expected.mean(axis=0)
    losses = {
        "largest_difference": float(np.abs(found - expected).max()),
        "lowest_cosine": float(_cosines(found, expected).min()),
        "lowest_cosine_centred": float(_cosines(found - centre, expected - centre).min()),
        "median_cosine_centred": float(np.median(_cosines(found - centre, expected - centre))),
    }
    if head is not None:
        weight, bias = head
        best, same = ((vectors @ weight.T + bias).argmax(axis=1) for vectors in (expected, found))
        losses["argmax_agreement"] = float((best == same).mean())
    return losses


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def show(report: dict[str, Any]) -> None:
    """The figures as tables on the terminal."""
    console = Console()
    machine = report["machine"]
    console.print(f"{machine['gpu'] or machine['cpu']}, {report['threads']} threads · {report['weights']}")
    console.print(
        f"{report['clips']} clips, {report['audio_seconds']} s, {report['gflop_per_audio_second']} GFLOP per audio second"
    )
    console.print(
        "ceilings, GFLOP/s: " + ", ".join(f"{kind} {rate}" for kind, rate in report["ceilings_gflops"].items())
    )
    table = Table(
        "", "audio s/s", "× FunASR", "share of ceiling", "largest difference", "cosine, centred", "same class"
    )
    for name, speed in report["speed"].items():
        loss = report["losses"].get(name, {})
        row = [f"{loss[key]:{form}}" if key in loss else "" for key, form in _SHOWN]
        share = f"{speed['share_of_ceiling']:.0%}"
        table.add_row(name, f"{speed['audio_seconds_per_second']:.1f}", f"{speed['over_funasr']:.2f}", share, *row)
    console.print(table)
    for name, peak in report.get("peak_memory", {}).items():
        console.print(f"peak memory, {name}: {peak}")


_SHOWN = (("largest_difference", ".2g"), ("lowest_cosine_centred", ".5f"), ("argmax_agreement", ".1%"))
