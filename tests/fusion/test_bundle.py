from __future__ import annotations

import json

import pytest
import torch

from extractors.errors import InputError
from fusion.bundle import BundleInfo, load_bundle, save_bundle
from fusion.heads.gated import GatedHead
from fusion.model import FusionModel

DIMS = {"speech": 6, "text": 4}


@pytest.fixture
def model() -> FusionModel:
    torch.manual_seed(0)
    return FusionModel(GatedHead(dims=DIMS, num_classes=3, width=8)).eval()


def info(**changes) -> BundleInfo:
    head = {"_target_": "fusion.heads.gated.GatedHead", "_partial_": True, "width": 8}
    values = {"labels": ("flat", "glad", "怒"), "dims": DIMS, "encoders": {}, "head": head, "prior": (0.5, 0.3, 0.2)}
    return BundleInfo(**(values | changes))


def batch():
    features = {name: torch.randn(5, dim, generator=torch.Generator().manual_seed(1)) for name, dim in DIMS.items()}
    return features, {name: torch.tensor([True, True, False, True, True]) for name in DIMS}


def test_what_is_saved_is_what_is_loaded(model, tmp_path):
    save_bundle(tmp_path / "bundle", model, info(temperature=1.7), "# card")
    loaded, read = load_bundle(tmp_path / "bundle")
    assert read == info(temperature=1.7)
    assert torch.equal(model(*batch()).logits, loaded(*batch()).logits)
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == [
        "MODEL_CARD.md",
        "model.json",
        "model.safetensors",
    ]


def test_saving_again_replaces_and_leaves_no_litter(model, tmp_path):
    save_bundle(tmp_path / "bundle", model, info(), "old")
    save_bundle(tmp_path / "bundle", model, info(), "new")
    assert (tmp_path / "bundle" / "MODEL_CARD.md").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_failed_save_leaves_nothing(model, tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        save_bundle(tmp_path / "bundle", model, info(temperature=float("nan")), "card")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("subprocess.Popen", "not part of Emofuse"),
        ("os.system", "not part of Emofuse"),
        ("fusion.heads.gated.torch.save", "does not have"),
        ("fusion.heads.gated.Tensor", "no class of that module"),
        ("fusion.heads.projection.Projections", "do not fit"),
        ("fusion.heads.nothing.Head", "does not have"),
        ("fusion.heads_evil.Head", "not part of Emofuse"),
    ],
)
def test_a_bundle_chooses_no_code_to_run(model, tmp_path, target, words):
    save_bundle(tmp_path / "bundle", model, info(), "card")
    path = tmp_path / "bundle" / "model.json"
    raw = json.loads(path.read_text())
    raw["head"] = {"_target_": target}
    path.write_text(json.dumps(raw))
    with pytest.raises(InputError, match=words):
        load_bundle(tmp_path / "bundle")


def test_arguments_that_name_code_are_refused(model, tmp_path):
    head = {"_target_": "fusion.heads.gated.GatedHead", "width": {"_target_": "os.getpid"}}
    save_bundle(tmp_path / "bundle", model, info(head=head), "card")
    with pytest.raises(InputError, match="name code to run"):
        load_bundle(tmp_path / "bundle")


def test_damage_is_named(model, tmp_path):
    folder = save_bundle(tmp_path / "bundle", model, info(), "card")
    with pytest.raises(InputError, match="not a bundle"):
        load_bundle(tmp_path)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match="does not fit"):
        load_bundle(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        load_bundle(folder)
    (folder / "model.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="newer Emofuse"):
        load_bundle(folder)


def test_a_folder_of_runs_means_its_newest_bundle(tmp_path):
    import os

    from fusion.bundle import find_bundle

    for age, name in enumerate(("new", "old", "older")):
        folder = tmp_path / "runs" / name / "bundle"
        folder.mkdir(parents=True)
        (folder / "model.json").write_text("{}")
        os.utime(folder / "model.json", (1e9 - age, 1e9 - age))
    newest = tmp_path / "runs" / "new" / "bundle"
    assert find_bundle(tmp_path / "runs") == newest
    assert find_bundle(newest.parent) == newest
    assert find_bundle(newest) == newest
    assert find_bundle(tmp_path / "nothing") == tmp_path / "nothing"
