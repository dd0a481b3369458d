"""What comes of one fit, in memory and on disk, so that an interrupted run need not do it again."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.torch import load, save

from extractors.files import write_bytes, write_text
from fusion.callbacks import LAST
from fusion.data.folds import Fold
from fusion.data.table import FeatureTable
from fusion.heads.base import Head
from fusion.model import FusionModel

log = logging.getLogger(__name__)

WEIGHTS, RECORD = "fitted.safetensors", "fitted.json"
BEGUN = "begun.json"  # which fit a checkpoint beside it belongs to


@dataclass(frozen=True)
class FittedFold:
    """What came of one fit.

    model      : on the CPU, in eval mode, with the weights of the best epoch by validation
    best_epoch : counted from 0
    history    : for each epoch its `epoch`, `train/loss`, `val/loss`, `val/uar`, `val/wa`
    seconds    : wall time of the fit; of fits trained together, a fit's share of the time
    excluded   : side -> reason -> rows that could not be used
    """

    model: FusionModel
    best_epoch: int
    history: list[dict[str, float]]
    seconds: float
    excluded: dict[str, dict[str, int]]

    @property
    def parameters(self) -> int:
        """How many numbers the fit learned."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def digest_of(table: FeatureTable) -> str:
    """A digest of a table's rows: vectors, labels, and the words, clips and speakers by which they are divided."""
    digest = hashlib.blake2b(digest_size=16)
    described = {m: table.encoders.get(m, {}).get("fingerprint") for m in table.features}
    digest.update(json.dumps([table.labels, table.dims, described], sort_keys=True).encode())
    for column in ("id", "speaker", "text", "content"):
        values = table.rows.get(column, ())
        digest.update(json.dumps([None if pd.isna(value) else str(value) for value in values]).encode())
    arrays = [table.targets, *table.present.values(), *table.features.values()]
    for array in arrays + ([] if table.soft is None else [table.soft]):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def identify(table: str, fold: Fold, *, settings: str) -> str:
    """A digest of all that decides a fit: the table (its `digest_of`), the rows of the fold, and the `settings`."""
    digest = hashlib.blake2b(json.dumps([table, settings]).encode(), digest_size=16)
    for rows in (fold.train, fold.val):
        digest.update(np.ascontiguousarray(rows).tobytes() + b"/")
    return digest.hexdigest()


def note_begun(folder: Path, identity: str) -> None:
    """Write which fit begins in `folder`, so that a checkpoint there is never taken for another's."""
    write_text(folder / BEGUN, json.dumps({"identity": identity}) + "\n")


def was_begun(folder: Path, identity: str) -> bool:
    """Whether `folder` has a checkpoint of this very fit."""
    try:
        noted = json.loads((folder / BEGUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(noted, dict) and noted.get("identity") == identity and (folder / LAST).is_file()


def save_fitted(folder: Path, fitted: FittedFold, identity: str) -> None:
    """Write a finished fit into `folder`; the record last, so that a fit with a record is whole."""
    (folder / RECORD).unlink(missing_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in fitted.model.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(state))
    record = {
        "identity": identity,
        "dims": dict(fitted.model.head.dims),
        "best_epoch": fitted.best_epoch,
        "history": fitted.history,
        "seconds": fitted.seconds,
        "excluded": fitted.excluded,
    }
    write_text(folder / RECORD, json.dumps(record) + "\n")


def load_fitted(folder: Path, identity: str, *, head: Any, num_classes: int) -> FittedFold | None:
    """The finished fit in `folder`, or None where there is none, or one of other rows or settings.

    head : factory, called with `dims` and `num_classes`
    """
    if not (folder / RECORD).is_file():
        return None
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["identity"] != identity:
            log.info("%s is of other rows or settings: not used", folder)
            return None
        built: Head = head(dims=record["dims"], num_classes=num_classes)
        model = FusionModel(built)
        model.load_state_dict(load((folder / WEIGHTS).read_bytes()))
    except Exception as error:  # damaged by a kill or by hand: the fit is then done again
        log.warning("%s cannot be read and is fitted again: %s", folder, str(error).splitlines()[0])
        return None
    return FittedFold(model.eval(), record["best_epoch"], record["history"], record["seconds"], record["excluded"])
