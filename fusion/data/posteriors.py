"""`data=posteriors`: what finished models say of each class, joined by id and class name, never by position."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import MODALITIES, Modality
from fusion.data.features import LabelNames
from fusion.data.posterior_files import OutputFiles, Outputs, read_outputs
from fusion.data.posterior_join import (
    SHOWN,
    class_problems,
    difference,
    identified,
    joined_rows,
    near,
    places,
    some,
    split_problems,
    twice,
    words_by_id,
)
from fusion.data.sources import Extractors
from fusion.data.table import FeatureTable

if TYPE_CHECKING:
    from extractors.store import EmbeddingStore
    from fusion.predictor import Prediction, Predictor

log = logging.getLogger(__name__)

RESERVED = ("fusion", "both", "all", "difference")  # what results call all models together

LearnFrom = Literal["held_out", "in_sample"]

CROSS_FITTED = (
    "Class outputs of finished models were fused. The fusion was learnt on rows that the models were not trained on; for "
    "each fold these are rows of other folds, whose models were trained on speakers that this fold tests."
)
KNOWN_BY_HEART = (
    "Class outputs of finished models were fused, by weights learnt on the very rows that these models were trained on "
    "(learn_from=in_sample): the model that knows them best is trusted too much."
)


class PosteriorsSource:
    """Class outputs of several models: a row has what each of them says of one clip.

    A model is a modality of the table under the name it has here; its features are log-probabilities, (rows, classes) in
    the order of the labels. A row that a model's files lack, or leave empty, has no such modality. No extractor and no
    store is ever built.

    Where files say folds, a row stands for a clip as the models of one fold see it: the same clip has other outputs in
    another fold. A model without folds says the same in all. Rows that are not tested have the fold in their id.

    Args:
        sources: name -> the arguments of `OutputFiles`, of two models or more, or of one.
        about: the arguments of `OutputFiles` for a table of id, label, speaker, …, where the models' files do not say.
        learn_from: `held_out` leaves out the rows that a model was trained on (`split` says train), for its outputs on
            them are not what it says of anything new; `in_sample` keeps them.
        label_names: names for labels that are codes: a mapping, or a list for 0, 1, ….
        labels: the order of the classes; by default that of `label_names`, else sorted.
        require_label: False where labels are not needed, as for prediction.
        names_modalities: models may go by any name; False: by speech and text only.
        notice: what whoever reads the results must know of this data; `load` adds what it finds.
    """

    def __init__(
        self,
        *,
        sources: Mapping[str, Mapping[str, Any]],
        about: Mapping[str, Any] | None = None,
        learn_from: LearnFrom = "held_out",
        label_names: LabelNames | None = None,
        labels: Sequence[str] | None = None,
        require_label: bool = True,
        names_modalities: bool = True,
        notice: str | None = None,
    ) -> None:
        problems: list[str] = []
        self.files: dict[str, OutputFiles] = {}
        for name, given in sources.items():
            if (files := _files(f"sources.{name}", given, problems)) is not None:
                self.files[str(name)] = files
        self.about = None if about is None else _files("about", about, problems)
        for name in map(str, sources):
            if name.casefold() in RESERVED or not re.fullmatch(r"[\w-]+", name):
                problems.append(
                    f"sources: expected a name of letters, digits, _ and - that results do not use themselves "
                    f"({', '.join(RESERVED)}), got {name!r}"
                )
        if not sources:
            problems.append("sources: expected a model or more, as {speech: {files: …, kind: …, classes: …}}")
        if learn_from not in get_args(LearnFrom):
            problems.append(f"learn_from: expected {' or '.join(get_args(LearnFrom))}, got {learn_from!r}")
        if not names_modalities and (free := [name for name in self.files if name not in MODALITIES]):
            problems.append(f"sources: expected {' and '.join(MODALITIES)}, got {', '.join(free)}")
        if problems:
            raise InputError("data=posteriors: the settings do not work", problems)
        self.learn_from, self.label_names, self.require_label = learn_from, label_names, require_label
        self.labels = None if labels is None else tuple(map(str, labels))
        self.notice = self._given_notice = notice

    def read(self, *, labels: Sequence[str] | None = None) -> FeatureTable:
        """The checked table, all its models.

        `labels`: the classes that a bundle knows, in its order. It is asked about every row, whoever was trained on it.

        Raises InputError with everything that is wrong with all files.
        """
        read: dict[str, Outputs] = {}
        problems: list[str] = []
        for name, files in self.files.items():
            found, wrong = read_outputs(files)
            problems += [f"{name}: {line}" for line in wrong]
            if found is not None:
                read[name] = found
        about, wrong = read_outputs(self.about, outputs=False) if self.about is not None else (None, [])
        problems += [f"about: {line}" for line in wrong]
        problems += class_problems({name: outputs.classes for name, outputs in read.items()})
        problems += [line for name, outputs in read.items() for line in twice(name, outputs.rows)]
        problems += split_problems(read)
        if problems:
            raise InputError(f"the class outputs do not fit together: {len(problems):,} problems", problems)
        rows = joined_rows(read)
        said = [*read.items(), *([("about", about)] if about is not None else [])]
        self._name_labels([outputs.rows for _, outputs in said], problems)
        words = words_by_id(said, problems)
        names = [words["label"].get(id) for id in rows["id"]]
        classes = sorted(next(iter(read.values())).classes)
        order = tuple(labels) if labels is not None else self._order(classes, problems)
        self._check_labels(names, rows, classes, problems)
        if problems:
            raise InputError(f"the class outputs do not fit together: {len(problems):,} problems", problems)
        if set(order) != set(classes):
            differ = difference("the bundle", order, "these models", classes)
            raise InputError("these class outputs are not of the classes that were asked for", differ)
        for word, values in words.items():
            rows[word] = [values.get(id) for id in rows["id"]]
        rows["content"] = rows["id"]  # the leak check then knows a clip in whichever fold it stands
        self._judge_folds(rows)
        return self._table(read, rows, order, held_out=self.learn_from == "held_out" and labels is None)

    def load(
        self,
        *,
        extractors: Extractors,
        store: Callable[[], EmbeddingStore],
        modalities: Sequence[Modality],
        run_dir: Path,
        max_failed: float = 0.05,
        workers: int | None = None,
        frames: bool = False,
        check: Callable[[FeatureTable], object] | None = None,
    ) -> FeatureTable:
        """The table seen through `modalities`, names of `sources`. Rows with none of them are left out."""
        if frames:
            raise InputError("this head reads sequences, and class outputs are none: take head=vote or head=stacking")
        if absent := [name for name in modalities if name not in self.files]:
            raise InputError(
                f"modalities: no class outputs of {', '.join(absent)}; data.sources has {', '.join(self.files)}",
                hint=f"Set modalities=[{','.join(self.files)}].",
            )
        table = self.read().only(modalities)
        rows = np.flatnonzero(np.any([table.present[modality] for modality in modalities], axis=0))
        if len(rows) < len(table):
            log.warning(
                "%d of %d rows have none of %s: left out", len(table) - len(rows), len(table), ", ".join(modalities)
            )
            table = table.take(rows)
        if check is not None:
            check(table)
        return table

    def predict(self, predictor: Predictor, *, store: Callable[[], EmbeddingStore], run_dir: Path) -> list[Prediction]:
        """A prediction a row, in the files' order; classes are matched to the bundle's by name."""
        table = self.read(labels=predictor.labels)
        dims = predictor.info.dims
        if not set(dims) & set(table.features):
            raise InputError(f"the bundle needs {' or '.join(dims)}; data.sources has {', '.join(table.features)}")
        features = {m: table.features.get(m, np.zeros((len(table), dim), np.float32)) for m, dim in dims.items()}
        present = {m: table.present.get(m, np.zeros(len(table), bool)) for m in dims}
        heard = np.any(list(present.values()), axis=0)
        predictions = predictor.predict_features(table.rows["id"].tolist(), features, present)
        return [
            prediction if known else type(prediction)(id=prediction.id, error="nothing to go by")
            for prediction, known in zip(predictions, heard, strict=True)
        ]

    def _name_labels(self, frames: Sequence[pd.DataFrame], problems: list[str]) -> None:
        """Put names in the place of codes, in the column `label` of each."""
        if self.label_names is None:
            return
        names = self.label_names if isinstance(self.label_names, Mapping) else dict(enumerate(self.label_names))
        named = {str(code): str(name) for code, name in names.items()}
        unnamed: set[str] = set()
        for frame in frames:
            codes = frame["label"]
            unnamed |= set(codes.dropna().unique()) - set(named)
            frame["label"] = [named.get(code) for code in codes]
        if unnamed:
            problems.append(f"label_names has no name for {', '.join(map(repr, sorted(unnamed)))}")

    def _order(self, classes: Sequence[str], problems: list[str]) -> tuple[str, ...]:
        if self.labels is not None:
            if len(set(self.labels)) < len(self.labels) or set(self.labels) != set(classes):
                problems += difference("labels", self.labels, "the models", classes) or ["labels: a class stands twice"]
            return tuple(dict.fromkeys(self.labels))
        if self.label_names is not None:
            names = self.label_names.values() if isinstance(self.label_names, Mapping) else self.label_names
            order = tuple(dict.fromkeys(map(str, names)))
            return order if set(order) == set(classes) else tuple(classes)
        return tuple(classes)

    def _check_labels(
        self, names: Sequence[str | None], rows: pd.DataFrame, classes: Sequence[str], problems: list[str]
    ) -> None:
        foreign = sorted({name for name in names if name is not None and name not in classes})
        if foreign:
            alike = [f"{name!r}{near(name, classes)}" for name in foreign]
            problems.append(f"labels that no model knows: {', '.join(alike)}; the classes are {', '.join(classes)}")
        if not self.require_label:
            return
        silent = [id for id, name in zip(rows["id"], names, strict=True) if name is None]
        if silent:
            told = "no row has a label" if len(silent) == len(names) else f"no label: {some(silent)}"
            problems.append(f"{told}; say which column it is (sources.NAME.label), or give a table (about)")
        elif not foreign and (unused := [name for name in classes if name not in names]):
            problems.append(f"no row has the label {', '.join(map(repr, unused))}, of which the models speak")

    def _judge_folds(self, rows: pd.DataFrame) -> None:
        """Write into `notice` how the fusion is learnt, and whether the models were trained on speakers of their test."""
        told = [] if self._given_notice is None else [self._given_notice]
        parts = rows["split"]
        if (parts == "train").any() and self.learn_from == "in_sample":
            told.append(KNOWN_BY_HEART)
        elif rows["fold"].nunique() > 1 and not (parts == "val").any():
            told.append(CROSS_FITTED)
        sides = rows[rows["speaker"].notna() & parts.notna()]
        heard = sides[sides["split"] == "train"].groupby("fold", dropna=False)["speaker"].agg(set)
        tested = sides[sides["split"] == "test"].groupby("fold", dropna=False)["speaker"].agg(set)
        shared = [
            f"fold {fold!r}: {some(sorted(both))}"
            for fold, known in heard.items()
            if (both := known & tested.get(fold, set()))
        ]
        if shared:
            told.append(f"The models were trained on speakers that they are tested on ({'; '.join(shared[:SHOWN])}).")
            log.warning("%s", told[-1])
        self.notice = " ".join(told) or None

    def _table(
        self, read: Mapping[str, Outputs], rows: pd.DataFrame, order: tuple[str, ...], *, held_out: bool
    ) -> FeatureTable:
        features: dict[Modality, NDArray[np.float32]] = {}
        present: dict[Modality, NDArray[np.bool_]] = {}
        dropped = 0
        for name, outputs in read.items():
            place = places(outputs.rows, rows)  # (rows,) -1 where the model has no such row
            there = (place >= 0) & ~np.isnan(outputs.values[place, 0])
            if held_out:
                own = outputs.rows["split"].to_numpy(dtype=object)[place] == "train"
                dropped += int((there & own).sum())
                there &= ~own
            columns = [outputs.classes.index(label) for label in order]
            values = np.where(there[:, None], outputs.values[place][:, columns], 0.0)
            features[name], present[name] = values.astype(np.float32), there  # type: ignore[index]
        if dropped:
            log.info(
                "%s outputs on rows that the models were trained on: left out (learn_from=held_out)", f"{dropped:,}"
            )
        number = {label: code for code, label in enumerate(order)}
        targets = np.array([number.get(label, -1) for label in rows["label"]], dtype=np.int64)
        table = FeatureTable(features, present, targets, order, identified(rows))
        if not dropped:
            return table
        kept = np.flatnonzero(np.any(list(present.values()), axis=0))
        if not len(kept):
            raise InputError(
                "every row is one that the models were trained on (split says train)",
                hint="Bring rows that they were not trained on: `test`, or none of train, val and test.",
            )
        return table.take(kept)


def _files(name: str, given: Mapping[str, Any], problems: list[str]) -> OutputFiles | None:
    """`OutputFiles` of a configuration, its own mistakes noted."""
    try:
        files = OutputFiles(**{str(key): value for key, value in given.items()})
    except TypeError as error:
        problems.append(f"{name}: {str(error).removeprefix('OutputFiles.__init__() ')}")
        return None
    problems += [f"{name}: {line}" for line in files.wrong()] if name != "about" else []
    return files
