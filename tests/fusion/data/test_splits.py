"""Splits: who stands where, whatever the table; and what they say when it cannot be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from fusion.data.draw import draw_parts
from fusion.data.splits import (
    ColumnSplit,
    Fold,
    GroupKFold,
    LeaveOneGroupOut,
    LeaveOneSpeakerOut,
    RandomSplit,
    RepeatedGroupKFold,
    SpeakerDisjoint,
    file_names,
)
from fusion.data.table import FeatureTable
from fusion.data.transcripts import transcript_codes
from tests.fusion.data.conftest import build_table


def sides(fold: Fold) -> dict[str, np.ndarray]:
    return {"train": fold.train, "val": fold.val, "test": fold.test}


def check_fold(table: FeatureTable, fold: Fold, column: str | None = "speaker") -> None:
    """Disjoint rows in order, none empty, every class in training, and no value of `column` on two sides."""
    rows = np.concatenate(list(sides(fold).values()))
    assert len(np.unique(rows)) == len(rows)
    for side in sides(fold).values():
        assert len(side)
        assert (np.diff(side) > 0).all()
    assert set(table.targets[fold.train]) == set(range(len(table.labels)))
    if column is not None:
        held = [set(table.rows[column].iloc[side]) for side in sides(fold).values()]
        assert sum(map(len, held)) == len(set.union(*held))


@st.composite
def tables(draw: st.DrawFn) -> FeatureTable:
    """Any mixture in which each class has three speakers or more: then every side can have it."""
    speakers = [f"s{i}" for i in range(draw(st.integers(3, 8)))]
    rows: list[tuple[str, str]] = []
    for label in ["x", "y", "z"][: draw(st.integers(2, 3))]:
        holders = draw(st.lists(st.sampled_from(speakers), min_size=3, unique=True))
        rows += [(label, speaker) for speaker in holders for _ in range(draw(st.integers(1, 5)))]
    rows = draw(st.permutations(rows))
    return build_table([label for label, _ in rows], [speaker for _, speaker in rows])


@settings(max_examples=40, deadline=None)
@given(table=tables(), seed=st.integers(0, 5))
def test_speaker_disjoint_of_any_table(table: FeatureTable, seed: int) -> None:
    (fold,) = SpeakerDisjoint(seed=seed).split(table)
    check_fold(table, fold)
    assert len(np.concatenate(list(sides(fold).values()))) == len(table)
    again = SpeakerDisjoint(seed=seed).split(table)[0]
    for one, other in zip(sides(fold).values(), sides(again).values(), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=25, deadline=None)
@given(table=tables(), folds=st.integers(3, 4))
def test_cross_validation_of_any_table_tests_every_row_once(table: FeatureTable, folds: int) -> None:
    for split in (LeaveOneSpeakerOut(seed=0), GroupKFold(folds=folds, seed=0)):
        try:
            found = split.split(table)
        except InputError:  # there may be fewer speakers than folds, or a class whose speakers all share one
            assume(isinstance(split, LeaveOneSpeakerOut))
            raise
        for fold in found:
            check_fold(table, fold)
        np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in found])), np.arange(len(table)))


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.lists(st.integers(0, 5), min_size=2, max_size=2), min_size=3, max_size=20),
    parts=st.integers(2, 3),
    seed=st.integers(0, 3),
)
def test_draws_leave_no_part_empty(counts: list[list[int]], parts: int, seed: int) -> None:
    drawn = draw_parts(np.array(counts), [1 / parts] * parts, seed=seed)
    assert set(drawn) == set(range(parts))


def corpus(speakers: int = 20, each: int = 30) -> FeatureTable:
    """Speakers with different mixtures of three classes, one of them rare."""
    random = np.random.default_rng(0)
    labels, names = [], []
    for speaker in range(speakers):
        shares = random.dirichlet([4, 4, 1])
        labels += list(random.choice(["common", "other", "rare"], size=each, p=shares))
        names += [f"s{speaker:02d}"] * each
    return build_table(labels, names)


def test_shares_and_mixture_come_near_to_what_was_asked() -> None:
    table = corpus()
    usual = np.bincount(table.targets) / len(table)
    (fold,) = SpeakerDisjoint(test=0.2, val=0.15, seed=3).split(table)
    for side, share in ((fold.train, 0.65), (fold.val, 0.15), (fold.test, 0.2)):
        assert abs(len(side) / len(table) - share) <= 0.05
        assert np.abs(np.bincount(table.targets[side], minlength=3) / len(side) - usual).sum() < 0.25


def test_another_seed_tests_other_speakers() -> None:
    table = corpus()
    tested = {tuple(SpeakerDisjoint(seed=seed).split(table)[0].test) for seed in range(8)}
    assert len(tested) > 1


def test_a_class_that_only_two_of_many_speakers_hold_still_trains_and_tests() -> None:
    labels, speakers = [], []
    for speaker in range(30):
        labels += ["x", "y", "x", "y"] + (["rare"] if speaker in (4, 21) else [])
        speakers += [f"s{speaker}"] * (len(labels) - len(speakers))
    table = build_table(labels, speakers)
    for seed in range(5):
        (fold,) = SpeakerDisjoint(seed=seed).split(table)
        rare = table.labels.index("rare")
        assert rare in table.targets[fold.train]
        assert rare in table.targets[fold.test]
        assert fold.notes == ("validation has no 'rare'",)


class TestSpeakersThatWillNotDo:
    SPLITS = (SpeakerDisjoint(), LeaveOneSpeakerOut(), GroupKFold(folds=3))

    @pytest.mark.parametrize("split", SPLITS)
    def test_none(self, split: SpeakerDisjoint) -> None:
        with pytest.raises(InputError, match="needs to know each row's speaker") as caught:
            split.split(build_table(["x", "y"] * 4))
        for way_out in ("`speaker` column", "split=column", "`group` column", "split=random"):
            assert way_out in str(caught.value)

    @pytest.mark.parametrize("split", SPLITS)
    def test_missing_on_some_rows(self, split: SpeakerDisjoint) -> None:
        with pytest.raises(InputError, match=r"2 of 8 rows have no speaker: r0, r7"):
            split.split(build_table(["x", "y"] * 4, [None, "a", "a", "b", "b", "c", "c", None]))

    @pytest.mark.parametrize("split", SPLITS)
    def test_too_few(self, split: SpeakerDisjoint) -> None:
        with pytest.raises(InputError, match=r"at least 3 speakers .* got 2: a, b"):
            split.split(build_table(["x", "y"] * 4, ["a", "b", "b", "a"] * 2))

    @pytest.mark.parametrize("split", SPLITS)
    def test_one_who_holds_all_of_a_class(self, split: SpeakerDisjoint) -> None:
        table = build_table(["x", "y", "x", "y", "x", "y", "z", "z"], ["a", "a", "b", "b", "c", "c", "anna", "anna"])
        with pytest.raises(InputError, match="every 'z' row is of speaker 'anna'"):
            split.split(table)


def test_leave_one_speaker_out_names_its_folds_so_that_they_can_be_folders() -> None:
    table = build_table(["x", "y"] * 5, [name for name in ("a/b", "a b", "..", "ä", "c") for _ in range(2)])
    names = [fold.name for fold in LeaveOneSpeakerOut().split(table)]
    assert len(set(names)) == 5
    assert not any("/" in name or name.startswith(".") for name in names)
    assert "ä" in names


class TestGroups:
    def test_go_before_speakers(self) -> None:
        table = build_table(["x", "y"] * 6, [f"s{i}" for i in range(12)], group=[f"g{i // 2}" for i in range(12)])
        for fold in GroupKFold(folds=3).split(table):
            check_fold(table, fold, "group")

    def test_too_few_folds(self) -> None:
        with pytest.raises(InputError, match="expected 3 folds or more"):
            GroupKFold(folds=2)

    def test_too_many_folds(self) -> None:
        with pytest.raises(InputError, match=r"at least 5 speakers \(folds=5\), got 3"):
            GroupKFold(folds=5).split(build_table(["x", "y"] * 3, ["a", "a", "b", "b", "c", "c"]))


class TestColumn:
    def test_is_taken_as_it_is(self) -> None:
        split = ["train", "train", "val", "val", "test", "test", None]
        (fold,) = ColumnSplit().split(build_table(list("xyxyxyx"), split=split))
        assert [list(side) for side in sides(fold).values()] == [[0, 1], [2, 3], [4, 5]]
        assert fold.notes == ("rows left out, as their split is empty: 1",)

    def test_validation_is_carved_out_of_training_speakers(self) -> None:
        speakers = [f"s{i // 4}" for i in range(40)]
        table = build_table(list("xy") * 20, speakers, split=["train"] * 32 + ["test"] * 8)
        (fold,) = ColumnSplit(val=0.25).split(table)
        check_fold(table, fold)
        assert list(fold.test) == list(range(32, 40))
        assert len(fold.val) == 8
        assert fold.notes == ("no row is val: 2 of 8 training speakers (8 rows) validate instead",)

    def test_or_out_of_sentences_where_there_are_no_speakers(self) -> None:
        texts = [f"sentence {i // 4}" for i in range(40)]
        table = build_table(list("xy") * 20, texts=texts, split=["train"] * 32 + ["test"] * 8)
        (fold,) = ColumnSplit(val=0.25).split(table)
        check_fold(table, fold, "text")
        assert "speakers are not known" in fold.notes[0]

    @pytest.mark.parametrize(
        ("split", "expected"),
        [
            ([None] * 6, "needs a `split` column"),
            (["train"] * 6, "no row is test"),
            (["test"] * 6, "no row is train"),
            (["train"] * 4 + ["fold 2", "test"], "'fold 2' is none of these"),
            (["train", "val", "train", "val", "test", "test"], "would train without the class 'y'"),
        ],
    )
    def test_that_will_not_do(self, split: list[str | None], expected: str) -> None:
        with pytest.raises(InputError, match=expected):
            ColumnSplit().split(build_table(list("xyxyxy"), split=split))


class TestRandom:
    def test_keeps_the_same_words_together_and_says_what_it_cannot_show(self) -> None:
        texts = [f"sentence {i % 25}" + "!" * (i % 3) for i in range(100)]
        table = build_table(list("xyxxy") * 20, texts=texts)
        (fold,) = RandomSplit().split(table)
        check_fold(table, fold, None)
        codes = transcript_codes(table.rows["text"])
        held = [set(codes[side]) for side in sides(fold).values()]
        assert sum(map(len, held)) == len(set.union(*held))
        assert "new speakers" in fold.notes[0]

    def test_without_words_every_row_is_on_its_own(self) -> None:
        table = build_table(list("xy") * 50)
        (fold,) = RandomSplit(test=0.3, val=0.1).split(table)
        assert [len(side) for side in sides(fold).values()] == [60, 10, 30]


def test_rows_without_a_label_stand_nowhere() -> None:
    labels = ["x", "y", None] * 6
    table = build_table(labels, [f"s{i // 3}" for i in range(18)])
    (fold,) = SpeakerDisjoint().split(table)
    assert (table.targets[np.concatenate(list(sides(fold).values()))] >= 0).all()


@pytest.mark.parametrize("make", [SpeakerDisjoint, RandomSplit])
@pytest.mark.parametrize("shares", [{"test": 0}, {"val": 1.0}, {"test": 0.6, "val": 0.5}, {"test": -0.1}])
def test_shares_that_are_none(make: Callable[..., object], shares: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"between 0 and 1|leave nothing"):
        make(**shares)


class TestSessionsRepeatsAndOfficialFolds:
    def test_each_session_is_tested_by_a_model_that_heard_none_of_its_speakers(self, make_table) -> None:
        sessions = [f"Ses0{row % 5}" for row in range(200)]
        speakers = [f"{session}{'FM'[row // 5 % 2]}" for row, session in enumerate(sessions)]
        table = make_table([("x", "y")[row // 7 % 2] for row in range(200)], speakers, group=sessions)
        folds = LeaveOneGroupOut().split(table)
        assert [fold.name for fold in folds] == [f"Ses0{number}" for number in range(5)]
        for fold in folds:
            assert {sessions[row] for row in fold.test} == {fold.name}
            sides = [{speakers[row] for row in rows} for rows in (fold.train, fold.val, fold.test)]
            assert not sides[0] & sides[1]
            assert not (sides[0] | sides[1]) & sides[2]
            assert len(fold.train) + len(fold.val) + len(fold.test) == 200
            assert any("training speakers" in note for note in fold.notes)

    def test_without_speakers_whole_groups_validate(self, make_table) -> None:
        groups = [f"g{row % 6}" for row in range(60)]
        table = make_table([("x", "y")[row // 7 % 2] for row in range(60)], group=groups)
        for fold in LeaveOneGroupOut().split(table):
            assert not {groups[row] for row in fold.train} & {groups[row] for row in fold.val}

    def test_repeats_divide_anew_and_test_every_row_each_time(self, make_table) -> None:
        speakers = [f"s{row % 12}" for row in range(120)]
        table = make_table([("x", "y")[row // 7 % 2] for row in range(120)], speakers)
        folds = RepeatedGroupKFold(folds=3, repeats=2).split(table)
        assert [fold.name for fold in folds] == ["1-1", "1-2", "1-3", "2-1", "2-2", "2-3"]
        for number in (0, 3):
            tested = np.sort(np.concatenate([fold.test for fold in folds[number : number + 3]]))
            assert tested.tolist() == list(range(120))
        assert any((one.test.tolist() != other.test.tolist()) for one, other in zip(folds[:3], folds[3:], strict=True))
        with pytest.raises(InputError, match="2 repeats or more"):
            RepeatedGroupKFold(repeats=1)

    def test_repeats_that_repeat_the_very_same_division_say_so(self, make_table, caplog) -> None:
        for speakers, twice in ((3, True), (12, False)):
            caplog.clear()
            table = make_table(
                [("x", "y")[row // 7 % 2] for row in range(120)], [f"s{row % speakers}" for row in range(120)]
            )
            RepeatedGroupKFold(folds=3, repeats=2).split(table)
            assert ("1 different divisions" in caplog.text) == twice

    def test_official_folds_of_a_column(self, make_table) -> None:
        speakers = [f"s{row % 12}" for row in range(120)]
        table = make_table([("x", "y")[row // 7 % 2] for row in range(120)], speakers)
        official = [str(row % 4 + 1) if row != 5 else None for row in range(120)]
        table.rows["fold"] = official
        folds = ColumnSplit(column="fold").split(table)
        assert [fold.name for fold in folds] == ["1", "2", "3", "4"]
        for fold in folds:
            assert {official[row] for row in fold.test} == {fold.name}
            assert 5 not in {*fold.train, *fold.val, *fold.test}
            assert not {speakers[row] for row in fold.train} & {speakers[row] for row in fold.val}
            assert any("left out" in note for note in fold.notes)
        table.rows["fold"] = "1"
        with pytest.raises(InputError, match="one value"):
            ColumnSplit(column="fold").split(table)
        with pytest.raises(InputError, match="needs a `nowhere` column"):
            ColumnSplit(column="nowhere").split(table)

    def test_sides_by_other_names_are_sides(self, make_table) -> None:
        speakers = [f"s{row % 12}" for row in range(120)]
        table = make_table([("x", "y")[row // 7 % 2] for row in range(120)], speakers)
        table.rows["part"] = [("Train", "Train", "Dev", "Test")[row % 12 // 3] for row in range(120)]
        [fold] = ColumnSplit(column="part").split(table)
        assert (len(fold.train), len(fold.val), len(fold.test)) == (60, 30, 30)

    @given(st.lists(st.text(alphabet="aAb/ _-1.", max_size=5), max_size=8, unique=True))
    def test_folds_have_folders_of_their_own(self, names: list[str]) -> None:
        found = file_names(names)
        assert len({name.casefold() for name in found}) == len(names)
        assert not any(set(name) & set("/ ") or name.endswith(".") or name.startswith(".") for name in found)
