"""Makes the bundled meeting: two SYNTHETIC voices of the sample in a made-up conversation, with transcript and minutes.

Anna and Ben are the voices rp-f3 and us-m3, which the quickstart never trains on. What they say, and in which mood, is
written down here; nobody said any of it. From the committed clips the same files come out everywhere.

    python samples/make_meeting.py            # rewrites samples/meeting
"""

from __future__ import annotations

import argparse
import csv
import logging
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

log = logging.getLogger("make_meeting")

HERE = Path(__file__).resolve().parent
SAMPLE_RATE = 16_000  # Hz
NAMES = {"rp-f3": "Anna", "us-m3": "Ben"}
PAUSES = (0.4, 0.7, 0.5, 0.9, 0.3)  # s, in turn
BETWEEN = 2.5  # s between two chapters
LEAD = 1.0  # s of quiet at both ends
NOISE = 10 ** (-70 / 20)  # of full scale: no room is digitally silent
COMMENT = "SYNTHETIC meeting made by samples/make_meeting.py of Emofuse from espeak-ng clips; nobody said this. CC0-1.0"

CHAPTERS = [
    "us-m3-08-content rp-f3-08-content us-m3-09-content rp-f3-09-content us-m3-07-content rp-f3-06-content",
    "rp-f3-03-angry us-m3-04-angry rp-f3-04-angry us-m3-03-angry rp-f3-01-angry us-m3-02-angry rp-f3-02-angry us-m3-01-angry "
    "rp-f3-05-angry",
    "rp-f3-02-sad us-m3-05-sad rp-f3-05-sad us-m3-01-sad rp-f3-01-sad us-m3-03-sad",
    "rp-f3-10-excited us-m3-06-excited rp-f3-07-excited us-m3-10-excited rp-f3-09-excited us-m3-07-excited rp-f3-06-excited "
    "us-m3-09-excited",
]

MINUTES = """\
# Catch-up of Anna and Ben

*A made-up meeting of two synthetic voices.*

## The weekend

- Ben: the sun made the picnic perfect
- Anna likes the music, and the house is bright and cosy

## Complaints

- Nothing works in this place, Ben finds
- Anna cannot stand the noise, and the house is damp
- Family insulted, colleague fired

## Losses

- Plans fell apart; heart broken
- Ben was robbed on the street at night

## Good news

- [ ] Anna: tell everybody that the plans worked out nicely
- A kind stranger helped Ben
- The budget for a new server was approved
"""


def make_meeting(folder: Path) -> None:
    """Write call.flac, call.vtt and minutes.md into `folder`."""
    texts = _texts()
    rng = np.random.default_rng(20)
    pauses = cycle(PAUSES)
    parts = [np.zeros(round(LEAD * SAMPLE_RATE))]
    cues = []
    for number, chapter in enumerate(CHAPTERS):
        if number:
            parts.append(np.zeros(round(BETWEEN * SAMPLE_RATE)))
        for clip in chapter.split():
            samples, rate = soundfile.read(HERE / "audio" / f"{clip}.flac", dtype="float64")
            if rate != SAMPLE_RATE:
                raise ValueError(f"{clip}: expected {SAMPLE_RATE} Hz, got {rate}")
            start = sum(map(len, parts)) / SAMPLE_RATE
            cues.append((start, start + len(samples) / SAMPLE_RATE, NAMES[clip[:5]], texts[clip]))
            parts += [samples, np.zeros(round(next(pauses) * SAMPLE_RATE))]
    parts.append(np.zeros(round(LEAD * SAMPLE_RATE)))
    sound = np.concatenate(parts)
    sound += NOISE * rng.standard_normal(len(sound))
    folder.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(folder / "call.flac", "w", SAMPLE_RATE, 1, "PCM_16") as file:
        file.comment = COMMENT
        file.write(np.clip(sound, -1, 1))
    (folder / "call.vtt").write_text(
        f"WEBVTT\n\nNOTE {COMMENT}\n\n" + "\n\n".join(map(_cue, cues)) + "\n", encoding="utf-8"
    )
    (folder / "minutes.md").write_text(MINUTES, encoding="utf-8")
    log.info("%d utterances, %.0f s, in %s", len(cues), len(sound) / SAMPLE_RATE, folder)


def _texts() -> dict[str, str]:
    with (HERE / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["text"] for row in csv.DictReader(file)}


def _cue(cue: tuple[float, float, str, str]) -> str:
    start, end, name, text = cue
    return f"{_clock(start)} --> {_clock(end)}\n<v {name}>{text}</v>"


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"00:{milliseconds // 60_000:02}:{milliseconds // 1000 % 60:02}.{milliseconds % 1000:03}"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "meeting")
    make_meeting(parser.parse_args().folder)
