"""The real FunASR class, built from a folder's configuration without paying for the rest of FunASR."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import sys
import types
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from extractors.emotion2vec.quiet import undisturbed
from extractors.errors import EmofuseError

log = logging.getLogger(__name__)

_MODULE = "funasr.models.emotion2vec.model"


def build_module(model_conf: Mapping[str, Any], *, vocab_size: int, device: str = "meta") -> nn.Module:
    """FunASR's `Emotion2vec` of `model_conf`, in eval mode, its weights not initialised; on "meta" they need no memory.

    `model_conf` must come from `extractors.emotion2vec.folder.read_config`: FunASR evaluates the string
    `feature_encoder_spec` as Python, so it has to have been checked before it gets here.
    """
    try:
        with undisturbed(), _emotion2vec_class() as emotion2vec, torch.device(device), _Undrawn():
            module: nn.Module = emotion2vec(model_conf=dict(model_conf), vocab_size=vocab_size)
    except ImportError as error:
        hint = " Run: pip install setuptools" if "distutils" in str(error) else ""  # gone from Python 3.12
        raise EmofuseError(f"FunASR's Emotion2vec cannot be imported: {error}.{hint}") from error
    return module.eval()


class _Undrawn(TorchFunctionMode):
    """Leaves out random initialisation: the weights are replaced, and on "meta" a draw would import torch's compiler."""

    _DRAWS = frozenset({torch.Tensor.normal_, torch.Tensor.uniform_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self._DRAWS or getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextlib.contextmanager
def _emotion2vec_class() -> Iterator[Any]:
    """FunASR's class. `import funasr` runs all its 300 modules (5 s); this one and its imports take 0.2 s.

    A bare package object stands in for `funasr/__init__` during the import and while the class is instantiated
    (its constructor imports too). Afterwards every trace of it leaves `sys.modules`, so that a later `import funasr`
    anywhere in the process is whole.
    """
    if "funasr" in sys.modules:
        yield import_module(_MODULE).Emotion2vec
        return
    spec = importlib.util.find_spec("funasr")
    if spec is None or spec.submodule_search_locations is None:
        raise EmofuseError("Emotion2Vec+ needs the package funasr, which is not installed. Run: pip install funasr")
    stand_in = types.ModuleType("funasr")
    stand_in.__path__ = list(spec.submodule_search_locations)
    sys.modules["funasr"] = stand_in
    try:
        emotion2vec = import_module(_MODULE).Emotion2vec
    except (ImportError, AttributeError) as error:  # a FunASR that is laid out otherwise: take the long way
        log.debug("importing all of FunASR, because %s alone failed: %s", _MODULE, error)
        _forget_funasr()
        yield import_module(_MODULE).Emotion2vec
        return
    try:
        yield emotion2vec
    finally:
        _forget_funasr()


def _forget_funasr() -> None:
    for name in [name for name in sys.modules if name == "funasr" or name.startswith("funasr.")]:
        del sys.modules[name]
