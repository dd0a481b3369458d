"""Checkpoint folders of the true architecture with random weights, for tests and benchmarks without a hub."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from torch import Tensor, nn

from extractors.emotion2vec.architecture import build_module

log = logging.getLogger(__name__)

Size = Literal["tiny", "base", "large"]

TOKENS = (
    "生气/angry",
    "厌恶/disgusted",
    "恐惧/fearful",
    "开心/happy",
    "中立/neutral",
    "其他/other",
    "难过/sad",
    "吃惊/surprised",
    "<unk>",
)


@dataclass(frozen=True)
class _Dimensions:
    embed_dim: int
    num_heads: int
    prenet_depth: int
    depth: int
    channels: int
    groups: int
    decoder_dim: int


_SIZES: dict[Size, _Dimensions] = {
    "tiny": _Dimensions(64, 4, 1, 1, 32, 4, 32),
    "base": _Dimensions(768, 12, 4, 8, 512, 16, 384),
    "large": _Dimensions(1024, 16, 4, 8, 512, 16, 768),
}


def write_random_checkpoint(
    folder: str | Path,
    *,
    size: Size = "tiny",
    seed: int = 0,
    tokens: Sequence[str] = TOKENS,
    copies: int = 1,
) -> Path:
    """Writes `config.yaml`, `configuration.json`, `model.pt` and `tokens.txt`, as the published models have them.

    "base" and "large" have the published dimensions (about 0.4 and 0.7 GB as float32), "tiny" the same parts at 64
    dimensions. Every parameter is random, the extra tokens and ALiBi scales too (one of them below zero, where the
    model clamps), so that no mistake hides behind a zero. `copies=3` adds optimiser-like copies under
    other keys, as the published file of 1.95 GB holds them. The scores of such a model mean nothing.

    Without `tokens` it has no class head, as the model before fine-tuning. The same `seed` gives the same weights.
    Returns the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model_conf = random_model_conf(size)
    module = build_module(model_conf, vocab_size=len(tokens)).to_empty(device="cpu")
    _randomise(module, torch.Generator().manual_seed(seed))
    # the encoder lies under "d2v_model.", the class head beside it; configs map them back through `scope_map`
    state = {
        name if name.startswith("proj.") else f"d2v_model.{name}": value for name, value in module.state_dict().items()
    }
    checkpoint: dict[str, Any] = {"model": state}
    if copies > 1:
        checkpoint["last_optimizer_state"] = {
            f"copy_{number}": {name: value.clone() for name, value in state.items()} for number in range(1, copies)
        }
    config = {
        "model": "Emotion2vec",
        "model_conf": model_conf,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "scope_map": ["d2v_model.", "none"],
    }
    metas = {"init_param": "model.pt", "tokenizer_conf": {"token_list": "tokens.txt"}, "config": "config.yaml"}
    partial = folder / f"model.pt.{os.getpid()}.partial"
    torch.save(checkpoint, partial)
    partial.replace(folder / "model.pt")
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    (folder / "configuration.json").write_text(
        json.dumps({"framework": "pytorch", "task": "emotion-recognition", "file_path_metas": metas}, indent=2),
        encoding="utf-8",
    )
    if tokens:
        (folder / "tokens.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    log.info("random %s checkpoint in %s", size, folder)
    return folder


def random_model_conf(size: Size) -> dict[str, Any]:
    """`model_conf` of that size with the keys of FunASR's template that its class reads."""
    dims = _SIZES[size]
    width = dims.channels
    no_drop = {"start_drop_path_rate": 0.0, "end_drop_path_rate": 0.0}
    audio = {
        "type": "AUDIO",
        "prenet_depth": dims.prenet_depth,
        "prenet_layerdrop": 0.05,
        "prenet_dropout": 0.1,
        **no_drop,
        "num_extra_tokens": 10,
        "init_extra_token_zero": True,
        "mask_noise_std": 0.01,
        "mask_prob": 0.5,
        "mask_prob_min": None,
        "mask_length": 5,
        "mask_dropout": 0.0,
        "mask_channel_prob": 0.0,
        "mask_channel_length": 64,
        "inverse_mask": False,
        "keep_masked_pct": 0.0,
        "add_masks": False,
        "encoder_zero_mask": True,
        "local_grad_mult": 1.0,
        "use_alibi_encoder": True,
        "alibi_scale": 1.0,
        "learned_alibi": False,
        "alibi_max_pos": None,
        "learned_alibi_scale": True,
        "learned_alibi_scale_per_head": True,
        "learned_alibi_scale_per_layer": False,
        "num_alibi_heads": dims.num_heads,
        "model_depth": dims.depth,
        "decoder": {
            "decoder_dim": dims.decoder_dim,
            "decoder_groups": dims.groups,
            "decoder_kernel": 7,
            "decoder_layers": 4,
            "input_dropout": 0.1,
            "add_positions_masked": False,
            "add_positions_all": False,
            "decoder_residual": True,
            "projection_layers": 1,
            "projection_ratio": 2.0,
        },
        "extractor_mode": "layer_norm",
        "feature_encoder_spec": f"[({width}, 10, 5)] + [({width}, 3, 2)] * 4 + [({width}, 2, 2)] + [({width}, 2, 2)]",
        "conv_pos_width": 95,
        "conv_pos_groups": dims.groups,
        "conv_pos_depth": 5,
        "conv_pos_pre_ln": False,
    }
    return {
        "depth": dims.depth,
        **no_drop,
        "num_heads": dims.num_heads,
        "embed_dim": dims.embed_dim,
        "mlp_ratio": 4.0,
        "norm_eps": 1e-5,
        "norm_affine": True,
        "encoder_dropout": 0.1,
        "post_mlp_drop": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
        "dropout_input": 0.0,
        "layerdrop": 0.05,
        "layer_norm_first": False,
        "average_top_k_layers": dims.depth,
        "end_of_block_targets": False,
        "clone_batch": 8,
        "loss_beta": 0.0,
        "loss_scale": None,
        "normalize": True,
        "modalities": {"audio": audio},
    }


@torch.no_grad()
def _randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Scales that keep activations near one through the whole depth, as trained weights do."""
    for name, parameter in module.named_parameters():
        values: Tensor = parameter.normal_(generator=generator)
        if name.endswith("alibi_scale"):
            values.mul_(0.5).add_(1.0)
            values.view(-1)[0] = -0.5  # clamped to zero by the model
        elif name.endswith("extra_tokens"):
            pass  # unit normal
        elif values.ndim >= 2:
            values.div_(values[0].numel() ** 0.5)  # 1 / sqrt(fan in)
        elif name.endswith("weight"):
            values.mul_(0.1).add_(1.0)  # of a layer norm
        else:
            values.mul_(0.1)
