"""In a few sentences: how the clusters were found, and what to beware of."""

from __future__ import annotations

import re

from fusion.explore.clusters.result import Clusters
from fusion.explore.clusters.silhouette import WEAK

FIRM, LOOSE = 0.75, 0.6  # Hennig's bounds of a cluster's Jaccard index
MUCH_NOISE = 0.5  # share
CAUTION = "Clusters group what the encoder finds alike, voices and rooms too; they are no diagnosis of anybody."


def how_found(found: Clusters) -> str:
    """The method and its size, in a line."""
    what = found.settings.method
    if found.mini_batch:
        what = "mini-batch kmeans"
    choice = found.choice
    k = f", k={len(found)}" + ("" if choice is None else f" by silhouette (2 to {max(choice.tried, default=2)} tried)")
    if what == "hdbscan":
        k = f", {len(found)} clusters, {found.noise:,} clips are noise"
    return f"{len(found.collection):,} clips of {found.collection.maker.name}, {found.space}: {what}{k}"


def firmness(found: Clusters) -> list[str]:
    """Silhouette, stability and agreement, each in a line."""
    sample = found.choice
    lines = [
        f"silhouette {found.silhouette:.2f}"
        + (
            ""
            if sample is None or sample.sample == len(found.collection)
            else f" (k chosen over {sample.sample:,} clips)"
        )
    ]
    if found.stability is not None:
        low, high = found.stability.interval
        lines.append(
            f"stability {found.stability.mean:.2f} [{low:.2f}, {high:.2f}]: adjusted Rand index of "
            f"{len(found.stability.rand)} refits to {found.stability.share:.0%} of {found.stability.clips:,} clips, mean and "
            "middle 95 %"
        )
    if found.purity is not None:
        lines.append(f"purity {found.purity:.2f} of the labels" + (", noise left out" if found.noise else ""))
    if found.agreement:
        values = ", ".join(f"with the {name}s {value:.2f}" for name, value in found.agreement.items())
        lines.append(f"adjusted mutual information {values} (0 chance, 1 the same)")
    lines.append(f"map: {found.map.said}")
    return [re.sub(r"(?<=[ \[])-(?=\d)", "−", line) for line in lines]


def notes_on(found: Clusters) -> list[str]:
    """What a reader must know before believing the picture."""
    notes = []
    if found.silhouette < WEAK:
        notes.append(
            f"silhouette below {WEAK}: by the usual reading no substantial structure; the clusters divide a continuum"
        )
    choice = found.choice
    if choice is not None and len(choice.tried) > 1 and choice.k == max(choice.tried) == found.settings.k_most:
        notes.append(f"k={choice.k} is the most that was tried: raise k_most")
    loose = [str(c.number) for c in found.clusters if c.jaccard is not None and c.jaccard < LOOSE]
    if loose:
        notes.append(f"not found again in the refits (Jaccard below {LOOSE}): cluster {', '.join(loose)}")
    speaker, label = found.agreement.get("speaker"), found.agreement.get("label")
    if speaker is not None and speaker > 0.2 and speaker > (label or 0.0):
        notes.append("the clusters follow the speakers more than the labels" if label is not None else
                     "the clusters follow the speakers: mostly they tell voices apart")  # fmt: skip
    if found.noise > MUCH_NOISE * len(found.collection):
        notes.append(
            f"{found.noise / len(found.collection):.0%} of the clips are noise: a smaller hdbscan.min_cluster_size or "
            "hdbscan.min_samples leaves less, method=kmeans none"
        )
    if found.partition.fitted < len(found.collection):
        notes.append(
            f"hdbscan saw {found.partition.fitted:,} clips; the others went with the "
            f"{found.settings.hdbscan.min_samples} nearest of those"
        )
    return notes
