"""What an index's folder says of itself: which table is the current one, and what its vectors mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from extractors.errors import InputError
from extractors.files import write_text
from fusion.explore.collection import Maker
from fusion.explore.similar.reference import Reference

FORMAT = 1
NAME = "index.json"
QUANTILES = 2001  # of the cosines of random pairs that are kept


@dataclass(frozen=True)
class Record:
    """index.json of an index's folder; replaced in one step, so that readers see the old index or the new one.

    table      : name of the LanceDB table beside it
    collection : what it is of, for people: the manifest's path, "the whole store"
    state      : of the collection when the index was last brought up to date
    asked_space: the space that was asked for: a kind, to be fitted again with a rebuild, or a name
    space      : name of the space, kept in the store
    rows       : of the table
    trained    : rows that the vector index was trained on; 0 where there is none and every row is looked at
    columns    : name -> type of the metadata
    language   : of the stems of keywords; None: words as they are
    pairs      : quantiles of the cosines of random pairs, ascending
    """

    table: str
    maker: Maker
    collection: str
    state: str
    asked_space: str
    space: str
    rows: int
    trained: int
    columns: Mapping[str, str]
    language: str | None = None
    pairs: tuple[float, ...] = field(default=())

    @property
    def percentiles(self) -> Reference | None:
        """The cosines of random pairs, as far as the quantiles say them."""
        if not self.pairs:
            return None
        return Reference("random pairs", np.array(self.pairs, np.float32), self.rows * (self.rows - 1) // 2)

    def write(self, folder: Path) -> None:
        """Atomically."""
        write_text(folder / NAME, json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=1) + "\n")


def read_record(folder: Path) -> Record | None:
    """The record of an index's folder, or None where there is no index. InputError where it is damaged or of another kind."""
    path = folder / NAME
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if said.pop("format") != FORMAT:
            raise ValueError("of another version of Emofuse")
        return Record(**{**said, "maker": Maker(**said["maker"]), "pairs": tuple(map(float, said["pairs"]))})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"index: {path} cannot be used: {error}", hint="Build it anew: index.rebuild=true, or remove the folder."
        ) from error


def quantiles_of(reference: Reference) -> tuple[float, ...]:
    """What of a reference is kept."""
    if not len(reference):
        return ()
    shares = np.linspace(0, 1, min(QUANTILES, len(reference)))
    return tuple(round(float(value), 6) for value in np.quantile(reference.values, shares))
