from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fusion.cli import VERBS, main
from fusion.command.arguments import quoted, refuse_options
from fusion.configuration import conf_folder, register_resolvers


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
        (["train", "data.path=x.csv", "optimizer.lr=abc"], "optimizer: lr: expected a number, got 'abc'"),
        (["train", "data.path=x.csv", "data.delimiter=;"], """ "data.delimiter=';'"\n"""),
        (["train", "--data", "ok.csv"], "written key=value, without dashes: data.path=ok.csv"),
        (["train", "--batch_size=3"], "written key=value, without dashes: batch_size=3"),
        (["train", "ok.csv"], "ok.csv: expected key=value"),
        (["train", "data.path=x.csv", "hydra.run.dir=file/run"], "Give another with hydra.run.dir=FOLDER"),
        (
            ["train", "-m", "seed=1,2", "data.path=x.csv", "hydra.sweep.dir=file/run"],
            "hydra.sweep.dir=file/run cannot be written",
        ),
        (
            ["extract", "data.path=ok.csv", "modalities=[text]", "store.path=file/s"],
            "Give another with store.path=FOLDER",
        ),
        (["predict", "bundle=nowhere", "text=x", "output=file/x"], "output=file/x cannot be written: file is a file"),
        (["train", "data.path=x.csv", "loss=null"], "loss=null: expected one of"),
        (["predict"], "bundle: expected a value"),
        (["predict", "bundle=nowhere", "text=It's late, go!"], "nowhere is not a bundle"),
        (["predict", "--experimental-rerun", "config.pickle"], "reads a pickle"),
    ],
)
def test_mistakes_are_named_and_leave_with_2(arguments, words, emofuse, tmp_path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "ok.csv").write_text("id,text,label\n1,yes,calm\n2,no,calm\n3,yes,angry\n4,no,angry\n")
    status, _, said = emofuse(*arguments)
    assert words in said
    assert "Traceback" not in said
    assert status == 2


@pytest.mark.parametrize(
    "options", [["--cfg", "job"], ["--info", "searchpath"], ["--multir", "--cf=job"], ["-c", "job"]]
)
def test_hydras_own_options_stay_as_they_are(options):
    refuse_options(["data.path=x.csv", *options])


@pytest.mark.parametrize("at", ["fusion.cli.import_module", "hydra.main", "fusion.recipe.recipe_of"])
def test_ctrl_c_is_one_line_wherever_it_comes(at, emofuse, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(at, stop)
    status, _, said = emofuse("train", "data.path=x.csv")
    assert status == 1
    assert said.strip().startswith("Stopped.")
    assert len(said.strip().splitlines()) == 1


def test_ctrl_c_while_the_first_libraries_load(tmp_path):
    program = tmp_path / "emofuse"
    program.write_text("import fusion.command.early\nraise KeyboardInterrupt\n")
    root = str(conf_folder().parent)
    done = subprocess.run(
        [sys.executable, program], env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "\nStopped.\n"
    assert done.returncode != 0


def test_help_names_every_verb(emofuse):
    status, said, _ = emofuse("--help")
    assert status == 0
    assert all(verb in said for verb in VERBS)


@pytest.mark.slow
def test_the_shell_sees_the_exit_status(tmp_path):
    command = [sys.executable, "-m", "train", "data.path=nothing.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.strip().startswith("error: ")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_sentence_reaches_the_configuration_as_it_was_typed(sentence):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    [override] = OverridesParser.create().parse_overrides([quoted(f"text={sentence}", {"text": "clip.text"})])
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
