"""Every kind of file becomes the same mono 16 kHz signal, spans are exact, and what cannot be used says why."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.audio import SAMPLE_RATE, AudioError, content_hash, load_audio, probe, windows
from extractors.errors import InputError

RATE = 44_100  # Hz
SECONDS = 3.0
KINDS = {  # name -> (container, encoding, rate, how far from the pure tone it may be)
    "wav8": ("WAV", "PCM_U8", RATE, 1e-2),
    "wav16": ("WAV", "PCM_16", RATE, 1e-4),
    "wav24": ("WAV", "PCM_24", RATE, 1e-4),
    "wav32": ("WAV", "PCM_32", RATE, 1e-4),
    "float": ("WAV", "FLOAT", RATE, 1e-4),
    "double": ("WAV", "DOUBLE", RATE, 1e-4),
    "ulaw": ("WAV", "ULAW", 8_000, 2e-2),
    "flac": ("FLAC", "PCM_16", 48_000, 1e-4),
    "flac24": ("FLAC", "PCM_24", 96_000, 1e-4),
    "odd": ("WAV", "PCM_16", 11_127, 1e-4),
    "same": ("WAV", "PCM_16", SAMPLE_RATE, 1e-4),
    "vorbis": ("OGG", "VORBIS", RATE, 3e-2),
    "opus": ("OGG", "OPUS", 48_000, 5e-2),
    "mp3": ("MP3", "MPEG_LAYER_III", RATE, 3e-2),
}


def tone(rate: int, seconds: float = SECONDS) -> np.ndarray:
    """A steady 440 Hz with one soft swell, (samples,)."""
    time = np.arange(round(rate * seconds)) / rate
    return 0.4 * np.sin(2 * np.pi * 440 * time) * (1 + 0.5 * np.sin(2 * np.pi * time))


def stereo(signal: np.ndarray) -> np.ndarray:
    return np.stack([signal * 1.2, signal * 0.8], axis=1)  # their mean is the signal


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("audio")
    paths = {}
    for kind, (container, encoding, rate, _) in KINDS.items():
        paths[kind] = folder / f"{kind}.{container.lower()}"
        soundfile.write(paths[kind], stereo(tone(rate)), rate, format=container, subtype=encoding)
    return paths


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_the_same_signal(files: dict[str, Path], kind: str) -> None:
    samples = load_audio(files[kind])
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    assert len(samples) == SECONDS * SAMPLE_RATE
    assert np.abs(samples).max() <= 1.0
    inside = slice(800, -800)  # filters and codecs ring at the edges
    assert np.abs(samples - tone(SAMPLE_RATE))[inside].max() < KINDS[kind][3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.37, 2.11), (1.23456, 1.26), (2.9, None), (None, 0.5)])
def test_a_span_is_the_same_as_cut_from_the_whole(
    files: dict[str, Path], kind: str, start: float | None, end: float | None
) -> None:
    whole = load_audio(files[kind])
    span = load_audio(str(files[kind]), start, end)
    cut = whole[round((start or 0) * SAMPLE_RATE) : None if end is None else round(end * SAMPLE_RATE)]
    assert span.shape == cut.shape
    np.testing.assert_allclose(span, cut, atol=2e-6)


@pytest.mark.parametrize("rate", [RATE, 11_127, SAMPLE_RATE])
def test_resampling_and_length_are_librosas(tmp_path: Path, rate: int) -> None:
    """FunASR reads through librosa: one frame more or less would come of another rounding."""
    librosa = pytest.importorskip("librosa")
    soundfile.write(tmp_path / "x.wav", stereo(tone(rate, 0.777)), rate)
    theirs, _ = librosa.load(tmp_path / "x.wav", sr=SAMPLE_RATE)
    np.testing.assert_allclose(load_audio(tmp_path / "x.wav"), theirs, atol=1e-6)


def test_only_the_span_is_read(tmp_path: Path) -> None:
    """A NaN outside the span is not seen, even within the resampler's margin; one inside is an error."""
    signal = tone(RATE)
    signal[RATE] = np.nan
    soundfile.write(tmp_path / "x.wav", signal, RATE, subtype="FLOAT")
    assert np.isfinite(load_audio(tmp_path / "x.wav", 0.0, 1.0)).all()
    assert np.isfinite(load_audio(tmp_path / "x.wav", 1.001, None)).all()
    for span in [(None, None), (0.5, 1.5)]:
        with pytest.raises(AudioError) as caught:
            load_audio(tmp_path / "x.wav", *span)
        assert caught.value.reason == "holds NaN or infinite samples"


