"""Class outputs of several models: joined by id and class name, refused where they could be confused."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax

from extractors.errors import InputError
from fusion.data.leakage import resolve_leakage
from fusion.data.posterior_split import PosteriorSplit
from fusion.data.posteriors import PosteriorsSource

LABELS = ["angry", "calm", "sad"]
OTHER = ["sad", "angry", "calm"]  # the second model's order


def scores(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 3))


def write(path: Path, values: np.ndarray, columns: list[str], sep: str = ",", **words: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(values, columns=columns).assign(**words)
    frame.to_csv(path, index=False, sep=sep)
    return path


def reordered(values: np.ndarray) -> np.ndarray:
    """From the order of LABELS to that of OTHER."""
    return values[:, [LABELS.index(name) for name in OTHER]]


@pytest.fixture
def two(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Speech writes logits by the alphabet, face probabilities in another order and with its rows in another order."""
    ids = [f"c{row}" for row in range(9)]
    logits = scores(9)
    write(
        tmp_path / "speech.csv",
        logits,
        ["embs0", "embs1", "embs2"],
        id=ids,
        label=[LABELS[row % 3] for row in range(9)],
    )
    turned = np.arange(9)[::-1]
    faces = reordered(softmax(logits, axis=1))[turned]
    write(tmp_path / "face.csv", faces, ["embs0", "embs1", "embs2"], sep=";", video=[ids[row] for row in turned])
    return {
        "speech": {"files": str(tmp_path / "speech.csv"), "kind": "logits", "classes": LABELS},
        "face": {
            "files": str(tmp_path / "face.csv"),
            "kind": "probabilities",
            "classes": {"embs0": "sad", "embs1": "angry", "embs2": "calm"},
            "id": "video",
            "delimiter": ";",
        },
    }


