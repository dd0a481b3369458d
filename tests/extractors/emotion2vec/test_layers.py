"""Hidden layers equal the outputs of the blocks of FunASR's own module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors.emotion2vec import synthetic
from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.quiet import undisturbed
from extractors.errors import InputError

TOLERANCE = 1e-4
LAYERS = 4
EXTRA = 10  # learned tokens in front of the frames

MakeClip = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two blocks in the audio encoder and two after it, so that no two layers look alike."""
    dimensions = replace(synthetic._SIZES["tiny"], prenet_depth=2, depth=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synthetic._SIZES, "tiny", dimensions)
        return synthetic.write_random_checkpoint(tmp_path_factory.mktemp("deep") / "model")


@pytest.fixture(scope="module")
def blocks_of_funasr(deep: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """What each transformer block gives for a clip while FunASR's `generate` runs: (frames, dim) each."""
    with undisturbed():
        from funasr import AutoModel

        model: Any = AutoModel(
            model=str(deep), disable_update=True, disable_pbar=True, device="cpu", ncpu=1, log_level="ERROR"
        )
    seen: list[np.ndarray] = []
    encoder = model.model.modality_encoders["AUDIO"].context_encoder
    for block in [*encoder.blocks, *model.model.blocks]:
        block.register_forward_hook(lambda _module, _inputs, found: seen.append(found[0][0, EXTRA:].numpy().copy()))

    def run(wave: np.ndarray) -> list[np.ndarray]:
        seen.clear()
        with undisturbed():
            model.generate(wave, granularity="frame")
        return list(seen)

    return run


@pytest.mark.parametrize("layer", [0, 1, 2, -2])
def test_hidden_layers_equal_funasrs(
    deep: Path, layer: int, blocks_of_funasr: Callable[[np.ndarray], list[np.ndarray]], clip: MakeClip
) -> None:
    extractor = Emotion2vecExtractor(deep, device="cpu", layer=layer)
    waves = [clip(seconds, seed) for seed, seconds in enumerate([3.1, 0.1, 8.0])]
    for wave, found in zip(waves, extractor.extract(waves, granularity="frame"), strict=True):
        expected = blocks_of_funasr(wave)
        assert len(expected) == LAYERS
        np.testing.assert_allclose(found.frames, expected[layer], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(found.vector, expected[layer].mean(0), atol=TOLERANCE, rtol=0)
        assert np.abs(expected[layer] - expected[layer - 1]).max() > 0.1  # or any layer would do


def test_only_the_last_layer_has_scores(deep: Path, clip: MakeClip) -> None:
    extractor = Emotion2vecExtractor(deep, device="cpu", layer=1)
    (found,) = extractor.extract([clip(1.0)], frames=True)
    assert found.scores is None
    assert found.labels == extractor.labels == extractor.tokens == ()
    with pytest.raises(InputError, match="scores its last layer only, not layer 1"):
        extractor.frame_scores(found.frames)


def test_the_layer_is_part_of_the_fingerprint(deep: Path, clip: MakeClip) -> None:
    by_layer = {layer: Emotion2vecExtractor(deep, device="cpu", layer=layer) for layer in (None, -1, 3, 2, -2, 0)}
    fingerprints = {layer: extractor.fingerprint for layer, extractor in by_layer.items()}
    assert fingerprints[None] == fingerprints[-1] == fingerprints[3]  # the last, however it is named
    assert fingerprints[2] == fingerprints[-2]
    assert len(set(fingerprints.values())) == 3
    assert by_layer[3].labels
    assert by_layer[-1].describe() == by_layer[None].describe()
    assert by_layer[-2].describe()["layer"] == 2


@pytest.mark.parametrize("layer", [4, -5])
def test_layers_that_are_not_there(deep: Path, layer: int) -> None:
    with pytest.raises(InputError, match=f"the model has layers 0 to 3, or -1 from the end, got {layer}"):
        Emotion2vecExtractor(deep, device="cpu", layer=layer)


def test_a_layer_is_a_number(deep: Path) -> None:
    with pytest.raises(InputError, match="layer: expected null or the number of a layer, got 'last'"):
        Emotion2vecExtractor(deep, device="cpu", layer="last")
