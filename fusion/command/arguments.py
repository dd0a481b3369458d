"""What is typed behind a verb, as Hydra's grammar wants it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from extractors.errors import InputError

OPTIONS_WITH_VALUE = frozenset(
    [
        "--config-path",
        "-cp",
        "--config-name",
        "-cn",
        "--config-dir",
        "-cd",
        "--package",
        "-p",
        "--cfg",
        "-c",
        "--info",
        "-i",
    ]
)  # Hydra's

OPTIONS = frozenset(
    ["--help", "--hydra-help", "--version", "--resolve", "--run", "--multirun", "--shell-completion"]
)  # Hydra's as well, without a value


def named(arguments: Sequence[str], positional: Sequence[str]) -> list[str]:
    """Bare arguments as overrides of the keys they stand for; what is `key=value` or an option stays.

    >>> named(["iemocap", "/data/it's", "variant=4way"], ("corpus", "root"))
    ['corpus=iemocap', "root='/data/it\\\\'s'", 'variant=4way']
    >>> named(["runs/a", "runs/b", "--cfg", "job"], ("runs*",))
    ["runs=['runs/a','runs/b']", '--cfg', 'job']
    """
    if not positional:
        return list(arguments)
    names, rest = [name for name in positional if not name.endswith("*")], positional[-1].removesuffix("*")
    kept: list[str] = []
    bare: list[str] = []
    value_of_option = False
    for argument in arguments:
        if value_of_option or argument.startswith("-") or re.match(r"[+~]*[\w./@]+=", argument):
            kept.append(argument)
        else:
            bare.append(argument)
            continue
        value_of_option = argument in OPTIONS_WITH_VALUE
    given = [f"{name}={_literal(value)}" for name, value in zip(names, bare, strict=False)]
    left = bare[len(names) :]
    if left and positional[-1].endswith("*"):
        given.append(f"{rest}=[{','.join(map(quoted_string, left))}]")
    elif left:
        raise InputError(f"expected {' '.join(names)}, got also {' '.join(left)}", hint="Other settings are key=value.")
    return [*given, *kept]


def _literal(value: str) -> str:
    """A value as Hydra's grammar takes it: a plain word as it stands, anything else quoted."""
    return value if re.fullmatch(r"[A-Za-z_]\w*", value) else quoted_string(value)


def quoted_string(value: str) -> str:
    value = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return "'" + value.replace("${", "\\${") + "'"


def for_shell(argument: str) -> str:
    """In double quotes where these do, for Hydra's own are single ones.

    >>> print(for_shell("data.delimiter=';'"))
    "data.delimiter=';'"
    """
    return shlex.quote(argument) if set(argument) & set('"$`\\!') else f'"{argument}"'


def quoted(argument: str, literal: Mapping[str, str]) -> str:
    """`text=It's late, go` as the Hydra override of its key, quoted; any other argument as it came.

    >>> quoted("text=It's late, go", {"text": "clip.text"})
    "clip.text='It\\\\'s late, go'"
    """
    name, equals, value = argument.partition("=")
    if not equals or name not in literal:
        return argument
    return f"{literal[name]}={quoted_string(value)}"


def refuse_options(arguments: Sequence[str]) -> None:
    """`--data calls.csv`, as other programs have it: what is meant is key=value."""
    value_of_option = False
    for place, argument in enumerate(arguments):
        if not value_of_option and re.match(r"--[A-Za-z]", argument) and not _is_option(argument):
            key, equals, value = argument.lstrip("-").partition("=")
            if not equals and place + 1 < len(arguments) and not arguments[place + 1].startswith("-"):
                value = arguments[place + 1] if "=" not in arguments[place + 1] else "…"
            key = "data.path" if key == "data" and "." in value else key
            shown = f"{key}={value or '…'}"
            raise InputError(
                f"{argument}: there is no such option",
                hint=f"Settings are written key=value, without dashes: {shown}",
            )
        value_of_option = argument in OPTIONS_WITH_VALUE


def _is_option(argument: str) -> bool:
    """Whether Hydra knows it: whole, with its value, or cut short as argparse allows."""
    word = argument.partition("=")[0]
    return any(option.startswith(word) for option in OPTIONS | OPTIONS_WITH_VALUE)
