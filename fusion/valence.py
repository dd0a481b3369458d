"""Valence of what a classifier says: from -1, unpleasant, to 1, pleasant, by a map from labels that the user can see."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from extractors.errors import InputError

log = logging.getLogger(__name__)

LEAST_COVERAGE = 0.5  # share of the probability mass that must have a valence

Values = Mapping[str, float | None]


@dataclass(frozen=True)
class ValenceMap:
    """Label -> valence in [-1, 1]; None where a label is excluded on purpose.

    A label that is not in the map is excluded as well; `load_valence` warns of it. Case does not matter.

    >>> nine = ValenceMap("mine", {"angry": -1.0, "happy": 1.0, "neutral": 0.0, "other": None})
    >>> nine({"angry": 0.6, "happy": 0.1, "neutral": 0.1, "other": 0.2})
    -0.625
    >>> print(nine({"angry": 0.4, "other": 0.6}))
    None
    """

    name: str
    values: Values
    _folded: dict[str, float | None] = field(init=False, repr=False, compare=False)
    _seen: dict[str, float | None] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", {str(label).casefold(): value for label, value in self.values.items()})

    def of(self, label: str) -> float | None:
        """The valence of one label; None where it has none."""
        try:
            return self._seen[label]
        except KeyError:
            return self._seen.setdefault(label, self._folded.get(label.casefold()))

    def without_entry(self, labels: Sequence[str]) -> list[str]:
        """Those of `labels` of which the map says nothing, not even that they are excluded."""
        return [label for label in labels if label.casefold() not in self._folded]

    def __call__(self, probabilities: Mapping[str, float]) -> float | None:
        """v = Σ p·v / Σ p over the labels with a valence; None where these have less than half of the mass."""
        total = covered = weighted = 0.0
        for label, probability in probabilities.items():
            total += probability
            if (value := self.of(label)) is not None:
                covered += probability
                weighted += probability * value
        return weighted / covered if covered > 0 and covered >= LEAST_COVERAGE * total else None

    def coverage(self, probabilities: Mapping[str, float]) -> float:
        """Share of the probability mass that has a valence; 0 where there is no mass."""
        total = sum(probabilities.values())
        covered = sum(p for label, p in probabilities.items() if self.of(label) is not None)
        return covered / total if total > 0 else 0.0

    def of_rows(self, probabilities: NDArray[np.floating], labels: Sequence[str]) -> NDArray[np.float64]:
        """(rows, classes) in the order of `labels` -> (rows,) float64; NaN where a row has no valence.

        >>> nine = ValenceMap("mine", {"angry": -1.0, "happy": 1.0, "other": None})
        >>> nine.of_rows(np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]), ["angry", "happy", "other"]).round(3).tolist()
        [-0.333, nan]
        """
        rows = np.asarray(probabilities, np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(labels):
            raise InputError(f"expected probabilities of shape (rows, {len(labels)}), got {rows.shape}")
        values = [self.of(label) for label in labels]
        has = np.array([value is not None for value in values], bool)
        covered = rows[:, has].sum(axis=1)
        weighted = rows[:, has] @ np.array([value for value in values if value is not None], np.float64)
        known = (covered > 0) & (covered >= LEAST_COVERAGE * rows.sum(axis=1))
        return np.where(known, weighted / np.where(known, covered, 1.0), np.nan)


def load_valence(source: str | Path | Values, *, labels: Sequence[str] | None = None) -> ValenceMap:
    """A map by its name in conf/tables/valence, from a YAML file of `label: number`, or from a mapping.

    With `labels` given, warns of those that the map does not know; raises InputError where none of them has a valence.

    >>> load_valence("emotion2vec", labels=["angry", "happy", "other"]).of("angry")
    -1.0
    >>> load_valence("emotion2vek")
    Traceback (most recent call last):
    extractors.errors.InputError: valence: there is no map 'emotion2vek'; did you mean 'emotion2vec'?
    In conf/tables/valence there are default, emodb, emotion2vec, iemocap, meld, ravdess, sentiment. Or give a YAML file.
    """
    found = ValenceMap("given", _checked(source, "valence")) if isinstance(source, Mapping) else _read(source)
    if labels is None:
        return found
    if all(found.of(label) is None for label in labels):
        raise InputError(
            f"valence: no label of {', '.join(labels)} has one in the map {found.name!r}",
            hint="Write a YAML file of your own, `label: number from -1 to 1`, and name it: valence=mine.yaml",
        )
    if unknown := found.without_entry(labels):
        log.warning(
            "valence: the map %s has no entry for %s: excluded (null in the map says so without a warning)",
            found.name,
            ", ".join(unknown),
        )
    return found


def _read(source: str | Path) -> ValenceMap:
    from fusion.configuration import conf_folder

    path, name = Path(source).expanduser(), str(source)
    packaged = conf_folder() / "tables" / "valence"
    if path.suffix not in (".yaml", ".yml"):
        path = packaged / f"{name}.yaml"
        if not path.is_file() or path.parent != packaged:
            names = sorted(file.stem for file in packaged.glob("*.yaml"))
            near = difflib.get_close_matches(name, names, n=1)
            raise InputError(
                f"valence: there is no map {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
                hint=f"In conf/tables/valence there are {', '.join(names)}. Or give a YAML file.",
            )
    return ValenceMap(path.stem if path.parent == packaged else str(path), _checked(read_yaml(path), str(path)))


def read_yaml(path: Path) -> Mapping[str, object]:
    """A YAML file whose top is a mapping, as plain data. Nothing in it is run, and `${…}` stays text."""
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    try:
        content = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(content, DictConfig):
        raise InputError(f"{path}: expected a mapping of names, got {type(content).__name__.removesuffix('Config')}")
    plain = OmegaConf.to_container(content, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _checked(values: Mapping[str, object], where: str) -> dict[str, float | None]:
    problems: list[str] = []
    checked: dict[str, float | None] = {}
    for label, value in values.items():
        if value is None:
            checked[str(label)] = None
        elif isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
            problems.append(f"{label}: expected a number from -1 to 1, or null, got {value!r}")
        else:
            checked[str(label)] = float(value)
    if not problems and all(value is None for value in checked.values()):
        problems.append("no label has a valence")
    if problems:
        raise InputError(f"{where}: {len(problems)} problems" if len(problems) > 1 else where, problems)
    return checked
