"""Folds and seeds through an engine: what is kept, what is taken up again, and what is scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from extractors.errors import InputError
from fusion.data.splits import GroupKFold
from fusion.deliver import everything
from fusion.engines.sequential import SequentialEngine
from fusion.experiment import run_trials
from fusion.fitted import digest_of
from fusion.trials import pooled, pooled_shown, training_notes, validation_score


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


@pytest.mark.parametrize("change", [None, "settings", "seed", "split"])
def test_a_checkpoint_is_only_taken_up_by_the_fit_that_wrote_it(table, recipe, tmp_path, change):
    """A path alone says nothing: of another split, the checkpoint has seen what is now tested."""
    seen: list[object] = []

    class Watched(SequentialEngine):
        def fit(self, table, jobs, recipe, *, done):
            seen.extend(job.checkpoint for job in jobs)
            return super().fit(table, jobs, recipe, done=done)

    parts = {key: value for key, value in recipe(epochs=2).items() if key != "run_dir"}

    def start(name, **changed):
        options = {"split": 1, "settings": "same", "seeds": (1,), "resume": None, **changed}
        return run_trials(
            table, GroupKFold(folds=3, seed=options["split"]).split(table), parts, engine=Watched(),
            seeds=options["seeds"], settings=options["settings"], run_dir=tmp_path / name, coverage=0.9,
            resume=options["resume"],
        )  # fmt: skip

    start("killed")
    for record in (tmp_path / "killed").rglob("fitted.json"):  # as if it had been killed just before
        record.unlink()
        (record.parent / "last.ckpt").write_bytes(b"a point to go on from")
    seen.clear()
    others = {"settings": {"settings": "others"}, "seed": {"seeds": (7,)}, "split": {"split": 7}}.get(change, {})
    if change is None:
        with pytest.raises(InputError, match="not a checkpoint"):
            start("resumed", resume=tmp_path / "killed")
        assert all(seen)
    else:
        start("resumed", resume=tmp_path / "killed", **others)
        assert seen == [None] * 9


def test_one_seed_is_taken_up_by_a_run_of_more(run):
    run(Counted(), "one", seeds=(1,))
    more = Counted()
    run(more, "more", seeds=(1, 2), resume="one")
    assert len(more.done) == 9
    assert all("seed-2" in place for place in more.done)


@pytest.mark.parametrize("column", ["text", "speaker", "content"])
def test_a_changed_row_changes_the_digest(table, column):
    rows = table.rows.assign(content="c")
    rows[column] = rows[column].astype(object)
    other = rows.copy()
    other.loc[3, column] = "other"
    assert digest_of(replace(table, rows=rows)) != digest_of(replace(table, rows=other))


def test_changed_vectors_change_the_digest(table):
    encoders = {m: {"fingerprint": "the same"} for m in table.features}
    features = {m: values.copy() for m, values in table.features.items()}
    features["text"][0] += 1
    one, other = replace(table, encoders=encoders), replace(table, encoders=encoders, features=features)
    assert digest_of(one) == digest_of(one.take(np.arange(len(one))))
    assert digest_of(one) != digest_of(other)


def test_the_shipped_model_trains_on_nothing_that_validates_it(table):
    folds = GroupKFold(folds=3).split(table)
    fold = everything(table, folds)
    speaker = table.rows["speaker"].to_numpy()
    assert not set(speaker[fold.train]) & set(speaker[fold.val])
    assert len(fold.train) + len(fold.val) == len(table)
    left_out = [
        replace(one, **{side: getattr(one, side)[getattr(one, side) > 5] for side in ("train", "val", "test")})
        for one in folds
    ]
    assert everything(table, left_out).train.min() > 5
