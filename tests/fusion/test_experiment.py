"""Folds and seeds through an engine: what is kept, what is taken up again, and what is scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fusion.data.splits import GroupKFold
from fusion.engines.sequential import SequentialEngine
from fusion.experiment import pooled, pooled_shown, run_trials, training_notes, validation_score


class Counted(SequentialEngine):
    """The sequential engine, that remembers what it did; it may stop after a number of fits, as a kill would."""

    def __init__(self, least: int | None = None) -> None:
        self.done: list[str] = []
        self.least = least

    def fit(self, table, jobs, recipe, *, done):
        def told(job, fitted):
            done(job, fitted)
            self.done.append(str(job.place))
            if len(self.done) == self.least:
                raise KeyboardInterrupt

        return super().fit(table, jobs, recipe, done=told)


@pytest.fixture
def table(toy_table):
    table = toy_table(rows=90)
    rows = table.rows.assign(speaker=[f"s{row % 9}" for row in range(90)], text=None)
    return replace(table, rows=rows)


@pytest.fixture
def run(table, recipe, tmp_path):
    parts = {key: value for key, value in recipe(epochs=2).items() if key != "run_dir"}
    folds = GroupKFold(folds=3).split(table)

    def start(engine, name="a", *, seeds=(1, 2), settings="same", resume=None):
        return run_trials(
            table, folds, parts, engine=engine, seeds=seeds, settings=settings, run_dir=tmp_path / name, coverage=0.9,
            resume=None if resume is None else tmp_path / resume,
        )  # fmt: skip

    return start


def test_every_system_fold_and_seed_is_fitted_and_every_row_judged_once_a_seed(run, table):
    engine = Counted()
    trials = run(engine)
    assert len(engine.done) == len(set(engine.done)) == 3 * 3 * 2
    assert [(trial.seed, trial.fold) for trial in trials["fusion"]] == [(s, f) for s in (1, 2) for f in "123"]
    systems = pooled(trials)
    assert systems["fusion"].utterances == 90
    assert len(systems["fusion"]) == 180
    assert sorted(systems["text"].of_seed(2).ids, key=int) == [str(row) for row in range(90)]
    shown = pooled_shown(trials)
    complete = int(np.all(list(table.present.values()), axis=0).sum())
    assert {name: scored.utterances for name, scored in shown.items()} == dict.fromkeys(
        ("speech", "text", "both"), complete
    )
    notes = training_notes(trials)["fusion"]
    assert validation_score(trials) == pytest.approx(np.mean([note["val_ua"] for note in notes]))
    for trial in trials["fusion"]:
        history = trial.fitted.history[trial.fitted.best_epoch]
        assert trial.val_ua == pytest.approx(history["val/uar"], abs=1e-6)


def test_a_killed_run_takes_up_its_finished_fits_and_ends_the_same(run):
    whole = run(Counted(), "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Counted(least=5), "killed")
    rest = Counted()
    resumed = run(rest, "resumed", resume="killed")
    assert len(rest.done) == 18 - 5
    for name, trials in whole.items():
        for one, other in zip(trials, resumed[name], strict=True):
            np.testing.assert_array_equal(one.scored.probabilities, other.scored.probabilities)
            assert one.fitted.history == other.fitted.history
    again = Counted()
    run(again, "again", resume="resumed")  # what was taken up is saved as well
    assert again.done == []


@pytest.mark.parametrize("change", ["settings", "seed", "damage"])
def test_a_finished_fit_of_something_else_is_not_taken_up(run, change, tmp_path):
    run(Counted(), "first", seeds=(1,))
    if change == "damage":
        path = next((tmp_path / "first" / "fits").rglob("fitted.safetensors"))
        path.write_bytes(path.read_bytes()[:100])
    rest = Counted()
    options = {"settings": {"settings": "others"}, "seed": {"seeds": (7,)}, "damage": {}}[change]
    run(rest, "second", resume="first", **{"seeds": (1,), **options})
    assert len(rest.done) == (1 if change == "damage" else 9)
