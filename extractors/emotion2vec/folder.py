"""What a model folder says of itself: its configuration, its class names, and where its weights are."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from extractors.audio import HOP, MIN_SAMPLES
from extractors.errors import InputError

_MOST_CONVOLUTIONS = 64  # a list "* 10 ** 9" in a hostile config must not fill the memory


@dataclass(frozen=True)
class FolderConfig:
    """The parts of a model folder that decide its numbers.

    model_conf : the arguments of FunASR's class, checked
    tokens : the class names as the folder has them, in the order of the class head; empty for a model without one
    scope_map : (prefix in the checkpoint, prefix in the module) pairs, in FunASR's order; the last match wins
    weights : the checkpoint
    """

    model_conf: dict[str, Any]
    tokens: tuple[str, ...]
    scope_map: tuple[tuple[str, str], ...]
    weights: Path


def missing_files(folder: Path) -> list[str]:
    """Names of the files without which `folder` is no Emotion2Vec+ model."""
    names = _file_names(folder)
    return [names[key] for key in ("config", "init_param") if not (folder / names[key]).is_file()]


def read_config(folder: Path) -> FolderConfig:
    """Reads and checks `configuration.json` (where there is one), `config.yaml` and `tokens.txt`. Runs nothing of them.

    FunASR evaluates the string `feature_encoder_spec` as Python. Here it is read as lists of whole numbers, and what
    is handed on is their plain form. Raises InputError with all that is wrong.
    """
    names = _file_names(folder)
    try:
        # not yaml.safe_load, which takes the "1e-05" of the published files for a string
        config = OmegaConf.to_container(OmegaConf.load(folder / names["config"]), resolve=False)
    except (OSError, YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise InputError(f"{folder / names['config']} cannot be read: {error}") from error
    problems = []
    if not isinstance(config, dict) or not isinstance(config.get("model_conf"), dict):
        raise InputError(f"{folder / names['config']}: expected a mapping with `model` and `model_conf`")
    if config.get("model") != "Emotion2vec":
        problems.append(f"model: expected Emotion2vec, got {config.get('model')!r}")
    model_conf = config["model_conf"]
    try:
        audio = model_conf["modalities"]["audio"]
        layers = conv_layers(audio["feature_encoder_spec"])
        audio["feature_encoder_spec"] = repr(layers)
        problems += _check_frames(layers)
    except (KeyError, TypeError) as error:
        problems.append(f"model_conf.modalities.audio.feature_encoder_spec: missing ({error!r})")
    except ValueError as error:
        problems.append(f"model_conf.modalities.audio.feature_encoder_spec: {error}")
    tokens = _read_tokens(folder / names["tokens"], problems)
    if problems:
        raise InputError(f"{folder} is not an Emotion2Vec+ model that can be used", problems)
    return FolderConfig(model_conf, tokens, _scope_map(config.get("scope_map")), folder / names["init_param"])


def conv_layers(spec: str) -> list[tuple[int, int, int]]:
    """(channels, kernel, stride) of each convolution; only lists, tuples, whole numbers, + and * are understood.

    >>> conv_layers("[(512, 10, 5)] + [(512, 3, 2)] * 2")
    [(512, 10, 5), (512, 3, 2), (512, 3, 2)]
    >>> conv_layers("__import__('os').getcwd()")
    Traceback (most recent call last):
    ...
    ValueError: expected a list of (channels, kernel, stride), got "__import__('os').getcwd()"
    """
    try:
        layers = _literal(ast.parse(spec, mode="eval").body)
    except (SyntaxError, TypeError, RecursionError):
        layers = None
    if not isinstance(layers, list) or not layers or not all(isinstance(x, tuple) and len(x) == 3 for x in layers):
        raise ValueError(f"expected a list of (channels, kernel, stride), got {spec!r}")
    return layers


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.List(elts=elements):
            return [_literal(element) for element in elements]
        case ast.Tuple(elts=elements):
            return tuple(_literal(element) for element in elements)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _literal(left) + _literal(right)
        case ast.BinOp(left=ast.List() as left, op=ast.Mult(), right=ast.Constant(value=int(times))):
            if times > _MOST_CONVOLUTIONS:
                raise TypeError(f"{times} convolutions")
            return _literal(left) * times
    raise TypeError(f"{type(node).__name__} is not part of a list of convolutions")


def _check_frames(layers: list[tuple[int, int, int]]) -> list[str]:
    """Everything that speaks of time here relies on one frame every 320 samples that sees 400."""
    field, hop = 1, 1
    for _, kernel, stride in layers:
        field, hop = field + (kernel - 1) * hop, hop * stride
    if (field, hop) == (MIN_SAMPLES, HOP):
        return []
    return [
        "model_conf.modalities.audio.feature_encoder_spec: "
        f"expected frames that see {MIN_SAMPLES} samples every {HOP}, got {field} every {hop}"
    ]


def _file_names(folder: Path) -> dict[str, str]:
    """The folder's own names of its files (`configuration.json`), or the usual ones."""
    names = {"config": "config.yaml", "init_param": "model.pt", "tokens": "tokens.txt"}
    configuration = folder / "configuration.json"
    if not configuration.is_file():
        return names
    try:
        metas = json.loads(configuration.read_text(encoding="utf-8")).get("file_path_metas", {})
        own = {**metas, "tokens": metas.get("tokenizer_conf", {}).get("token_list")}
    except (ValueError, AttributeError, OSError) as error:
        raise InputError(f"{configuration} cannot be read: {error}") from error
    for key in names:
        name = own.get(key)
        if name is None:
            continue
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{configuration}: {key} must name a file in the folder, got {name!r}")
        names[key] = name
    return names


def _read_tokens(path: Path, problems: list[str]) -> tuple[str, ...]:
    if not path.is_file():
        return ()  # a model without a class head; `load_model` complains where there is a head
    try:
        tokens = path.read_text(encoding="utf-8").rstrip().split("\n")
    except UnicodeDecodeError as error:
        problems.append(f"{path.name}: expected UTF-8, one class a line: {error}")
        return ()
    tokens = [token.rstrip() for token in tokens]
    if len(set(tokens)) < len(tokens) or "" in tokens:
        problems.append(f"{path.name}: expected one class a line, each once, got {tokens}")
    return tuple(tokens)


def _scope_map(given: Any) -> tuple[tuple[str, str], ...]:
    """FunASR's flat list `[source, destination, …]` as pairs; "none" stands for no prefix."""
    flat = given.split(",") if isinstance(given, str) else list(given or [])
    flat = ["" if str(prefix).lower() == "none" else str(prefix) for prefix in (*flat, "module.", "none")]
    return (("", ""), *zip(flat[::2], flat[1::2], strict=False))