def test_silence_stays(tmp_path: Path) -> None:
    signal = np.concatenate([np.zeros(RATE), tone(RATE, 0.5), np.zeros(RATE)])
    soundfile.write(tmp_path / "x.wav", signal, RATE)
    samples = load_audio(tmp_path / "x.wav")
    assert len(samples) == 2.5 * SAMPLE_RATE
    assert not samples[: SAMPLE_RATE - 800].any()


@pytest.mark.parametrize(("factor", "peak"), [(2.0, 1.0), (32_767.0, 1.0), (0.5, 0.5), (1.0, 1.0)])
def test_float_files_beyond_one_keep_their_shape(tmp_path: Path, factor: float, peak: float) -> None:
    soundfile.write(tmp_path / "x.wav", factor * np.sin(np.arange(SAMPLE_RATE) / 8), SAMPLE_RATE, subtype="FLOAT")
    samples = load_audio(tmp_path / "x.wav")
    assert np.abs(samples).max() == pytest.approx(peak, abs=1e-3)
    np.testing.assert_allclose(samples, peak * np.sin(np.arange(SAMPLE_RATE) / 8), atol=1e-3)


def test_what_the_resampler_overshoots_is_clipped_and_not_scaled(tmp_path: Path) -> None:
    square = np.sign(np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)) * 0.999
    soundfile.write(tmp_path / "x.wav", square, RATE)
    samples = load_audio(tmp_path / "x.wav")
    assert np.abs(samples).max() == 1.0
    assert np.median(np.abs(samples)) == pytest.approx(0.999, abs=0.01)


