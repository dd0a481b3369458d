"""Hydra's and OmegaConf's complaints in Emofuse's words, with the nearest key where one was mistyped."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from extractors.errors import EmofuseError, InputError
from fusion.command.arguments import for_shell, quoted_string
from fusion.configuration import all_keys, conf_folder, default_keys


def refuse_unknown_keys(cfg: DictConfig, name: str) -> None:
    """`+typo=1` gets past Hydra; nothing would read it."""
    known = default_keys(name)
    problems = [with_nearest(f"{key!s}: no such key", str(key), known) for key in cfg if str(key) not in known]
    written = OmegaConf.load(conf_folder() / f"{name}.yaml")
    for block in cfg:  # the verb's own blocks; those of groups are refused by the component that they configure
        own = written.get(block) if isinstance(written, DictConfig) else None
        if isinstance(own, DictConfig) and isinstance(cfg[block], DictConfig):
            names = {str(key) for key in own}
            problems += [
                with_nearest(f"{block!s}.{key!s}: no such key", str(key), names)
                for key in cfg[block]
                if str(key) not in names
            ]
    if problems:
        raise InputError("keys that nothing reads", problems)


def with_nearest(message: str, key: str, known: set[str] | list[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.5)
    return f"{message}; did you mean {near[0]}?" if near else message


def null_is_no_choice(arguments: Sequence[str]) -> InputError:
    """Of groups that were set to null, which Hydra has no message for."""
    groups = [
        key.lstrip("+") for key, _, value in (argument.partition("=") for argument in arguments) if value == "null"
    ]
    choices = [(group, sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))) for group in groups]
    problems = [f"{group}=null: expected one of {', '.join(names)}" for group, names in choices if names]
    return InputError("configuration: a group is a choice, and null is none", problems)


def _unreadable(error: OverrideParseException) -> InputError:
    """An argument that Hydra's grammar has no reading for."""
    key, equals, value = str(error.override).partition("=")
    if not equals:
        return InputError(f"{key}: expected key=value", hint="Settings are written key=value, as in batch_size=32.")
    quoted = for_shell(f"{key}={quoted_string(value.strip(chr(39) + chr(34)))}")
    return InputError(
        f"{key}: {value!r} cannot be read", hint=f"Put it in quotes, and these in quotes for the shell: {quoted}"
    )


def as_input_error(error: Exception, name: str) -> InputError:
    """Hydra's and OmegaConf's complaints, with the nearest key where a key was mistyped."""
    causes = [str(error).strip()]
    cause = error.__cause__
    while cause is not None and len(causes) < 3:
        if isinstance(cause, EmofuseError):
            return cause if isinstance(cause, InputError) else InputError(str(cause))
        causes.append(str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__)
        cause = cause.__cause__
    message = "\n".join(dict.fromkeys(causes))
    if isinstance(error, MissingMandatoryValue):
        key = getattr(error, "full_key", None) or message.splitlines()[0].rsplit(" ", 1)[-1]
        return InputError(f"{key}: expected a value, got none", hint=f"Give {key}=… on the command line.")
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    missing = re.search(r"Could not find '([^']+)'", message)
    if missing:
        if missing.group(1) in ("hydra/launcher/joblib", "hydra/sweeper/optuna"):
            return InputError(f"{missing.group(1)} is not installed. Run: pip install 'emofuse[sweep]'")
        group, _, choice = missing.group(1).rpartition("/")
        choices = sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
        return InputError(
            with_nearest(f"{group}={choice}: no such choice", choice, choices), hint=f"There is {', '.join(choices)}."
        )
    match = re.search(r"Could not override '([^']+)'", message) or re.search(r"Key '([^']+)' is not in struct", message)
    if match:
        key = match.group(1)
        return InputError(with_nearest(f"{key}: no such key in the configuration of `{name}`", key, all_keys(name)))
    return InputError(message)
