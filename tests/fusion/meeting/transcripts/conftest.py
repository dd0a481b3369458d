"""A file written and read in one go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fusion.meeting.transcript import Transcript
from fusion.meeting.transcripts import read_transcript

Read = Callable[..., Transcript]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """read(content, **options): text, bytes, or anything that JSON can hold, through a file without a telling name."""

    def reads(content: Any, **options: Any) -> Transcript:
        path = tmp_path / "file"
        if not isinstance(content, str | bytes):
            content = json.dumps(content, ensure_ascii=False)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_transcript(path, **options)

    return reads
