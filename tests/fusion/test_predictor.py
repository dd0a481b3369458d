from __future__ import annotations

import json
import math
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors import AcousticExtractor, Clip, EmbeddingStore, SentenceTransformerExtractor
from extractors.errors import InputError
from fusion import Predictor
from fusion.bundle import BundleInfo, load_bundle, save_bundle
from fusion.data.batches import in_order
from fusion.data.sequences import ArraySequences
from fusion.data.sources import FeaturesSource
from fusion.heads.base import Head
from fusion.heads.bottleneck import BottleneckHead
from fusion.heads.cross_attention import CrossAttentionHead
from fusion.heads.gated import GatedHead
from fusion.model import FusionModel
from fusion.predictor import UNCERTAIN
from tests.fusion.random_bundle import save_random_bundle

SAMPLES = Path(str(files("fusion"))).parent / "samples"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A head with random weights over the real acoustic encoder and vectors of 4 dimensions for text."""
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    return save_random_bundle(folder, [AcousticExtractor()], ("a", "b", "c"), (0.2, 0.3, 0.5))


def clips() -> list[Path]:
    return sorted((SAMPLES / "audio").glob("*.flac"))[:3]


def test_a_clip_gives_probabilities_that_add_up(bundle):
    prediction = Predictor.from_bundle(bundle).predict(clips()[0])
    assert list(prediction.probabilities) == ["a", "b", "c"]
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.confidence == max(prediction.probabilities.values())
    assert 0 <= prediction.entropy <= math.log2(3)
    assert prediction.prior + sum(prediction.contributions.values()) == pytest.approx(prediction.confidence)


def test_one_clip_and_a_table_of_clips_agree(bundle, tmp_path):
    predictor = Predictor.from_bundle(bundle)
    one_by_one = [predictor.predict(path, id=path.stem) for path in clips()]
    rows = [Clip(path.stem, audio=path) for path in clips()]
    together = predictor.predict_clips(rows, EmbeddingStore(tmp_path / "store"), progress=False)
    for one, other in zip(one_by_one, together, strict=True):
        assert one.id == other.id
        assert one.label == other.label
        assert list(one.probabilities.values()) == pytest.approx(list(other.probabilities.values()), abs=1e-5)


def test_a_clip_that_cannot_be_read_says_why_and_the_others_are_answered(bundle, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    rows = [Clip("good", audio=clips()[0]), Clip("broken", audio=broken), Clip("mute", text="words only")]
    good, bad, mute = Predictor.from_bundle(bundle).predict_clips(
        rows, EmbeddingStore(tmp_path / "store"), progress=False
    )
    assert good.error is None
    assert good.label
    assert bad.error is not None
    assert bad.error.startswith("speech: ")
    assert mute.error == "nothing to go by"
    assert json.loads(json.dumps(bad.as_dict())) == {"id": "broken", "error": bad.error}


def test_another_encoder_is_refused_with_what_differs(bundle, tmp_path):
    import shutil

    foreign = tmp_path / "bundle"
    shutil.copytree(bundle, foreign)
    raw = json.loads((foreign / "model.json").read_text())
    raw["encoders"]["speech"]["config"]["pitch_max"] = 400.0
    (foreign / "model.json").write_text(json.dumps(raw))
    with pytest.raises(InputError, match=r"not the one.*\n.*pitch_max: the bundle's 500.0, here 400.0"):
        Predictor.from_bundle(foreign).predict(clips()[0])


def test_wrong_input_is_refused(bundle):
    predictor = Predictor.from_bundle(bundle)
    with pytest.raises(InputError, match="needs speech"):
        predictor.predict(text="words only")
    with pytest.raises(InputError, match="do not fit"):
        predictor.predict_features(["a"], {"speech": np.zeros((1, 3), np.float32)}, {"speech": np.array([True])})


def test_below_the_threshold_the_answer_is_uncertain(bundle):
    predictor = Predictor.from_bundle(bundle)
    sure = predictor.predict(clips()[0])
    object.__setattr__(predictor.info, "threshold", sure.confidence + 1e-6)
    unsure = predictor.predict(clips()[0])
    assert (unsure.label, unsure.best) == (UNCERTAIN, sure.label)


def test_an_absent_modality_contributes_nothing():
    torch.manual_seed(0)
    dims = {"speech": 5, "text": 4}
    model = FusionModel(GatedHead(dims=dims, num_classes=3, width=8)).eval()
    info = BundleInfo(labels=("a", "b", "c"), dims=dims, encoders={}, head={}, prior=(0.2, 0.3, 0.5), temperature=2.0)
    rng = np.random.default_rng(0)
    features = {m: rng.normal(size=(3, dim)).astype(np.float32) for m, dim in dims.items()}
    present = {"speech": np.array([True, False, True]), "text": np.array([True, True, False])}
    both, text_only, speech_only = Predictor(model, info).predict_features("xyz", features, present)
    assert text_only.contributions["speech"] == pytest.approx(0, abs=1e-12)
    assert speech_only.contributions["text"] == pytest.approx(0, abs=1e-12)
    for prediction in (both, text_only, speech_only):
        assert prediction.prior + sum(prediction.contributions.values()) == pytest.approx(prediction.confidence)


# bundles whose head reads sequences


@pytest.fixture(scope="module", params=[CrossAttentionHead, BottleneckHead], ids=lambda head: head.__name__)
def sequence_bundle(request, tmp_path_factory) -> Path:
    """Random weights over the frames of the real acoustic encoder and the tokens of the real text encoder."""
    torch.manual_seed(0)
    encoders = {"speech": AcousticExtractor(), "text": SentenceTransformerExtractor(device="cpu")}
    dims = {"speech": encoders["speech"].frames_dim, "text": encoders["text"].dim}
    cls: type[Head] = request.param
    model = FusionModel(cls(dims=dims, num_classes=3, width=16))
    torch.nn.init.normal_(model.standardizers["speech"].mean)
    configs = {
        "speech": {"_target_": "extractors.acoustic.AcousticExtractor"},
        "text": {"_target_": "extractors.text.SentenceTransformerExtractor", "device": "cpu"},
    }
    info = BundleInfo(
        labels=("a", "b", "c"),
        dims=dims,
        encoders={
            m: {"config": configs[m], "fingerprint": e.fingerprint, "describe": e.describe()}
            for m, e in encoders.items()
        },
        head={"_target_": f"{cls.__module__}.{cls.__name__}", "_partial_": True, "width": 16},
        prior=(0.2, 0.3, 0.5),
    )
    return save_bundle(tmp_path_factory.mktemp("bundle") / "bundle", model, info, "card")


WORDS = ["yes", "I did not expect that at all, to be honest with you.", None]


def test_sequences_of_one_clip_and_of_a_table_agree(sequence_bundle, tmp_path, monkeypatch):
    predictor = Predictor.from_bundle(sequence_bundle)
    pairs = list(zip([*clips()[:2], clips()[2]], WORDS, strict=True))
    one_by_one = [predictor.predict(path, words, id=path.stem) for path, words in pairs]
    rows = [Clip(path.stem, audio=path, text=words) for path, words in pairs]
    store = EmbeddingStore(tmp_path / "store")
    for frames in (100_000, 10):  # all in one batch, and each in its own
        monkeypatch.setattr("fusion.predictor.in_order", partial(in_order, max_frames=frames))
        together = predictor.predict_clips(rows, store, progress=False)
        for one, other in zip(one_by_one, together, strict=True):
            assert (one.id, one.label, other.error) == (other.id, other.label, None)
            assert list(one.probabilities.values()) == pytest.approx(list(other.probabilities.values()), abs=1e-5)
            assert other.prior + sum(other.contributions.values()) == pytest.approx(other.confidence)
            assert one.contributions == pytest.approx(other.contributions, abs=1e-5)
    assert together[2].contributions["text"] == pytest.approx(0, abs=1e-12)
    mute = predictor.predict_clips([Clip("mute")], store, progress=False)
    assert mute[0].error == "nothing to go by"


def test_a_bundle_of_sequences_is_saved_whole(sequence_bundle, tmp_path):
    model, info = load_bundle(sequence_bundle)
    again = Predictor.from_bundle(save_bundle(tmp_path / "again", model, info, "card"))
    first = Predictor.from_bundle(sequence_bundle)
    path = clips()[0]
    assert first.predict(path, "so be it").as_dict() == again.predict(path, "so be it").as_dict()


def test_pooled_vectors_do_not_fit_a_bundle_of_sequences(sequence_bundle, tmp_path):
    predictor = Predictor.from_bundle(sequence_bundle)
    vectors = {m: np.zeros((1, dim), np.float32) for m, dim in predictor.info.dims.items()}
    present = {m: np.array([True]) for m in vectors}
    with pytest.raises(InputError, match="expected sequences of width 31, got"):
        predictor.predict_features(["a"], vectors, present)
    wide = {m: ArraySequences([np.zeros((4, dim + 1), np.float32)]) for m, dim in predictor.info.dims.items()}
    with pytest.raises(InputError, match="got sequences of width 32") as caught:
        predictor.predict_features(["a"], wide, present)
    assert len(caught.value.problems) == 2
    np.savez(tmp_path / "x.npz", speech=np.ones((4, 31)), label=["a", "b", "a", "b"])
    source = FeaturesSource(path=tmp_path / "x.npz", require_label=False)
    with pytest.raises(InputError, match="this bundle reads sequences"):
        source.predict(predictor, store=lambda: None, run_dir=tmp_path)
