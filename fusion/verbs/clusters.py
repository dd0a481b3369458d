"""`emofuse clusters`: what kinds of clips there are, who is in them, and a map of them all."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fusion.cli import verb
from fusion.explore.clusters.build import find_clusters
from fusion.explore.clusters.files import write_all
from fusion.explore.clusters.flat import check_map
from fusion.explore.clusters.said import firmness, how_found, notes_on
from fusion.explore.clusters.settings import Density, Resampling, Settings
from fusion.explore.clusters.tables import clusters_table, profiles_said, profiles_table
from fusion.explore.opening import open_vectors
from fusion.explore.space import space_of

log = logging.getLogger(__name__)

OWN = ("method", "k", "k_most", "mini_batch", "map", "nearest", "words", "seed")


@verb("clusters", literal={"vectors": "vectors", "bundle": "bundle"})
def main(cfg: DictConfig) -> None:
    """Cluster all clips of data.path=, vectors=, or the store.

    From Python:

        clips = FileVectors(Path("vectors"), model="emotion2vec_plus_large").collect()
        space = Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)
        found = find_clusters(clips, space, Settings(k=5))
        for cluster in found.clusters:
            print(cluster.number, cluster.clips, clips.ids[cluster.nearest[0]], cluster.labels, cluster.words)
        found.stability.mean, found.stability.interval, found.assignments, found.profiles
        write_all(Path("my-clusters"), found)
    """
    settings = settings_of(cfg)  # refused before the long work
    check_map(settings.map)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    collection = open_vectors(cfg, run_dir).collect()
    store = Path(cfg.store.path).expanduser()
    space = space_of(collection.vectors, cfg.space, fingerprint=collection.maker.fingerprint, store=store)
    found = find_clusters(collection, space, settings)
    log.info("\n%s\n", how_found(found))
    console = Console()
    console.print(clusters_table(found, width=console.width))
    speakers = profiles_table(found)
    if speakers is not None:
        console.print()
        console.print(speakers)
        log.info("%s", profiles_said(found))
    for line in ["", *firmness(found)]:
        log.info("%s", line)
    for note in notes_on(found):
        log.warning("%s", note)
    paths = write_all(run_dir, found)
    log.info("\npicture %s\npage    %s\nrows    %s", paths[-2], paths[-1], paths[1])


def settings_of(cfg: DictConfig) -> Settings:
    """The settings of conf/clusters.yaml."""
    plain: dict[str, Any] = {name: cfg[name] for name in OWN}
    blocks = {name: OmegaConf.to_container(cfg[name], resolve=True) for name in ("hdbscan", "stability")}
    return Settings(**plain, hdbscan=Density(**blocks["hdbscan"]), stability=Resampling(**blocks["stability"]))  # type: ignore[arg-type]
