"""Keeps the process as it was: FunASR and the hubs reseed, reconfigure logging and print."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import warnings
from collections.abc import Iterator

import numpy as np
import torch

log = logging.getLogger(__name__)

_ENVIRONMENT = ("HYDRA_FULL_ERROR",)  # set to 1 by `import funasr`: every later Hydra error would be a traceback


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Runs foreign code and puts back what it changed: seeds, thread count, root logging, warning filters.

    What it prints on stdout is logged at DEBUG instead, so that scripts may parse our own output.
    Seeds of Python, NumPy and torch (CPU) are restored; building a module on the meta device draws none on CUDA.

    >>> random.seed(0); first = random.random(); random.seed(0)
    >>> with undisturbed():
    ...     print("chatter"); random.seed(7); logging.basicConfig(level=logging.INFO)
    >>> random.random() == first
    True
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    seeds = random.getstate(), np.random.get_state(), torch.get_rng_state()
    threads = torch.get_num_threads()
    environment = {name: os.environ.get(name) for name in _ENVIRONMENT}
    chatter = io.StringIO()
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(chatter):
            yield
    finally:
        random.setstate(seeds[0])
        np.random.set_state(seeds[1])
        torch.set_rng_state(seeds[2])
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if chatter.getvalue().strip():
            log.debug("foreign output: %s", chatter.getvalue().strip())
