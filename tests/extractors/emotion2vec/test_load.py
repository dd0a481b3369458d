"""Weights are verified: what is missing, misshapen, misnamed or hostile is refused with the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from extractors.emotion2vec.load import load_model
from extractors.emotion2vec.synthetic import TOKENS, write_random_checkpoint
from extractors.errors import InputError


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint to spoil."""
    return Path(shutil.copytree(checkpoint, tmp_path / "model"))


def edit(folder: Path, change) -> None:
    content = torch.load(folder / "model.pt", weights_only=True)
    change(content["model"])
    torch.save(content, folder / "model.pt")


def test_every_tensor_is_the_files(checkpoint: Path) -> None:
    model = load_model(checkpoint)
    stored = torch.load(checkpoint / "model.pt", weights_only=True)["model"]
    state = model.module.state_dict()
    assert len(state) == model.weights.loaded
    for name, value in state.items():
        assert torch.equal(value, stored.get(f"d2v_model.{name}", stored.get(name))), name
    assert model.weights.training_only == sum(".decoder." in name for name in stored) > 0
    assert model.weights.missing == model.weights.unexpected == ()
    assert model.tokens == TOKENS
    assert not model.module.training


@pytest.mark.parametrize("layout", ["plain", "state_dict", "module prefix", "float16", "old format", "extra copies"])
def test_layouts_of_checkpoints(folder: Path, checkpoint: Path, layout: str) -> None:
    reference = load_model(checkpoint)
    tensors = torch.load(folder / "model.pt", weights_only=True)["model"]
    if layout == "plain":
        torch.save(tensors, folder / "model.pt")
    elif layout == "state_dict":
        torch.save({"state_dict": {"model": tensors}}, folder / "model.pt")
    elif layout == "module prefix":
        torch.save({f"module.{name.removeprefix('d2v_model.')}": x for name, x in tensors.items()}, folder / "model.pt")
    elif layout == "float16":
        torch.save({name: x.half() for name, x in tensors.items()}, folder / "model.pt")
    elif layout == "old format":
        torch.save(tensors, folder / "model.pt", _use_new_zipfile_serialization=False)
    else:
        write_random_checkpoint(folder, copies=3)
    model = load_model(folder)
    for (name, value), expected in zip(
        model.module.state_dict().items(), reference.module.state_dict().values(), strict=True
    ):
        assert value.dtype == torch.float32, name
        torch.testing.assert_close(value, expected, atol=2e-3 if layout == "float16" else 0, rtol=0)
    assert (model.weight_hash == reference.weight_hash) == (layout != "float16")


def test_the_training_decoder_may_be_absent(folder: Path) -> None:
    edit(folder, lambda state: [state.pop(name) for name in list(state) if ".decoder." in name])
    assert load_model(folder).weights.training_only == 0


def test_names_without_a_place_are_counted(folder: Path) -> None:
    edit(folder, lambda state: state.update({"d2v_model.leftover.weight": torch.zeros(3)}))
    assert load_model(folder).weights.unexpected == ("d2v_model.leftover.weight",)


def test_missing_weights_are_refused(folder: Path) -> None:
    (folder / "model.pt").unlink()
    with pytest.raises(InputError, match=r"model\.pt: missing"):
        load_model(folder)


def test_missing_tensors_are_refused(folder: Path) -> None:
    edit(folder, lambda state: [state.pop(name) for name in list(state) if "blocks.0.attn.qkv" in name])
    with pytest.raises(InputError, match=r"4 of 65 tensors missing \(modality_encoders.*qkv"):
        load_model(folder)


def test_unknown_names_are_refused_and_shown(folder: Path) -> None:
    tensors = torch.load(folder / "model.pt", weights_only=True)["model"]
    torch.save({f"student.{name}": value for name, value in tensors.items()}, folder / "model.pt")
    with pytest.raises(InputError, match=r"65 of 65 tensors missing[\s\S]*names like 'student\.d2v_model"):
        load_model(folder)


