from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fusion.cli import VERBS, _quoted, conf_folder, main, register_resolvers


@pytest.fixture
def emofuse(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """The command in this process, in an empty folder: exit status, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["emofuse", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        GlobalHydra.instance().clear()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "did you mean 'train'?"),
        (["train", "batchsize=3"], "did you mean batch_size?"),
        (["train", "+batchsize=3"], "did you mean batch_size?"),
        (["train", "head.widht=3"], "did you mean head.width?"),
        (["train", "+head.widht=3"], "unexpected keyword argument 'widht'"),
        (["train", "head=gate"], "did you mean gated?"),
        (["train"], "data.path: expected a value"),
        (["train", "data.path=nothing.csv"], "nothing.csv"),
        (["train", "modalities=[spech]", "optimizer.lr=high"], "expected speech or text, got 'spech'"),
        (["train", "data.path=x.csv", "evaluation.draws=many"], "evaluation.draws: expected a whole number"),
        (["train", "data.path=x.csv", "seed=abc", "evaluation.coverage=7"], "evaluation.coverage: expected a share"),
        (["train", "+extraction.max_fail=0.1"], "did you mean max_failed?"),
        (["train", "data.path=x.csv", "resume=nowhere"], "resume: expected the folder of an interrupted run"),
        (["train", "data.path=x.csv", "loss=null"], "loss=null: expected one of"),
        (["predict"], "bundle: expected a value"),
        (["predict", "bundle=nowhere", "text=It's late, go!"], "nowhere is not a bundle"),
        (["predict", "--experimental-rerun", "config.pickle"], "reads a pickle"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(arguments, words, emofuse):
    status, _, said = emofuse(*arguments)
    assert words in said
    assert "Traceback" not in said
    assert status == 2


def test_help_names_every_verb(emofuse):
    status, said, _ = emofuse("--help")
    assert status == 0
    assert all(verb in said for verb in VERBS)


def test_the_shell_sees_the_exit_status(tmp_path):
    command = [sys.executable, "-m", "train", "data.path=nothing.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.strip().startswith("error: ")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_sentence_reaches_the_configuration_as_it_was_typed(sentence):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    [override] = OverridesParser.create().parse_overrides([_quoted(f"text={sentence}", {"text": "clip.text"})])
    assert OmegaConf.create({"text": override.value()}).text == sentence


CHOICES = [
    (path.parent.name, path.stem)
    for path in sorted(conf_folder().glob("*/*.yaml"))
    if path.parent.name not in ("experiment", "runs", "paths", "sweep")  # sweeps need an extra: test_sweeps.py
]


VERB_OF_GROUP = {"export": "extract", "corpus": "manifest", "purpose": "meeting"}  # all others belong to train


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_composes(group, choice):
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose(VERB_OF_GROUP.get(group, "train"), overrides=[f"{group}={choice}"], return_hydra_config=True)
    assert cfg.hydra.runtime.choices[group] == choice


@pytest.mark.parametrize("experiment", [path.stem for path in sorted((conf_folder() / "experiment").glob("*.yaml"))])
def test_every_experiment_composes_and_is_a_short_diff(experiment):
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        compose("train", overrides=[f"experiment={experiment}"])
    lines = (conf_folder() / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    assert len(lines) <= 25
    assert any(f"experiment={experiment}" in line for line in lines[:3])  # the command that runs it
