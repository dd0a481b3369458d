"""Every transcript format read: 10,000 cues each, from the file to utterances, their format told by their content.

    python benchmarks/transcripts.py [--cues 10000]

Words' formats (Amazon, Google, CTM) have eight words a turn and are as long in turns. The best of three readings is
written down, and beside it the check of times and the spans for inference of the same conversation.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from machine import RESULTS, describe_machine, write_json
from transcript_files import WRITERS, conversation

from fusion.meeting.timing import check_times, inference_spans
from fusion.meeting.transcripts import read_transcript

log = logging.getLogger("benchmarks.transcripts")

READINGS = 3
T = TypeVar("T")


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cues", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULTS / "transcripts.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    said = conversation(options.cues)
    formats: dict[str, dict[str, float | int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (expected, writer) in WRITERS.items():
            path, written = Path(folder, "transcript"), writer(said)
            path.write_bytes(written.data)
            seconds, transcript = _best(lambda path=path: read_transcript(path))
            if (transcript.format, len(transcript.utterances), transcript.cues) != (expected, len(said), written.cues):
                raise RuntimeError(f"{name}: read as {transcript.format}, {len(transcript.utterances)} utterances")
            formats[name] = {"seconds": seconds, "cues": written.cues, "bytes": len(written.data)}
            log.info("%-22s %6.3f s  %7d cues  %9d bytes", name, seconds, written.cues, len(written.data))
            if name == "webvtt (Teams)":
                checked_in, checked = _best(lambda t=transcript: check_times(t, said[-1].end + 1))
                spans_in, spans = _best(lambda t=checked: inference_spans(t))
    log.info("check of times %.3f s, spans for inference %.3f s (%d spans)", checked_in, spans_in, len(spans))
    write_json(
        options.out,
        {
            "what": f"reading {options.cues:,} turns from a file, format told by content, best of {READINGS}",
            "command": f"python benchmarks/transcripts.py --cues {options.cues}",
            "machine": describe_machine(["numpy", "scipy"]),
            "turns": options.cues,
            "formats": formats,
            "check_times_seconds": checked_in,
            "inference_spans_seconds": spans_in,
        },
    )


def _best(act: Callable[[], T]) -> tuple[float, T]:
    seconds = []
    for _ in range(READINGS):
        began = time.perf_counter()
        found = act()
        seconds.append(time.perf_counter() - began)
    return round(min(seconds), 3), found


if __name__ == "__main__":
    main()
