"""`emofuse <verb> key=value …`: every verb is a Hydra app over conf/<verb>.yaml, with exit codes scripts can rely on.

0 done · 2 wrong input or configuration · 1 anything else.
"""

from __future__ import annotations

import fusion.early  # noqa: F401  # before all others, for it is of use while they are loaded

# isort: split
import difflib
import logging
import os
import re
import secrets
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from extractors.errors import EmofuseError, InputError
from fusion.job_number import job_number
from fusion.places import unwritable_run, unwritable_store
from fusion.resuming import with_recorded
from fusion.stopping import by_hand, how_to_go_on

log = logging.getLogger(__name__)

VERBS = {  # verb -> (module with `main`, what it does)
    "train": ("train", "a table of speech, words and labels in; a trained, measured classifier out"),
    "compare": ("fusion.verbs.compare", "finished runs side by side: one table, paired tests, pictures"),
    "rerun": ("fusion.verbs.rerun", "repeat a finished run, and say whether its figures agree"),
    "manifest": ("fusion.verbs.manifest", "a manifest from a corpus as it is distributed: iemocap, meld, ravdess, …"),
    "extract": ("fusion.verbs.extract", "fill the embedding store from a manifest; resumable"),
    "import": ("fusion.verbs.import_", "vectors that FunASR, the WebUI or an export wrote, into the store"),
    "predict": ("fusion.verbs.predict", "labels, probabilities and reasons for new clips, from a bundle"),
    "similar": ("fusion.verbs.similar", "how alike clips sound, against random pairs; runs of frames by time warping"),
    "templates": ("fusion.verbs.templates", "labels from a few clips each, without training"),
    "search": ("fusion.verbs.search", "clips like a clip, or that say something, with filters"),
    "clusters": ("fusion.verbs.clusters", "what kinds of clips there are: groups, profiles, a map"),
    "trajectory": ("fusion.verbs.trajectory", "how one recording moves: scores over time, path, turning points"),
    "watch": ("fusion.verbs.watch", "alerts by rules, over a recording or many"),
    "backtest": ("fusion.verbs.backtest", "how often rules are right: precision, recall, false alerts per hour"),
    "meeting": ("fusion.verbs.meeting", "the minutes, with what the voices and words carried"),
    "doctor": ("fusion.verbs.doctor", "is everything here, and does it work? verify=true compares with FunASR"),
}

USAGE = "\n".join(
    [
        "emofuse VERB key=value …        e.g. emofuse train experiment=quickstart",
        "",
        *(f"  {verb:<10} {what}" for verb, (_, what) in VERBS.items()),
        "",
        "emofuse VERB --help shows the verb's configuration; --cfg job prints it as it would run.",
    ]
)

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

Task = Callable[[DictConfig], Any]


def conf_folder() -> Path:
    """The configuration: conf/ of the checkout, or the copy that an installed wheel carries."""
    checkout = Path(__file__).resolve().parents[1] / "conf"
    if checkout.is_dir():
        return checkout
    return Path(next(iter(import_module("emofuse_conf").__path__)))


def register_resolvers() -> None:
    """`${emofuse.root:}` the checkout, `${emofuse.token:}` eight hex digits that keep run folders apart."""
    OmegaConf.register_new_resolver("emofuse.root", lambda: str(conf_folder().parent), replace=True)
    # cached: Hydra resolves a run folder more than once and must get the same answer
    OmegaConf.register_new_resolver("emofuse.token", lambda: secrets.token_hex(4), use_cache=True, replace=True)


