"""Clusters as a table on the terminal, as JSON and as CSV."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fusion.explore.clusters.profiles import FEW, columns_shown, named
from fusion.explore.clusters.result import Cluster, Clusters
from fusion.explore.clusters.said import notes_on
from fusion.explore.fitting import Column, fitted, left_out

SCHEMA = "emofuse.clusters/1"
SHOWN = 30  # clusters on the terminal
SHOWN_SPEAKERS = 12
SHOWN_COLUMNS = 10
SHOWN_WORDS = 5
LEAST_ID, LONGEST_ID = 18, 28  # characters
LEAST_SAID = 18  # of labels, scores or words


def clusters_table(found: Clusters, *, width: int = 80) -> Group:
    """A row a cluster, in at most `width` characters: how large and firm it is, its medoid, and what is known of its clips."""
    shown = found.clusters[:SHOWN]
    again = ["" if cluster.jaccard is None else f"{cluster.jaccard:.2f}" for cluster in shown]
    columns = [
        Column("", [str(cluster.number) for cluster in shown], right=True),
        Column("clips", [f"{cluster.clips:,}" for cluster in shown], right=True),
        Column("share", [f"{cluster.share:.1%}" for cluster in shown], right=True),
        Column("silhouette", [_signed(cluster.silhouette) for cluster in shown], right=True),
        *([Column("again", again, right=True)] if any(again) else []),
        Column("medoid", [found.collection.ids[c.nearest[0]] for c in shown], least=LEAST_ID, most=LONGEST_ID),
    ]
    for spare, (heading, said) in enumerate(
        (
            ("labels", [labels_said(cluster) for cluster in shown]),
            ("scores", [scores_said(cluster) for cluster in shown]),
            ("words", [" ".join(word for word, _ in cluster.words[:SHOWN_WORDS]) for cluster in shown]),
        ),
        start=1,
    ):
        if any(said):
            columns.append(Column(heading, said, least=LEAST_SAID, spare=spare))
    table, missing = fitted(columns, width)
    return Group(table, *([Text(left_out(missing, "clusters.json"), style="dim")] if missing else []))


def profiles_table(found: Clusters) -> Table | None:
    """Speakers with the most clips: the share of each in each cluster; ▲ where it is found oftener than by chance."""
    frame = found.profiles
    if frame.empty:
        return None
    numbers = columns_shown(frame, SHOWN_COLUMNS)
    order = frame.drop_duplicates("speaker").sort_values(["of", "speaker"], ascending=[False, True])
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("speaker", no_wrap=True, max_width=LONGEST_ID, overflow="ellipsis")
    for heading in ("clips", *map(named, numbers)):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = {(row.speaker, row.cluster): row for row in frame.itertuples()}
    for speaker, of, few in order[["speaker", "of", "few"]].head(SHOWN_SPEAKERS).itertuples(index=False):
        cells = [rows[speaker, number] for number in numbers]
        shares = [f"{cell.share:.0%}" + (" ▲" if cell.over else "  ") for cell in cells]
        table.add_row(Text(str(speaker)), f"{of:,}" + ("*" if few else " "), *shares)
    return table


def profiles_said(found: Clusters) -> str:
    """What the marks of `profiles_table` mean."""
    speakers = found.profiles.drop_duplicates("speaker")
    said = "▲ oftener than by chance (false discovery rate 5 %)"
    if speakers["few"].any():
        said += f"; * fewer than {FEW} clips, shares mean little"
    if len(speakers) > SHOWN_SPEAKERS:
        said += f"; {len(speakers) - SHOWN_SPEAKERS:,} more speakers in profiles.csv"
    return said


def labels_said(cluster: Cluster, most: int = 3) -> str:
    """
    >>> labels_said(Cluster(1, 4, 1.0, (0,), 0.5, None, labels={"sad": 3, "calm": 1}))
    'sad 75%, calm 25%'
    """
    entries = list(cluster.labels.items())
    text = ", ".join(f"{label} {count / cluster.labelled:.0%}" for label, count in entries[:most])
    return text + (", …" if len(entries) > most else "")


def scores_said(cluster: Cluster, most: int = 2) -> str:
    """
    >>> scores_said(Cluster(1, 4, 1.0, (0,), 0.5, None, scores={"sad": 0.25, "calm": 0.75}))
    'calm 0.75, sad 0.25'
    """
    order = sorted(cluster.scores.items(), key=lambda entry: (-entry[1], entry[0]))[:most]
    return ", ".join(f"{label} {score:.2f}" for label, score in order)


def summary(found: Clusters) -> dict[str, Any]:
    """All but the rows, JSON-able; `schema` says how to read it."""
    collection, choice, partition = found.collection, found.choice, found.partition
    return {
        "schema": SCHEMA,
        "clips": len(collection),
        "made_by": {
            "name": collection.maker.name,
            "modality": collection.maker.modality,
            "dim": collection.maker.dim,
            "fingerprint": collection.maker.fingerprint,
        },
        "space": found.space,
        "settings": found.settings.as_dict(),
        "mini_batch": found.mini_batch,
        "fitted": partition.fitted,
        "k": len(found),
        "noise": found.noise,
        "silhouette": found.silhouette,
        "k_by_silhouette": None
        if choice is None
        else {"k": choice.k, "sample": choice.sample, "tried": {str(k): value for k, value in choice.tried.items()}},
        "stability": None if found.stability is None else found.stability.as_dict(),
        "purity": found.purity,
        "agreement": {"what": "adjusted mutual information with the clusters, noise left out", **found.agreement},
        "map": {"kind": found.map.kind, "explained": list(found.map.explained), "trustworthiness": found.map.trust},
        "notes": notes_on(found),
        "clusters": [_cluster(found, cluster) for cluster in found.clusters],
    }


def _cluster(found: Clusters, cluster: Cluster) -> dict[str, Any]:
    ids = found.collection.ids
    nearest = [{"id": ids[row], "distance": float(found.distances[row])} for row in cluster.nearest]
    return {
        "cluster": cluster.number,
        "clips": cluster.clips,
        "share": cluster.share,
        "silhouette": cluster.silhouette,
        "jaccard": cluster.jaccard,
        "medoid": nearest[0]["id"],
        "nearest": nearest,
        "scores": cluster.scores or None,
        "labels": cluster.labels,
        "labelled": cluster.labelled,
        "purity": cluster.purity,
        "words": [{"word": word, "weight": weight} for word, weight in cluster.words],
    }


def _signed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}".replace("-", "−")
