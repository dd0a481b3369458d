"""Readers of timed transcripts: some twenty formats in, one `Transcript` out, no cue lost in silence."""

from fusion.meeting.transcripts.account import account
from fusion.meeting.transcripts.read import read_transcript

__all__ = ["account", "read_transcript"]