def verb(
    name: str, *, literal: Mapping[str, str] | None = None, positional: Sequence[str] = ()
) -> Callable[[Task], Callable[[], None]]:
    """Make `task(cfg)` the Hydra app of conf/<name>.yaml, with Emofuse's messages and exit codes.

    `positional` names the keys that bare arguments set, in their order; a last name that ends in `*` takes all the rest
    as a list: `("corpus", "root")`, `("runs*",)`. `literal` maps arguments whose value is taken as it stands (a
    sentence, a path) to the key it sets: Hydra's grammar would trip over a comma or an apostrophe in it.
    """

    def decorate(task: Task) -> Callable[[], None]:
        begun = False  # whether Hydra has made the run's folder, and handed over

        def job(cfg: DictConfig) -> Any:
            nonlocal begun
            begun = True
            _quiet_libraries()
            if number := job_number():
                log.info("%s", number)
            try:
                _refuse_unknown_keys(cfg, name)
                return task(cfg)
            except EmofuseError as error:
                _refuse(error)
            except (HydraException, OmegaConfBaseException) as error:  # a component refused its configuration
                _refuse(_as_input_error(error, name))
            except (KeyboardInterrupt, SystemExit) as left:
                if not by_hand(left):
                    raise
                sys.stderr.write(f"\n{how_to_go_on(name)}\n")
                raise SystemExit(1) from None

        job.__module__, job.__qualname__, job.__doc__ = task.__module__, task.__qualname__, task.__doc__

        def main() -> None:
            nonlocal begun
            begun = False
            register_resolvers()
            if any(argument.startswith("--experimental-rerun") for argument in sys.argv):
                _fail(InputError("--experimental-rerun reads a pickle, and Emofuse reads nothing that can run code"))
            arguments = _named(sys.argv[1:], positional)
            if name == "train":
                try:
                    arguments = with_recorded(arguments)
                except InputError as error:
                    _fail(error)
            _refuse_options(arguments)
            sys.argv[1:] = [_quoted(argument, literal or {}) for argument in arguments]
            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing and leaving with 1
            try:
                hydra.main(config_path=str(conf_folder()), config_name=name, version_base="1.3")(job)()
            except EmofuseError as error:  # a job of a sweep
                _fail(error)
            except (HydraException, OmegaConfBaseException) as error:
                _fail(_as_input_error(error, name))
            except KeyboardInterrupt:  # before the job, or after it
                _stopped()
            except (OSError, ValueError) as error:
                if not begun and (unwritable := unwritable_run(error)):
                    _fail(unwritable)
                if not str(error).startswith("Config group override must be"):
                    raise
                _fail(_no_choice(arguments))

        main.__doc__ = task.__doc__
        main.task = task  # type: ignore[attr-defined]  # what tests and the Python API call with a config of their own
        return main

    return decorate


def main() -> None:
    """Entry point of the `emofuse` command."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(USAGE + "\n")
        raise SystemExit(0 if arguments else 2)
    name = arguments[0]
    if name not in VERBS:
        near = difflib.get_close_matches(name, VERBS, n=1)
        _fail(InputError(f"no verb {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""), hint=USAGE))
    try:
        module = import_module(VERBS[name][0])
        # a script's path where there is one: Lightning starts that again for each further GPU
        program = str(module.__file__) if name == "train" else f"emofuse {name}"
        sys.argv = [program, *arguments[1:]]
        module.main()
    except KeyboardInterrupt:  # while libraries are loaded
        _stopped()


def _named(arguments: Sequence[str], positional: Sequence[str]) -> list[str]:
    """Bare arguments as overrides of the keys they stand for; what is `key=value` or an option stays.

    >>> _named(["iemocap", "/data/it's", "variant=4way"], ("corpus", "root"))
    ['corpus=iemocap', "root='/data/it\\\\'s'", 'variant=4way']
    >>> _named(["runs/a", "runs/b", "--cfg", "job"], ("runs*",))
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
        given.append(f"{rest}=[{','.join(map(_string, left))}]")
    elif left:
        _fail(
            InputError(f"expected {' '.join(names)}, got also {' '.join(left)}", hint="Other settings are key=value.")
        )
    return [*given, *kept]


def _literal(value: str) -> str:
    """A value as Hydra's grammar takes it: a plain word as it stands, anything else quoted."""
    return value if re.fullmatch(r"[A-Za-z_]\w*", value) else _string(value)


def _string(value: str) -> str:
    value = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return "'" + value.replace("${", "\\${") + "'"


def for_shell(argument: str) -> str:
    """In double quotes where these do, for Hydra's own are single ones.

    >>> print(for_shell("data.delimiter=';'"))
    "data.delimiter=';'"
    """
    return shlex.quote(argument) if set(argument) & set('"$`\\!') else f'"{argument}"'


def _quoted(argument: str, literal: Mapping[str, str]) -> str:
    """`text=It's late, go` as the Hydra override of its key, quoted; any other argument as it came.

    >>> _quoted("text=It's late, go", {"text": "clip.text"})
    "clip.text='It\\\\'s late, go'"
    """
    name, equals, value = argument.partition("=")
    if not equals or name not in literal:
        return argument
    return f"{literal[name]}={_string(value)}"


