"""What the store holds, as files that other programs understand: FunASR's, the WebUI's, Parquet, safetensors.

Every exporter has the same two verbs: `check(clips)`, before anything is computed, and `write(stored)`.
Nothing is ever overwritten, and what is written appears whole or not at all.
"""

from __future__ import annotations

from extractors.export.npy import NpyExport
from extractors.export.parquet import ParquetExport
from extractors.export.stored import Exporter, StoredClip, StoredClips
from extractors.export.tensors import SafetensorsExport
from extractors.export.webui import WebUIExport

__all__ = [
    "Exporter",
    "NpyExport",
    "ParquetExport",
    "SafetensorsExport",
    "StoredClip",
    "StoredClips",
    "WebUIExport",
]
