"""Readers of timed transcripts: some twenty formats in, one `Transcript` out, no cue lost in silence."""

from .account import account
from .read import read_transcript

__all__ = ["account", "read_transcript"]
