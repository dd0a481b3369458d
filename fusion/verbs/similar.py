"""`emofuse similar a=… b=…`: how alike two clips are, which clips are most like one, or all pairs; each with its percentile."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from extractors.errors import InputError
from extractors.files import atomic_path, write_bytes, write_text
from fusion.cli import verb
from fusion.evaluation.plots import png
from fusion.explore.collection import Collection
from fusion.explore.opening import clip_named, open_vectors
from fusion.explore.similar.compare import compare
from fusion.explore.similar.contents import equal_to
from fusion.explore.similar.figures import LARGEST_HEATMAP, distribution_figure, heatmap_figure
from fusion.explore.similar.matrix import FORMATS, write_matrix
from fusion.explore.similar.nearest import nearest
from fusion.explore.similar.percentiles import Percentiles
from fusion.explore.similar.running import compare_running
from fusion.explore.similar.running_figure import running_figure
from fusion.explore.similar.tables import labels_table, nearest_frame, nearest_table, pair_table, running_table
from fusion.explore.similar.warping import path_table, second_by_second
from fusion.explore.sources import VectorSource
from fusion.explore.space import KINDS, Space, space_of

log = logging.getLogger(__name__)


@verb("similar", literal={"a": "a", "b": "b", "vectors": "vectors", "bundle": "bundle"})
def main(cfg: DictConfig) -> None:
    """Compare two clips (a=, b=), one with all (a=), or all with all (pairs=all).

    From Python:

        source = FileVectors(Path("vectors"), model="emotion2vec_plus_large")
        clips = source.collect()
        space = Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)
        compare(clips.vectors[0], clips.vectors[1], space, Percentiles.of(clips, space)).percentile
    """
    _check(cfg)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    source = open_vectors(cfg, run_dir)
    collection = source.collect()
    if cfg.granularity == "frame":
        _running(cfg, source, collection, run_dir)
        return
    store = Path(cfg.store.path).expanduser()
    space = space_of(collection.vectors, cfg.space, fingerprint=collection.maker.fingerprint, store=store)
    log.info("%s: %d clips of %s", space.name, len(collection), collection.maker.name)
    if cfg.pairs == "all":
        _all_pairs(cfg, collection, space, run_dir)
        return
    percentiles = Percentiles.of(collection, space, pairs=cfg.reference.pairs, seed=cfg.reference.seed)
    if cfg.b is None:
        _one_against_all(cfg, source, collection, space, percentiles, run_dir)
    else:
        _two(cfg, source, collection, space, percentiles, run_dir)


def _check(cfg: DictConfig) -> None:
    problems = []
    if cfg.pairs not in (None, "all"):
        problems.append(f"pairs: expected all, got {cfg.pairs!r}")
    if (cfg.a is None) == (cfg.pairs is None):
        problems.append("expected a clip (a=…) or pairs=all" + (", got both" if cfg.a is not None else ", got neither"))
    if cfg.b is not None and cfg.a is None:
        problems.append("b is compared with a, and there is no a")
    if cfg.granularity not in ("utterance", "frame"):
        problems.append(f"granularity: expected utterance or frame, got {cfg.granularity!r}")
    if cfg.granularity == "frame" and (cfg.a is None or cfg.b is None):
        problems.append("granularity=frame lays two clips over each other: give a= and b=")
    if cfg.granularity == "frame" and cfg.space not in KINDS:
        problems.append(f"space: of frames expected {', '.join(KINDS)}, got {cfg.space!r}: what is kept is of clips")
    if cfg.format not in FORMATS:
        problems.append(f"format: expected {' or '.join(FORMATS)}, got {cfg.format!r}")
    if isinstance(cfg.k, bool) or not isinstance(cfg.k, int) or cfg.k < 1:
        problems.append(f"k: expected how many clips, at least 1, got {cfg.k!r}")
    if isinstance(cfg.reference.seed, bool) or not isinstance(cfg.reference.seed, int) or cfg.reference.seed < 0:
        problems.append(f"reference.seed: expected a whole number, at least 0, got {cfg.reference.seed!r}")
    if problems:
        raise InputError("settings of the comparison", problems)


def _two(
    cfg: DictConfig,
    source: VectorSource,
    collection: Collection,
    space: Space,
    percentiles: Percentiles,
    run_dir: Path,
) -> None:
    a, b = (clip_named(name, source, collection).vector for name in (cfg.a, cfg.b))
    found = compare(a, b, space, percentiles)
    about = {"a": str(cfg.a), "b": str(cfg.b), **found.as_dict(percentiles), **_made_by(collection)}
    _write_json(run_dir / "similar.json", about)
    title = f"{_name(cfg.a)} and {_name(cfg.b)}"
    figure = distribution_figure(percentiles, [found.cosine], ["these two"], title=title, space=space.name)
    write_bytes(run_dir / "similar.png", png(figure))
    Console().print(pair_table(about))
    if found.same_content:
        log.warning("a and b are the same content: their likeness says nothing")
    log.info("\npicture %s\nfigures %s", run_dir / "similar.png", run_dir / "similar.json")


def _one_against_all(
    cfg: DictConfig,
    source: VectorSource,
    collection: Collection,
    space: Space,
    percentiles: Percentiles,
    run_dir: Path,
) -> None:
    vector = clip_named(cfg.a, source, collection).vector
    row = collection.row_of(str(cfg.a))
    itself = equal_to(collection.vectors, vector)
    if row is not None and percentiles.contents is not None:
        itself |= percentiles.contents.of_row(row)
    if copies := int(itself.sum()) - (row is not None):
        log.info("%d clips of the same content as a are left out", copies)
    if itself.all():
        raise InputError(f"{cfg.a}: no clip of the collection is of other content")
    found = nearest(vector, collection, space, k=cfg.k, without=itself)
    frame = nearest_frame(found, collection, percentiles)
    with atomic_path(run_dir / "similar.csv") as draft:
        frame.to_csv(draft, index=False)
    about = {"a": str(cfg.a), "space": space.name, "random_pairs": len(percentiles.random), "seed": percentiles.seed}
    _write_json(run_dir / "similar.json", about | _made_by(collection))
    names = [collection.ids[place] for place in found.rows]
    title = f"{_name(cfg.a)} and the {len(found)} clips most like it"
    figure = distribution_figure(percentiles, found.cosines.tolist(), names, title=title, space=space.name)
    write_bytes(run_dir / "similar.png", png(figure))
    console = Console()
    console.print(nearest_table(frame, about, width=console.width))
    log.info("\npicture %s\ntable   %s", run_dir / "similar.png", run_dir / "similar.csv")


def _all_pairs(cfg: DictConfig, collection: Collection, space: Space, run_dir: Path) -> None:
    path = run_dir / f"matrix.{cfg.format}"
    made_by = _made_by(collection)
    summary = write_matrix(collection, space, path, format=cfg.format, about=made_by)
    about = {"space": space.name, "clips": summary.clips, "pairs": summary.pairs, "mean": summary.mean, **made_by}
    _write_json(run_dir / "similar.json", about)
    if len(summary.labels):
        with atomic_path(run_dir / "labels.csv") as draft:
            summary.labels.to_csv(draft, index_label="label")
    Console().print(labels_table(summary, space.name))
    if len(collection) <= LARGEST_HEATMAP:
        write_bytes(run_dir / "similar.png", png(heatmap_figure(collection, space)))
        log.info("\npicture %s", run_dir / "similar.png")
    else:
        log.info("\nno picture: %d clips, at most %d are drawn", len(collection), LARGEST_HEATMAP)
    log.info("matrix  %s (%d × %d)", path, summary.clips, summary.clips)


def _running(cfg: DictConfig, source: VectorSource, collection: Collection, run_dir: Path) -> None:
    a, b = (clip_named(name, source, collection, frames=True) for name in (cfg.a, cfg.b))
    found = compare_running(a, b, source, collection, kind=cfg.space, seed=cfg.reference.seed, **cfg.frames)
    about = {"a": str(cfg.a), "b": str(cfg.b), **found.as_dict(), **_made_by(collection)}
    _write_json(run_dir / "similar.json", about)
    seconds = 1 / found.frame_rate
    for name, table in (("seconds", second_by_second), ("path", path_table)):
        with atomic_path(run_dir / f"{name}.csv") as draft:
            frame = table(found.alignment, frame_seconds=seconds, starts=found.starts)
            frame.to_csv(draft, index=False, float_format="%.4f")
    write_bytes(run_dir / "similar.png", png(running_figure(found, a=_name(cfg.a), b=_name(cfg.b))))
    Console().print(running_table(about))
    log.info("\npicture %s\nseconds %s", run_dir / "similar.png", run_dir / "seconds.csv")


def _made_by(collection: Collection) -> dict[str, Any]:
    maker = collection.maker
    return {"model": maker.name, "dim": maker.dim, "fingerprint": maker.fingerprint, "collection": len(collection)}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _name(what: Any) -> str:
    """A clip in a title: a file without its folders, a text in brief."""
    name = str(what)
    name = Path(name).name if "/" in name and " " not in name else name
    return name if len(name) <= 40 else name[:39] + "…"