def problems_of(sources: dict[str, Any], **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        PosteriorsSource(sources=sources, **options).read()
    return "\n".join((caught.value.summary, *caught.value.problems))


def test_rows_and_classes_are_joined_by_name(two):
    table = PosteriorsSource(sources=two).read()
    assert table.labels == ("angry", "calm", "sad")
    assert table.dims == {"speech": 3, "face": 3}
    assert table.targets.tolist() == [0, 1, 2] * 3
    assert table.features["speech"].dtype == np.float32
    np.testing.assert_allclose(table.features["speech"], log_softmax(scores(9), axis=1), atol=1e-6)
    np.testing.assert_allclose(table.features["face"], table.features["speech"], atol=1e-6)
    assert all(there.all() for there in table.present.values())


def test_the_order_of_the_labels_can_be_chosen(two):
    table = PosteriorsSource(sources=two, labels=["sad", "calm", "angry"]).read()
    by_name = PosteriorsSource(sources=two).read()
    assert table.labels == ("sad", "calm", "angry")
    np.testing.assert_array_equal(table.features["face"][:, ::-1], by_name.features["face"])
    np.testing.assert_array_equal(table.targets, 2 - by_name.targets)
    assert "only labels: 'bored'" in problems_of(two, labels=["sad", "calm", "angry", "bored"])


def test_label_names_give_codes_their_meaning_and_their_order(two, tmp_path):
    write(tmp_path / "speech.csv", scores(9), ["a", "b", "c"], id=[f"c{row}" for row in range(9)], label=[3, 1, 2] * 3)
    table = PosteriorsSource(sources=two, label_names={1: "sad", 2: "calm", 3: "angry"}).read()
    assert table.labels == ("sad", "calm", "angry")
    assert table.targets.tolist() == [2, 0, 1] * 3
    assert "label_names has no name for '3'" in problems_of(two, label_names={1: "sad", 2: "calm", 4: "angry"})


def test_unnamed_classes_are_refused_and_told_why(two):
    del two["face"]["classes"]
    with pytest.raises(InputError, match=r"29\.6 %") as caught:
        PosteriorsSource(sources=two)
    assert caught.value.problems[0].startswith("sources.face: `classes` must name")


def test_class_sets_that_differ_are_refused_and_the_differences_listed(two):
    two["face"]["classes"] = {"embs0": "Sad", "embs1": "angry", "embs2": "bored"}
    told = problems_of(two)
    assert "only speech: 'calm', 'sad' ('Sad' there: write both one way)" in told
    assert "only face: 'Sad' ('sad' there: write both one way), 'bored'" in told


def test_columns_may_carry_the_names(tmp_path):
    ids = ["a", "b", "c"]
    write(tmp_path / "x.csv", softmax(scores(3), axis=1), [f"p_{name}" for name in OTHER], id=ids, label=LABELS)
    pattern = {"x": {"files": str(tmp_path / "x.csv"), "kind": "probabilities", "classes": "p_{class}"}}
    table = PosteriorsSource(sources=pattern).read()
    expected = log_softmax(scores(3), axis=1)[:, [OTHER.index(name) for name in LABELS]]
    np.testing.assert_allclose(table.features["x"], expected, atol=1e-6)
    write(tmp_path / "x.csv", softmax(scores(3), axis=1), OTHER, id=ids, label=LABELS)
    table = PosteriorsSource(
        sources={"x": {**pattern["x"], "classes": LABELS}}
    ).read()  # columns called as the classes are
    np.testing.assert_allclose(table.features["x"], expected, atol=1e-6)


def test_a_list_of_classes_needs_as_many_columns(two):
    two["speech"]["classes"] = [*LABELS, "bored"]
    told = problems_of({"speech": two["speech"]})
    assert "4 names ('angry', 'calm', 'sad', 'bored') for 3 columns (embs0, embs1, embs2)" in told


def test_a_class_twice_and_a_column_that_is_not_there(two):
    two["face"]["classes"] = {"embs0": "sad", "embs1": "sad", "embs9": "calm"}
    told = problems_of(two)
    assert "'sad' named twice" in told
    assert "no column 'embs9'; it has embs0, embs1, embs2, video" in told


def test_missing_rows_and_empty_rows_are_absent(two, tmp_path):
    lines = (tmp_path / "face.csv").read_text().splitlines()
    lines[1] = ";;;c8"  # said nothing
    del lines[2]  # no row c7
    (tmp_path / "face.csv").write_text("\n".join(lines))
    table = PosteriorsSource(sources=two).read()
    there = dict(zip(table.rows["id"], table.present["face"], strict=True))
    assert [id for id, present in there.items() if not present] == ["c7", "c8"]
    assert table.present["speech"].all()
    assert (table.features["face"][~table.present["face"]] == 0).all()


def test_a_row_that_only_the_second_model_has_is_a_row(two, tmp_path):
    with (tmp_path / "face.csv").open("a") as file:
        file.write("0.2;0.3;0.5;extra\n")
    assert "no label: extra" in problems_of(two)
    table = PosteriorsSource(sources=two, require_label=False).read()
    assert table.rows["id"].iloc[-1] == "extra"
    assert (table.targets[-1], table.present["speech"][-1], table.present["face"][-1]) == (-1, False, True)


def test_probabilities_that_do_not_sum_to_one_are_named_by_row(two, tmp_path):
    path = tmp_path / "face.csv"
    lines = path.read_text().splitlines()
    lines[2], lines[4] = "0.5;0.2;0.1;c7", "-0.2;0.7;0.5;c5"
    path.write_text("\n".join(lines))
    told = problems_of(two)
    assert "row 2 (line 3): expected probabilities that sum to one, got a sum of 0.8" in told
    assert "row 4 (line 5): expected probabilities that sum to one, got a sum of 1 and values from -0.2" in told
    two["face"]["tolerance"] = 0.3
    assert "row 2 " not in problems_of(two)


@pytest.mark.parametrize(
    ("values", "declared", "seems"),
    [
        (scores(9), "probabilities", "say kind: logits"),
        (log_softmax(scores(9), axis=1), "probabilities", "say kind: log_probabilities"),
        (100 * softmax(scores(9), axis=1), "probabilities", "divide them by 100"),
        (softmax(scores(9), axis=1), "log_probabilities", "say kind: probabilities"),
        (scores(9), "log_probabilities", "say kind: logits"),
    ],
)
def test_a_wrong_kind_is_recognised(two, tmp_path, values, declared, seems):
    ids = [f"c{row}" for row in range(9)]
    write(tmp_path / "speech.csv", values, ["a", "b", "c"], id=ids, label=LABELS * 3)
    two["speech"]["kind"] = declared
    assert seems in problems_of({"speech": two["speech"]})


def test_probabilities_declared_as_logits_get_a_warning(two, tmp_path, caplog):
    ids = [f"c{row}" for row in range(9)]
    write(tmp_path / "speech.csv", softmax(scores(9), axis=1), ["a", "b", "c"], id=ids, label=LABELS * 3)
    with caplog.at_level(logging.WARNING):
        PosteriorsSource(sources={"speech": two["speech"]}).read()
    assert "look like probabilities" in caplog.text


def test_log_probabilities_of_impossible_classes_are_kept_finite(two, tmp_path):
    values = np.log(np.array([[1.0, 1e-300, 1e-300]] * 9))
    values[0, 1:] = -np.inf
    ids = [f"c{row}" for row in range(9)]
    write(tmp_path / "speech.csv", values, ["a", "b", "c"], id=ids, label=LABELS * 3)
    two["speech"]["kind"] = "log_probabilities"
    features = PosteriorsSource(sources={"speech": two["speech"]}).read().features["speech"]
    assert np.isfinite(features).all()
    assert features.min() == pytest.approx(np.log(1e-12))


def test_duplicates_are_refused(two, tmp_path):
    for name in ("speech.csv", "face.csv"):
        lines = (tmp_path / name).read_text().splitlines()
        (tmp_path / name).write_text("\n".join([*lines, lines[3]]))
    told = problems_of(two)
    assert "speech: ids that stand more than once: c2" in told
    assert "face: ids that stand more than once: c6" in told


def test_a_hostile_file_is_told_of_line_by_line_and_all_at_once(two, tmp_path):
    (tmp_path / "speech.csv").write_bytes(
        b"embs0,embs1,embs2,id,label\n"
        b"1,2,3,c0,angry\n"
        b"1,two,3,c1,calm\n"
        b'"0,5",2,3,c2,sad\n'
        b"1,,3,c3,angry\n"
        b"1,2,3,,calm\n"
        b"1,2,inf,c5,sad\n"
        b"1,2,3\n"
        b"1,2,3,c7,\xff\n"
    )
    del two["face"]["id"]
    told = problems_of(two)
    assert "row 2 (line 3): 'two' in column 'embs1' is no number" in told
    assert "'0,5' in column 'embs0' is no number; decimals need a point" in told
    assert "row 4 (line 5): no number of embs1, but of the others" in told
    assert "row 5 (line 6): no id" in told
    assert "row 6 (line 7): expected finite logits" in told
    assert "row 7 (line 8): expected 5 fields as in the header, got 3" in told
    assert "row 8 (line 9): not UTF-8" in told
    assert "face.csv: no column 'id'" in told


def test_settings_that_cannot_work_are_told_together(tmp_path):
    with pytest.raises(InputError) as caught:
        PosteriorsSource(
            sources={
                "speech": {"files": "x.csv", "kind": "odds", "classes": "p_"},
                "face": {"files": "x.csv", "clases": LABELS},
            },
            learn_from="everything",  # type: ignore[arg-type]
            names_modalities=False,
        )
    told = "\n".join(caught.value.problems)
    for part in ("kind: expected logits", "classes: expected a list", "'clases'", "learn_from", "got speech, face"):
        assert part in told or part == "got speech, face"
    assert "expected speech and text, got speech" not in told


def test_files_that_are_not_there_and_files_that_are_no_tables(two, tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    two["speech"]["files"] = [str(tmp_path / "none*.csv"), str(tmp_path / "bad.npz")]
    told = problems_of(two)
    assert "no file matches" in told
    assert "bad.npz: expected an .npz" in told


def test_other_formats_say_the_same(two, tmp_path):
    expected = PosteriorsSource(sources=two).read()
    frame = pd.read_csv(tmp_path / "speech.csv")
    frame.to_parquet(tmp_path / "speech.parquet")
    frame.to_csv(tmp_path / "speech.tsv", sep="\t", index=False)
    frame.to_json(tmp_path / "speech.jsonl", orient="records", lines=True)
    np.savez(
        tmp_path / "speech.npz",
        logits=frame[["embs0", "embs1", "embs2"]].to_numpy(np.float32),
        id=frame["id"].to_numpy(str),
        label=frame["label"].to_numpy(str),
        more=np.zeros((9, 7)),
    )
    for suffix, columns in ((".parquet", None), (".tsv", None), (".jsonl", None), (".npz", "logits")):
        speech = {**two["speech"], "files": str(tmp_path / f"speech{suffix}"), "columns": columns}
        table = PosteriorsSource(sources={"speech": speech, "face": two["face"]}).read()
        np.testing.assert_allclose(table.features["speech"], expected.features["speech"], atol=1e-6)
        assert table.rows["id"].tolist() == expected.rows["id"].tolist()


def test_nothing_in_an_npz_is_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", id=np.array(["a"], dtype=object), logits=np.zeros((1, 3)))
    told = problems_of({"x": {"files": str(tmp_path / "x.npz"), "kind": "logits", "classes": LABELS}})
    assert "holds Python objects, which are not read because they can run code" in told


def test_labels_that_no_model_knows_and_labels_that_disagree(two, tmp_path):
    text = (tmp_path / "speech.csv").read_text()
    (tmp_path / "speech.csv").write_text(text.replace("angry", "Angry"))
    assert "labels that no model knows: 'Angry' ('angry' there: write both one way)" in problems_of(two)
    (tmp_path / "speech.csv").write_text(text)
    lines = (tmp_path / "face.csv").read_text().splitlines()
    says = [lines[0] + ";label", *(line + ";calm" for line in lines[1:])]
    (tmp_path / "face.csv").write_text("\n".join(says))
    assert "6 ids have more than one label: 'c0' has 'angry' (speech), 'calm' (face)" in problems_of(two)


def test_labels_may_stand_in_a_table_of_their_own(two, tmp_path):
    frame = pd.read_csv(tmp_path / "speech.csv")
    frame.drop(columns="label").to_csv(tmp_path / "speech.csv", index=False)
    assert "no row has a label" in problems_of(two)
    frame[["id", "label"]].assign(speaker="me").to_csv(tmp_path / "about.csv", index=False)
    table = PosteriorsSource(sources=two, about={"files": str(tmp_path / "about.csv")}).read()
    assert table.targets.tolist() == [0, 1, 2] * 3
    assert set(table.rows["speaker"]) == {"me"}


# folds --------------------------------------------------------------------------------------------------------------


def write_folds(folder: Path, folds: int = 3, speakers: int = 6, val: bool = False) -> dict[str, dict[str, Any]]:
    """Two models on `folds` folds over `speakers`, of which each says six things; a clip has other scores in each fold."""
    clips = pd.DataFrame(
        [
            (f"{speaker}-{take}", LABELS[take % 3], f"s{speaker}", speaker % folds)
            for speaker in range(speakers)
            for take in range(6)
        ],
        columns=["id", "label", "speaker", "tested"],
    )
    for fold in range(folds):
        for name in ("speech", "face"):
            parts = {"test": clips["tested"] == fold, "train": clips["tested"] != fold}
            if val:
                parts["val"] = clips["tested"] == (fold + 1) % folds
                parts["train"] &= ~parts["val"]
            for part, chosen in parts.items():
                rows = clips[chosen].sample(frac=1, random_state=fold)
                values = scores(len(rows), seed=10 * fold + len(name) + len(part))
                extra = {"label": rows["label"], "speaker": rows["speaker"]} if name == "speech" else {}
                words = {key: list(column) for key, column in {"id": rows["id"], **extra}.items()}
                write(folder / name / f"fold{fold}" / f"{part}.csv", values, LABELS, **words)
    return {
        name: {"files": str(folder / name / "fold{fold}" / "{split}.csv"), "kind": "logits", "classes": LABELS}
        for name in ("speech", "face")
    }


def test_held_out_rows_stand_once_each_as_the_models_that_never_saw_them_say(tmp_path):
    sources = write_folds(tmp_path)
    source = PosteriorsSource(sources=sources)
    table = source.read()
    assert len(table) == 36
    assert table.rows["id"].is_unique
    assert set(table.rows["split"]) == {"test"}
    for row in (0, 17, 35):
        told = table.rows.iloc[row]
        file = pd.read_csv(tmp_path / "face" / f"fold{told['fold']}" / "test.csv").set_index("id")
        expected = log_softmax(file.loc[told["id"], LABELS].to_numpy(float))
        np.testing.assert_allclose(table.features["face"][row], expected, atol=1e-6)
    assert "not trained on" in (source.notice or "")


def test_each_fold_tests_its_own_rows_and_learns_from_other_speakers(tmp_path):
    table = PosteriorsSource(sources=write_folds(tmp_path)).read()
    folds = PosteriorSplit(val=0.25).split(table)
    assert [fold.name for fold in folds] == ["0", "1", "2"]
    assert np.array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(36))
    speaker = table.rows["speaker"].to_numpy()
    for fold in folds:
        assert (table.rows["fold"].iloc[fold.test] == fold.name).all()
        sides = [set(speaker[rows]) for rows in (fold.train, fold.val, fold.test)]
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]
        assert all(len(side) for side in sides)
    clean, report = resolve_leakage(table, folds)
    assert [len(fold.train) for fold in clean] == [len(fold.train) for fold in folds]
    assert not report.allowed


