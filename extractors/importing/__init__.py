"""Vectors that others computed, from the folders that FunASR, the WebUI and `export=` write, into the store."""

from __future__ import annotations

from extractors.importing.reading import ImportSummary, import_folder
from extractors.importing.vectors import ImportedVectors

__all__ = ["ImportSummary", "ImportedVectors", "import_folder"]
