"""Signals to vectors: speech and text extractors, and the store that keeps what they say.

Usable alone; knows nothing of labels. Names are loaded on first use, so that importing this package stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extractors.acoustic import AcousticExtractor
    from extractors.emotion2vec.extractor import Emotion2vecExtractor
    from extractors.errors import EmofuseError, InputError
    from extractors.pipeline import extract_to_store
    from extractors.store import EmbeddingStore
    from extractors.text import SentenceTransformerExtractor
    from extractors.types import Clip, Embedding, Extractor

_HOME = {
    "AcousticExtractor": "extractors.acoustic",
    "Clip": "extractors.types",
    "Embedding": "extractors.types",
    "EmbeddingStore": "extractors.store",
    "EmofuseError": "extractors.errors",
    "Emotion2vecExtractor": "extractors.emotion2vec.extractor",
    "Extractor": "extractors.types",
    "InputError": "extractors.errors",
    "SentenceTransformerExtractor": "extractors.text",
    "extract_to_store": "extractors.pipeline",
}

__all__ = [
    "AcousticExtractor",
    "Clip",
    "Embedding",
    "EmbeddingStore",
    "EmofuseError",
    "Emotion2vecExtractor",
    "Extractor",
    "InputError",
    "SentenceTransformerExtractor",
    "extract_to_store",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'extractors' has no attribute {name!r}")
