"""`emofuse templates`: make templates of a few labelled clips, or score clips with templates made before."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from extractors.errors import InputError
from extractors.files import write_text
from fusion.cli import verb
from fusion.explore.collection import Collection
from fusion.explore.lines import check_lines
from fusion.explore.opening import open_vectors
from fusion.explore.space import space_of
from fusion.explore.templates.rejecting import Reject
from fusion.explore.templates.saving import check_place, load_templates, save_templates
from fusion.explore.templates.scores import Scores
from fusion.explore.templates.tables import measured_line, notes_on, said_of, scores_table, templates_table
from fusion.explore.templates.templates import Templates, measure

log = logging.getLogger(__name__)

SCORED = ("id", "best", "confidence", "probabilities")  # in every line of scores


@verb(
    "templates",
    literal={
        "audio": "clip.audio",
        "text": "clip.text",
        "templates": "templates",
        "output": "output",
        "vectors": "vectors",
        "bundle": "bundle",
    },
)
def main(cfg: DictConfig) -> None:
    """Without templates=, make them of data.path's labelled rows; with them, score audio=, text= or data.path's rows.

    From Python:

        few = FileVectors(Path("few"), model="emotion2vec_plus_large", metadata=table).collect()
        space = Space.fit(few.vectors, fingerprint=few.maker.fingerprint)
        templates = Templates.fit(few, space=space, reject=Reject(precision=0.9))
        save_templates(Path("my-templates"), templates)
        scores = load_templates(Path("my-templates")).score(new.vectors, maker=new.maker)
        scores.labels(), scores.probabilities, scores.calibrated
    """
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    one = cfg.clip.audio is not None or cfg.clip.text is not None
    if cfg.templates is None:
        if one:
            raise InputError("one clip is scored with templates: templates=my-templates audio=…")
        _make(cfg, run_dir)
    else:
        _score(cfg, run_dir, one=one)


def _make(cfg: DictConfig, run_dir: Path) -> None:
    reject = Reject(**cfg.reject)  # refused before the long work
    folder = Path(cfg.output).expanduser() if cfg.output else run_dir / "templates"
    replaced = check_place(folder)
    collection = open_vectors(cfg, run_dir).collect()
    division = np.array(collection.column("split"), dtype=object)
    known = collection.take(division != "test")
    store = Path(cfg.store.path).expanduser()
    space = space_of(known.vectors, cfg.space, fingerprint=known.maker.fingerprint, store=store)
    validation, tested = (collection.take(division == part).labelled() for part in ("val", "test"))
    templates = Templates.fit(
        collection.take((division != "test") & (division != "val")),
        space=space,
        validation=validation if len(validation) else None,
        kind=cfg.kind,
        each=cfg.each,
        reject=reject,
        seed=cfg.seed,
    )
    save_templates(folder, templates)
    if replaced:
        log.info("%s: the earlier templates were replaced", folder)
    Console().print(templates_table(templates))
    for line in said_of(templates):
        log.info("%s", line)
    if len(tested):
        _tell_of(templates, tested, "test")
    log.info("\ntemplates %s", folder)


def _score(cfg: DictConfig, run_dir: Path, *, one: bool) -> None:
    many = cfg.vectors is not None or not OmegaConf.is_missing(cfg.data, "path")
    if one and not OmegaConf.is_missing(cfg.data, "path"):
        raise InputError("expected either one clip or a table, got both")
    if not one and not many:
        raise InputError("expected clips to score", hint='Give audio=x.wav, text="…", data.path=more.csv or vectors=….')
    check_lines(_scores_file(cfg, run_dir), SCORED, "scores")  # before the long work
    templates = load_templates(Path(cfg.templates))
    log.info("templates of %s, made with %s", ", ".join(templates.labels), templates.maker.name)
    source = open_vectors(cfg, run_dir, rows=not one)
    templates.maker.check_same(source.maker)  # before anything is embedded
    if one:
        audio = None if cfg.clip.audio is None else Path(cfg.clip.audio).expanduser()
        vector = source.embed(audio=audio, text=cfg.clip.text).vector
        ids: tuple[str, ...] = ("text" if audio is None else audio.stem,)
        scores = templates.score(vector, maker=source.maker)
        _write(cfg, run_dir, ids, scores)
        return
    collection = source.collect()
    scores = templates.score(collection.vectors, maker=collection.maker)
    _write(cfg, run_dir, collection.ids, scores)
    _tell_of(templates, collection.labelled(), "labelled")


def _scores_file(cfg: DictConfig, run_dir: Path) -> Path:
    return Path(cfg.output).expanduser() if cfg.output else run_dir / "scores.jsonl"


def _write(cfg: DictConfig, run_dir: Path, ids: tuple[str, ...], scores: Scores) -> None:
    output = _scores_file(cfg, run_dir)
    replaced = check_lines(output, SCORED, "scores")
    lines = (json.dumps(record, ensure_ascii=False, allow_nan=False) for record in scores.records(ids))
    write_text(output, "".join(line + "\n" for line in lines))
    if replaced:
        log.info("%s: the earlier scores were replaced", output)
    Console().print(scores_table(ids, scores))
    for line in notes_on(scores):
        log.info("%s", line)
    log.info("%d of %d clips answered, in %s", int((~scores.uncertain).sum()), len(scores), output)


def _tell_of(templates: Templates, rows: Collection, what: str) -> None:
    """How right the templates are of clips whose labels are known; clips of other labels should come out uncertain."""
    labels = [str(label) for label in rows.column("label")]
    known = np.array([label in templates.labels for label in labels], dtype=bool)
    if known.any():
        here = rows.take(known)
        scores = templates.score(here.vectors, maker=here.maker)
        targets = np.array([templates.labels.index(str(label)) for label in here.column("label")], dtype=np.int64)
        measured = measure(scores.probabilities, targets, scores.threshold)
        log.info("%s", measured_line(measured, what=what))
    if not known.all() and len(known):
        scores = templates.score(rows.take(~known).vectors, maker=rows.maker)
        names = ", ".join(sorted({label for label, there in zip(labels, known, strict=True) if not there}))
        log.info(
            "%d clips are of labels without templates (%s); %.1f %% of them came out uncertain",
            len(scores),
            names,
            100 * scores.uncertain.mean(),
        )
