"""From a manifest through real extraction into the store and back, as one table; and the sources that Hydra builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.store import EmbeddingStore
from extractors.types import Embedding
from fusion.configuration import conf_folder, register_resolvers
from fusion.data.assemble import table_from_manifest
from fusion.data.manifest import read_manifest
from fusion.data.posteriors import PosteriorsSource
from fusion.data.sources import FeaturesSource, ManifestSource
from fusion.data.splits import SpeakerDisjoint
from fusion.data.table import FeatureTable


class Loudness:
    """A real, if modest, speech encoder: level and length."""

    name, modality, dim, frame_rate = "loudness", "speech", 2, None
    fingerprint = fingerprint({"encoder": "loudness"})

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def extract(self, clips: Sequence[np.ndarray], *, frames: bool = False) -> list[Embedding]:
        return [Embedding(np.array([np.sqrt(np.mean(x**2)), len(x) / 16_000], np.float32)) for x in clips]


class Letters:
    """And a text encoder: how many letters, how many vowels."""

    name, modality, dim, frame_rate = "letters", "text", 2, None
    fingerprint = fingerprint({"encoder": "letters"})

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def extract(self, clips: Sequence[str], *, frames: bool = False) -> list[Embedding]:
        return [Embedding(np.array([len(t), sum(c in "aeiou" for c in t)], np.float32)) for t in clips]


class Samples:
    """A speech encoder with frames: the level and the middle of every 20 ms, of a clip the mean and the spread of both."""

    name, modality, dim, frames_dim, frame_rate = "samples", "speech", 4, 2, 50.0
    fingerprint = fingerprint({"encoder": "samples"})

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def extract(self, clips: Sequence[np.ndarray], *, frames: bool = False) -> list[Embedding]:
        found = []
        for clip in clips:
            pieces = clip[: len(clip) // 320 * 320].reshape(-1, 320)
            each = np.stack([pieces.std(axis=1), pieces[:, 160]], axis=1)
            vector = np.concatenate([each.mean(axis=0), each.std(axis=0)])
            found.append(Embedding(vector.astype(np.float32), frames=each.astype(np.float32) if frames else None))
        return found


def never() -> Any:
    raise AssertionError("must not be built")


BOTH: dict[Any, Callable[[], Any]] = {"speech": Loudness, "text": Letters}


@pytest.fixture
def manifest(tmp_path: Path, wav: Callable[..., str]) -> Path:
    """Eight rows of two speakers: one without audio, one without text, one whose audio is damaged, a copy, a span."""
    for row in range(4):
        wav(f"{row}.wav", seconds=0.5 + row / 4, pitch=200 + 50 * row)
    (tmp_path / "copy.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    wav("broken.wav")
    (tmp_path / "broken.wav").write_bytes(
        (tmp_path / "broken.wav").read_bytes()[:44]
    )  # a header, and nothing behind it
    rows = [
        "id,audio,text,label,speaker,start,end,age",
        "a,0.wav,one,x,s1,,,30",
        "b,1.wav,three,y,s1,,,",
        "c,2.wav,,x,s1,,,30",
        "d,,eleven,y,s1,,,30",
        "e,broken.wav,five,x,s2,,,30",
        "f,copy.wav,six,y,s2,,,30",
        "g,3.wav,seven,x,s2,0.25,0.75,30",
        "h,broken.wav,,y,s2,,,30",
    ]
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "m.csv"


def load(manifest: Path, store: Path, **options: Any) -> FeatureTable:
    frame = read_manifest(manifest, check_audio=False, extra_columns=["age"])
    options = {"max_failed": 0.5, "progress": False, "workers": 1} | options
    return table_from_manifest(frame, BOTH, EmbeddingStore(store), **options)


def test_vectors_meet_their_rows(manifest: Path, tmp_path: Path) -> None:
    table = load(manifest, tmp_path / "store", run_dir=tmp_path)
    assert table.rows["id"].tolist() == list("abcdefg")  # h has nothing left
    assert table.present["speech"].tolist() == [True, True, True, False, False, True, True]
    assert table.present["text"].tolist() == [True, True, False, True, True, True, True]
    np.testing.assert_allclose(table.features["speech"][:, 1], [0.5, 0.75, 1.0, 0, 0, 0.5, 0.5], atol=1e-6)
    np.testing.assert_array_equal(table.features["text"][:, 0], [3, 5, 0, 6, 4, 3, 5])
    assert table.labels == ("x", "y")
    assert table.targets.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert table.encoders["speech"] == {"fingerprint": Loudness.fingerprint, "describe": {"name": "loudness"}}
    rows = table.rows
    assert rows["text"].tolist() == ["one", "three", None, "eleven", "five", "six", "seven"]
    assert rows["age"].tolist() == ["30", None, "30", "30", "30", "30", "30"]
    content = rows["content"].tolist()
    assert content[0] == content[5] is not None  # a copy under another name is the same audio
    assert content[3] is None
    assert len({*content[:3], content[6]}) == 4
    failures = (tmp_path / "failures_speech.csv").read_text()
    assert "e," in failures
    assert "h," in failures


def test_the_second_time_nothing_is_computed(manifest: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = load(manifest, tmp_path / "store")
    caplog.clear()
    with caplog.at_level("INFO"):
        second = load(manifest, tmp_path / "store")
    assert "loudness: 0 new" in caplog.text
    assert "letters: 0 new" in caplog.text
    for modality in ("speech", "text"):
        np.testing.assert_array_equal(first.features[modality], second.features[modality])


def test_too_many_failures_stop_it(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load(manifest, tmp_path / "store", max_failed=0.1)


def test_a_class_of_which_nothing_is_left(manifest: Path, tmp_path: Path) -> None:
    text = (
        manifest.read_text()
        .replace("e,broken.wav,five,x", "e,broken.wav,,z")
        .replace("h,broken.wav,,y", "h,broken.wav,,z")
    )
    manifest.write_text(text)
    with pytest.raises(InputError, match="no row could be used") as caught:
        load(manifest, tmp_path / "store")
    assert caught.value.problems == ("'z': none of its rows",)


def test_an_order_of_labels_is_checked_before_anything_is_built(manifest: Path, tmp_path: Path) -> None:
    assert load(manifest, tmp_path / "store", labels=["y", "x"]).labels == ("y", "x")
    frame = read_manifest(manifest, check_audio=False, extra_columns="*")
    with pytest.raises(InputError, match="not those of the table"):
        table_from_manifest(frame, {"speech": never}, EmbeddingStore(tmp_path / "other"), labels=["x", "q"])


class TestSources:
    def options(self, tmp_path: Path, **changed: Any) -> dict[str, Any]:
        chosen = {
            "extractors": BOTH,
            "store": lambda: EmbeddingStore(tmp_path / "store"),
            "modalities": ["speech", "text"],
            "run_dir": tmp_path / "run",
            "max_failed": 0.5,
            "workers": 1,
        }
        (tmp_path / "run").mkdir(exist_ok=True)
        return chosen | changed

    def test_a_modality_that_no_row_has_builds_no_encoder(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("id,text,label\n1,a,x\n2,bb,x\n3,c,y\n4,dd,y\n")
        options = self.options(tmp_path, extractors={"speech": never, "text": Letters})
        table = ManifestSource(path=tmp_path / "t.csv").load(**options)
        assert set(table.features) == {"text"}
        assert table.rows["content"].tolist() == [None] * 4

    def test_a_check_comes_before_any_work(self, tmp_path: Path) -> None:
        rows = "".join(f"{i},word {i},{'xy'[i % 2]},s{i // 4}\n" for i in range(8))
        (tmp_path / "t.csv").write_text("id,text,label,speaker\n" + rows)
        options = self.options(tmp_path, extractors={"speech": never, "text": never}, store=never)
        with pytest.raises(InputError, match="at least 3 speakers"):
            ManifestSource(path=tmp_path / "t.csv").load(**options, check=SpeakerDisjoint().split)

    def test_the_check_sees_the_rows_that_will_be_used(self, manifest: Path, tmp_path: Path) -> None:
        source = ManifestSource(path=manifest, extra_columns="*", check_audio=False)
        seen: list[FeatureTable] = []
        table = source.load(**self.options(tmp_path), check=seen.append)
        assert seen[0].labels == table.labels
        assert seen[0].rows["id"].tolist() == list("abcdefgh")
        assert seen[0].present["text"].tolist() == [True, True, False, True, True, True, True, False]

    def test_extract_fills_the_store(self, manifest: Path, tmp_path: Path) -> None:
        source = ManifestSource(path=manifest, extra_columns="*", check_audio=False, require_label=False)
        options = self.options(tmp_path)
        del options["modalities"]
        source.extract(**options)
        assert sorted(found.rows or 0 for found in EmbeddingStore(tmp_path / "store").tables()) == [4, 6]

    def test_features_build_neither_encoder_nor_store(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        np.savez(tmp_path / "x.npz", text=np.ones((4, 3)), label=["x", "y"] * 2)
        options = self.options(tmp_path, extractors={"speech": never, "text": never}, store=never)
        source = FeaturesSource(path=tmp_path / "x.npz")
        assert set(source.load(**options).features) == {"text"}
        assert "no vectors of speech: training on text" in caplog.text
        with pytest.raises(InputError, match="has no vectors of speech; it has text"):
            source.load(**options | {"modalities": ["speech"]})

    def test_rows_without_the_modality_asked_for_are_left_out(self, tmp_path: Path) -> None:
        speech = np.ones((5, 3))
        speech[4] = np.nan
        np.savez(tmp_path / "x.npz", speech=speech, text=np.ones((5, 2)), label=["x", "y", "x", "y", "x"])
        options = self.options(tmp_path, modalities=["speech"])
        assert len(FeaturesSource(path=tmp_path / "x.npz").load(**options)) == 4


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_folder() / "data").glob("*.yaml")))
def test_every_data_config_makes_a_source(name: str) -> None:
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("predict", overrides=[f"data={name}", "bundle=none"])
    if name in ("manifest", "features"):
        config.data.path = "somewhere"
    if name == "posteriors":
        config.data.sources = {"speech": {"files": "x.csv", "kind": "logits", "classes": ["a", "b"]}}
    source = instantiate(config.data)
    assert isinstance(source, (ManifestSource, FeaturesSource, PosteriorsSource))


def test_the_bundled_sample_is_a_clean_manifest() -> None:
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("predict", overrides=["data=sample", "bundle=none"])
    frame = instantiate(config.data).read(workers=2)
    assert frame["label"].nunique() == 4
    assert frame["speaker"].notna().all()


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_folder() / "split").glob("*.yaml")))
def test_every_split_config_makes_a_split(name: str) -> None:
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("train", overrides=[f"split={name}", "seed=7", "data.path=x"])
    assert instantiate(config.split).seed == 7


@pytest.mark.parametrize("name", ["emodb", "ravdess", "mosi"])
def test_configs_of_real_corpora_read_them(shared_data: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("EMOFUSE_DATA", str(shared_data))
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("predict", overrides=[f"data={name}", "bundle=none"])
    assert len(instantiate(config.data).read()) == {"emodb": 339, "ravdess": 1440, "mosi": 2199}[name]


# sequences


def test_sequences_come_with_the_vectors(manifest: Path, tmp_path: Path) -> None:
    frame = read_manifest(manifest, check_audio=False, extra_columns="*")
    store = EmbeddingStore(tmp_path / "store")
    build: dict[Any, Callable[[], Any]] = {"speech": Samples}
    pooled = table_from_manifest(frame, build, store, max_failed=1.0, progress=False)
    assert pooled.sequences == {}
    table = table_from_manifest(frame, build, store, max_failed=1.0, progress=False, frames=True)
    np.testing.assert_array_equal(table.features["speech"], pooled.features["speech"])
    reader = table.sequences["speech"]
    assert reader.dim == 2
    assert ((reader.lengths > 0) == table.present["speech"]).all()
    for frames, vector, there in zip(
        reader.read(np.arange(len(table))), table.features["speech"], table.present["speech"], strict=True
    ):
        if there:
            np.testing.assert_allclose(frames.mean(axis=0), vector[:2], rtol=1e-5)


def test_encoders_and_files_without_frames_are_refused(manifest: Path, tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "store")
    with pytest.raises(InputError, match="loudness describes whole clips"):
        table_from_manifest(
            read_manifest(manifest, check_audio=False, extra_columns="*"), BOTH, store, progress=False, frames=True
        )
    np.savez(tmp_path / "x.npz", speech=np.ones((4, 3)), label=["a", "b", "a", "b"])
    with pytest.raises(InputError, match="pooled vectors, and this head reads sequences"):
        FeaturesSource(path=tmp_path / "x.npz").load(
            extractors={}, store=never, modalities=["speech"], run_dir=tmp_path, frames=True
        )
