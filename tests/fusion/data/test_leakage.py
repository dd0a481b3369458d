"""Nothing that is tested is trained on: what is taken out, what is refused, and what the report says."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from extractors.errors import InputError
from fusion.data.features import load_features
from fusion.data.leakage import LeakReport, resolve_leakage
from fusion.data.manifest import read_manifest
from fusion.data.splits import ColumnSplit, Fold, GroupKFold, LeaveOneSpeakerOut, SpeakerDisjoint
from fusion.data.table import FeatureTable
from fusion.data.transcripts import transcript_codes
from tests.fusion.data.conftest import build_table

SPLIT = ["train"] * 12 + ["val"] * 4 + ["test"] * 4
SPEAKERS = [f"s{i // 2}" for i in range(20)]
TEXTS = [f"sentence {i}" for i in range(20)]


def table_of(**columns: list[str | None]) -> FeatureTable:
    return build_table(list("xy") * 10, **({"speakers": SPEAKERS, "texts": TEXTS, "split": SPLIT} | columns))


def resolve(table: FeatureTable, **options: object) -> tuple[Fold, LeakReport]:
    (fold,), report = resolve_leakage(table, ColumnSplit().split(table), **options)  # type: ignore[arg-type]
    return fold, report


def texts_with(**changed: str) -> list[str | None]:
    """TEXTS with some rows replaced: `texts_with(r3="okay")`."""
    return [changed.get(f"r{row}", text) for row, text in enumerate(TEXTS)]


def test_nothing_shared_nothing_taken() -> None:
    fold, report = resolve(table_of())
    assert list(fold.train) == list(range(12))
    assert report.sentences() == []
    assert not report.allowed


def test_a_short_utterance_on_both_sides_is_taken_out_of_training_and_counted() -> None:
    fold, _ = resolve(table_of(texts=texts_with(r0="Okay.", r5="okay", r13="OKAY!", r17=" okay ", r2="ja", r12="ja")))
    assert list(fold.train) == [1, 3, 4, 6, 7, 8, 9, 10, 11]
    assert list(fold.val) == [12, 14, 15]  # row 12 shares its words with training only
    assert list(fold.test) == [16, 17, 18, 19]


def test_validation_keeps_what_only_training_shares() -> None:
    fold, report = resolve(table_of(texts=texts_with(r2="ja", r12="ja", r13="okay", r17="okay")))
    assert list(fold.train) == [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert list(fold.val) == [12, 14, 15]
    (taken,) = report.taken
    assert (taken.train_transcripts, taken.val_transcripts, taken.train_files) == (1, 1, 0)
    assert [(line.parts, line.transcripts) for line in report.before] == [
        ("train-test", 0),
        ("train-val", 1),
        ("val-test", 1),
    ]
    assert [line.transcripts for line in report.after] == [0, 0, 0]
    assert "Rows taken out of training, as their words also stand in validation or test: 1." in report.sentences()


def test_the_same_audio_on_both_sides_goes_too_whatever_it_is_called() -> None:
    content: list[str | None] = [f"hash {i}" for i in range(20)]
    content[3] = content[18]
    content[4] = content[14]
    for modalities in (["speech"], ["speech", "text"]):
        fold, report = resolve(table_of(content=content), modalities=modalities)
        assert list(fold.train) == [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
        assert report.taken[0].train_files == 2
        assert any("audio clips stand under more than one label" in line for line in report.warnings)


def test_a_row_that_shares_words_and_audio_counts_once() -> None:
    content: list[str | None] = [f"hash {i}" for i in range(20)]
    content[3] = content[17]
    _, report = resolve(table_of(content=content, texts=texts_with(r3="okay", r17="okay")))
    assert (report.taken[0].train_files, report.taken[0].train_transcripts) == (1, 0)
    assert not any("more than one label" in line for line in report.warnings)  # rows 3 and 17 are both y


SCRIPT: list[str | None] = [f"line {i % 4}" for i in range(20)]


class TestScripts:
    def test_are_refused_with_what_text_cannot_show(self) -> None:
        with pytest.raises(InputError, match="this split leaks") as caught:
            resolve(table_of(texts=SCRIPT))
        message = str(caught.value)
        assert "the words of 12 of 12 training rows" in message
        assert "train and test share: speakers 0, transcripts 4, files by content not known" in message
        for way_out in ("cannot show", "modalities=[speech]", "split=column", "allow_leakage=true"):
            assert way_out in message

    def test_are_let_pass_on_request_and_stay_whole(self) -> None:
        fold, report = resolve(table_of(texts=SCRIPT), allow_leakage=True)
        assert list(fold.train) == list(range(12))
        assert report.allowed
        assert any("cannot show" in warning for warning in report.warnings)

    def test_matter_less_where_only_the_voice_is_used(self) -> None:
        table = table_of(texts=SCRIPT)
        for options in ({"modalities": ["speech"]}, {}):
            seen = table if options else table.only(["speech"])
            fold, report = resolve(seen, **options)
            assert list(fold.train) == list(range(12))
            assert report.before[0].transcripts == 4
            assert any("a speech encoder also hears words" in warning for warning in report.warnings)
            assert not report.allowed

    def test_a_few_shared_words_are_no_matter_for_the_voice(self) -> None:
        fold, report = resolve(table_of(texts=texts_with(r3="okay", r17="okay")), modalities=["speech"])
        assert list(fold.train) == list(range(12))
        assert report.before[0].transcripts == 1
        assert not report.warnings

    def test_a_class_that_would_vanish_is_a_script(self) -> None:
        labels = ["x", "y", "y", "y"] * 3 + ["x", "y", "x", "y"] * 2
        texts = list(TEXTS)
        texts[0] = texts[4] = texts[8] = "thank you"  # all that x has in training
        texts[16] = "Thank you!"
        table = build_table(labels, SPEAKERS, texts, split=SPLIT)
        with pytest.raises(InputError, match="every training row of 'x'"):
            resolve(table)

    def test_one_such_fold_of_many_is_enough(self) -> None:
        texts = [f"line {i % 2}" if i < 8 else f"own {i}" for i in range(20)]
        table = build_table(list("xy") * 10, SPEAKERS, texts)
        folds = [Fold("a", np.arange(8, 16), np.arange(16, 20), np.arange(8))]
        folds += [Fold("b", np.arange(2, 8), np.arange(8, 20), np.arange(2))]
        with pytest.raises(InputError, match=r"fold 'b'") as caught:
            resolve_leakage(table, folds)
        assert "fold 'a'" not in str(caught.value)
        clean, _ = resolve_leakage(table, folds, allow_leakage=True)
        assert [len(fold.train) for fold in clean] == [8, 6]


class TestSpeakers:
    def test_on_both_sides_are_refused(self) -> None:
        speakers: list[str | None] = [*SPEAKERS]
        speakers[0] = speakers[19]
        with pytest.raises(InputError, match=r"1 speaker stands in training and test: s9"):
            resolve(table_of(speakers=speakers))
        fold, report = resolve(table_of(speakers=speakers), allow_leakage=True)
        assert len(fold.train) == 12
        assert report.before[0].speakers == 1
        assert any("Speakers of the test" in warning for warning in report.warnings)

    def test_shared_by_training_and_validation_are_warned_of(self) -> None:
        speakers: list[str | None] = [*SPEAKERS]
        speakers[0] = speakers[13]
        _, report = resolve(table_of(speakers=speakers))
        assert any("Validation shares speakers" in warning for warning in report.warnings)

    def test_not_known(self) -> None:
        _, report = resolve(table_of(speakers=[None] * 20))
        assert report.before[0].speakers is None
        assert any("No speakers are given" in warning for warning in report.warnings)


@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(st.sampled_from(["okay", "ja", None, *"abcdefghijklmnop"]), min_size=24, max_size=24),
    content=st.lists(st.sampled_from([None, *"abcdefghijklmnop"]), min_size=24, max_size=24),
    allow=st.booleans(),
)
def test_afterwards_no_words_and_no_audio_stand_on_two_sides(
    texts: list[str | None], content: list[str | None], allow: bool
) -> None:
    table = build_table(list("xy") * 12, [f"s{i // 4}" for i in range(24)], texts, content)
    folds = GroupKFold(folds=3).split(table)
    try:
        clean, report = resolve_leakage(table, folds, allow_leakage=allow)
    except InputError:
        assert not allow
        return
    for before, after, taken in zip(folds, clean, report.taken, strict=True):
        np.testing.assert_array_equal(before.test, after.test)
        assert set(after.train) <= set(before.train)
        assert set(after.val) <= set(before.val)
        assert len(before.train) - len(after.train) == taken.train_files + taken.train_transcripts
        assert len(before.val) - len(after.val) == taken.val_files + taken.val_transcripts
        if not report.allowed:
            codes = transcript_codes(table.rows["text"])
            for one, other in ((after.train, after.test), (after.train, after.val), (after.val, after.test)):
                assert not (set(codes[one]) & set(codes[other])) - {-1}
                held = [set(table.rows["content"].iloc[side]) - {None} for side in (one, other)]
                assert not held[0] & held[1]
            assert set(table.targets[after.train]) == {0, 1}
    json.dumps(report.as_dict(), allow_nan=False)


def test_the_report_can_be_printed() -> None:
    _, report = resolve(table_of(texts=texts_with(r13="okay", r17="okay")))
    console = Console(file=io.StringIO(), width=100)
    report.print(console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1 → 0" in printed
    assert "not known" in printed  # no hashes of the audio here
    assert "taken out of validation, as their words also stand in test: 1." in printed
    table = build_table(list("xy") * 10, SPEAKERS, TEXTS)
    _, many = resolve_leakage(table, LeaveOneSpeakerOut().split(table))
    many.print(console)
    assert "each of 10" in console.file.getvalue()  # type: ignore[attr-defined]


def scripted(shared_data: Path, name: str) -> FeatureTable:
    frame = read_manifest(shared_data / name / "manifest.csv", extra_columns="*", check_audio=False)
    return build_table(frame["label"].tolist(), frame["speaker"].tolist(), frame["text"].tolist())


@pytest.mark.parametrize("name", ["emodb", "ravdess"])
@pytest.mark.parametrize("split", [SpeakerDisjoint(), LeaveOneSpeakerOut(), GroupKFold()])
def test_scripted_corpora_are_refused_for_text_and_not_for_speech(
    shared_data: Path, name: str, split: SpeakerDisjoint
) -> None:
    table = scripted(shared_data, name)
    folds = split.split(table)
    with pytest.raises(InputError, match="scripts that run through the speakers"):
        resolve_leakage(table, folds)
    clean, report = resolve_leakage(table, folds, modalities=["speech"])
    assert [len(fold.train) for fold in clean] == [len(fold.train) for fold in folds]
    clean, report = resolve_leakage(table, folds, allow_leakage=True)
    assert report.allowed
    assert sum(len(fold.test) for fold in clean) == (len(table) if len(folds) > 1 else len(folds[0].test))


def test_mosi_passes(shared_data: Path) -> None:
    arrays = {"speech": "feat_audio", "text": "feat_text", "transcript": "text", "split": "split_bclstm"}
    table = load_features(shared_data / "mosi" / "mosi_utterance.npz", arrays=arrays | {"speaker": "video"})
    (fold,), report = resolve_leakage(table, ColumnSplit().split(table))
    assert [line.speakers for line in report.before] == [0, 0, 0]
    assert len(fold.test) == 752
    assert len(fold.train) + len(fold.val) == 1447
    assert not report.allowed
