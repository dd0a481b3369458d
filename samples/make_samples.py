"""Makes the bundled sample: a small SYNTHETIC corpus of emotional speech, spoken by espeak-ng.

The voice carries arousal, the words carry valence, and a label needs both:

              low arousal   high arousal
    negative  sad           angry
    positive  content       excited

Every sentence of `sentences.csv` belongs to one speaker and is spoken twice, once in each arousal, so neither
the words nor the speaker tell which. Arousal moves pitch, pitch range, rate, loudness and spectral tilt
together, each with its own jitter. Needs the program espeak-ng; the same seed and version make the same clips.

    python samples/make_samples.py            # rewrites samples/audio and samples/manifest.csv
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

log = logging.getLogger("make_samples")

HERE = Path(__file__).resolve().parent
SAMPLE_RATE = 16_000  # Hz
SEED = 20
ESPEAK_VERSION = "1.51"  # the version that spoke the committed clips; another one sounds slightly different
COMMENT = "SYNTHETIC speech made by samples/make_samples.py of Emofuse with espeak-ng; nobody said this. CC0-1.0"

LABELS = {
    ("negative", "high"): "angry",
    ("negative", "low"): "sad",
    ("positive", "high"): "excited",
    ("positive", "low"): "content",
}
AROUSAL = {"low": -1.0, "high": 1.0}

SHARED_JITTER = 0.30  # of a clip's arousal, moving all its cues together; low and high are 2 apart
OWN_JITTER = 0.45  # of each cue on its own
LEVEL = -32.0  # dB re full scale, RMS of a neutral clip
PEAK_LIMIT = 0.95  # of full scale; louder clips are turned down, never clipped


@dataclass(frozen=True)
class Voice:
    """One speaker: an espeak-ng voice, and the habits that arousal moves away from."""

    espeak: str
    pitch: int  # espeak-ng's 0 to 99; one step is about 1 % of F0
    rate: int  # words per minute
    gain: float  # dB, as if the microphone stood nearer or farther


VOICES = {
    "us-f1": Voice("en-us+f1", pitch=42, rate=188, gain=0.0),
    "us-f2": Voice("en-us+f2", pitch=50, rate=180, gain=1.5),
    "us-f3": Voice("en-us+f3", pitch=56, rate=193, gain=-1.5),
    "us-f4": Voice("en-us+f4", pitch=46, rate=176, gain=-0.5),
    "us-f5": Voice("en-us+f5", pitch=60, rate=186, gain=1.0),
    "rp-f3": Voice("en-gb-x-rp+f3", pitch=48, rate=182, gain=-2.0),
    "scot-f5": Voice("en-gb-scotland+f5", pitch=53, rate=190, gain=0.5),
    "us-m1": Voice("en-us+m1", pitch=44, rate=178, gain=2.0),
    "us-m2": Voice("en-us+m2", pitch=52, rate=192, gain=-1.0),
    "us-m3": Voice("en-us+m3", pitch=60, rate=184, gain=0.0),
    "us-m4": Voice("en-us+m4", pitch=40, rate=188, gain=-2.0),
    "rp-m5": Voice("en-gb-x-rp+m5", pitch=56, rate=176, gain=1.5),
    "us-m7": Voice("en-us+m7", pitch=48, rate=194, gain=0.5),
    "scot-m8": Voice("en-gb-scotland+m8", pitch=54, rate=182, gain=-0.5),
}


@dataclass(frozen=True)
class Sample:
    """One clip to be: who says what, how, and so what it is called."""

    id: str
    text: str
    label: str
    speaker: str
    arousal: str


def read_sentences(path: Path = HERE / "sentences.csv") -> list[dict[str, str]]:
    """Rows of `speaker, valence, text`."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plan(sentences: list[dict[str, str]]) -> Iterator[Sample]:
    """Each sentence in low and in high arousal, numbered within its speaker."""
    counts: dict[str, int] = {}
    for row in sentences:
        speaker, text = row["speaker"], row["text"]
        counts[speaker] = counts.get(speaker, 0) + 1
        for arousal in AROUSAL:
            label = LABELS[row["valence"], arousal]
            yield Sample(f"{speaker}-{counts[speaker]:02d}-{label}", text, label, speaker, arousal)


