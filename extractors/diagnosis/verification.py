"""The findings of `verify=true`: FunASR beside Emofuse, and both beside what others have published."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from extractors.audio import SAMPLE_RATE, load_audio
from extractors.diagnosis.finding import Finding, from_error
from extractors.diagnosis.voice import voice_like
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.published import (
    FACTOR,
    NAME,
    SAMPLE,
    SURE,
    TOLERANCE,
    compare_with_published,
    unlike_published,
)
from extractors.emotion2vec.verify import LEAST_COSINE, compare_with_funasr
from extractors.emotion2vec.verify import TOLERANCE as EXACT
from extractors.errors import EmofuseError
from extractors.types import Float32

VOICE_SECONDS = 3.0
DIFFERENT = (
    "Do not trust this model's numbers here. Fetch it again; if that changes nothing, report this with doctor.json."
)


def verify(extractor: Emotion2vecExtractor, clip: Path | None = None) -> list[Finding]:
    """Differences on `clip`, or else on the model's own example, or else on a synthetic voice. Imports all of FunASR."""
    try:
        name, wave = _clip(extractor, clip)
        comparison = compare_with_funasr(extractor, wave)
    except EmofuseError as error:
        return [from_error("comparison", error)]
    findings = [Finding("clip", "ok", name, details={"clip": name, "seconds": len(wave) / SAMPLE_RATE})]
    exact = extractor.precision == "float32"
    limit = f"at most {EXACT:.0e} allowed" if exact else f"{extractor.precision}: cosine of {LEAST_COSINE:g} or more"
    for difference in comparison.differences:
        fits = difference.within(extractor.precision)
        found = f"largest difference {difference.largest:.1e} ({limit}), cosine {difference.cosine:.7f}"
        details: dict[str, Any] = {
            "largest": _json(difference.largest),
            "cosine": _json(difference.cosine),
            "shape": list(difference.shape),
            "tolerance": EXACT if exact else None,
        }
        if difference.what == "scores":
            same = comparison.ours == comparison.theirs
            both, apart = f"both say {comparison.ours}", f"FunASR says {comparison.theirs}, Emofuse {comparison.ours}"
            found += f"; {both if same else apart}"
            details |= {"argmax": comparison.ours, "argmax_funasr": comparison.theirs}
            fits = fits and (same or not exact)
        todo = "" if fits else DIFFERENT
        findings.append(Finding(difference.what, "ok" if fits else "fail", found, todo, details))
    return [*findings, check_published(extractor)]


def check_published(extractor: Emotion2vecExtractor) -> Finding:
    """The scores of the model's own example beside those others have published; skipped where the model is another one."""
    check = "published"
    if why := unlike_published(extractor):
        found = f"not compared: these are not the published weights of {NAME} ({why})"
        return Finding(check, "skip", found, details={"why": why})
    try:
        [embedding] = extractor.extract([extractor.folder.path / SAMPLE])
    except EmofuseError as error:
        return from_error(check, error)
    assert embedding.scores is not None
    difference = compare_with_published(embedding.scores)
    details = {
        "largest": difference.largest,
        "factor": _json(difference.factor),
        "angry": difference.angry,
        "tolerance": TOLERANCE,
        "scores": embedding.scores.tolist(),
    }
    found = f"scores of {SAMPLE}: largest difference {difference.largest:.1e} (at most {TOLERANCE:.0e} allowed), "
    found += f"angry {difference.angry:.4f} ({SURE:g} or more)"
    if difference.within:
        if difference.factor <= FACTOR or extractor.precision != "float32":
            return Finding(check, "ok", found, details=details)
        found += f"; yet a small score is off by a factor of {difference.factor:.3g}"
        return Finding(check, "warn", found, "Another revision of the weights? Their hash is above.", details)
    if extractor.name == NAME:
        todo = f"These are not the published weights of {NAME}, whatever the name says. Fetch the model again."
        return Finding(check, "fail", found, todo, details)
    return Finding(check, "skip", f"other weights than those of {NAME}, random or tuned; {found}", details=details)


def _clip(extractor: Emotion2vecExtractor, clip: Path | None) -> tuple[str, Float32]:
    """What it is, and (samples,) of it, as far as one window reaches: what is cut in windows FunASR would not cut."""
    sample = extractor.folder.path / SAMPLE
    if clip is None and sample.is_file():
        clip = sample
    wave = voice_like(VOICE_SECONDS) if clip is None else load_audio(clip)
    limit = round(extractor.window_seconds * SAMPLE_RATE)
    first = "the first " if len(wave) > limit else ""
    wave = wave[:limit]
    return f"{first}{len(wave) / SAMPLE_RATE:.1f} s of {clip or 'a synthetic voice'}", wave


def _json(number: float) -> float | None:
    return number if math.isfinite(number) else None