def test_tensors_of_another_shape_are_refused(folder: Path) -> None:
    edit(folder, lambda state: state.update({"d2v_model.blocks.0.norm1.weight": torch.ones(65)}))
    with pytest.raises(InputError, match=r"norm1\.weight: expected floats \(64,\), got torch\.float32 \(65,\)"):
        load_model(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n".join(TOKENS[:8]), "expected 9 classes, as the class head has, got 8"),
        ("\n".join([*TOKENS, "more"]), "expected 9 classes, as the class head has, got 10"),
        ("\n".join([*TOKENS[:8], TOKENS[0]]), "each once"),
        (None, "expected 9 classes, as the class head has, got 0"),
    ],
)
def test_wrong_class_names_are_refused(folder: Path, text: str | None, message: str) -> None:
    if text is None:
        (folder / "tokens.txt").unlink()
    else:
        (folder / "tokens.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_model(folder)


class Hostile:
    """Unpickled, it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_hostile_checkpoint_runs_nothing(folder: Path, tmp_path: Path) -> None:
    torch.save({"model": Hostile(tmp_path / "owned")}, folder / "model.pt")
    with pytest.raises(InputError, match="could run code"):
        load_model(folder)
    assert not (tmp_path / "owned").exists()


def test_a_hostile_config_runs_nothing(folder: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    attack = f"__import__('pathlib').Path('{tmp_path}/owned').touch() or [(32, 10, 5)]"
    config["model_conf"]["modalities"]["audio"]["feature_encoder_spec"] = attack
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(InputError, match="expected a list of"):
        load_model(folder)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1949\n", "Git LFS pointer"),
        (b"", "cannot be read|could run code"),
        (b"PK\x03\x04 cut off", "cannot be read"),
    ],
)
def test_damaged_files_are_named(folder: Path, content: bytes, message: str) -> None:
    (folder / "model.pt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_model(folder)


def test_a_truncated_file_is_named(folder: Path) -> None:
    content = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged or only partly downloaded"):
        load_model(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model: Emotion2vec", "model: Paraformer", "expected Emotion2vec, got 'Paraformer'"),
        ("32, 10, 5", "32, 10, 4", "expected frames that see 400 samples every 320, got 322 every 256"),
        ("embed_dim: 64", "embed_dim: 128", "expected floats"),
        ("num_heads: 4", "num_heads: four", "FunASR cannot build this model"),
        ("model_conf:", "model_confetti:", "expected a mapping with `model` and `model_conf`"),
        ("model: Emotion2vec", "model: [", "cannot be read"),
    ],
)
def test_configs_that_do_not_fit_are_refused(folder: Path, old: str, new: str, message: str) -> None:
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    assert old in config
    (folder / "config.yaml").write_text(config.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_model(folder)


def test_numbers_without_a_point_are_numbers(folder: Path, checkpoint: Path) -> None:
    """The published config says `norm_eps: 1e-05`, which plain YAML takes for a string."""
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    (folder / "config.yaml").write_text(config.replace("norm_eps: 1.0e-05", "norm_eps: 1e-05"), encoding="utf-8")
    model = load_model(folder)
    assert model.module.blocks[0].norm1.eps == 1e-5
    assert model.config_hash == load_model(checkpoint).config_hash


def test_a_configuration_cannot_point_outside_the_folder(folder: Path) -> None:
    (folder / "configuration.json").write_text('{"file_path_metas": {"init_param": "../model.pt"}}')
    with pytest.raises(InputError, match="must name a file in the folder"):
        load_model(folder)


@pytest.mark.slow
def test_the_process_is_left_as_it_was(checkpoint: Path) -> None:
    """FunASR's AutoModel reseeds, sets threads to 4, root logging to INFO, and prints; `import funasr` alone sets
    HYDRA_FULL_ERROR and silences all warnings."""
    script = f"""
import io, json, logging, os, random, socket, sys, warnings
import numpy as np, torch
random.seed(3); np.random.seed(3); torch.manual_seed(3); torch.set_num_threads(1)
def state():
    return (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), torch.get_num_threads(),
            logging.root.level, list(logging.root.handlers), os.environ.get("HYDRA_FULL_ERROR"), list(warnings.filters))
def refuse(*args, **kwargs): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
from extractors.emotion2vec.extractor import Emotion2vecExtractor
before = state()
extractor = Emotion2vecExtractor({str(checkpoint)!r}, device="cpu")
extractor.extract([np.zeros(16000, np.float32)])
assert state() == before
assert not [name for name in sys.modules if name.partition(".")[0] == "funasr"]
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    assert not done.stdout