def test_in_sample_rows_teach_only_where_they_are_asked_for(tmp_path):
    source = PosteriorsSource(sources=write_folds(tmp_path), learn_from="in_sample")
    table = source.read()
    assert len(table) == 3 * 36
    assert table.rows["id"].is_unique
    assert table.rows["content"].nunique() == 36
    for fold in PosteriorSplit(val=0.25).split(table):
        taught = table.rows.iloc[np.concatenate([fold.train, fold.val])]
        assert set(taught["split"]) == {"train"}
        assert set(taught["fold"]) == {fold.name}
        tested = table.rows.iloc[fold.test]
        assert set(tested["fold"]) == {fold.name}
        assert not set(taught["content"]) & set(tested["content"])
        assert not set(taught["speaker"]) & set(tested["speaker"])
    resolve_leakage(table, PosteriorSplit().split(table))
    assert "trusted too much" in (source.notice or "")


def test_the_folds_own_validation_rows_teach_where_there_are_any(tmp_path):
    source = PosteriorsSource(sources=write_folds(tmp_path, val=True))
    table = source.read()
    assert sorted(set(table.rows["split"])) == ["test", "val"]
    assert source.notice is None
    for fold in PosteriorSplit(val=0.4).split(table):
        taught = table.rows.iloc[np.concatenate([fold.train, fold.val])]
        assert set(taught["split"]) == {"val"}
        assert set(taught["fold"]) == {fold.name}
    _, report = resolve_leakage(table, PosteriorSplit(val=0.4).split(table))
    assert not any(taken.train_files for taken in report.taken)


