"""A model of the configuration: where it is, whether it is whole, what it is, and whether it answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.filesize import decimal

from extractors.conditioning import NO_SPEECH
from extractors.diagnosis.finding import Finding, from_error
from extractors.diagnosis.locate import locate, wanted_speech, wanted_text
from extractors.diagnosis.tensors import count_text_tensors
from extractors.diagnosis.voice import voice_like
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.errors import EmofuseError
from extractors.text import SentenceTransformerExtractor
from extractors.types import Extractor

TRIED_SECONDS = 2.0  # of a synthetic voice
TRIED_TEXT = "I have been waiting for an hour, and nobody told me why."
SUM_TOLERANCE = 1e-4  # of scores, which must add up to one

Build = Callable[..., Extractor]


def check_model(
    kind: type, build: Build, *, model: str | None, offline: bool | None, download: bool, required: bool
) -> tuple[list[Finding], Extractor | None]:
    """Findings on an extractor of the class `kind` that the configuration names, and the extractor where it works.

    build(**settings) makes it; settings given go before those of the configuration. Nothing is fetched unless
    `download`. A `model` that is not here is a warning, or a failure where it is `required`.
    """
    findings: list[Finding] = []
    settings: dict[str, Any] = {}
    for known, wanted in ((Emotion2vecExtractor, wanted_speech), (SentenceTransformerExtractor, wanted_text)):
        if issubclass(kind, known):
            findings = [locate(wanted(str(model)), offline=offline, download=download, required=required)]
            if findings[0].status != "ok":
                return findings, None
            settings["offline"] = True  # it is here: nothing that loads it now needs a network
    try:
        extractor = build(**settings)
    except EmofuseError as error:
        return [*findings, from_error("loading", error)], None
    findings += describe(extractor)
    findings.append(try_extractor(extractor))
    return findings, None if findings[-1].status == "fail" else extractor


def describe(extractor: Extractor) -> list[Finding]:
    """Size, hash, tensors and classes of an extractor that has loaded.

    >>> from extractors.acoustic import AcousticExtractor
    >>> describe(AcousticExtractor())[0].found
    'acoustic: computed, without a model'
    """
    if isinstance(extractor, Emotion2vecExtractor):
        return _describe_speech(extractor)
    if isinstance(extractor, SentenceTransformerExtractor):
        folder = extractor.folder
        size = sum(path.stat().st_size for path in folder.path.rglob("*.safetensors"))
        loaded, missing, unexpected = count_text_tensors(extractor.model, folder.path)
        return [_weights(size, folder.weight_hash, loaded, missing, unexpected)]
    return [Finding("model", "ok", f"{extractor.name}: computed, without a model", details={"name": extractor.name})]


def try_extractor(extractor: Extractor) -> Finding:
    """One forward of a synthetic voice, or of a sentence: right shapes, finite values.

    >>> from extractors.acoustic import AcousticExtractor
    >>> try_extractor(AcousticExtractor()).status
    'ok'
    """
    speech = extractor.modality == "speech"
    clip: Any = voice_like(TRIED_SECONDS) if speech else TRIED_TEXT
    started = time.perf_counter()
    try:
        [embedding] = extractor.extract([clip])
    except EmofuseError as error:
        if NO_SPEECH in str(error):  # and so it should be: a synthetic voice is none
            return Finding("try-out", "skip", "not tried: trim_silence leaves nothing of a synthetic voice")
        return from_error("try-out", error)
    seconds = time.perf_counter() - started
    vector, scores = embedding.vector, embedding.scores
    problems = []
    if vector.shape != (extractor.dim,) or not np.isfinite(vector).all():
        problems.append(f"expected {extractor.dim} finite values, got {np.isfinite(vector).sum()} in {vector.shape}")
    elif not np.ptp(vector):
        problems.append("all values of the vector are the same")
    if scores is not None and not math.isclose(float(scores.sum()), 1.0, abs_tol=SUM_TOLERANCE):
        problems.append(f"expected scores that add up to 1, got {scores.sum():.6g}")
    device = getattr(extractor, "device", None) or getattr(getattr(extractor, "model", None), "device", "cpu")
    what = f"{TRIED_SECONDS:.0f} s of a synthetic voice" if speech else "a sentence"
    found = f"{what} in {seconds:.2f} s on {device}: {len(vector):,} values"
    details = {"seconds": seconds, "dim": len(vector), "device": str(device), "problems": problems}
    if problems:
        todo = "Fetch the model again: its weights are damaged."
        return Finding("try-out", "fail", "\n".join([found, *problems]), todo, details)
    return Finding("try-out", "ok", found, details=details)


def _describe_speech(extractor: Emotion2vecExtractor) -> list[Finding]:
    weights, labels = extractor.weights, extractor.labels
    size = weights.path.stat().st_size
    spare = f"; {weights.training_only} only for training left out" if weights.training_only else ""
    found = _weights(size, weights.hash, weights.loaded, weights.missing, weights.unexpected, spare)
    said = f"{len(labels)}: {', '.join(labels)}" if labels else "none: the model gives vectors and no scores"
    details = {"labels": list(labels), "tokens": list(extractor.tokens)}
    return [found, Finding("labels", "ok", said, details=details)]


def _weights(size: int, digest: str, loaded: int, missing: Any, unexpected: Any, spare: str = "") -> Finding:
    found = f"{decimal(size)}; tensors: {loaded} loaded, {len(missing)} missing, {len(unexpected)} unexpected"
    if unexpected:
        found += f" ({', '.join(list(unexpected)[:2])}{' …' * (len(unexpected) > 2)})"
    details = {"size": size, "hash": digest, "loaded": loaded, "missing": [*missing], "unexpected": [*unexpected]}
    return Finding("weights", "fail" if missing else "ok", f"{found}{spare}\nhash {digest}", details=details)
