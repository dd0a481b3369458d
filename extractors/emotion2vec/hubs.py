"""The caches of ModelScope and Hugging Face, read as folders, and downloads from there."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from extractors.emotion2vec.quiet import undisturbed

log = logging.getLogger(__name__)

# what a model needs, and the sample that `doctor` checks it with; not the pictures and papers beside them
FILES = ("config.yaml", "configuration.json", "model.pt", "tokens.txt", "example/*", "README.md")

REACH_SECONDS = (
    8.0  # a hub that answers nothing within this time is not waited for; downloads of gigabytes may take long
)

_PUBLISHED = ("emotion2vec_plus_large", "emotion2vec_plus_base", "emotion2vec_plus_seed", "emotion2vec_base")


def hub_ids(model: str) -> tuple[str, str] | None:
    """(ModelScope id, Hugging Face id) of a model's name or id; None where it can only be a folder.

    >>> hub_ids("emotion2vec_plus_large")
    ('iic/emotion2vec_plus_large', 'emotion2vec/emotion2vec_plus_large')
    >>> hub_ids("someone/tuned"), hub_ids("./emotion2vec_plus_large")
    (('someone/tuned', 'someone/tuned'), None)
    """
    owner, _, name = model.rpartition("/")
    if name in _PUBLISHED and owner in ("", "iic", "emotion2vec"):
        return f"iic/{name}", f"emotion2vec/{name}"
    if not owner or "/" in owner or owner in (".", "..", "~") or not name:
        return None
    return model, model


def modelscope_folders(model_id: str) -> Iterator[Path]:
    """Folders in which some version of ModelScope keeps the model, newest layout first; they need not exist."""
    owner, name = model_id.split("/")
    cache = Path(os.environ.get("MODELSCOPE_CACHE") or Path.home() / ".cache" / "modelscope").expanduser()
    yield from _newest_first(cache / "models" / f"{owner}--{name}" / "snapshots")
    safe = name.replace(".", "___")
    for root in (cache / "models", cache / "hub" / "models", cache / "hub", cache):
        yield root / owner / safe
        if safe != name:
            yield root / owner / name


def huggingface_folders(model_id: str) -> Iterator[Path]:
    """Snapshots of the model in the Hugging Face cache: the branch's own first, then the newest."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or Path(home) / "hub")
    repository = cache.expanduser() / f"models--{model_id.replace('/', '--')}"
    branch = repository / "refs" / "main"
    if branch.is_file():
        yield repository / "snapshots" / branch.read_text(encoding="utf-8").strip()
    yield from _newest_first(repository / "snapshots")


def _newest_first(snapshots: Path) -> Iterator[Path]:
    if snapshots.is_dir():
        yield from sorted(snapshots.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    else:
        yield snapshots


def download_from_modelscope(model_id: str) -> Path:
    """Fetches the model into ModelScope's cache. Raises OSError or the hub's own error."""
    with undisturbed():
        from modelscope.hub.snapshot_download import snapshot_download
        from modelscope.hub.utils.utils import get_endpoint

        _reach(os.environ.get("MODELSCOPE_ENDPOINT") or get_endpoint())
        log.info("downloading %s from ModelScope", model_id)
        return Path(snapshot_download(model_id, allow_patterns=list(FILES)))


def download_from_huggingface(model_id: str) -> Path:
    """Fetches the model into the Hugging Face cache. Raises OSError or the hub's own error."""
    with undisturbed():
        from huggingface_hub import constants, snapshot_download

        _reach(constants.ENDPOINT)
        log.info("downloading %s from Hugging Face", model_id)
        return Path(snapshot_download(model_id, allow_patterns=list(FILES)))


def _reach(url: str) -> None:
    """Raises OSError unless a server answers: without a network the hubs retry for half a minute each."""
    import requests

    outcome = [f"no answer within {REACH_SECONDS:.0f} s"]

    def knock() -> None:
        try:
            requests.head(url, timeout=REACH_SECONDS, allow_redirects=False)
            outcome.clear()
        except (requests.RequestException, OSError) as error:
            outcome[:] = [_root_cause(error)]

    # in a thread, because looking up a host's name has a time limit of its own that no argument shortens
    thread = threading.Thread(target=knock, name="reach-hub", daemon=True)
    thread.start()
    thread.join(REACH_SECONDS)
    if outcome:
        raise ConnectionError(f"cannot be reached: {outcome[0]}")


def _root_cause(error: BaseException) -> str:
    """The innermost message: "Name or service not known" rather than the three layers around it."""
    seen = error
    while isinstance(seen.__context__, Exception):
        seen = seen.__context__
    return str(seen) or type(seen).__name__