def test_nothing_but_rows_that_the_models_were_trained_on(tmp_path):
    sources = write_folds(tmp_path)
    for path in tmp_path.glob("*/fold*/test.csv"):
        path.unlink()
    assert "every row is one that the models were trained on" in problems_of(sources)
    told = PosteriorsSource(sources=sources, learn_from="in_sample", labels=LABELS).read()
    assert set(told.rows["split"]) == {"train"}
    assert len(PosteriorsSource(sources=sources).read(labels=LABELS)) == len(told), "a bundle is asked about every row"


def test_one_clip_in_two_folds_is_found_by_the_leak_check(tmp_path):
    """A division of the rows that knows nothing of folds puts one clip on two sides: refused."""
    from fusion.data.splits import RandomSplit

    table = PosteriorsSource(sources=write_folds(tmp_path), learn_from="in_sample").read()
    with pytest.raises(InputError, match="leaks"):
        resolve_leakage(table, RandomSplit().split(table))


def test_a_model_without_folds_says_the_same_in_all(tmp_path):
    sources = write_folds(tmp_path)
    ids = [f"{speaker}-{take}" for speaker in range(6) for take in range(6)]
    write(tmp_path / "text.csv", scores(36, seed=5), LABELS, id=ids)
    sources["text"] = {"files": str(tmp_path / "text.csv"), "kind": "logits", "classes": LABELS}
    table = PosteriorsSource(sources=sources, learn_from="in_sample").read()
    assert table.present["text"].all()
    first = table.features["text"][(table.rows["content"] == "0-0").to_numpy()]
    assert len(first) == 3
    assert (first == first[0]).all()


