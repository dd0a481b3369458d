from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.explore.collection import Collection, Maker
from fusion.explore.space import Space
from fusion.explore.templates import Reject, Templates
from fusion.explore.templates.heldout import hold_out
from fusion.explore.templates.prototypes import KINDS, make_prototypes
from fusion.explore.templates.rejecting import precision_threshold
from fusion.explore.templates.templates import measure

SPEAKERS = list("abcde") * 8


def centred(clips: Collection) -> Space:
    return Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)


def fitted(clips: Collection, **options) -> Templates:
    return Templates.fit(clips, space=centred(clips), **options)


# -- prototypes ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=25), st.sampled_from(KINDS), st.integers(0, 99))
def test_every_class_has_templates_of_unit_length_that_stand_for_all_its_clips(classes, kind, seed):
    targets = np.unique(classes, return_inverse=True)[1].astype(np.int64)
    unit = np.random.default_rng(seed).normal(size=(len(targets), 5)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = make_prototypes(unit, targets, kind=kind, each=2, seed=seed)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    assert (np.diff(found.classes) >= 0).all()
    shots = np.bincount(found.classes, weights=found.shots)
    np.testing.assert_array_equal(shots, np.bincount(targets))
    assert (found.rows >= 0).all() == (kind == "medoid")
    if kind == "medoid":
        np.testing.assert_array_equal(unit[found.rows], found.vectors)
        np.testing.assert_array_equal(targets[found.rows], found.classes)
    if kind == "several":
        assert np.bincount(found.classes).max() <= 2


def test_the_medoid_is_the_clip_most_like_the_others():
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(30, 4)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = make_prototypes(unit, np.zeros(30, np.int64), kind="medoid")
    assert found.rows[0] == (unit @ unit.T).sum(axis=1).argmax()


def test_a_label_with_two_faces_needs_two_templates():
    rng = np.random.default_rng(0)
    sides = np.repeat([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0]], 20, axis=0) + 0.1 * rng.normal(size=(60, 3))
    unit = (sides / np.linalg.norm(sides, axis=1, keepdims=True)).astype(np.float32)
    targets = np.repeat([0, 0, 1], 20)
    right = {
        kind: (make_prototypes(unit, targets, kind=kind, each=2).cosines(unit)[0].argmax(axis=1) == targets).mean()
        for kind in ("mean", "several")
    }
    assert right["several"] == 1
    assert right["mean"] < 0.95


def test_cosines_are_of_the_nearest_template_of_each_label():
    unit = np.eye(3, dtype=np.float32)
    found = make_prototypes(unit, np.array([0, 0, 1]), kind="several", each=2)
    cosines, nearest = found.cosines(np.array([[0.6, 0.8, 0], [0, 0, 1]], np.float32))
    np.testing.assert_allclose(cosines, [[0.8, 0], [0, 1]], atol=1e-6)
    assert found.classes[nearest].tolist() == [0, 1]


@pytest.mark.parametrize(("options", "words"), [({"kind": "median"}, "kind: expected mean"), ({"each": 0}, "each: ex")])
def test_prototypes_of_no_kind(options, words):
    with pytest.raises(InputError, match=words):
        make_prototypes(np.eye(2, dtype=np.float32), np.array([0, 1]), **options)


# -- held out -----------------------------------------------------------------------------------------------------


def test_nobody_is_measured_against_a_template_of_their_own():
    """Labels drawn at random, a direction for each speaker: whoever heard the speaker before would know the label."""
    speakers = [str(speaker) for speaker in np.repeat(np.arange(10), 6)]
    right = {"other speakers (10)": [], "by the same speakers perhaps": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        unit = np.repeat(np.eye(10, 12), 6, axis=0) + 0.05 * rng.normal(size=(60, 12))
        unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)
        targets = np.repeat(rng.permutation(np.arange(10) % 2), 6).astype(np.int64)
        for (how, found), known in zip(right.items(), (speakers, [None] * 60), strict=True):
            heldout = hold_out(unit, targets, known, kind="mean", each=1, seed=seed)
            assert how in heldout.how
            found.append((heldout.cosines.argmax(axis=1) == heldout.targets).mean())
    by_speaker, by_row = (np.mean(found) for found in right.values())
    assert by_row > 0.99
    assert by_speaker < 0.6