def _refuse_options(arguments: Sequence[str]) -> None:
    """`--data calls.csv`, as other programs have it: what is meant is key=value."""
    value_of_option = False
    for place, argument in enumerate(arguments):
        if not value_of_option and re.match(r"--[A-Za-z]", argument) and not _is_option(argument):
            key, equals, value = argument.lstrip("-").partition("=")
            if not equals and place + 1 < len(arguments) and not arguments[place + 1].startswith("-"):
                value = arguments[place + 1] if "=" not in arguments[place + 1] else "…"
            key = "data.path" if key == "data" and "." in value else key
            shown = f"{key}={value or '…'}"
            _fail(
                InputError(
                    f"{argument}: there is no such option",
                    hint=f"Settings are written key=value, without dashes: {shown}",
                )
            )
        value_of_option = argument in OPTIONS_WITH_VALUE


def _is_option(argument: str) -> bool:
    """Whether Hydra knows it: whole, with its value, or cut short as argparse allows."""
    word = argument.partition("=")[0]
    return any(option.startswith(word) for option in OPTIONS | OPTIONS_WITH_VALUE)


def _stopped() -> None:
    sys.stderr.write("\nStopped.\n")
    raise SystemExit(1) from None


def _refuse(error: EmofuseError) -> None:
    """As `_fail`; but one job of a sweep is left to Hydra, which notes it as failed and goes on to the others."""
    error = unwritable_store(error)
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise error
    _fail(error)


def _fail(error: EmofuseError) -> None:
    """Say it on standard error and leave with the error's exit code."""
    sys.stderr.write(f"\nerror: {error}\n")
    raise SystemExit(error.exit_code)


def _quiet_libraries() -> None:
    for noisy in (
        "httpx",
        "huggingface_hub",
        "sentence_transformers",
        "modelscope",
        "matplotlib",
        "fontTools",
        "numba",
        "torch._subclasses.fake_tensor",  # whose statistics are told at exit
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")


def _default_keys(name: str) -> set[str]:
    """Top-level keys that conf/<name>.yaml and its groups define."""
    config = OmegaConf.load(conf_folder() / f"{name}.yaml")
    assert isinstance(config, DictConfig)
    groups = {
        str(key).removeprefix("override ").removeprefix("optional ").rsplit("/", 1)[-1].split("@")[0]
        for entry in config.get("defaults", [])
        if isinstance(entry, DictConfig)
        for key in entry
    }
    return {str(key) for key in config if key not in ("defaults", "hydra")} | groups


def _refuse_unknown_keys(cfg: DictConfig, name: str) -> None:
    """`+typo=1` gets past Hydra; nothing would read it."""
    known = _default_keys(name)
    problems = [_with_nearest(f"{key!s}: no such key", str(key), known) for key in cfg if str(key) not in known]
    written = OmegaConf.load(conf_folder() / f"{name}.yaml")
    for block in cfg:  # the verb's own blocks; those of groups are refused by the component that they configure
        own = written.get(block) if isinstance(written, DictConfig) else None
        if isinstance(own, DictConfig) and isinstance(cfg[block], DictConfig):
            names = {str(key) for key in own}
            problems += [
                _with_nearest(f"{block!s}.{key!s}: no such key", str(key), names)
                for key in cfg[block]
                if str(key) not in names
            ]
    if problems:
        raise InputError("keys that nothing reads", problems)


def _with_nearest(message: str, key: str, known: set[str] | list[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.5)
    return f"{message}; did you mean {near[0]}?" if near else message


def _all_keys(name: str) -> list[str]:
    """Dotted keys of the verb's default configuration, for the nearest-name hint."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            config = compose(name)
    except HydraException:  # a group has no default: `purpose` of meetings
        return sorted(_default_keys(name))
    keys: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for key in node:
            keys.append(f"{prefix}{key!s}")
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
                walk(child, f"{prefix}{key!s}.")

    walk(config, "")
    return keys


def _no_choice(arguments: Sequence[str]) -> InputError:
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
    quoted = for_shell(f"{key}={_string(value.strip(chr(39) + chr(34)))}")
    return InputError(
        f"{key}: {value!r} cannot be read", hint=f"Put it in quotes, and these in quotes for the shell: {quoted}"
    )


def _as_input_error(error: Exception, name: str) -> InputError:
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
            _with_nearest(f"{group}={choice}: no such choice", choice, choices), hint=f"There is {', '.join(choices)}."
        )
    match = re.search(r"Could not override '([^']+)'", message) or re.search(r"Key '([^']+)' is not in struct", message)
    if match:
        key = match.group(1)
        return InputError(_with_nearest(f"{key}: no such key in the configuration of `{name}`", key, _all_keys(name)))
    return InputError(message)
