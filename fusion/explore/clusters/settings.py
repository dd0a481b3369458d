"""How clusters are looked for: every choice that changes the answer, checked before the long work."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from extractors.errors import InputError

METHODS = ("kmeans", "hdbscan")
MAPS = ("pca", "umap")
LARGE = 50_000  # clips, from which `mini_batch: auto` works in batches


@dataclass(frozen=True, kw_only=True)
class Density:
    """HDBSCAN's own settings.

    min_cluster_size : clips; None: a hundredth of what is fitted, at least 5
    min_samples      : how many neighbours make a place dense; higher, and more is noise
    dims             : principal components that it works in: density means little in a thousand dimensions
    most             : clips that are fitted, as its time grows with their square; others go with their nearest neighbours
    """

    min_cluster_size: int | None = None
    min_samples: int = 5
    dims: int = 50
    most: int = 20_000


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How firm the clusters are: refitted to `resamples` draws of a `share` of at most `most` clips. 0: not asked."""

    resamples: int = 20
    share: float = 0.8
    most: int = 5_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All of it. Raises InputError that names every setting that cannot be.

    k          : "auto", by silhouette over 2 to `k_most`, or how many; of k-means only
    mini_batch : "auto", True or False: k-means in batches (Sculley, "Web-scale k-means clustering", WWW 2010)
    map        : "pca" or "umap" (McInnes et al., "UMAP", JOSS 3(29), 2018; the extra `explore`)
    nearest    : clips that describe a cluster
    words      : words that describe it

    >>> Settings(k=3).k
    3
    >>> Settings(method="hdbscan", k=1)
    Traceback (most recent call last):
    extractors.errors.InputError: settings of the clusters
      - k: expected auto or at least 2, got 1
      - k: hdbscan finds out how many there are; leave it at auto, or say method=kmeans
    """

    method: str = "kmeans"
    k: int | str = "auto"
    k_most: int = 12
    mini_batch: bool | str = "auto"
    hdbscan: Density = field(default_factory=Density)
    stability: Resampling = field(default_factory=Resampling)
    map: str = "pca"
    nearest: int = 5
    words: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if problems := self._problems():
            raise InputError("settings of the clusters", problems)

    def _problems(self) -> list[str]:
        problems = []
        for name, choices in (("method", METHODS), ("map", MAPS)):
            if getattr(self, name) not in choices:
                problems.append(f"{name}: expected {' or '.join(choices)}, got {getattr(self, name)!r}")
        if self.k != "auto" and not _whole(self.k, 2):
            problems.append(f"k: expected auto or at least 2, got {self.k!r}")
        if self.k != "auto" and self.method == "hdbscan":
            problems.append("k: hdbscan finds out how many there are; leave it at auto, or say method=kmeans")
        if not (isinstance(self.mini_batch, bool) or self.mini_batch == "auto"):
            problems.append(f"mini_batch: expected auto, true or false, got {self.mini_batch!r}")
        if self.mini_batch is True and self.method == "hdbscan":
            problems.append("mini_batch: of k-means only; hdbscan fits at most hdbscan.most clips")
        least = {"k_most": 2, "nearest": 1, "words": 0, "seed": 0}
        problems += [_at_least(name, getattr(self, name), low) for name, low in least.items()]
        problems += [_at_least(f"hdbscan.{n}", getattr(self.hdbscan, n), 1) for n in ("min_samples", "dims")]
        problems.append(_at_least("hdbscan.most", self.hdbscan.most, 10))
        if self.hdbscan.min_cluster_size is not None:
            problems.append(_at_least("hdbscan.min_cluster_size", self.hdbscan.min_cluster_size, 2))
        problems.append(_at_least("stability.resamples", self.stability.resamples, 0))
        problems.append(_at_least("stability.most", self.stability.most, 10))
        share = self.stability.share
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            problems.append(f"stability.share: expected a share between 0 and 1, got {share!r}")
        return [problem for problem in problems if problem]

    def in_batches(self, rows: int) -> bool:
        """Whether k-means of so many clips goes by batches."""
        return rows > LARGE if self.mini_batch == "auto" else bool(self.mini_batch)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def _whole(value: Any, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _at_least(name: str, value: Any, low: int) -> str:
    return "" if _whole(value, low) else f"{name}: expected a whole number, at least {low}, got {value!r}"