def speak(sample: Sample) -> NDArray[np.float64]:
    """The clip, (samples,) at 16 kHz within ±PEAK_LIMIT. The seed is the clip's own: any clip can be made alone."""
    voice = VOICES[sample.speaker]
    random = np.random.default_rng([SEED, zlib.crc32(sample.id.encode())])
    shared = AROUSAL[sample.arousal] + SHARED_JITTER * random.standard_normal()
    pitch, pitch_range, rate, level, tilt = shared + OWN_JITTER * random.standard_normal(5)

    wave = _espeak(
        sample.text,
        voice=voice.espeak,
        pitch=round(np.clip(voice.pitch + 9 * pitch, 0, 99)),  # ± 9 %
        rate=round(voice.rate * 1.13**rate),
        pitch_range=round(np.clip(100 * 1.6**pitch_range, 20, 250)),  # per cent
    )
    brightness = np.clip(0.15 * tilt - 0.3, -0.9, 0.9)  # effort lifts high frequencies, as a first difference does
    wave = np.append(wave[0], wave[1:] - brightness * wave[:-1])
    wave *= 10 ** ((LEVEL + voice.gain + 3.5 * level) / 20) / np.sqrt(np.mean(wave**2))
    wave *= min(1.0, PEAK_LIMIT / np.abs(wave).max())
    dither = random.uniform(-1, 1, (2, len(wave))).sum(axis=0) / 2**16  # ± 1 bit: no recording is digitally silent
    return wave + dither


def _espeak(text: str, *, voice: str, pitch: int, rate: int, pitch_range: int) -> NDArray[np.float64]:
    """(samples,) at 16 kHz in [-1, 1]."""
    command = ["espeak-ng", "-m", "-z", "--stdout", "-v", voice, "-p", str(pitch), "-s", str(rate), "-a", "60"]
    markup = f'<speak><prosody range="{pitch_range}%">{escape(text)}</prosody></speak>'
    wav = subprocess.run([*command, markup], check=True, capture_output=True).stdout
    # espeak-ng cannot seek back on a pipe, so the length in the header is wrong; the samples are the rest
    source_rate = int.from_bytes(wav[24:28], "little")
    source = np.frombuffer(wav[wav.index(b"data") + 8 :], "<i2") / 2**15
    wave = soxr.resample(source, source_rate, SAMPLE_RATE)
    last = np.flatnonzero(np.abs(wave) > 0.01 * np.abs(wave).max())[-1]
    return wave[: last + int(0.1 * SAMPLE_RATE)]  # of the pause that ends every espeak-ng clip, 0.1 s is enough


def write_flac(path: Path, wave: NDArray[np.float64]) -> None:
    """16-bit mono FLAC that says in itself that it is synthetic."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC", compression_level=1.0) as file:
        file.comment = COMMENT
        file.write(wave)
    _replace(path, buffer.getvalue())


def write_manifest(path: Path, samples: list[Sample]) -> None:
    """The columns that every Emofuse manifest has; audio is relative to the manifest."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "audio", "text", "label", "speaker"])
    writer.writerows([s.id, f"audio/{s.id}.flac", s.text, s.label, s.speaker] for s in samples)
    _replace(path, text.getvalue().encode())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def installed_espeak() -> str | None:
    """Version of the espeak-ng on the PATH, such as "1.51"; None where there is none."""
    if shutil.which("espeak-ng") is None:
        return None
    answer = subprocess.run(["espeak-ng", "--version"], check=True, capture_output=True, text=True).stdout
    return answer.split("text-to-speech:")[1].split()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE, help="folder for audio/ and manifest.csv (default: here)")
    output: Path = parser.parse_args().output
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    version = installed_espeak()
    if version is None:
        raise SystemExit("espeak-ng is not on the PATH. Debian and Ubuntu: apt-get install espeak-ng")
    if version != ESPEAK_VERSION:
        log.warning("espeak-ng %s speaks; the committed clips are of %s and will differ", version, ESPEAK_VERSION)

    samples = list(plan(read_sentences()))
    (output / "audio").mkdir(parents=True, exist_ok=True)
    for sample in samples:
        write_flac(output / "audio" / f"{sample.id}.flac", speak(sample))
    write_manifest(output / "manifest.csv", samples)
    log.info("%d clips of %d speakers in %s", len(samples), len({s.speaker for s in samples}), output)


if __name__ == "__main__":
    main()
