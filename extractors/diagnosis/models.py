"""A model: where it is or would come from, whether it is whole, what it is, and whether it answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.filesize import decimal

from extractors.diagnosis.finding import Finding, from_error
from extractors.diagnosis.tensors import count_text_tensors
from extractors.diagnosis.voice import voice_like
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.hubs import hub_ids
from extractors.emotion2vec.resolve import is_offline, resolve_model
from extractors.errors import EmofuseError, InputError
from extractors.text import SentenceTransformerExtractor
from extractors.text_models import resolve_text_model
from extractors.types import Extractor

TRIED_SECONDS = 2.0  # of a synthetic voice
TRIED_TEXT = "I have been waiting for an hour, and nobody told me why."
SUM_TOLERANCE = 1e-4  # of scores, which must add up to one

Build = Callable[..., Extractor]
Found = tuple[list[Finding], Extractor | None]
_Folder = TypeVar("_Folder")


def check_model(
    kind: type, build: Build, *, model: str | None, offline: bool | None, download: bool, required: bool
) -> Found:
    """Findings on an extractor of the class `kind`, and the extractor where it works.

    build(**settings) makes the extractor; settings given replace those of the configuration.
    Nothing is fetched unless `download`. A model that is not here is a warning, or a failure where it is `required`.
    """
    if issubclass(kind, Emotion2vecExtractor):
        finding = _locate_speech(str(model), offline=offline, download=download, required=required)
        describe = describe_speech
    elif issubclass(kind, SentenceTransformerExtractor):
        finding = _locate_text(str(model), offline=offline, download=download, required=required)
        describe = describe_text
    else:
        return _tried("model", build, {}, lambda extractor: [_needs_no_model(extractor)])
    if finding.status != "ok":
        return [finding], None
    findings, extractor = _tried("weights", build, {"offline": True}, describe)
    return [finding, *findings], extractor


def try_extractor(extractor: Extractor) -> Finding:
    """One forward of a synthetic voice, or of a sentence: right shapes, finite values."""
    speech = extractor.modality == "speech"
    clip: Any = voice_like(TRIED_SECONDS) if speech else TRIED_TEXT
    started = time.perf_counter()
    try:
        [embedding] = extractor.extract([clip])
    except EmofuseError as error:
        return from_error("try-out", error)
    seconds = time.perf_counter() - started
    vector, scores = embedding.vector, embedding.scores
    problems = []
    if vector.shape != (extractor.dim,) or not np.isfinite(vector).all():
        problems.append(f"expected {extractor.dim} finite values, got shape {vector.shape}")
    elif not np.ptp(vector):
        problems.append("all values of the vector are the same")
    if scores is not None and not math.isclose(float(scores.sum()), 1.0, abs_tol=SUM_TOLERANCE):
        problems.append(f"expected scores that add up to 1, got {scores.sum():.6g}")
    what = f"{TRIED_SECONDS:.0f} s of a synthetic voice" if speech else "a sentence"
    device = f" on {extractor.device}" if hasattr(extractor, "device") else ""
    found = f"{what} in {seconds:.2f} s{device}: a vector of {extractor.dim} values"
    details = {"seconds": seconds, "dim": extractor.dim, "problems": problems}
    if problems:
        return Finding("try-out", "fail", "\n".join([found, *problems]), "The weights are damaged: fetch them again.", details)
    return Finding("try-out", "ok", found, details=details)


def describe_speech(extractor: Extractor) -> list[Finding]:
    """Size, hash, tensors and classes of an Emotion2Vec+ that has loaded."""
    assert isinstance(extractor, Emotion2vecExtractor)
    weights, size = extractor.weights, extractor.weights.path.stat().st_size
    spare = f"; {weights.training_only} more serve only its training" if weights.training_only else ""
    details = {
        "size": size,
        "hash": weights.hash,
        "loaded": weights.loaded,
        "missing": list(weights.missing),
        "unexpected": list(weights.unexpected),
        "training_only": weights.training_only,
    }
    counts = _counts(weights.loaded, weights.missing, weights.unexpected) + spare
    findings = [Finding("weights", "ok", f"{decimal(size)}, {counts}\nhash {weights.hash}", details=details)]
    classes = {"labels": list(extractor.labels), "tokens": list(extractor.tokens)}
    said = f"{len(extractor.labels)}: {', '.join(extractor.labels)}" if extractor.labels else "none: vectors, no scores"
    return [*findings, Finding("classes", "ok", said, details=classes)]


def describe_text(extractor: Extractor) -> list[Finding]:
    """Size, hash and tensors of a sentence-transformers model that has loaded."""
    assert isinstance(extractor, SentenceTransformerExtractor)
    folder = extractor.folder
    size = sum(path.stat().st_size for path in folder.path.rglob("*.safetensors"))
    loaded, missing, unexpected = count_text_tensors(extractor.model, folder.path)
    details = {"size": size, "hash": folder.weight_hash, "loaded": loaded, "missing": missing, "unexpected": unexpected}
    found = f"{decimal(size)}, {_counts(loaded, missing, unexpected)}\nhash {folder.weight_hash}"
    return [Finding("weights", "ok", found, details=details)]


def _locate_speech(model: str, *, offline: bool | None, download: bool, required: bool) -> Finding:
    ids = hub_ids(model)
    hubs = ("ModelScope", "Hugging Face")
    local = ids is None or Path(model).expanduser().is_dir()
    away = (
        f"With a network: modelscope download --model {ids[0]} --local_dir FOLDER. Then give speech.model=FOLDER, or "
        "speech=acoustic, which needs no model."
        if ids
        else None
    )
    return _locate(
        lambda reach: resolve_model(model, offline=not reach),
        names="\n".join(f"{hub}: {name}" for hub, name in zip(hubs, ids or (), strict=False)),
        hubs=hubs,
        local=local,
        away=away,
        offline=offline,
        download=download,
        required=required,
    )


def _locate_text(model: str, *, offline: bool | None, download: bool, required: bool) -> Finding:
    local = model.startswith((".", "~", "/")) or model.count("/") > 1 or Path(model).expanduser().is_dir()
    name = model if "/" in model else f"sentence-transformers/{model}"
    return _locate(
        lambda reach: resolve_text_model(model, offline=not reach),
        names=f"Hugging Face: {name}",
        hubs=("hub",),
        local=local,
        away="Fetch it where there is a network and give text.model=FOLDER, or text=minilm, which comes as a package.",
        offline=offline,
        download=download,
        required=required,
    )


def _locate(
    resolve: Callable[[bool], Any],
    *,
    names: str,
    hubs: tuple[str, ...],
    local: bool,
    away: str | None,
    offline: bool | None,
    download: bool,
    required: bool,
) -> Finding:
    """`resolve(reach)` finds the folder, on a hub too where `reach`. `local`: the model is a folder that the user named."""
    alone = is_offline(offline)
    try:
        folder = resolve(download and not alone)
    except InputError as error:
        # a hub that nobody asked has nothing to say
        places = [problem for problem in error.problems if download or not problem.startswith(hubs)]
        details = {"places": places, "offline": alone}
        if local:
            folder_first = "\n".join(place for place in places if place.startswith("folder"))
            return Finding("model", "fail", folder_first or error.summary, "Fetch or copy the whole folder again.", details)
        partly = [place for place in places if not place.endswith("does not exist") and "does not have" not in place]
        if alone or download:
            status, todo = "fail" if required else "warn", away or error.hint or ""
            found = "not on this machine" + (", and this is offline" if alone else ", and no hub gave it")
        else:
            status, todo = "fail" if required else "warn", "Repeat this with download=true, or leave it to the first run."
            found = "not on this machine; it would come from"
        return Finding("model", status, "\n".join([found, *names.split("\n"), *partly]), todo, details)
    details = {"model_id": folder.model_id, "source": folder.source, "path": str(folder.path)}
    return Finding("model", "ok", f"{folder.model_id}, {folder.source}\n{folder.path}", details=details)


def _tried(check: str, build: Build, settings: dict[str, Any], describe: Callable[[Extractor], list[Finding]]) -> Found:
    try:
        extractor = build(**settings)
    except EmofuseError as error:
        return [from_error(check, error)], None
    answer = try_extractor(extractor)
    return [*describe(extractor), answer], extractor if answer.status == "ok" else None


def _needs_no_model(extractor: Extractor) -> Finding:
    return Finding("model", "ok", f"{extractor.name}: computed, no weights", details={"name": extractor.name})


def _counts(loaded: int, missing: Any, unexpected: Any) -> str:
    said = f"{loaded} tensors loaded, {len(missing)} missing, {len(unexpected)} unexpected"
    return said + (f" ({', '.join(list(unexpected)[:2])}{' …' * (len(unexpected) > 2)})" if unexpected else "")
