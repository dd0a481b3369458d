"""Weights into the real FunASR class, counted and hashed: a model with a tensor missing is refused, not guessed at."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from extractors.emotion2vec.architecture import build_module
from extractors.emotion2vec.folder import FolderConfig, missing_files, read_config
from extractors.emotion2vec.weight_hash import WeightHash
from extractors.errors import InputError
from extractors.fingerprint import fingerprint

log = logging.getLogger(__name__)

_DAMAGED = "The file is damaged or only partly downloaded: fetch the model again."
_DECODER = ".decoder."  # of pre-training; inference has no use for it


@dataclass(frozen=True)
class Weights:
    """What was found in the checkpoint file.

    loaded : tensors that inference needs, all of them found
    missing : names that inference needs and the file lacks; a model that has any is refused, so always empty
    unexpected : names in the file that the module has no place for
    training_only : tensors left out because only pre-training needs them
    digest : of the loaded ones; it reads them from the file's mapping, so until it is done nobody may write to them
    """

    path: Path
    loaded: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    training_only: int
    digest: WeightHash

    @property
    def hash(self) -> str:
        """32 hex digits over name, shape and float32 values of the loaded tensors; waits for them, see `WeightHash`."""
        return self.digest.result()


@dataclass(frozen=True)
class LoadedModel:
    """A verified Emotion2Vec+.

    module : FunASR's `Emotion2vec`, eval mode, float32, without its training decoder; its matrices are mapped from the
        file (copy on write), so several processes share one copy in memory
    tokens : class names as the folder has them, in the order of `module.proj`; empty without a class head
    config_hash : digest of the architecture's settings
    """

    module: nn.Module
    tokens: tuple[str, ...]
    config_hash: str
    weights: Weights

    @property
    def weight_hash(self) -> str:
        return self.weights.hash


def load_model(folder: str | Path) -> LoadedModel:
    """Loads the Emotion2Vec+ of a local folder; reaches for no network and leaves seeds, threads and logging alone.

    Nothing in the folder is executed: tensors alone are unpickled (`weights_only`), `config.yaml` is data. Which tensor
    of the checkpoint goes where follows FunASR (containers, `scope_map`), so that the result is FunASR's; unlike there,
    what is missing or of another shape is an error.

    Raises InputError: files missing, damaged or hostile, tensors missing or of the wrong shape, class names
    that do not fit the class head.

    >>> import tempfile
    >>> from extractors.emotion2vec.synthetic import write_random_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = load_model(write_random_checkpoint(folder))
    ...     model.weights.loaded, model.weights.training_only, model.weights.unexpected, len(model.weight_hash)
    (65, 10, (), 32)
    """
    folder = Path(folder)
    absent = missing_files(folder)
    if absent:
        raise InputError(f"{folder} is not a whole model folder", [f"{name}: missing" for name in absent], _DAMAGED)
    config = read_config(folder)
    state = _read_checkpoint(config.weights)
    module = _build(folder, config)
    needed = module.state_dict()
    sources = _match(needed, state, config.scope_map)
    _check(folder, needed, state, sources, config)
    weights = {name: state[source].float() for name, source in sources.items()}
    module.load_state_dict(weights, strict=True, assign=True)
    module.requires_grad_(False)
    unused = set(state) - set(sources.values())
    training_only = {name for name in unused if _DECODER in name}
    log.debug("%s: %d tensors, %d of the training decoder left out", folder, len(sources), len(training_only))
    found = Weights(
        path=config.weights,
        loaded=len(sources),
        missing=(),
        unexpected=tuple(sorted(unused - training_only)),
        training_only=len(training_only),
        digest=WeightHash({name: state[source] for name, source in sources.items()}),
    )
    return LoadedModel(module, config.tokens, fingerprint(config.model_conf), found)


def _build(folder: Path, config: FolderConfig) -> Any:
    try:
        module: Any = build_module(config.model_conf, vocab_size=len(config.tokens) or -1)
    except (TypeError, ValueError, KeyError, AttributeError, AssertionError, ZeroDivisionError, RuntimeError) as error:
        raise InputError(f"{folder}/config.yaml: FunASR cannot build this model: {error!r}") from error
    module.modality_encoders["AUDIO"].remove_pretraining_modules()
    return module


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of the model part of a checkpoint, mapped from the file where its format allows."""
    with path.open("rb") as file:
        if file.read(32).startswith(b"version https://git-lfs"):
            raise InputError(f"{path} is a Git LFS pointer, not the weights", hint="Run `git lfs pull` in the folder.")
        if hasattr(os, "posix_fadvise"):  # the disk reads on in order while what is here already is being laid out
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    try:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            content = torch.load(path, map_location="cpu", weights_only=True)  # saved in torch's format before 1.6
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} was refused: it holds more than tensors, and loading it could run code ({_first_line(error)})",
            hint="Take the model from its publisher; never load weights that need arbitrary pickles.",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {_first_line(error)}", hint=_DAMAGED) from error
    for container in ("state_dict", "model_state_dict", "model"):  # in FunASR's order
        if isinstance(content, Mapping) and isinstance(content.get(container), Mapping):
            content = content[container]
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: expected a mapping of names to tensors, got {type(content).__name__}")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _match(
    needed: Mapping[str, Tensor], state: Mapping[str, Tensor], scope_map: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    """Name in the module -> name in the checkpoint. Where several prefixes fit the last does, as in FunASR."""
    sources = {}
    for name in needed:
        for source, destination in scope_map:
            candidate = source + name.removeprefix(destination)
            if name.startswith(destination) and candidate in state:
                sources[name] = candidate
    return sources


def _check(
    folder: Path,
    needed: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    sources: Mapping[str, str],
    config: FolderConfig,
) -> None:
    problems = []
    head = next((state[name] for prefix, _ in config.scope_map if (name := f"{prefix}proj.weight") in state), None)
    if head is not None and head.shape[0] != len(config.tokens):
        rows = head.shape[0]
        problems.append(f"tokens.txt: expected {rows} classes, as the class head has, got {len(config.tokens)}")
    missing = [name for name in needed if name not in sources]
    if missing:
        first = ", ".join(missing[:3]) + " …" * (len(missing) > 3)
        problems.append(f"model.pt: {len(missing)} of {len(needed)} tensors missing ({first})")
        if not sources and state:
            problems.append(f"model.pt has names like {next(iter(state))!r}; `scope_map` in config.yaml must map them")
    for name, source in sources.items():
        value = state[source]
        if not value.is_floating_point() or (value.shape != needed[name].shape and not name.startswith("proj.")):
            expected = tuple(needed[name].shape)
            problems.append(f"model.pt: {source}: expected floats {expected}, got {value.dtype} {tuple(value.shape)}")
    if problems:
        raise InputError(
            f"{folder}: the weights do not fit the model, so its answers would be noise",
            problems,
            "Fetch the whole folder again: config.yaml, model.pt and tokens.txt belong together.",
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
