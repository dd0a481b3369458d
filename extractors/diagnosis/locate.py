"""Where a model is or would come from. Nothing is fetched unless that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from extractors.diagnosis.finding import Finding, Status
from extractors.emotion2vec.extractor import LICENCE
from extractors.emotion2vec.hubs import hub_ids
from extractors.emotion2vec.resolve import resolve_model
from extractors.errors import InputError
from extractors.offline import is_offline
from extractors.text_models import resolve_text_model

HUBS = ("ModelScope:", "Hugging Face:", "hub:")  # how the resolvers begin a line on a hub itself, asked or not


class Located(Protocol):
    """What the resolvers give."""

    @property
    def path(self) -> Path: ...
    @property
    def model_id(self) -> str: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that the configuration names.

    resolve : its folder; given True it may reach for a hub. Raises InputError with a line for each place
    folder : whether the name is that of a folder, so that no hub can help
    hubs : the name of each hub that may have it -> the model's id there
    away : how to come by the model without a network here
    licence : of what the hubs have, where it is not a usual one
    """

    resolve: Callable[[bool], Located]
    folder: bool
    hubs: dict[str, str]
    away: str
    licence: str | None = None


def wanted_speech(model: str) -> Wanted:
    """An Emotion2Vec+, by folder, hub id or short name."""
    ids = hub_ids(model)
    return Wanted(
        resolve=lambda reach: resolve_model(model, offline=not reach),
        folder=ids is None or Path(model).expanduser().is_dir(),
        hubs=dict(zip(("ModelScope", "Hugging Face"), ids or (), strict=False)),
        away=f"Where there is a network: modelscope download --model {(ids or [model])[0]} --local_dir FOLDER. Then give "
        "speech.model=FOLDER, or speech=acoustic, which needs no model.",
        licence=LICENCE,
    )


def wanted_text(model: str) -> Wanted:
    """A sentence-transformers model, by folder or name."""
    return Wanted(
        resolve=lambda reach: resolve_text_model(model, offline=not reach),
        folder=model.startswith((".", "~", "/")) or model.count("/") > 1 or Path(model).expanduser().is_dir(),
        hubs={"Hugging Face": model if "/" in model else f"sentence-transformers/{model}"},
        away="Fetch it where there is a network and give text.model=FOLDER, or text=minilm, which comes as a package.",
    )


def locate(wanted: Wanted, *, offline: bool | None, download: bool, required: bool) -> Finding:
    """Where the model is ("ok"), would come from ("warn"; "fail" where it is `required` now), or what is wrong ("fail").

    >>> finding = locate(wanted_speech("/nowhere"), offline=None, download=False, required=False)
    >>> finding.status, finding.found
    ('fail', 'folder /nowhere: does not exist')
    """
    alone = is_offline(offline)
    try:
        folder = wanted.resolve(download and not alone)
    except InputError as error:
        return _missing(wanted, error, alone=alone, download=download, required=required)
    details = {"model_id": folder.model_id, "source": folder.source, "path": str(folder.path)}
    found = [f"{folder.model_id} ({folder.source})", str(folder.path)]
    if wanted.licence and folder.source != "folder":
        found.append(f"licence: {wanted.licence}")
    return Finding("model", "ok", "\n".join(found), details=details)


def _missing(wanted: Wanted, error: InputError, *, alone: bool, download: bool, required: bool) -> Finding:
    asked = download and not alone
    places = [place for place in error.problems if asked or not place.startswith(HUBS)]
    details = {"places": places, "hubs": wanted.hubs, "offline": alone}
    if wanted.folder:
        broken = "\n".join(place for place in places if place.startswith("folder ")) or error.summary
        return Finding("model", "fail", broken, "Copy or fetch the whole folder again, or name another one.", details)
    status: Status = "fail" if required or download else "warn"
    ids = [f"{hub} ({model})" for hub, model in wanted.hubs.items()]
    # empty caches are no news; a half of a model in one, or what a hub said, is
    partly = [place for place in places if not place.endswith("does not exist") and "does not have" not in place]
    if asked:
        return Finding("model", "fail", "\n".join(["could not be fetched", *partly]), wanted.away, details)
    if alone:
        found = [f"not on this machine, and offline it cannot come from {', else '.join(ids)}", *partly]
        return Finding("model", status, "\n".join(found), wanted.away, details)
    found = [f"not on this machine; it would come from {', else '.join(ids)}", *partly]
    if wanted.licence:
        found.append(f"licence: {wanted.licence}")
    todo = "To fetch it now, repeat this with download=true." + (
        "" if required else " Else the first run that needs it does."
    )
    return Finding("model", status, "\n".join(found), todo, details)