def test_models_that_divide_the_rows_differently_are_refused(tmp_path):
    sources = write_folds(tmp_path)
    here, there = (tmp_path / "face" / "fold0" / f"{part}.csv" for part in ("test", "train"))
    test, train = here.read_text().splitlines(), there.read_text().splitlines()
    here.write_text("\n".join([*test[:-1], train[-1]]))
    there.write_text("\n".join([*train[:-1], test[-1]]))
    told = problems_of(sources)
    assert "2 rows are on different sides of a fold for different models" in told
    assert "test for speech, train for face" in told or "train for speech, test for face" in told


def test_a_row_that_two_folds_test_or_that_is_trained_and_tested(tmp_path):
    sources = write_folds(tmp_path)
    zero, one = (tmp_path / "face" / f"fold{fold}" for fold in (0, 1))
    line = (zero / "test.csv").read_text().splitlines()[1]
    with (one / "test.csv").open("a") as file:
        file.write(line + "\n")
    id = line.rsplit(",", 1)[1]
    told = problems_of(sources)
    assert f"ids that more than one fold tests: {id}" in told
    assert f"face: ids in two of train, val and test in fold '1': {id}" in told


def test_models_that_were_trained_on_the_tested_speakers_are_told_of(tmp_path, caplog):
    sources = write_folds(tmp_path)
    for path in tmp_path.glob("speech/fold*/*.csv"):
        frame = pd.read_csv(path)
        frame.assign(speaker=[f"s{id[-1]}" for id in frame["id"]]).to_csv(path, index=False)
    source = PosteriorsSource(sources=sources)
    with caplog.at_level(logging.WARNING):
        source.read()
    assert "trained on speakers that they are tested on" in (source.notice or "")


