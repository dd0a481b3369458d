"""Vectors to labels, and the applications. `from fusion import Predictor` is all that most programs need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusion.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from fusion import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'fusion' has no attribute {name!r}")