def test_where_nothing_can_be_held_out(make_clips):
    clips = make_clips(["a", "b"])
    assert len(hold_out(clips.vectors, np.array([0, 1]), [None] * 2, kind="mean", each=1, seed=0)) == 0
    one_speaker_a_label = hold_out(
        make_clips().vectors, np.repeat([0, 1], 20), ["x"] * 20 + ["y"] * 20, kind="mean", each=1, seed=0
    )
    assert len(one_speaker_a_label) == 0
    assert "of one speaker alone" in one_speaker_a_label.how


# -- templates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_new_clips_get_their_label(make_clips, kind):
    clips, new = make_clips(speaker=SPEAKERS), make_clips(seed=1)
    templates = fitted(clips, kind=kind)
    scores = templates.score(new.vectors, maker=new.maker)
    np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1)
    truth = np.repeat([0, 1], 20)
    assert (scores.best == truth).mean() > 0.9
    assert templates.shots == {"a": 20, "b": 20}
    assert templates.measured["rows"] == 40
    assert templates.measured["accuracy"] > 0.9
    assert all(clip in clips.ids for clip in templates.clips) == (kind == "medoid")
    one = templates.score(new.vectors[3], maker=new.maker)
    np.testing.assert_allclose(one.probabilities[0], scores.probabilities[3], atol=1e-6)


def test_probabilities_are_calibrated_where_there_are_clips_to_calibrate_on(make_clips):
    noisy = make_clips(["a"] * 150 + ["b"] * 150, noise=1.0, speaker=SPEAKERS[:30] * 10)
    new = make_clips(["a"] * 500 + ["b"] * 500, noise=1.0, seed=1)
    templates = fitted(noisy)
    scores = templates.score(new.vectors, maker=new.maker)
    assert scores.calibrated
    truth = np.repeat([0, 1], 500)
    accuracy = (scores.best == truth).mean()
    assert accuracy < 0.9  # hard enough that certainty would be wrong
    assert scores.confidence.mean() == pytest.approx(accuracy, abs=0.05)
    plain = Templates.fit(noisy.take([*range(5), *range(150, 155)]), space=centred(noisy))
    said = plain.score(new.vectors, maker=new.maker)
    assert not said.calibrated
    assert said.confidence.mean() > (said.best == truth).mean() + 0.05
    assert "not calibrated: 10 held-out clips, at least 20 are needed" in plain.calibrated
    assert (plain.calibration.threshold, plain.measured) == (0.0, {})
    assert not said.uncertain.any()


def test_rows_to_calibrate_on_can_be_given(make_clips):
    clips, validation = make_clips(["a"] * 4 + ["b"] * 4), make_clips(["a"] * 50 + ["b"] * 50 + [None], seed=3)
    templates = Templates.fit(clips, space=centred(validation), validation=validation)
    assert templates.calibration.rows == 100
    assert "whose split is val" in templates.calibrated


def test_statistics_of_the_space_may_be_of_many_clips_without_labels(make_clips):
    clips = make_clips(["a"] * 2 + ["b"] * 2 + [None] * 40)
    templates = fitted(clips)
    assert templates.shots == {"a": 2, "b": 2}
    assert templates.space.rows == 44


# -- uncertain ----------------------------------------------------------------------------------------------------


