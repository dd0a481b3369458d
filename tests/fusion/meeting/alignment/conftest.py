"""The packaged text encoder and AMI ES2011a, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.meeting_gold import Sentence, ami
from extractors.text import SentenceTransformerExtractor
from fusion.meeting.transcript import Transcript


@pytest.fixture(scope="session")
def minilm() -> SentenceTransformerExtractor:
    return SentenceTransformerExtractor(device="cpu")


@pytest.fixture(scope="session")
def es2011a(shared_data: Path) -> tuple[Transcript, list[Sentence]]:
    """The meeting, speakers named by their roles, and the sentences of its summaries with their spans."""
    folder = shared_data / "meeting" / "ami_ES2011a"
    if not folder.is_dir():
        pytest.skip(f"no AMI meeting at {folder}")
    return ami(folder)
