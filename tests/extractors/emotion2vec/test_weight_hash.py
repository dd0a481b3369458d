"""The hash of weights: the same as ever, waited for only by who asks, never in an encoder's way."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import TimeoutError as NotDone
from pathlib import Path

import pytest
import torch

from extractors.emotion2vec.extractor import Emotion2vecExtractor
from extractors.emotion2vec.load import load_model
from extractors.emotion2vec.weight_hash import WeightHash


def test_it_covers_names_shapes_and_values_and_stays_what_it_was() -> None:
    """Stored vectors are found by it: another recipe would make them all anew."""
    tensors = {"b": torch.tensor([1.0, 2.0]), "a": torch.tensor([[0.5, -0.25]])}
    expected = hashlib.sha256(
        b"a (1, 2)" + tensors["a"].numpy().tobytes() + b"b (2,)" + tensors["b"].numpy().tobytes()
    ).hexdigest()[:32]
    assert WeightHash(tensors).result() == expected == "401f54ced07a1986db82241ad1ff5c74"
    others = [
        {"c": tensors["b"], "a": tensors["a"]},
        {"b": tensors["b"], "a": tensors["a"].T},
        {"b": tensors["b"] + 1e-6, "a": tensors["a"]},
    ]
    assert len({WeightHash(other).result() for other in [tensors, *others]}) == 4


def test_paused_it_waits_until_the_pause_ends() -> None:
    weights = WeightHash({"a": torch.ones(3)})
    with weights.paused():
        running = weights.start()
        with pytest.raises(NotDone):
            running.result(timeout=0.1)
    assert running.result(timeout=10) == WeightHash({"a": torch.ones(3)}).result()


def test_who_asks_does_not_wait_for_a_pause_to_end() -> None:
    weights = WeightHash({"a": torch.ones(3)})
    with weights.paused():
        assert weights.result() == weights.start().result(timeout=0)
    with weights.paused():
        assert len(weights.result()) == 32


def test_it_is_one_however_many_ask(checkpoint: Path) -> None:
    digest = load_model(checkpoint).weights.digest
    found: list[str] = []
    askers = [threading.Thread(target=lambda: found.append(digest.result())) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert set(found) == {load_model(checkpoint).weight_hash}
    assert len(found) == 8


def test_an_extractor_knows_it_while_and_after_it_encodes(checkpoint: Path, clip) -> None:
    extractor = Emotion2vecExtractor(checkpoint, device="cpu")
    extractor.extract([clip(1.0)])
    assert extractor.describe()["weight_hash"] == load_model(checkpoint).weight_hash
