"""FunASR beside Emofuse: the same numbers are called the same, and others are not."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from extractors.diagnosis.verification import check_published, verify
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.published import LABELS, NAME, SAMPLE, SCORES, compare_with_published
from extractors.emotion2vec.synthetic import write_random_checkpoint
from extractors.emotion2vec.verify import TOLERANCE, compare_with_funasr
from extractors.errors import EmofuseError


def perturbed(checkpoint: Path, *, by: float = 0.01) -> Emotion2vecExtractor:
    """An extractor whose encoder got other weights than the folder has: each of one block's changed by about `by`."""
    extractor = Emotion2vecExtractor(checkpoint, device="cpu", offline=True)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in extractor.encoder.network.blocks[0].buffers():
            weights.add_(by * torch.randn(weights.shape, generator=generator))
    return extractor


def test_the_same_weights_give_the_same_numbers(
    extractor: Emotion2vecExtractor, clip: Callable[..., np.ndarray]
) -> None:
    comparison = compare_with_funasr(extractor, clip(1.3))
    assert [difference.what for difference in comparison.differences] == ["vector", "frames", "scores"]
    assert [difference.shape for difference in comparison.differences] == [(64,), (64, 64), (9,)]
    for difference in comparison.differences:
        assert difference.largest < TOLERANCE
        assert difference.cosine > 0.999999
    assert comparison.ours == comparison.theirs
    assert comparison.ours in extractor.labels


def test_other_weights_give_other_numbers(checkpoint: Path, clip: Callable[..., np.ndarray]) -> None:
    comparison = compare_with_funasr(perturbed(checkpoint), clip(1.3))
    assert not any(difference.within("float32") for difference in comparison.differences[:2])


def test_a_wrong_head_shows_in_the_scores_alone(checkpoint: Path, clip: Callable[..., np.ndarray]) -> None:
    extractor = Emotion2vecExtractor(checkpoint, device="cpu", offline=True)
    assert extractor.head is not None
    extractor.head._bias = np.roll(extractor.head._bias, 1)
    vector, frames, scores = compare_with_funasr(extractor, clip(1.3)).differences
    assert vector.within("float32")
    assert frames.within("float32")
    assert not scores.within("float32")


def test_findings_fail_where_the_numbers_differ(checkpoint: Path) -> None:
    findings = {finding.check: finding for finding in verify(perturbed(checkpoint))}
    assert findings["clip"].found == "3.0 s of a synthetic voice"
    assert findings["vector"].status == findings["frames"].status == "fail"
    assert findings["vector"].details["largest"] > TOLERANCE
    assert "Fetch it again" in findings["vector"].todo


def test_faster_precisions_are_held_to_their_cosine(checkpoint: Path) -> None:
    try:
        rounding = Emotion2vecExtractor(checkpoint, device="cpu", offline=True, precision="int8")
    except EmofuseError as error:
        pytest.skip(str(error))
    vector = next(finding for finding in verify(rounding) if finding.check == "vector")
    assert vector.status == "ok"
    assert vector.details["largest"] > TOLERANCE


def test_a_folder_cannot_bring_code_through_funasr(checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "hostile"))
    evil, proof = folder / "evil.py", tmp_path / "ran"
    evil.write_text(f"open({str(proof)!r}, 'w').close()\n")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config |= {"trust_remote_code": True, "remote_code": str(evil)}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True))
    findings = verify(Emotion2vecExtractor(folder, device="cpu", offline=True))
    assert not proof.exists()
    assert {finding.check for finding in findings if finding.status == "ok"} >= {"vector", "frames", "scores"}


def test_the_log_stays_as_it_was(extractor: Emotion2vecExtractor, clip: Callable[..., np.ndarray], caplog) -> None:
    with caplog.at_level(logging.INFO):
        compare_with_funasr(extractor, clip(0.5))
        assert not caplog.records
        logging.getLogger("someone").info("still heard")
    assert caplog.messages == ["still heard"]


def test_what_funasr_cannot_equal_is_not_compared(checkpoint: Path, clip: Callable[..., np.ndarray]) -> None:
    with pytest.raises(ValueError, match="FunASR can equal"):
        compare_with_funasr(Emotion2vecExtractor(checkpoint, device="cpu", offline=True, loudness=-23.0), clip(0.5))
    short = Emotion2vecExtractor(checkpoint, device="cpu", offline=True, window_seconds=1.0)
    with pytest.raises(ValueError, match="at most 16000 samples"):
        compare_with_funasr(short, clip(1.5))
    assert verify(short)[0].found == "the first 1.0 s of a synthetic voice"


def test_the_own_example_of_a_model_is_preferred(
    checkpoint: Path, tmp_path: Path, clip: Callable[..., np.ndarray]
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "with example"))
    (folder / SAMPLE).parent.mkdir()
    soundfile.write(folder / SAMPLE, clip(0.7), 16_000)
    extractor = Emotion2vecExtractor(folder, device="cpu", offline=True)
    assert verify(extractor)[0].found == f"0.7 s of {folder / SAMPLE}"
    other = tmp_path / "other.flac"
    soundfile.write(other, clip(0.9), 16_000)
    assert verify(extractor, other)[0].found == f"0.9 s of {other}"


def test_published_scores_are_those_of_a_sure_model() -> None:
    assert SCORES.shape == (2, len(LABELS))
    np.testing.assert_allclose(SCORES.sum(axis=1), 1.0, atol=1e-8)
    same = compare_with_published(SCORES[0].astype(np.float32))
    assert same.within
    assert same.factor < 1.0001
    unsure = SCORES[0].copy()
    unsure[:2] = 0.998, 0.002
    assert not compare_with_published(unsure.astype(np.float32)).within
    other = np.roll(SCORES[0], 3).astype(np.float32)
    assert not compare_with_published(other).within
    tuned = SCORES[0].copy()
    tuned[3] *= 40  # as sure of "angry", and yet another model
    assert compare_with_published(tuned.astype(np.float32)).within
    assert compare_with_published(tuned.astype(np.float32)).factor == pytest.approx(
        40, rel=0.01
    )  # the nearer row is the other one


def test_published_scores_are_not_asked_of_another_model(extractor: Emotion2vecExtractor) -> None:
    finding = check_published(extractor)
    assert finding.status == "skip"
    assert "64 dimensions, not 1024" in finding.found


@pytest.mark.slow
def test_random_weights_of_the_full_size(tmp_path: Path, shared_data: Path) -> None:
    """They have all that shows of the published ones: only what the folder claims decides what their scores mean."""
    tune = write_random_checkpoint(tmp_path / "tuned", size="large")
    nameless = Emotion2vecExtractor(tune, device="cpu", offline=True)
    finding = check_published(nameless)
    assert (finding.status, "no example" in finding.found) == ("skip", True)
    (tune / SAMPLE).parent.mkdir()
    shutil.copyfile(shared_data / "emotion2vec_outputs" / "test.wav", tune / SAMPLE)
    finding = check_published(nameless)
    assert (finding.status, "other weights" in finding.found) == ("skip", True)
    named = Emotion2vecExtractor(tune.rename(tmp_path / NAME), device="cpu", offline=True)
    finding = check_published(named)
    assert (finding.status, "not the published weights" in finding.todo) == ("fail", True)
