"""MP3 is the format that is easily read wrongly: in blocks, from the middle, and where no header says how long it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors import decoder
from extractors.audio import AudioError, load_audio, probe
from extractors.mp3 import mp3_length

RATE = 44_100  # Hz
SECONDS = 12


def quiet_then_loud() -> np.ndarray:
    """A tone, silence, noise: small frames first, which lend their spare bits to later ones."""
    noise = 0.2 * np.random.default_rng(0).standard_normal(4 * RATE)
    return np.concatenate([0.4 * np.sin(np.arange(4 * RATE) / 16), np.zeros(4 * RATE), noise])


def write(path: Path, signal: np.ndarray, mode: str, compression: float) -> Path:
    how = {"format": "MP3", "bitrate_mode": mode, "compression_level": compression}
    with soundfile.SoundFile(path, "w", RATE, 1, **how) as file:
        file.write(signal)
    return path


def without_xing(path: Path) -> Path:
    content = path.read_bytes()
    size = content.index(content[:2], 4)
    while size < max(content.find(b"Xing"), content.find(b"Info")):
        size = content.index(content[:2], size + 1)
    stripped = path.with_name(f"stripped_{path.name}")
    stripped.write_bytes(content[size:])
    return stripped


@pytest.fixture(scope="module", params=[("VARIABLE", 0.9), ("VARIABLE", 0.3), ("CONSTANT", 0.99), ("CONSTANT", 0.5)])
def mp3(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("mp3") / "x.mp3", quiet_then_loud(), *request.param)


def test_blocks_make_no_difference(mp3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """soundfile's own blocks differ by up to half of full scale here."""
    whole = load_audio(mp3)
    assert len(whole) == pytest.approx(SECONDS * 16_000, abs=1_600)
    monkeypatch.setattr(decoder, "BLOCK", 7_777)
    np.testing.assert_allclose(load_audio(mp3), whole, atol=1e-6)


@pytest.mark.parametrize("start", [0.7, 3.3, 5.0, 7.9, 9.1])
def test_a_span_far_into_the_file_is_exact(mp3: Path, start: float, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, decoded = load_audio(mp3), read(mp3, 0, None)
    monkeypatch.setattr(decoder, "MP3_FROM_START", 0.5)  # or everything under a minute is decoded from the beginning
    span = load_audio(mp3, start, start + 1.5)
    np.testing.assert_allclose(span, whole[round(start * 16_000) :][: len(span)], atol=2e-6)
    begin = round(start * RATE)
    np.testing.assert_allclose(read(mp3, begin, begin + 5_000), decoded[begin : begin + 5_000], atol=1e-6)


def read(path: Path, begin: int, stop: int | None) -> np.ndarray:
    with decoder.open_audio(path) as file:
        return np.concatenate(list(file.blocks_between(begin, stop)))[: None if stop is None else stop - begin]


def test_the_frames_are_counted_where_no_header_says(tmp_path: Path) -> None:
    """As recorders write it, and with a picture in the tags, which libsndfile takes for sound."""
    path = without_xing(write(tmp_path / "x.mp3", quiet_then_loud(), "CONSTANT", 0.5))
    picture = b"ID3\x04\x00\x00" + bytes([0, 6, 0, 10]) + bytes(6 * 128 * 128 + 10)
    (tmp_path / "tagged.mp3").write_bytes(picture + path.read_bytes() + b"TAG" + bytes(125))
    for name in (path.name, "tagged.mp3"):
        decoded = load_audio(tmp_path / name)
        assert probe(tmp_path / name).duration == pytest.approx(len(decoded) / 16_000, abs=1e-3)
        assert len(decoded) == pytest.approx(SECONDS * 16_000, abs=1_600)


def test_cut_without_a_header(tmp_path: Path) -> None:
    content = without_xing(write(tmp_path / "x.mp3", quiet_then_loud(), "CONSTANT", 0.5)).read_bytes()
    (tmp_path / "cut.mp3").write_bytes(content[:50_001])
    for ask in (probe, load_audio):
        with pytest.raises(AudioError, match="truncated"):
            ask(tmp_path / "cut.mp3")


def test_what_libsndfile_would_end_early_is_refused(tmp_path: Path) -> None:
    """Its guess at the length of a variable rate goes by the first frames; it stops there, in silence."""
    path = without_xing(write(tmp_path / "x.mp3", quiet_then_loud()[::-1], "VARIABLE", 0.3))
    with pytest.raises(AudioError) as caught:
        load_audio(path)
    assert "without a Xing header" in caught.value.reason


def test_no_frames_at_all(tmp_path: Path) -> None:
    for content in (b"", b"ID3", b"\xff" * 99, b"\xff\xfb" * 99, bytes(9_999)):
        (tmp_path / "x.mp3").write_bytes(content)
        with (tmp_path / "x.mp3").open("rb", buffering=0) as file:
            assert mp3_length(file).counted is None
        with pytest.raises(AudioError):
            load_audio(tmp_path / "x.mp3")
