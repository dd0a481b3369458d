"""Load a sentence-transformers folder quietly, and make sure that every weight came from its files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from transformers.utils import logging as transformers_logging

from extractors.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

POOLER = "pooler."  # BERT's own; many files lack it and no sentence model uses it
OLD_NAMES = ((".gamma", ".weight"), (".beta", ".bias"))  # layer norms of checkpoints from TensorFlow


def load_sentence_transformer(folder: Path, *, device: str) -> SentenceTransformer:
    """The model in float32, ready for inference. Reaches for nothing beyond the folder, runs none of its code.

    `device`: "auto" (CUDA where there is one, else CPU), "cpu", "cuda", "cuda:1". Raises InputError where the device is
    not there, the folder cannot be loaded, or weights are missing in its files: those would be random.
    """
    from sentence_transformers import SentenceTransformer

    where = _device(device)
    try:
        with _no_progress_bars():
            model = SentenceTransformer(
                str(folder),
                device="cpu",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
    except Exception as error:  # of transformers, safetensors, json …: all mean that this folder is not to be had
        reason = (str(error).strip() or type(error).__name__).split("\n", 1)[0]
        raise InputError(f"the text model in {folder} cannot be loaded", [reason]) from error
    model = model.float().eval()
    if random := missing_weights(model, folder):
        shown = ", ".join(random[:3])
        problem = f"{len(random)} weights are not in its files and would be random: {shown}"
        raise InputError(f"the text model in {folder} is not whole", [problem])
    return model.requires_grad_(False).to(where)


def missing_weights(model: torch.nn.Module, folder: Path) -> list[str]:
    """Names of the parameters that no safetensors file of `folder` holds, by name or, where renamed, by value."""
    names: set[str] = set()
    files = sorted(folder.rglob("*.safetensors"))
    for path in files:
        with safe_open(path, framework="pt") as file:
            names.update(file.keys())
    for old, new in OLD_NAMES:
        names |= {name.removesuffix(old) + new for name in names if name.endswith(old)}
    names |= {name.partition(".")[2] for name in names}  # without "bert.", "roberta." …, which not every file has
    found, unknown = set(), []
    for name, value in model.named_parameters(remove_duplicate=False):
        inside = name.partition(".")[2]  # without the module's number; then without its attribute
        if inside in names or inside.partition(".")[2] in names:
            found.add(value.data_ptr())
        elif POOLER not in name:
            unknown.append((name, value))
    untied = [(name, value) for name, value in unknown if value.data_ptr() not in found]
    return [name for name, value in untied if not any(_holds(path, value) for path in files)]


def _holds(path: Path, value: torch.Tensor) -> bool:
    with safe_open(path, framework="pt") as file:
        same = (name for name in file.keys() if tuple(file.get_slice(name).get_shape()) == tuple(value.shape))  # noqa: SIM118
        return any(torch.equal(file.get_tensor(name).float(), value.detach().cpu()) for name in same)


def _device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise InputError(f"device: expected auto, cpu, cuda or cuda:N, got {device!r}") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: {device} was asked for, and torch {torch.__version__} sees no CUDA device; use cpu")
    return found


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
