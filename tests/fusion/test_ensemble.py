from __future__ import annotations

import numpy as np
import pytest
import torch

from extractors.errors import InputError
from fusion.bundle import BundleInfo, load_bundle, save_bundle
from fusion.ensemble import Ensemble
from fusion.heads.gated import GatedHead
from fusion.model import FusionModel
from fusion.predictor import Predictor

DIMS = {"speech": 5, "text": 3}
TEMPERATURES = [0.5, 1.0, 4.0]


def models(count: int = 3) -> list[FusionModel]:
    torch.manual_seed(0)
    return [FusionModel(GatedHead(dims=DIMS, num_classes=4, width=8)).eval() for _ in range(count)]


def batch(rows: int = 6):
    features = {m: torch.randn(rows, dim) for m, dim in DIMS.items()}
    return features, {m: torch.ones(rows, dtype=torch.bool) for m in DIMS}


def info(**changes) -> BundleInfo:
    head = {"_target_": "fusion.heads.gated.GatedHead", "width": 8}
    told = {"labels": tuple("abcd"), "dims": DIMS, "encoders": {}, "head": head, "prior": (0.25,) * 4, "members": 3}
    return BundleInfo(**{**told, **changes})


def test_it_is_the_mean_of_the_members_calibrated_probabilities():
    members, (features, present) = models(), batch()
    with torch.no_grad():
        out = Ensemble(members, TEMPERATURES).eval()(features, present)
        each = [
            torch.softmax(member(features, present).logits / temperature, dim=1)
            for member, temperature in zip(members, TEMPERATURES, strict=True)
        ]
    assert torch.allclose(torch.softmax(out.logits, dim=1), torch.stack(each).mean(dim=0), atol=1e-6)
    assert torch.allclose(out.weights.sum(dim=1), torch.ones(6))


def test_a_bundle_of_it_predicts_the_same(tmp_path):
    together = Ensemble(models(), TEMPERATURES).eval()
    loaded, read = load_bundle(save_bundle(tmp_path / "bundle", together, info(), "card"))
    assert read.members == 3
    features, present = batch()
    with torch.no_grad():
        assert torch.equal(loaded(features, present).logits, together(features, present).logits)
    predictor = Predictor(loaded, read)
    found = predictor.probabilities(
        {m: values.numpy() for m, values in features.items()}, {m: here.numpy() for m, here in present.items()}
    )
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("members", [2, 0, "x"])
def test_a_bundle_that_says_another_number_is_refused(tmp_path, members):
    folder = save_bundle(tmp_path / "bundle", Ensemble(models(), TEMPERATURES), info(members=members), "card")
    with pytest.raises(InputError):
        load_bundle(folder)
