"""Does every audio format come back as it went in? A synthetic voice, written by libsndfile, decoded as clips are."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile

from extractors.audio import SAMPLE_RATE, AudioError, load_audio
from extractors.diagnosis.finding import Finding
from extractors.diagnosis.voice import voice_like

SECONDS = 1.5
LOSSY = 0.06  # largest difference of a coded voice whose peak is 0.3; 0.02 to 0.03 were measured


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """`tolerance`: how far a decoded sample may be from the one written, of full scale."""

    family: str
    name: str
    format: str  # these two as libsndfile calls them
    subtype: str
    tolerance: float
    rate: int = SAMPLE_RATE  # Hz
    channels: int = 1


FORMATS = (
    AudioFormat("WAV", "8-bit", "WAV", "PCM_U8", 2**-6),
    AudioFormat("WAV", "16-bit", "WAV", "PCM_16", 2**-14),
    AudioFormat("WAV", "24-bit", "WAV", "PCM_24", 2**-22),
    AudioFormat("WAV", "float", "WAV", "FLOAT", 0.0),
    AudioFormat("WAV", "44.1 kHz stereo", "WAV", "PCM_16", 1e-3, 44_100, 2),
    AudioFormat("FLAC", "16-bit", "FLAC", "PCM_16", 2**-14),
    AudioFormat("OGG Vorbis", "", "OGG", "VORBIS", LOSSY),
    AudioFormat("OGG Opus", "", "OGG", "OPUS", LOSSY),
    AudioFormat("MP3", "", "MP3", "MPEG_LAYER_III", LOSSY),
)


def check_formats() -> list[Finding]:
    """A finding for each family of formats.

    >>> {finding.check: finding.status for finding in check_formats()}
    {'WAV': 'ok', 'FLAC': 'ok', 'OGG Vorbis': 'ok', 'OGG Opus': 'ok', 'MP3': 'ok'}
    """
    findings = []
    with tempfile.TemporaryDirectory(prefix="emofuse-doctor-") as folder:
        for family, members in groupby(FORMATS, key=lambda audio: audio.family):
            tried = [(audio, *try_format(audio, Path(folder) / "voice")) for audio in members]
            findings.append(_summary(family, tried))
    return findings


def try_format(audio: AudioFormat, path: Path) -> tuple[float | None, str]:
    """(largest difference, problem): the difference is None where nothing came back, the problem empty where all is well."""
    written = voice_like(SECONDS, rate=audio.rate)
    try:
        soundfile.write(
            path, np.stack([written] * audio.channels, axis=1), audio.rate, format=audio.format, subtype=audio.subtype
        )
    except (soundfile.LibsndfileError, ValueError) as error:
        return None, f"this libsndfile cannot write it ({error}), so it could not be tried"
    try:
        decoded = load_audio(path)
    except AudioError as error:
        return None, f"could not be decoded: {error.reason}"
    expected = voice_like(SECONDS)
    if len(decoded) != len(expected):
        return None, f"{len(expected)} samples went in, {len(decoded)} came out"
    difference = float(np.abs(decoded - expected).max())
    if difference > audio.tolerance:
        return difference, f"samples differ by {difference:.2g}, at most {audio.tolerance:.2g} were expected"
    return difference, ""


def _summary(family: str, tried: list[tuple[AudioFormat, float | None, str]]) -> Finding:
    details = {audio.name or family: {"difference": difference, "problem": why} for audio, difference, why in tried}
    problems = [f"{audio.name}: {why}".removeprefix(": ") for audio, _, why in tried if why]
    if problems:
        todo = f"libsndfile {soundfile.__libsndfile_version__} is in use: pip install --upgrade soundfile brings a newer one."
        return Finding(family, "fail", "\n".join(problems), todo, details)
    names = ", ".join(audio.name for audio, *_ in tried)
    lost = max(difference or 0.0 for _, difference, _ in tried)
    coded = f"within {lost:.2f} of full scale, which its coding loses"
    return Finding(family, "ok", f"decodes as written ({names or coded})", details=details)
