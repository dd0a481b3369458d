"""Full float32 products while the encoder runs, whatever the process has set."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

_lock = threading.Lock()
_inside = 0  # encoders that run now; the last one to leave puts the settings back
_restore = contextlib.ExitStack()


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Switches TF32 and its like off, and back to what they were afterwards.

    By default cuDNN rounds float32 convolutions to TF32, and `torch.set_float32_matmul_precision("high")`, which training
    frameworks recommend, does the same to matrix products; either costs three digits.

    >>> torch.set_float32_matmul_precision("medium")
    >>> with full_float32():
    ...     torch.get_float32_matmul_precision()
    'highest'
    >>> torch.get_float32_matmul_precision()
    'medium'
    >>> torch.set_float32_matmul_precision("highest")
    """
    global _inside
    with _lock:
        if _inside == 0:
            _switch()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore.close()


def _switch() -> None:
    """Everything to full float32; `_restore` learns what it was."""
    backends: Any = torch.backends
    newer: tuple[Any, ...] = ()
    if hasattr(backends.cudnn, "conv"):  # from torch 2.9 on each backend has a switch of its own
        newer = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    for part in newer:
        _restore.callback(setattr, part, "fp32_precision", part.fp32_precision)
    # the older switches first: they set some of the newer ones, and must not contradict them
    with contextlib.suppress(RuntimeError):  # they do already: then the newer ones say what was meant
        _restore.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    with contextlib.suppress(RuntimeError):
        _restore.callback(setattr, backends.cudnn, "allow_tf32", backends.cudnn.allow_tf32)
    torch.set_float32_matmul_precision("highest")
    backends.cudnn.allow_tf32 = False
    for part in newer:
        part.fp32_precision = "ieee"
