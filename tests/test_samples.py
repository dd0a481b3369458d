"""The bundled sample is what its README says: synthetic, small, balanced, and in need of both modalities."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import soundfile

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
LABELS = {"angry", "sad", "excited", "content"}
MAX_BYTES = 8_000_000
LSB = 2**-15  # of 16-bit audio


def normalised(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.lower()).split())


@pytest.fixture(scope="module")
def manifest() -> pd.DataFrame:
    return pd.read_csv(SAMPLES / "manifest.csv", dtype=str)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def test_manifest_and_files_are_one_to_one(manifest: pd.DataFrame) -> None:
    assert list(manifest.columns) == ["id", "audio", "text", "label", "speaker"]
    assert not manifest.isna().any(axis=None)
    assert manifest["id"].is_unique
    on_disk = {path.relative_to(SAMPLES).as_posix() for path in (SAMPLES / "audio").iterdir()}
    assert set(manifest["audio"]) == on_disk


def test_small_enough_to_bundle() -> None:
    assert sum(path.stat().st_size for path in (SAMPLES / "audio").iterdir()) <= MAX_BYTES


def test_labels_are_balanced_within_every_speaker(manifest: pd.DataFrame) -> None:
    counts = manifest.groupby(["speaker", "label"]).size().unstack(fill_value=0)
    assert set(counts.columns) == LABELS
    assert len(counts) >= 8
    assert counts.nunique(axis=1).eq(1).all()


def test_transcripts_are_disjoint_between_speakers(manifest: pd.DataFrame) -> None:
    assert manifest.groupby(manifest["text"].map(normalised))["speaker"].nunique().eq(1).all()


def test_words_and_speaker_leave_arousal_open(manifest: pd.DataFrame) -> None:
    arousal = manifest["label"].map({"angry": "high", "excited": "high", "sad": "low", "content": "low"})
    valence = manifest["label"].map(
        {"angry": "negative", "sad": "negative", "excited": "positive", "content": "positive"}
    )
    by_text = pd.DataFrame({"text": manifest["text"], "arousal": arousal, "valence": valence}).groupby("text")
    assert by_text["arousal"].apply(lambda values: sorted(values) == ["high", "low"]).all()
    assert by_text["valence"].nunique().eq(1).all()


def test_sentences_are_short_and_never_repeated(maker: ModuleType, manifest: pd.DataFrame) -> None:
    sentences = [row["text"] for row in maker.read_sentences()]
    assert len({normalised(text) for text in sentences}) == len(sentences)
    assert all(3 <= len(text.split()) <= 8 for text in sentences)
    assert set(sentences) == set(manifest["text"])
    assert {row["speaker"] for row in maker.read_sentences()} == set(maker.VOICES)


def test_every_clip_decodes_and_says_that_it_is_synthetic(manifest: pd.DataFrame) -> None:
    for name in manifest["audio"]:
        with soundfile.SoundFile(SAMPLES / name) as file:
            assert (file.samplerate, file.channels, file.subtype) == (16_000, 1, "PCM_16"), name
            assert "SYNTHETIC" in file.comment, name
            wave = file.read()
        assert 0.5 * 16_000 < len(wave) < 4 * 16_000, name
        assert np.sqrt(np.mean(wave**2)) > 0.005, name  # audible
        assert np.abs(wave).max() < 0.96, name  # not clipped


def test_voice_carries_arousal_but_not_perfectly(manifest: pd.DataFrame) -> None:
    level = [10 * np.log10(np.mean(soundfile.read(SAMPLES / name)[0] ** 2)) for name in manifest["audio"]]
    high = manifest["label"].isin({"angry", "excited"})
    table = pd.DataFrame({"speaker": manifest["speaker"], "high": high, "level": level})
    mean = table.groupby(["speaker", "high"])["level"].mean().unstack()
    assert (mean[True] > mean[False] + 2).all()  # dB, for every speaker
    assert table.loc[high, "level"].min() < table.loc[~high, "level"].max()  # yet one threshold does not do


def test_the_plan_is_the_manifest(maker: ModuleType, manifest: pd.DataFrame) -> None:
    plan = [(s.id, s.text, s.label, s.speaker) for s in maker.plan(maker.read_sentences())]
    assert plan == list(manifest[["id", "text", "label", "speaker"]].itertuples(index=False, name=None))


def test_the_script_makes_the_committed_clips_again(maker: ModuleType, tmp_path: Path) -> None:
    version = maker.installed_espeak()
    if version != maker.ESPEAK_VERSION:
        pytest.skip(f"the clips are of espeak-ng {maker.ESPEAK_VERSION}; installed: {version}")
    for sample in list(maker.plan(maker.read_sentences()))[::70]:  # a few clips, of different speakers
        maker.write_flac(tmp_path / "again.flac", maker.speak(sample))
        again, _ = soundfile.read(tmp_path / "again.flac")
        committed, _ = soundfile.read(SAMPLES / "audio" / f"{sample.id}.flac")
        assert again.shape == committed.shape
        assert np.abs(again - committed).max() <= LSB  # rounding may differ between processors, nothing else


def test_the_script_repeats_itself(maker: ModuleType) -> None:
    if maker.installed_espeak() is None:
        pytest.skip("espeak-ng is not installed")
    sample = next(maker.plan(maker.read_sentences()))
    np.testing.assert_array_equal(maker.speak(sample), maker.speak(sample))
