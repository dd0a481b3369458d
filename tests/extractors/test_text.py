"""Text vectors equal sentence-transformers' own, one by one, and a model is found where it should be or says why not."""

from __future__ import annotations

import json
import logging
import random
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizerFast

from extractors.errors import InputError
from extractors.long_texts import split_text
from extractors.pipeline import extract_to_store
from extractors.store import EmbeddingStore
from extractors.text import SPARE, SentenceTransformerExtractor
from extractors.text_loading import missing_weights
from extractors.text_models import resolve_text_model
from extractors.types import Clip, Extractor

SPEECH = "it is not really what i wanted but fine thank you very much indeed oh no that hurts"
WORDS = SPEECH.split()


def sentences(count: int, longest: int = 40) -> list[str]:
    choose = random.Random(0)
    return [" ".join(choose.choices(WORDS, k=choose.randint(1, longest))) for _ in range(count)]


@pytest.fixture(scope="module")
def minilm() -> SentenceTransformerExtractor:
    torch.set_num_threads(1)
    return SentenceTransformerExtractor(device="cpu", offline=True, batch_tokens=512)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real sentence-transformers folder of 32 dims that reads 24 tokens and makes no unit vectors."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    bare = folder.with_name("bare")
    bare.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", "query", "café", *dict.fromkeys(WORDS)]
    (bare / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(bare)
    BertTokenizerFast(vocab=str(bare / "vocab.txt"), strip_accents=False).save_pretrained(bare)
    transformer = Transformer(str(bare), max_seq_length=24)
    SentenceTransformer(modules=[transformer, Pooling(32, "mean")], device="cpu").save(str(folder))
    return folder


def test_it_is_an_extractor(minilm: SentenceTransformerExtractor) -> None:
    assert isinstance(minilm, Extractor)
    assert (minilm.name, minilm.modality, minilm.dim, minilm.frame_rate) == ("all-MiniLM-L6-v2", "text", 384, None)
    assert minilm.folder.source == "wheel"
    assert minilm.describe()["max_seq_length"] == 256
    json.dumps(minilm.describe())
    assert minilm.extract([]) == []


@pytest.mark.parametrize("frames", [False, True])
def test_vectors_are_the_librarys_whatever_shares_the_batch(minilm: SentenceTransformerExtractor, frames: bool) -> None:
    texts = sentences(24)
    together = minilm.extract(texts, frames=frames)
    for text, embedding in zip(texts, together, strict=True):
        alone = minilm.model.encode(text, show_progress_bar=False)
        assert embedding.vector.dtype == np.float32
        np.testing.assert_allclose(embedding.vector, alone, atol=1e-5)
        assert (embedding.frames is not None) == frames


def test_token_vectors_are_the_librarys_without_padding(minilm: SentenceTransformerExtractor) -> None:
    texts = sentences(9)
    for text, embedding in zip(texts, minilm.extract(texts, frames=True), strict=True):
        alone = minilm.model.encode(text, output_value="token_embeddings", show_progress_bar=False)
        np.testing.assert_allclose(embedding.frames, alone.numpy(), atol=1e-5)
        assert embedding.frames is not None
        assert len(embedding.frames) == len(minilm.model.tokenizer(text)["input_ids"])


def test_meaning(minilm: SentenceTransformerExtractor) -> None:
    happy, glad, engine = (e.vector for e in minilm.extract(["I am so happy!", "What a joy!", "The engine is oily."]))
    assert happy @ glad > happy @ engine + 0.2


def test_unicode_is_composed(tiny: Path) -> None:
    """The tokenizer here tells accents apart, and knows the composed word alone."""
    extractor = SentenceTransformerExtractor(model=tiny, device="cpu")
    composed, apart = (unicodedata.normalize(form, "oh café") for form in ("NFC", "NFD"))
    first, second, spaced, other = extractor.extract([composed, apart, f"  {composed}\n", "oh cafe"])
    np.testing.assert_allclose(first.vector, second.vector, atol=1e-6)
    np.testing.assert_allclose(first.vector, spaced.vector, atol=1e-6)
    assert np.abs(first.vector - other.vector).max() > 1e-3


def test_what_is_no_text_is_listed(minilm: SentenceTransformerExtractor) -> None:
    with pytest.raises(InputError) as caught:
        minilm.extract(["fine", "", " \t\n", "\u200b", None, float("nan"), 3, "😀"])  # type: ignore[list-item]
    assert [problem.split(":")[0] for problem in caught.value.problems] == [f"text {i}" for i in (1, 2, 3, 4, 5, 6)]


def test_no_word_of_a_long_text_is_lost(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    extractor = SentenceTransformerExtractor(model=tiny, device="cpu")
    assert extractor.max_seq_length == 24
    start = ["fine thank you very much indeed"] * 20
    caplog.set_level(logging.INFO, logger="extractors.text")
    first, second = extractor.extract([" ".join([*start, "oh no"]), " ".join([*start, "that hurts"])], frames=True)
    assert "2 of 2 texts are longer than 24 tokens" in caplog.text
    assert np.abs(first.vector - second.vector).max() > 1e-3
    assert first.frames is not None
    assert len(first.frames) >= 122
    short, again = extractor.extract(["oh no", " ".join(["oh no"] * 90)])
    assert np.corrcoef(short.vector, again.vector)[0, 1] > 0.5


def test_parts_count_by_their_tokens(tiny: Path) -> None:
    extractor = SentenceTransformerExtractor(model=tiny, device="cpu")
    room = 24 - 2 - SPARE
    parts = [" ".join(["fine"] * room), " ".join(["hurts"] * room), "no"]
    text = " ".join(parts)
    found = split_text(
        text,
        extractor.model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"],
        room,
    )
    vectors = np.stack([extractor.model.encode(part, show_progress_bar=False) for part, _ in found])
    expected = np.average(vectors, axis=0, weights=[tokens for _, tokens in found])
    np.testing.assert_allclose(extractor.extract([text])[0].vector, expected, atol=1e-6)
    assert len({tokens for _, tokens in found}) > 1


def test_long_texts_keep_unit_length(minilm: SentenceTransformerExtractor) -> None:
    [long] = minilm.extract([" ".join(sentences(40))])
    assert np.linalg.norm(long.vector) == pytest.approx(1.0, abs=1e-5)


@given(st.text(alphabet="ab \n的", min_size=1, max_size=200), st.integers(1, 20))
def test_parts_hold_every_character_and_fit(text: str, room: int) -> None:
    offsets = [(i, i + 1) for i, character in enumerate(text) if not character.isspace()]
    parts = split_text(text, offsets, room)
    assert all(0 < tokens <= room for _, tokens in parts)
    assert "".join("".join(part.split()) for part, _ in parts) == "".join(text.split())


def test_prompt_and_normalize(tiny: Path) -> None:
    plain = SentenceTransformerExtractor(model=tiny, device="cpu")
    asking = SentenceTransformerExtractor(model=tiny, device="cpu", prompt="query: ", normalize=True)
    [vector] = (e.vector for e in asking.extract(["oh no"]))
    expected = asking.model.encode("query: oh no", normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(vector, expected, atol=1e-6)
    np.testing.assert_allclose(asking.extract(["oh no"], frames=True)[0].vector, expected, atol=1e-6)
    assert abs(np.linalg.norm(plain.extract(["oh no"])[0].vector) - 1) > 1e-2
    assert len({plain.fingerprint, asking.fingerprint}) == 2


def test_the_models_own_prompt_is_used_and_recorded(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "own")
    path = tmp_path / "own" / "config_sentence_transformers.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"prompts": {"q": "query: "}, "default_prompt_name": "q"})
    )
    extractor = SentenceTransformerExtractor(model=tmp_path / "own", device="cpu")
    assert extractor.prompt == "query: "
    expected = extractor.model.encode("fine", show_progress_bar=False)
    np.testing.assert_allclose(extractor.extract(["fine"])[0].vector, expected, atol=1e-6)


def test_the_fingerprint_goes_by_weights_and_settings(tiny: Path, tmp_path: Path) -> None:
    first = SentenceTransformerExtractor(model=tiny, device="cpu")
    shutil.copytree(tiny, tmp_path / "another name")
    copy = SentenceTransformerExtractor(model=tmp_path / "another name", device="cpu", batch_tokens=7)
    assert first.fingerprint == copy.fingerprint
    weights = load_file(tmp_path / "another name" / "model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1e-3}, tmp_path / "another name" / "model.safetensors")
    other = SentenceTransformerExtractor(model=tmp_path / "another name", device="cpu")
    assert other.fingerprint != first.fingerprint


def test_it_is_quiet(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    SentenceTransformerExtractor(model=tiny, device="cpu").extract(sentences(5), frames=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "it/s" not in shown.err


def test_a_model_in_the_hub_cache_is_found_offline(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0" * 40
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    found = resolve_text_model("someone/tiny", offline=True)
    assert (found.source, found.model_id) == ("hub cache", "someone/tiny")
    assert found.weight_hash == resolve_text_model(tiny).weight_hash


def test_a_missing_model_names_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    with pytest.raises(InputError) as caught:
        SentenceTransformerExtractor(model="someone/else", offline=True)
    folder, cache, hub = caught.value.problems
    assert folder.endswith("someone/else: does not exist")
    assert str(tmp_path) in cache
    assert "offline" in hub
    for path in (tmp_path / "nowhere", "./nowhere", "/a/b/c"):
        with pytest.raises(InputError, match="does not exist"):
            resolve_text_model(path, offline=True)


def test_folders_that_must_not_be_loaded(tiny: Path, tmp_path: Path) -> None:
    def problem(name: str) -> str:
        with pytest.raises(InputError) as caught:
            SentenceTransformerExtractor(model=tmp_path / name, device="cpu")
        return str(caught.value)

    (tmp_path / "empty").mkdir()
    assert "neither modules.json nor config.json" in problem("empty")

    shutil.copytree(tiny, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    assert "pickle (pytorch_model.bin)" in problem("pickled")

    shutil.copytree(tiny, tmp_path / "foreign")
    modules = json.loads((tiny / "modules.json").read_text())
    modules[0]["type"] = "evil.Module"
    (tmp_path / "foreign" / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "foreign" / "evil.py").write_text("raise SystemExit('ran')")
    assert "code of its own (evil.Module)" in problem("foreign")

    shutil.copytree(tiny, tmp_path / "pointer")
    (tmp_path / "pointer" / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "cannot be loaded" in problem("pointer")


def test_weights_that_never_loaded_are_noticed(tiny: Path, tmp_path: Path) -> None:
    """transformers fills in random numbers, and would answer happily."""
    shutil.copytree(tiny, tmp_path / "holey")
    weights = load_file(tiny / "model.safetensors")
    gone = next(name for name in weights if "layer.1.attention.self.query.weight" in name)
    del weights[gone]
    save_file(weights, tmp_path / "holey" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"would be random: 0\..*layer\.1\.attention\.self\.query\.weight"):
        SentenceTransformerExtractor(model=tmp_path / "holey", device="cpu")


def test_renamed_and_tied_weights_are_not_missed(tiny: Path, tmp_path: Path) -> None:
    weights = load_file(tiny / "model.safetensors")
    model = SentenceTransformer(str(tiny), device="cpu", local_files_only=True)
    for change in (lambda name: f"bert.{name}", lambda name: name.replace("query", "q"), lambda name: name):
        save_file({change(name): value for name, value in weights.items()}, tmp_path / "model.safetensors")
        assert missing_weights(model, tmp_path) == []


@pytest.mark.parametrize("device", ["cuda:99", "toaster"])
def test_a_device_that_is_not_there(tiny: Path, device: str) -> None:
    if torch.cuda.is_available() and device.startswith("cuda"):
        pytest.skip("there is CUDA")
    with pytest.raises(InputError, match="device"):
        SentenceTransformerExtractor(model=tiny, device=device)


def test_tokens_may_be_wider_than_vectors(tiny: Path, tmp_path: Path) -> None:
    """A model whose last module narrows the pooled vector: its tokens stay as wide as the transformer."""
    model = SentenceTransformer(str(tiny), device="cpu")
    narrow = Dense(in_features=32, out_features=8)
    SentenceTransformer(modules=[*model, narrow], device="cpu").save(str(tmp_path / "narrow"))
    extractor = SentenceTransformerExtractor(model=tmp_path / "narrow", device="cpu")
    assert (extractor.dim, extractor.frames_dim) == (8, 32)
    store = EmbeddingStore(tmp_path / "store")
    summary = extract_to_store([Clip("a", text="oh no that hurts")], extractor, store, frames=True, progress=False)
    assert summary.new == 1
    [frames] = store.read_frames([key for key in summary.keys if key])
    np.testing.assert_array_equal(frames, extractor.extract(["oh no that hurts"], frames=True)[0].frames)
    assert SentenceTransformerExtractor(model=tiny, device="cpu").frames_dim == 32
