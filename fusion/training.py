"""Fits one fold, and asks a fitted model for its logits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.seed import isolate_rng
from torch import nn

from extractors.errors import InputError
from extractors.types import Modality
from fusion.callbacks import BestEpoch
from fusion.classifier import EmotionClassifier, OptimizerFactory, SchedulerFactory
from fusion.data.batches import batches_of
from fusion.data.datamodule import EmbeddingDataModule, check_finite
from fusion.data.order import Sampling
from fusion.data.table import FeatureTable
from fusion.ensemble import Ensemble
from fusion.fitted import FittedFold as FittedFold
from fusion.heads.base import Head, reads_sequences
from fusion.model import FusionModel
from fusion.quiet import quiet_lightning
from fusion.threads import fitting_threads

if TYPE_CHECKING:
    from fusion.data.splits import Fold

log = logging.getLogger(__name__)


class Scores(NamedTuple):
    """logits (rows, classes), embedding (rows, dim), weights (rows, modalities): float32, as in `HeadOutput`."""

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    weights: NDArray[np.float32]


def fit_fold(
    table: FeatureTable,
    fold: Fold,
    *,
    head: Callable[..., Head],
    loss: Callable[..., nn.Module],
    optimizer: OptimizerFactory,
    trainer: Callable[..., pl.Trainer],
    callbacks: Mapping[str, Callable[[], Callback]],
    run_dir: Path,
    modalities: Sequence[Modality] = ("speech", "text"),
    scheduler: SchedulerFactory | None = None,
    logger: Callable[..., Any] | None = None,
    modality_dropout: float = 0.0,
    sampling: Sampling = "shuffled",
    mixup: float = 0.0,
    auxiliary_loss: float = 0.0,
    batch_size: int = 64,
    seed: int = 1,
    ckpt_path: str | Path | None = None,
) -> FittedFold:
    """Train on `fold.train`, choose the epoch on `fold.val`. `fold.test` is not looked at.

    All parts are factories (Hydra partials), because a fit must not inherit another's state.

    Args:
        table: all rows.
        fold: which of them teach, and which choose.
        head: called with `dims` and `num_classes`.
        loss: called with `class_counts` of the training rows.
        optimizer: called with the parameters.
        trainer: called with `callbacks`, `logger` and `default_root_dir`.
        callbacks: name -> factory; a `BestEpoch` must be among them.
        run_dir: where a resume point and the logger write; made where it is not there.
        modalities: those to train on; one is enough.
        scheduler: called with the optimizer, or None for a constant rate.
        logger: called with `save_dir`, `name` and `version`, or None.
        modality_dropout: chance that a modality of a training row is hidden.
        sampling: the order of an epoch's rows; see `fusion.data.order.epoch_order`.
        mixup: alpha of its Beta distribution, 0 for none; see `fusion.mixup`.
        auxiliary_loss: weight of the loss of each modality alone; see `EmotionClassifier`.
        batch_size: rows a step, in each process.
        seed: of the initial weights, the order of rows, and dropout. The caller's random state is left as it was.
        ckpt_path: a `last.ckpt` of the same fit, to go on from.

    Raises InputError where a side has no usable rows, a vector is not finite, no callback chooses the epoch,
    training diverges at once, or the checkpoint is of another model.
    """
    start = time.perf_counter()
    sequences = reads_sequences(head)
    data = EmbeddingDataModule(
        table,
        fold,
        modalities=modalities,
        batch_size=batch_size,
        sampling=sampling,
        seed=seed,
        sequences=sequences,
    )
    if fits_itself(head):
        return _fit_itself(head, table, data, start=start)
    watchers = [make() for make in callbacks.values()]
    best = next((watcher for watcher in watchers if isinstance(watcher, BestEpoch)), None)
    if best is None:
        raise InputError(
            f"callbacks: none of {', '.join(callbacks) or 'none'} chooses the epoch",
            hint="Add one with _target_: fusion.callbacks.BestEpoch, as conf/callbacks/early_stopping.yaml does.",
        )
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    with quiet_lightning(), isolate_rng():
        pl.seed_everything(seed, workers=True, verbose=False)
        dims = {m: table.sequences[m].dim if sequences else table.dims[m] for m in data.modalities}
        model = FusionModel(head(dims=dims, num_classes=len(table.labels)))
        model.fit_standardizers(table, data.rows["train"])
        classifier = EmotionClassifier(
            model,
            loss=loss(class_counts=data.class_counts),
            optimizer=optimizer,
            scheduler=scheduler,
            modality_dropout=modality_dropout,
            mixup=mixup,
            auxiliary_loss=auxiliary_loss,
            seed=seed,
        )
        fitter = trainer(
            callbacks=watchers,
            logger=False if logger is None else logger(save_dir=str(run_dir), name="", version=""),
            default_root_dir=str(run_dir),
        )
        if ckpt_path is not None:
            check_checkpoint(Path(ckpt_path), classifier)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        multiply_adds = batch_size * data.frames_per_row * parameters
        with fitting_threads(multiply_adds):
            fitter.fit(classifier, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    if best.epoch < 0:
        raise InputError(
            f"training: none of {len(best.history)} epochs ended with a finite {best.monitor}, so none can be chosen",
            hint="Lower optimizer.lr where training diverged; set trainer.max_epochs to 1 or more where it never began.",
        )
    model.load_state_dict(best.weights)
    return FittedFold(model.cpu().eval(), best.epoch, best.history, time.perf_counter() - start, data.excluded)


def fits_itself(head: Callable[..., Head]) -> bool:
    """Whether the heads that this factory makes find their parameters themselves, without gradient steps."""
    return bool(getattr(getattr(head, "func", head), "fits_itself", False))


def _fit_itself(
    head: Callable[..., Head], table: FeatureTable, data: EmbeddingDataModule, *, start: float
) -> FittedFold:
    """A fit without epochs: the head is given the training and validation rows, and does it."""
    if table.soft is not None:
        log.warning(
            "labels are distributions, but this head finds its weights without gradient steps, from the likeliest label of "
            "each row; heads that are trained by gradient steps learn from the shares"
        )
    model = FusionModel(head(dims={m: table.dims[m] for m in data.modalities}, num_classes=len(table.labels)))
    model.fit_standardizers(table, data.rows["train"])
    sides = []
    for side in ("train", "val"):
        rows = torch.from_numpy(data.rows[side])
        everything = data.tensors()
        features = model.standardize({m: values[rows] for m, values in everything.features.items()})
        sides += [features, {m: there[rows] for m, there in everything.present.items()}, everything.targets[rows]]
    speakers = pd.factorize(table.rows["speaker"])[0] if "speaker" in table.rows else np.full(len(table), -1)
    groups = torch.from_numpy(speakers.astype(np.int64))  # -1: not known
    model.head.fit(*sides, groups=groups[data.rows["train"]], val_groups=groups[data.rows["val"]])  # type: ignore[operator]
    return FittedFold(model.cpu().eval(), 0, [], time.perf_counter() - start, data.excluded)


def check_checkpoint(path: Path, classifier: EmotionClassifier) -> None:
    """Raise InputError where `path` is no checkpoint, or one of a model of other parts or widths."""
    if not path.is_file():
        raise InputError(f"resume: no checkpoint at {path}")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except Exception as error:  # torch raises whatever it stumbles over in a damaged or foreign file
        raise InputError(f"resume: {path} is not a checkpoint that this version can read: {error}") from error
    here = {name: tuple(tensor.shape) for name, tensor in classifier.state_dict().items()}
    there = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    problems = [
        f"{name}: {there.get(name, 'nothing')} in the checkpoint, {here.get(name, 'nothing')} here"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]
    if problems:
        raise InputError(
            f"resume: {path} is of another model", problems, "Go on with the data and the head that it was begun with."
        )


def predict_scores(
    model: FusionModel | Ensemble,
    table: FeatureTable,
    index: NDArray[np.int64] | None = None,
    *,
    modalities: Sequence[Modality] | None = None,
) -> Scores:
    """What `model` says of the rows `index` of `table` (all where None), in that order, on the model's device.

    Args:
        model: in eval mode; its modalities must be in the table.
        table: rows to judge; their labels are not needed.
        index: which of them.
        modalities: only these are shown to the model, the others hidden; None shows all it knows.

    Raises InputError where a vector that is present is not finite.
    """
    rows = np.arange(len(table), dtype=np.int64) if index is None else index
    known: tuple[Any, ...] = model.modalities
    hidden = {m for m in known if modalities is not None and m not in modalities}
    sequences = model.head.needs_sequences
    if not sequences:
        check_finite(table, [m for m in known if m not in hidden], rows)
    device = next(chain(model.parameters(), model.buffers())).device
    parts: list[list[NDArray[np.float32]]] = []
    with torch.inference_mode():
        for features, present in batches_of(table, rows, known, sequences=sequences, device=device):
            shown = {m: torch.zeros_like(here) if m in hidden else here for m, here in present.items()}
            parts.append([part.float().cpu().numpy() for part in model(features, shown)])
    return Scores(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def predict_logits(
    model: FusionModel | Ensemble,
    table: FeatureTable,
    index: NDArray[np.int64] | None = None,
    *,
    modalities: Sequence[Modality] | None = None,
) -> NDArray[np.float32]:
    """(rows, classes) float32; see `predict_scores`."""
    return predict_scores(model, table, index, modalities=modalities).logits
