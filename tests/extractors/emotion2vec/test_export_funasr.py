"""`export=npy` beside what FunASR's own `generate(…, output_dir=…)` writes, on the same checkpoint and the same files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.quiet import undisturbed
from extractors.export import NpyExport, StoredClips
from extractors.importing import ImportedVectors, import_folder
from extractors.pipeline import extract_to_store
from extractors.store import EmbeddingStore
from extractors.types import Clip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, clip: Callable[..., np.ndarray]) -> list[Clip]:
    """Five files of 0.1 to 3 s, whose ids are their stems; one is a single frame."""
    folder = tmp_path_factory.mktemp("wav")
    for number, seconds in enumerate([0.4, 0.1, 3.0, 1.2, 0.03]):
        samples = (clip(seconds, seed=number) * 32768).round().astype(np.int16)
        soundfile.write(folder / f"call {number}.wav", samples, 16_000, subtype="PCM_16")
    return [Clip(path.stem, path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def funasr_model(checkpoint: Path, extractor: Emotion2vecExtractor) -> Any:
    with undisturbed():
        from funasr import AutoModel

        return AutoModel(
            model=str(checkpoint),
            disable_update=True,
            disable_pbar=True,
            device="cpu",
            ncpu=torch.get_num_threads(),
            log_level="ERROR",
        )


@pytest.mark.parametrize("granularity", ["utterance", "frame"])
def test_the_same_files_with_the_same_numbers(
    tmp_path: Path, clips: list[Clip], extractor: Emotion2vecExtractor, funasr_model: Any, granularity: str
) -> None:
    frames = granularity == "frame"
    with undisturbed():
        said = funasr_model.generate(
            [str(clip.audio) for clip in clips], output_dir=str(tmp_path / "theirs"), granularity=granularity
        )
    store = EmbeddingStore(tmp_path / "store")
    done = extract_to_store(clips, extractor, store, frames=frames, progress=False, workers=1)
    stored = StoredClips(store, extractor.fingerprint, clips, done.keys, frames=frames)
    NpyExport(path=tmp_path / "ours").write(stored)

    theirs, ours = ({p.name: np.load(p) for p in (tmp_path / who).glob("*.npy")} for who in ("theirs", "ours"))
    assert set(theirs) == set(ours) == {f"{clip.id}.npy" for clip in clips}
    for name, array in theirs.items():
        assert (array.shape, array.dtype) == (ours[name].shape, ours[name].dtype)
        np.testing.assert_allclose(ours[name], array, atol=1e-4)
    for row, answer in zip(stored, said, strict=True):
        np.testing.assert_allclose(row.scores, answer["scores"], atol=1e-4)

    # FunASR's folder comes back, as vectors of their own and, after a look, as ours
    for target in (ImportedVectors(model=str(extractor.folder.path)), extractor):
        other = EmbeddingStore(tmp_path / target.name)
        import_folder(tmp_path / "theirs", clips, target, other, recompute=3 * (target is extractor), progress=False)
        found = extract_to_store(clips, target, other, frames=frames, progress=False)
        assert (found.new, found.reused) == (0, len(clips))
        for row in StoredClips(other, target.fingerprint, clips, found.keys):
            expected = theirs[f"{row.clip.id}.npy"].reshape(-1, extractor.dim).mean(axis=0)
            np.testing.assert_allclose(row.vector, expected, atol=1e-6)


def test_the_width_is_read_without_the_weights(checkpoint: Path, extractor: Emotion2vecExtractor) -> None:
    vectors = ImportedVectors(model=str(checkpoint))
    assert (vectors.model, vectors.dim) == (extractor.name, extractor.dim)
