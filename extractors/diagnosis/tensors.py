"""How the tensors in a sentence-transformers folder and those of its model meet."""

from __future__ import annotations

from pathlib import Path

import torch


def count_text_tensors(model: torch.nn.Module, folder: Path) -> tuple[int, list[str], list[str]]:
    """(tensors that came from the folder's safetensors files, names missing there, names the model has no place for)."""
    from safetensors import safe_open

    from extractors.text_loading import OLD_NAMES, missing_weights

    places = set()
    for name, _ in [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]:
        inside = name.partition(".")[2]  # without the module's number; then without its attribute
        places |= {inside, inside.partition(".")[2]}
    stored: list[str] = []
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            stored += file.keys()
    unexpected = [name for name in stored if not _spellings(name, OLD_NAMES) & places]
    return len(stored) - len(unexpected), missing_weights(model, folder), unexpected


def _spellings(name: str, old_names: tuple[tuple[str, str], ...]) -> set[str]:
    """`name` as it is stored and as a model may call it: norms renamed since, and without "bert.", "roberta." …"""
    names = {name} | {name.removesuffix(old) + new for old, new in old_names if name.endswith(old)}
    return names | {one.partition(".")[2] for one in names if "." in one}