def test_the_threshold_by_coverage_by_precision_and_given(make_clips):
    noisy = make_clips(["a"] * 100 + ["b"] * 100, noise=0.8, speaker=SPEAKERS[:20] * 10)
    usual = fitted(noisy)
    assert usual.measured["answered"] == pytest.approx(0.9, abs=0.01)
    half = fitted(noisy, reject=Reject(coverage=0.5))
    assert half.measured["answered"] == pytest.approx(0.5, abs=0.01)
    assert half.measured["accuracy_answered"] > usual.measured["accuracy_answered"] > usual.measured["accuracy"]
    right = fitted(noisy, reject=Reject(precision=0.95))
    assert right.measured["accuracy_answered"] >= 0.95
    given = fitted(noisy, reject=Reject(threshold=0.7))
    assert given.calibration.threshold == 0.7
    every = fitted(noisy, reject=Reject(threshold=0))
    assert every.measured["answered"] == 1
    scores = half.score(noisy.vectors, maker=noisy.maker)
    labels = np.array(scores.labels())
    np.testing.assert_array_equal(labels == "uncertain", scores.uncertain)
    records = scores.records(noisy.ids)
    assert {record["label"] for record in records} == {"a", "b", "uncertain"}
    assert all(record["best"] in ("a", "b") for record in records)


def test_the_lowest_threshold_of_a_precision():
    confidence = np.linspace(1, 0.01, 100)
    correct = np.ones(100, bool)
    correct[50::2] = False
    threshold = precision_threshold(confidence, correct, 0.9)
    kept = confidence >= threshold
    assert correct[kept].mean() >= 0.9
    assert not any(correct[: count + 1].mean() >= 0.9 for count in range(int(kept.sum()), 100))
    with pytest.raises(InputError, match=r"no threshold makes 90% of the answers right; 0\.0% is the most"):
        precision_threshold(confidence, np.zeros(100, bool), 0.9)


@pytest.mark.parametrize(
    ("reject", "words"),
    [
        ({"coverage": 0.9, "threshold": 0.5}, "expected one of threshold, coverage and precision, got threshold and"),
        ({"coverage": 0}, "reject.coverage: expected a share"),
        ({"precision": 1.2}, "reject.precision: expected a share"),
        ({"threshold": "high"}, "reject.threshold: expected a share"),
        ({"threshold": True}, "reject.threshold: expected a share"),
    ],
)
def test_ways_to_reject_that_make_no_sense(reject, words):
    with pytest.raises(InputError, match=words):
        Reject(**reject)


def test_what_cannot_be_learnt_is_not_made_up(make_clips):
    few = make_clips(["a"] * 3 + ["b"] * 3)
    for reject in (Reject(coverage=0.9), Reject(precision=0.9)):
        with pytest.raises(InputError, match="cannot be learnt from 6 held-out clips"):
            fitted(few, reject=reject)
    assert fitted(few, reject=Reject(threshold=0.6)).calibration.threshold == 0.6


# -- refusals -----------------------------------------------------------------------------------------------------


def test_clips_of_another_model_are_refused(make_clips):
    clips = make_clips()
    with pytest.raises(InputError, match="never compared"):
        fitted(clips).score(clips.vectors, maker=Maker("toy", "speech", 8, "other"))
    with pytest.raises(InputError, match="statistics of other vectors"):
        Templates.fit(clips, space=Space.fit(clips.vectors, fingerprint="other"))


@pytest.mark.parametrize(
    ("labels", "given", "words"),
    [
        (["a"] * 5, None, "at least 2 labels; these 5 clips have only 'a'"),
        ([None] * 5, None, "at least 2 labels; these 5 clips have no label"),
        (["a", "b"], ["a", "b", "c"], "no clip has the label 'c'"),
        (["a", "b"], ["a", "c"], "labels that are not among a, c: b"),
    ],
)
def test_labels_that_make_no_templates(labels, given, words, make_clips):
    with pytest.raises(InputError, match=words):
        fitted(make_clips(labels), labels=given)


def test_the_order_of_labels_can_be_given(make_clips):
    clips = make_clips()
    scores = fitted(clips, labels=["b", "a"]).score(clips.vectors, maker=clips.maker)
    assert scores.names == ("b", "a")
    assert set(scores.best[:20]) == {1}


def test_measures():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45]])
    found = measure(probabilities, np.array([0, 0, 1, 1]), 0.7)
    assert found == {"rows": 4, "accuracy": 0.75, "ua": 0.75, "answered": 0.5, "accuracy_answered": 1.0}
    assert measure(probabilities, np.array([0, 0, 1, 1]), 0.95)["accuracy_answered"] == 0
