"""`emofuse manifest CORPUS ROOT`: the manifest of a corpus, from its folder as it is distributed."""

from __future__ import annotations

import logging
import re
import shlex
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from extractors.errors import InputError
from fusion.cli import verb
from fusion.command.arguments import quoted
from fusion.configuration import conf_folder
from fusion.corpora.base import Corpus
from fusion.corpora.build import build_manifest
from fusion.corpora.summary import in_words, table_of

log = logging.getLogger(__name__)

SHOWN = 12  # lines of a kind that the terminal gets; the notes beside the manifest have all


@verb("manifest", literal={"output": "output"}, positional=("corpus", "root"))
def main(cfg: DictConfig) -> None:
    """Read, check against the published counts, write, and say how to train on it."""
    if cfg.get("corpus") is None:
        known = ", ".join(sorted(path.stem for path in (conf_folder() / "corpus").glob("*.yaml")))
        raise InputError(
            "corpus: expected a name, got none", hint=f"emofuse manifest CORPUS ROOT, where CORPUS is one of {known}"
        )
    corpus: Corpus = instantiate(cfg.corpus, **({} if cfg.variant is None else {"variant": cfg.variant}))
    built = build_manifest(
        corpus,
        cfg.root,
        cfg.output,
        unusable=cfg.unusable,
        check_audio=cfg.check_audio,
        overwrite=cfg.overwrite,
        workers=cfg.workers,
    )
    console = Console()
    console.print(table_of(built.frame, corpus.published, f"{corpus.title}, {corpus.variant}"))
    console.print(in_words(built.frame, built.hours), markup=False, highlight=False)
    _tell(built.notes, logging.INFO)
    _tell([f"left out: {problem}" for problem in built.problems], logging.WARNING)
    if built.mismatches and corpus.published:
        log.warning("Not the counts of %s; an incomplete download, or another release:", corpus.published.source)
        _tell([f"  {line}" for line in built.mismatches], logging.WARNING)
    log.info("Please cite: %s. Licence: %s.", corpus.citation, corpus.licence)
    if corpus.notice:
        log.info("%s", corpus.notice)
    if corpus.scripted:
        log.info("Train on the voice alone, as below. To see text at chance: allow_leakage=true and no modalities=….")
    log.info("Written: %s", built.path)
    log.info("%s", command(corpus, built.path))


def command(corpus: Corpus, path: Path) -> str:
    """What to type to train on the manifest at `path`, quoted for the shell and for Hydra.

    >>> from fusion.corpora.emodb import EmoDb
    >>> command(EmoDb(), Path("/data/emodb/manifest.csv"))
    "emofuse train data=emodb data.path=/data/emodb/manifest.csv split=leave_one_speaker_out 'modalities=[speech]'"
    """
    where = f"data.path={path}"
    if not re.fullmatch(r"[\w./=-]+", where):
        where = quoted(where, {"data.path": "data.path"})
    return shlex.join(["emofuse", "train", f"data={corpus.name}", where, *corpus.train])


def _tell(lines: list[str], level: int) -> None:
    for line in lines[:SHOWN]:
        log.log(level, "%s", line)
    if len(lines) > SHOWN:
        log.log(level, "… and %d more, in the notes beside the manifest", len(lines) - SHOWN)