def test_a_table_that_knows_no_folds_says_so_to_the_split(two):
    table = PosteriorsSource(sources=two).read()
    with pytest.raises(InputError, match="which rows each model tested"):
        PosteriorSplit().split(table)


def test_load_wants_the_names_of_the_models(two, tmp_path):
    def never() -> Any:
        raise AssertionError("no store and no extractor is needed")

    source = PosteriorsSource(sources=two)
    common = {"extractors": {"speech": never}, "store": never, "run_dir": tmp_path}
    with pytest.raises(InputError, match=r"no class outputs of text") as caught:
        source.load(**common, modalities=["speech", "text"])
    assert "modalities=[speech,face]" in str(caught.value)
    with pytest.raises(InputError, match="sequences"):
        source.load(**common, modalities=["speech"], frames=True)
    seen: list[int] = []
    table = source.load(**common, modalities=["face"], check=lambda rows: seen.append(len(rows)))
    assert (tuple(table.features), seen) == (("face",), [9])


# the real files -----------------------------------------------------------------------------------------------------


def test_ravdess_scores_what_is_known_of_it(shared_data: Path):
    """As means over the folds: speech 81.82 % and fused 86.70 as published, the plain mean of aligned outputs 83.6, of
    unaligned ones 29.6.
    """
    folder = shared_data / "ravdess_posteriors"
    if not folder.is_dir():
        pytest.skip("no class outputs of RAVDESS")
    alphabet = ["angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised"]
    code = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
    speech = {
        "files": str(folder / "wav2Vec/posteriors/*/fold{fold}/posteriors_{split}.csv"),
        "kind": "logits",
        "classes": alphabet,
        "id": "name",
        "label": "emotion",
        "speaker": "actor",
        "delimiter": ";",
    }
    face = {
        "files": str(folder / "avg_MLP80_AUs/posteriors/{split}_fold{fold}.csv"),
        "kind": "probabilities",
        "classes": code,
        "id": "video_name",
        "delimiter": ";",
    }
    names = dict(
        zip(["Angry", "Calm", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"], alphabet, strict=True)
    )
    table = PosteriorsSource(sources={"speech": speech, "face": face}, label_names=names).read()
    assert len(table) == 1440
    assert table.rows["speaker"].nunique() == 24
    probabilities = {m: np.exp(values.astype(float)) for m, values in table.features.items()}

    def accuracy(values: np.ndarray, labels: Sequence[str] = table.labels) -> float:
        """Percent, the mean of the folds, the columns read as `labels`."""
        told = np.array(labels)[values.argmax(axis=1)] == table.rows["label"].to_numpy()
        return 100 * float(pd.Series(told).groupby(table.rows["fold"].to_numpy()).mean().mean())

    assert accuracy(probabilities["speech"]) == pytest.approx(81.82, abs=0.005)
    assert accuracy(probabilities["speech"] + probabilities["face"]) == pytest.approx(83.6, abs=0.05)
    by_code = probabilities["face"][:, [table.labels.index(name) for name in code]]
    by_alphabet = probabilities["speech"][:, [table.labels.index(name) for name in alphabet]]
    assert accuracy(by_alphabet + by_code, code) == pytest.approx(29.6, abs=0.05)
    fused = {**face, "files": str(folder / "Fusion/posteriors/test_fold{fold}.csv")}
    found = PosteriorsSource(sources={"speech": speech, "fused": fused}, label_names=names).read()
    np.testing.assert_array_equal(found.rows["id"], table.rows["id"])
    assert accuracy(found.features["fused"]) == pytest.approx(86.70, abs=0.005)
