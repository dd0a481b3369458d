"""`emofuse search query=… k=10 where=…`: the clips most like one, or whose words fit, out of thousands or millions."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from extractors.errors import InputError
from extractors.files import write_text
from fusion.cli import verb
from fusion.explore.lines import check_lines
from fusion.explore.opening import open_vectors
from fusion.explore.search.hits import Hit, Rows
from fusion.explore.search.opening import open_rows
from fusion.explore.search.searcher import MODES, Searcher
from fusion.explore.search.streams import stream_of
from fusion.explore.search.terminal import hits_table

log = logging.getLogger(__name__)

LITERAL = ("query", "where", "words", "vectors", "bundle", "output")


@verb("search", literal={name: name for name in LITERAL})
def main(cfg: DictConfig) -> None:
    """Find the clips most like `query`, under a filter; print them and write them as JSON Lines.

    From Python:

        source = EncoderVectors(ManifestSource(path="calls.csv"), build=Emotion2vecExtractor, store=EmbeddingStore())
        search = Searcher(open_rows(stream_of(source), source.store.path), source)
        for hit in search(Path("clip.wav"), k=10, where="speaker = 'anna' AND label = 'angry'"):
            print(hit.rank, hit.id, hit.cosine, hit.percentile, hit.metadata["text"])
    """
    _check(cfg)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    output = Path(cfg.output).expanduser() if cfg.output else run_dir / "hits.jsonl"
    replaced = check_lines(output, ("rank", "id"), "hits")
    source = open_vectors(cfg, run_dir)
    store = Path(cfg.store.path).expanduser()
    rows = open_rows(stream_of(source), store, space=cfg.space, language=cfg.language, where=cfg.where, **cfg.index)
    search = Searcher(rows, source)
    began = time.perf_counter()
    hits = search(
        str(cfg.query),
        k=cfg.k,
        mode=cfg.mode,
        where=cfg.where,
        words=cfg.words,
        start=cfg.start,
        end=cfg.end,
        include_itself=cfg.include_itself,
    )
    log.debug("%.1f ms", 1e3 * (time.perf_counter() - began))
    about = _about(cfg, rows, hits)
    write_text(output, "".join(json.dumps(hit.as_dict(), ensure_ascii=False) + "\n" for hit in hits))
    write_text(run_dir / "search.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    if replaced:
        log.info("%s: the earlier hits were replaced", output)
    if not hits:
        log.warning("nothing found%s", f" under where={cfg.where}" if cfg.where else "")
        return
    console = Console()
    console.print(hits_table(hits, caption=_caption(about), width=console.width))
    log.info("%d hits in %s", len(hits), output)


def _check(cfg: DictConfig) -> None:
    """What would only be known after the long work."""
    problems = []
    if not str(cfg.query).strip():  # and where none was given at all, Hydra's own words
        problems.append("query: expected a clip, a file or a text, got nothing")
    if isinstance(cfg.k, bool) or not isinstance(cfg.k, int) or cfg.k < 1:
        problems.append(f"k: expected how many clips, at least 1, got {cfg.k!r}")
    if cfg.mode not in MODES:
        problems.append(f"mode: expected {', '.join(MODES)}, got {cfg.mode!r}")
    if not isinstance(cfg.include_itself, bool):
        problems.append(f"include_itself: expected true or false, got {cfg.include_itself!r}")
    if problems:
        raise InputError("settings of the search", problems)


def _about(cfg: DictConfig, rows: Rows, hits: list[Hit]) -> dict[str, Any]:
    return {
        "query": str(cfg.query),
        "k": cfg.k,
        "mode": cfg.mode,
        "where": cfg.where,
        "words": cfg.words,
        "hits": len(hits),
        "model": rows.maker.name,
        "fingerprint": rows.maker.fingerprint,
        "space": rows.space.name,
        "collection": len(rows),
        "searched": rows.searched,
    }


def _caption(about: dict[str, Any]) -> str:
    of = f"of {about['collection']:,} clips"
    if about["mode"] == "keyword":
        return f"{of}; keywords: BM25 score"
    caption = f"{of}, {about['model']}, searched {about['searched']}; cosine in {about['space']}"
    caption += "; percentile among random pairs"
    return caption + ("; fused: reciprocal ranks" if about["mode"] == "hybrid" else "")
