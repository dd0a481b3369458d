"""`emofuse <verb> key=value …`: every verb is a Hydra app over conf/<verb>.yaml, with exit codes scripts can rely on.

0 done · 2 wrong input or configuration · 1 anything else.
"""

from __future__ import annotations

import fusion.command.early  # noqa: F401  # before all others, for it is of use while they are loaded

# isort: split
import difflib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from extractors.errors import EmofuseError, InputError
from fusion.command.arguments import named, quoted, refuse_options
from fusion.command.complaints import as_input_error, null_is_no_choice, refuse_unknown_keys
from fusion.command.job_number import job_number
from fusion.command.places import unwritable_run, unwritable_store
from fusion.command.resuming import with_recorded
from fusion.command.stopping import by_hand, how_to_go_on
from fusion.configuration import conf_folder, register_resolvers

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

Task = Callable[[DictConfig], Any]


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
                refuse_unknown_keys(cfg, name)
                return task(cfg)
            except EmofuseError as error:
                _refuse(error)
            except (HydraException, OmegaConfBaseException) as error:  # a component refused its configuration
                _refuse(as_input_error(error, name))
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
            try:
                arguments = named(sys.argv[1:], positional)
                if name == "train":
                    arguments = with_recorded(arguments)
                refuse_options(arguments)
            except InputError as error:
                _fail(error)
            sys.argv[1:] = [quoted(argument, literal or {}) for argument in arguments]
            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing and leaving with 1
            try:
                hydra.main(config_path=str(conf_folder()), config_name=name, version_base="1.3")(job)()
            except EmofuseError as error:  # a job of a sweep
                _fail(error)
            except (HydraException, OmegaConfBaseException) as error:
                _fail(as_input_error(error, name))
            except KeyboardInterrupt:  # before the job, or after it
                _stopped()
            except (OSError, ValueError) as error:
                if not begun and (unwritable := unwritable_run(error)):
                    _fail(unwritable)
                if not str(error).startswith("Config group override must be"):
                    raise
                _fail(null_is_no_choice(arguments))

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
