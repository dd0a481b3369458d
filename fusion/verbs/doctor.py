"""`emofuse doctor`: is everything here, and does it work? Every check is made, whatever the others said.

Exit status 0: all is well, warnings apart; 1: a check failed; 2: the configuration is wrong.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from extractors.diagnosis.finding import Finding, from_error, worst
from extractors.errors import EmofuseError, InputError
from extractors.files import write_text
from extractors.types import MODALITIES, Extractor
from fusion.cli import verb
from fusion.verbs.doctor_table import findings_table, verdict

log = logging.getLogger(__name__)

Check = Callable[[], list[Finding]]


@verb("doctor", literal={"clip": "clip"})
def main(cfg: DictConfig) -> None:
    """Look at the machine, the models, audio files and the store; with verify=true compare with FunASR."""
    _refuse(cfg)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    sections: dict[str, list[Finding]] = {}
    for section, check in _checks(cfg, run_dir).items():
        with Console(stderr=True).status(f"{section} …"), _quiet():
            sections[section] = _examine(check)
    file = write_text(run_dir / "doctor.json", json.dumps(_report(sections), indent=2, ensure_ascii=False) + "\n")
    console = Console()
    console.print(findings_table(sections))
    console.print(verdict(sections))
    log.info("all of this for scripts: %s", file)
    if worst(finding for findings in sections.values() for finding in findings) == "fail":
        raise SystemExit(1)


def _checks(cfg: DictConfig, run_dir: Path) -> dict[str, Check]:
    """Section of the table -> what fills it. Imports happen in the checks, so that a broken package fails only its own."""
    works: dict[str, Extractor] = {}

    def machine() -> list[Finding]:
        from extractors.diagnosis.machine import check_cuda, check_disk, check_processor, check_versions

        places = {
            "store": Path(cfg.store.path) if "path" in cfg.store else run_dir,
            "runs": run_dir,
            "models": Path(os.environ.get("MODELSCOPE_CACHE") or Path.home() / ".cache"),
            "temporary files": Path(tempfile.gettempdir()),
        }
        return [*check_versions(), *check_processor(), *check_cuda(), *check_disk(places)]

    def model(modality: str) -> list[Finding]:
        from extractors.diagnosis.models import check_model

        settings = cfg[modality]
        findings, extractor = check_model(
            get_class(settings._target_),
            partial(_built, settings),
            model=settings.get("model"),
            offline=settings.get("offline"),
            download=cfg.download,
            required=cfg.verify and modality == "speech",
        )
        if extractor is not None:
            works[modality] = extractor
        return findings

    def audio() -> list[Finding]:
        from extractors.diagnosis.formats import check_formats

        return check_formats()

    def store() -> list[Finding]:
        from extractors.diagnosis.store import check_store

        return check_store(partial(_built, cfg.store))

    def verification() -> list[Finding]:
        from extractors.diagnosis.verification import verify
        from extractors.emotion2vec.verify import NEUTRAL

        if "speech" not in works:
            return [Finding("comparison", "fail", "no speech model that works, so there is nothing to compare")]
        speech: Any = works["speech"]  # an Emotion2vecExtractor, see _refuse
        if aside := {key: value for key, value in NEUTRAL.items() if cfg.speech.get(key) not in (None, value)}:
            speech = _built(cfg.speech, offline=True, **aside)
        findings = verify(speech, Path(cfg.clip) if cfg.clip else None)
        note = f"without {', '.join(aside)}, which FunASR does not have"
        return [*findings, *([Finding("settings", "ok", note)] if aside else [])]

    checks: dict[str, Check] = {"this machine": machine}
    checks |= {f"{m} model": partial(model, m) for m in MODALITIES if m in cfg.modalities}
    checks |= {"audio files": audio, "embedding store": store}
    return checks | ({"against FunASR": verification} if cfg.verify else {})


def _refuse(cfg: DictConfig) -> None:
    """What is wrong with the configuration itself; no check would make sense."""
    problems = [f"modalities: expected speech or text, got {m!r}" for m in cfg.modalities if m not in MODALITIES]
    for key in ("verify", "download"):
        if not isinstance(cfg[key], bool):
            problems.append(f"{key}: expected true or false, got {cfg[key]!r}")
    if cfg.clip and not Path(cfg.clip).is_file():
        problems.append(f"clip: {cfg.clip}: no such file")
    if cfg.clip and not cfg.verify:
        problems.append("clip: only verify=true listens to it")
    if cfg.download is True and cfg.offline:
        problems.append("download: offline=true forbids it")
    if cfg.verify is True and not ("speech" in cfg.modalities and _is_emotion2vec(cfg.speech)):
        problems.append("verify: only an Emotion2Vec+ as the speech model can be compared with FunASR")
    if problems:
        raise InputError("doctor cannot be run like this", problems)


def _is_emotion2vec(settings: DictConfig) -> bool:
    try:
        from extractors.emotion2vec.extractor import Emotion2vecExtractor

        return issubclass(get_class(settings._target_), Emotion2vecExtractor)
    except ImportError:  # the check of the model says so, in the table
        return True


def _built(settings: DictConfig, **others: Any) -> Any:
    """The component; where it fails, its own error rather than Hydra's around it."""
    try:
        return instantiate(settings, **others)
    except InstantiationException as error:
        if error.__cause__ is None or isinstance(error.__cause__, TypeError):  # arguments that it does not have
            raise
        raise error.__cause__ from None


def _examine(check: Check) -> list[Finding]:
    """The check's findings, or its failure as one: a diagnosis goes on."""
    try:
        return check()
    except (HydraException, OmegaConfBaseException):
        raise  # not the machine, the configuration
    except EmofuseError as error:
        return [from_error("check", error)]
    except Exception as error:
        found = f"{type(error).__name__}: {error}".split("\n", 1)[0]
        todo = "Unexpected. The traceback is in doctor.json: please report it."
        return [Finding("check", "fail", found, todo, {"traceback": traceback.format_exc()})]


@contextmanager
def _quiet() -> Iterator[None]:
    """What extractors say while they load stands in the table already."""
    logger = logging.getLogger("extractors")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _report(sections: dict[str, list[Finding]]) -> dict[str, Any]:
    status = worst(finding for findings in sections.values() for finding in findings)
    try:
        emofuse = version("emofuse")
    except PackageNotFoundError:
        emofuse = None
    return {
        "status": status,
        "exit_status": int(status == "fail"),
        "emofuse": emofuse,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "checks": [
            {
                "section": section,
                "check": finding.check,
                "status": finding.status,
                "found": finding.found,
                "todo": finding.todo,
                "details": finding.details,
            }
            for section, findings in sections.items()
            for finding in findings
        ],
    }