def damaged(folder: Path, files: dict[str, Path]) -> dict[str, tuple[Path, str]]:
    """name -> (path, what its reason has to say)."""

    def write(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    def sound(name: str, signal: np.ndarray, rate: int = SAMPLE_RATE, **how: str) -> Path:
        soundfile.write(folder / name, signal, rate, **how)
        return folder / name

    def cut(kind: str) -> Path:
        content = files[kind].read_bytes()
        return write(f"cut_{files[kind].name}", content[: len(content) * 6 // 10])

    os.mkfifo(folder / "pipe.wav")
    return {
        "missing": (folder / "none.wav", "no such file"),
        "folder": (folder, "is a folder"),
        "pipe": (folder / "pipe.wav", "not a regular file"),
        "zero bytes": (write("zero.wav", b""), "empty (0 bytes)"),
        "text": (write("text.wav", b"hello there " * 99), "not audio"),
        "no samples": (sound("none16.wav", np.zeros(0)), "no samples"),
        "too short": (sound("short.wav", np.zeros(399)), "too short: 24.9 ms"),
        "infinite": (sound("inf.wav", np.full(900, np.inf), subtype="FLOAT"), "NaN or infinite"),
        "no audio": (sound("huge.wav", np.full(900, 1e30), subtype="FLOAT"), "no audio"),
        **{f"cut {kind}": (cut(kind), "truncated") for kind in KINDS},
    }


def test_what_cannot_be_used_says_why_in_one_line(tmp_path: Path, files: dict[str, Path]) -> None:
    for name, (path, wanted) in damaged(tmp_path, files).items():
        with pytest.raises(AudioError) as caught:
            load_audio(path)
        assert wanted in caught.value.reason, name
        assert "\n" not in caught.value.reason, name
        assert str(path) in str(caught.value), name
        assert isinstance(caught.value, InputError)


def test_the_cheap_probe_sees_what_the_header_shows(tmp_path: Path, files: dict[str, Path]) -> None:
    decoding_shows = {"too short", "infinite", "no audio", "cut flac", "cut flac24"}
    for name, (path, wanted) in damaged(tmp_path, files).items():
        if name in decoding_shows:
            assert probe(path).duration > 0, name
        else:
            with pytest.raises(AudioError) as caught:
                probe(path)
            assert wanted in caught.value.reason, name


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path: Path, files: dict[str, Path]) -> None:
    shutil.copy(files["wav16"], tmp_path / "x.wav")
    (tmp_path / "x.wav").chmod(0)
    for ask in (load_audio, probe, content_hash):
        with pytest.raises(AudioError, match="permission denied"):
            ask(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (3.0, None, "start is beyond the file: 3 s of 3.000 s"),
        (-0.5, 1.0, "start is before the file"),
        (1.0, 1.0, "end is not after start"),
        (2.0, 1.0, "end is not after start"),
        (0.0, 3.2, "end is beyond the file: 3.2 s of 3.000 s"),
        (float("nan"), 1.0, "must be numbers"),
        (0.0, float("inf"), "must be numbers"),
        (1.0, 1.02, "too short: 20.0 ms"),
    ],
)
def test_a_span_that_is_none(files: dict[str, Path], start: float, end: float | None, wanted: str) -> None:
    with pytest.raises(AudioError) as caught:
        load_audio(files["flac"], start, end)
    assert wanted in caught.value.reason


def test_an_end_that_was_rounded_up_is_the_end(files: dict[str, Path]) -> None:
    assert len(load_audio(files["wav16"], 2.0, 3.05)) == SAMPLE_RATE


def test_files_whose_header_leaves_the_length_open(tmp_path: Path, files: dict[str, Path]) -> None:
    """As encoders leave them that write to a pipe: FLAC with no count of samples, WAV with the largest size."""
    whole = load_audio(files["flac"])
    content = bytearray(files["flac"].read_bytes())
    content[21] &= 0xF0  # STREAMINFO: 36 bits of the number of samples, from the middle of byte 13 of it
    content[22:26] = bytes(4)
    (tmp_path / "open.flac").write_bytes(content)
    assert probe(tmp_path / "open.flac") == probe(files["flac"])
    np.testing.assert_array_equal(load_audio(tmp_path / "open.flac"), whole)
    np.testing.assert_allclose(load_audio(tmp_path / "open.flac", 1.5, 2.0), whole[24_000:32_000], atol=2e-6)

    content = bytearray(files["wav16"].read_bytes())
    where = content.index(b"data") + 4
    for size in (0xFFFF_FFFF, 0x7FFF_F000):
        content[where : where + 4] = struct.pack("<I", size)
        (tmp_path / "open.wav").write_bytes(content)
        np.testing.assert_array_equal(load_audio(tmp_path / "open.wav"), load_audio(files["wav16"]))


def test_probe(files: dict[str, Path]) -> None:
    info = probe(files["opus"])
    assert (info.sample_rate, info.channels, info.frames, info.format) == (48_000, 2, 144_000, "OGG")
    assert info.duration == SECONDS


def test_content_hash_is_of_the_bytes(tmp_path: Path, files: dict[str, Path]) -> None:
    copy = shutil.copy(files["mp3"], tmp_path / "another name.wav")
    assert content_hash(copy) == content_hash(str(files["mp3"]))
    assert content_hash(copy) != content_hash(files["flac"])
    assert len(content_hash(copy)) == 32
    with pytest.raises(AudioError, match="is a folder"):
        content_hash(tmp_path)


def test_an_audio_error_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(AudioError("a.wav", "is\nempty")))
    assert (error.reason, str(error)) == ("is empty", "a.wav: is empty")


@settings(deadline=None)
@given(samples=st.integers(0, 5_000_000), limit=st.integers(400, 1_000_000))
def test_the_frames_of_the_windows_are_those_of_the_whole(samples: int, limit: int) -> None:
    spans = windows(samples, limit)
    assert spans[0][0] == 0
    assert all(0 <= stop - start <= limit for start, stop in spans)
    if len(spans) == 1:
        assert spans == [(0, samples)] or samples - limit < 320
    if samples > limit:
        firsts = [start // 320 + frame for start, stop in spans for frame in range((stop - start - 400) // 320 + 1)]
        assert firsts == list(range((samples - 400) // 320 + 1))
        lengths = [(stop - start - 400) // 320 for start, stop in spans]
        assert max(lengths) - min(lengths) <= 1


@pytest.mark.slow
def test_an_hour_of_stereo_fits_in_memory(tmp_path: Path) -> None:
    """One hour of 44.1 kHz stereo is 1.3 GB as float32; the decoded hour is 0.23 GB, held twice at most."""
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", RATE, 2) as file:
        for _ in range(360):
            file.write(stereo(tone(RATE, 10.0)))
    code = (
        "import re, sys; from extractors.audio import load_audio; n = len(load_audio(sys.argv[1]));"
        # not ru_maxrss: that begins with what the parent held when it started this process
        r"print(n, int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "hour.wav"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    samples, megabytes = map(int, done.stdout.split())
    assert samples == 3_600 * SAMPLE_RATE
    assert megabytes < 900
