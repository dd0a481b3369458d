"""The encoder that stands for vectors made elsewhere. It has a name and a width, and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.types import Embedding, Modality

PUBLISHED_DIMS = {"emotion2vec_plus_seed": 768, "emotion2vec_plus_base": 768, "emotion2vec_plus_large": 1024}


class NotImportedError(InputError):
    """A clip was asked for that has no imported vector."""

    reason = "has no imported vector, and imported vectors cannot be computed; `emofuse import` it"

    def __init__(self) -> None:
        super().__init__(f"the clip {self.reason}")


class ImportedVectors:
    """Speech vectors that `emofuse import` brought into the store, under a fingerprint of their own.

    Nobody can see from a vector which weights, which resampler and which windows made it. So imported vectors are
    never taken for ones that Emofuse computed, whatever model they are said to come from: their fingerprint covers
    that they are imported, the model named, the width and `origin`, and nothing else. `train speech=imported` uses
    exactly those; a clip that has none is a listed failure. To mix them with computed ones, say so when importing
    (`same_weights=true`, checked on a few clips): they then go under the model's own fingerprint, and this class is
    not involved. A classifier trained on imported vectors hears new audio only once its vectors are imported too.

    model      : the model named; of a path or a hub id, the last part counts
    dim        : width of the vectors; None: as the model's folder on this machine says, or as published
    origin     : any words that keep two imports apart, such as "cluster, FunASR 1.1"; the same words find them again
    frame_rate : frames a second, None where there are none; only told, it changes no number

    Raises InputError where the width is not known.

    >>> vectors = ImportedVectors(model="iic/emotion2vec_plus_large")
    >>> vectors.name, vectors.dim
    ('imported_emotion2vec_plus_large', 1024)
    >>> vectors.extract([None])
    Traceback (most recent call last):
    extractors.importing.vectors.NotImportedError: the clip has no imported vector, and imported vectors cannot be ...
    """

    modality: Modality = "speech"

    def __init__(
        self, *, model: str, dim: int | None = None, origin: str | None = None, frame_rate: float | None = 50.0
    ) -> None:
        known = dimension_of(model) if dim is None else dim
        if known is None or known < 1:
            raise InputError(
                f"imported vectors of {model}: expected their width, got {dim}",
                hint="Give dim: the last number of a file's shape.",
            )
        self.model, self.dim, self.origin = short_name(model), int(known), str(origin or "")
        self.frame_rate = frame_rate

    @property
    def name(self) -> str:
        return f"imported_{self.model}"

    @property
    def fingerprint(self) -> str:
        return fingerprint({"imported": True, "model": self.model, "dim": self.dim, "origin": self.origin})

    def describe(self) -> dict[str, Any]:
        """What the fingerprint covers, and the rest, JSON-able."""
        return {
            "name": self.name,
            "imported": True,
            "model": self.model,
            "dim": self.dim,
            "origin": self.origin,
            "frame_rate": self.frame_rate,
        }

    def extract(self, clips: Sequence[Any], *, frames: bool = False) -> list[Embedding]:
        """Raises NotImportedError for whatever is asked; nothing is computed here."""
        if clips:
            raise NotImportedError
        return []


def short_name(model: str) -> str:
    """
    >>> short_name("iic/emotion2vec_plus_large"), short_name("models/tiny/")
    ('emotion2vec_plus_large', 'tiny')
    """
    return Path(model).name or model


def dimension_of(model: str) -> int | None:
    """Width of a model's vectors, by its `config.yaml` where it is on this machine, else as published; None: unknown.

    Loads no weights and reaches for no hub.
    """
    from extractors.emotion2vec.folder import read_config
    from extractors.emotion2vec.resolve import resolve_model

    try:
        return int(read_config(resolve_model(model, offline=True).path).model_conf["embed_dim"])
    except (InputError, KeyError, TypeError, ValueError):
        return PUBLISHED_DIMS.get(short_name(model))
