"""Labels that are probably others: the paper's definitions by hand, and planted ones found again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fusion.data.splits import Fold, GroupKFold
from fusion.data.table import FeatureTable
from fusion.evaluation.scored import Scored
from fusion.label_errors import find_label_errors, write_label_errors
from fusion.training import fit_fold, predict_logits

Recipe = Callable[..., dict[str, Any]]
LABELS = ["calm", "angry", "sad"]


def scored_of(targets: list[int], probabilities: Any, **options: Any) -> Scored:
    ids = options.pop("ids", [f"r{row}" for row in range(len(targets))])
    return Scored(ids=ids, targets=targets, probabilities=probabilities, uncalibrated=probabilities, **options)


def by_definition(targets: np.ndarray, p: np.ndarray) -> dict[int, int]:
    """Row -> suggested class, from equations 1 and 2 of the paper, one row at a time."""
    classes = range(p.shape[1])
    threshold = {j: np.mean([p[x, j] for x in range(len(p)) if targets[x] == j]) for j in classes if j in targets}
    suggested = {}
    for x in range(len(p)):
        above = [j for j in threshold if p[x, j] >= threshold[j]]
        if above and (best := max(above, key=lambda j: p[x, j])) != targets[x]:
            suggested[x] = best
    return suggested


@pytest.mark.parametrize("seed", range(5))
def test_is_the_confident_joint_of_the_paper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3 if seed else 2, 60)  # once a class that no row is labelled with
    p = rng.dirichlet([0.7] * 3, 60)
    frame = find_label_errors(scored_of(targets.tolist(), p), LABELS)
    expected = by_definition(targets, p)
    assert dict(zip(frame["id"], frame["suggested"], strict=True)) == {f"r{x}": LABELS[j] for x, j in expected.items()}
    assert 0 < len(frame) < 60
    assert frame["rank"].tolist() == list(range(1, len(frame) + 1))
    assert frame["p_label"].is_monotonic_increasing
    np.testing.assert_allclose(frame["margin"], frame["p_suggested"] - frame["p_label"])


def test_thresholds_are_each_classs_own() -> None:
    """Of a class that the model is never sure of, 0.4 is much; of the others it is nothing."""
    p = [[0.9, 0.05, 0.05]] * 5 + [[0.55, 0.1, 0.35]] * 5 + [[0.55, 0.05, 0.4]]
    frame = find_label_errors(scored_of([0] * 5 + [2] * 5 + [0], p), LABELS)
    assert frame[["id", "label", "suggested"]].to_numpy().tolist() == [["r10", "calm", "sad"]]


def test_seeds_and_repeats_are_averaged() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])
    q = np.array([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]])
    targets = [0, 0, 1, 1, 0]
    ids = list("abcde")
    order = [3, 1, 0, 4, 2]  # another order in the second seed
    both = Scored.concatenate(
        [
            scored_of(targets, p, ids=ids),
            scored_of([targets[row] for row in order], q[order], ids=[ids[row] for row in order]),
        ]
    )
    frame = find_label_errors(both, LABELS[:2])
    pd.testing.assert_frame_equal(frame, find_label_errors(scored_of(targets, (p + q) / 2, ids=ids), LABELS[:2]))
    assert frame["id"].tolist() == ["e"]
    assert frame["p_label"].tolist() == pytest.approx([0.2])


def test_nothing_to_list(tmp_path: Path, table: FeatureTable) -> None:
    probabilities = np.eye(3)[table.targets] * 0.7 + 0.1
    count = write_label_errors(
        tmp_path / "x.csv", scored_of(table.targets.tolist(), probabilities, ids=table.rows["id"].tolist()), table
    )
    assert count == 0
    assert (tmp_path / "x.csv").read_text() == "rank,id,label,suggested,p_label,p_suggested,margin\n"


def test_a_bad_model_does_not_make_labels_wrong(
    tmp_path: Path, table: FeatureTable, caplog: pytest.LogCaptureFixture
) -> None:
    """It is wrong on a third and nowhere sure: what is said is a list to listen to, with how often it disagrees."""
    rows = len(table)
    leaning = np.where(np.arange(rows) % 3 == 0, (table.targets + 1) % 3, table.targets)
    probabilities = np.eye(3)[leaning] * 0.4 + 0.2
    scored = scored_of(table.targets.tolist(), probabilities, ids=table.rows["id"].tolist())
    with caplog.at_level(logging.INFO):
        count = write_label_errors(tmp_path / "x.csv", scored, table)
    wrong = -(-rows // 3)
    assert count == wrong
    assert "probably" not in caplog.text
    assert f"{wrong} of {rows} tested rows to listen to first" in caplog.text
    assert "of 0 of them it is sure" in caplog.text
    assert f"It disagrees with {wrong} of {rows} labels in all" in caplog.text
    assert "a list to listen to, not a count" in caplog.text


def cross_validated(table: FeatureTable, folds: list[Fold], options: dict[str, Any]) -> Scored:
    """Every row tested by a model that did not see it."""
    parts = []
    for fold in folds:
        fitted = fit_fold(table, fold, **options)
        p = torch.from_numpy(predict_logits(fitted.model, table, fold.test)).double().softmax(dim=1).numpy()
        ids = table.rows["id"].iloc[fold.test].tolist()
        parts.append(Scored(ids=ids, targets=table.targets[fold.test], probabilities=p, uncalibrated=p))
    return Scored.concatenate(parts)


def quarters(table: FeatureTable) -> list[Fold]:
    """Four folds by rows."""
    part = np.arange(len(table)) % 4
    index = [np.flatnonzero(part == number) for number in range(4)]
    return [Fold(str(n), np.concatenate([index[n - 2], index[n - 3]]), index[n - 1], index[n]) for n in range(4)]


def planted(table: FeatureTable, share: float, seed: int) -> tuple[FeatureTable, set[str], np.ndarray]:
    """The table with `share` of its labels turned into another, the ids of these rows, and the labels that were."""
    rng = np.random.default_rng(seed)
    flipped = rng.choice(len(table), int(share * len(table)), replace=False)
    targets = table.targets.copy()
    targets[flipped] = (targets[flipped] + rng.integers(1, len(table.labels), len(flipped))) % len(table.labels)
    return replace(table, targets=targets), set(table.rows["id"].iloc[flipped]), table.targets


def test_planted_ones_are_found(
    toy_table: Callable[..., FeatureTable], recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, flipped, truth = planted(toy_table(rows=400, noise=0.4), 0.05, seed=0)
    rows = table.rows.assign(speaker="s", text=[f"words of {row}" for row in range(400)], audio=None)
    table = replace(table, rows=rows)
    with caplog.at_level(logging.INFO):
        scored = cross_validated(table, quarters(table), recipe(epochs=10))
        count = write_label_errors(tmp_path / "label_errors.csv", scored, table)
        assert "not tested" not in caplog.text
        write_label_errors(tmp_path / "half.csv", scored.take(np.arange(200)), table)
    assert "the other 200 labelled rows were not tested by a model that had not seen them" in caplog.text
    assert "error" not in caplog.text.replace("label_errors", "").lower()
    assert "wrong" not in caplog.text.lower()
    frame = pd.read_csv(tmp_path / "label_errors.csv", dtype={"id": str})
    assert list(frame.columns) == [
        *("rank", "id", "text", "speaker", "label", "suggested", "p_label", "p_suggested", "margin")
    ]
    assert len(frame) == count
    top = frame.head(len(flipped))
    assert top["id"].isin(flipped).mean() > 0.7, "by chance it would be 0.05"
    assert frame["id"].isin(flipped).sum() > 0.7 * len(flipped)
    known = top[top["id"].isin(flipped)]
    was = [table.labels[truth[int(id)]] for id in known["id"]]
    assert (known["suggested"] == was).mean() > 0.9, "and the label that it was is suggested"
    assert [f"words of {id}" for id in frame["id"]] == frame["text"].tolist(), "each with its own row"


def test_annotators_who_said_so_are_told(tmp_path: Path) -> None:
    rows = pd.DataFrame({"id": list("abcde"), "audio": [f"{id}.wav" for id in "abcde"], "text": None, "speaker": "x"})
    targets = np.array([0, 0, 1, 1, 0])
    soft = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0.6, 0.4]], np.float32)
    vectors, here = {"speech": np.zeros((5, 2), np.float32)}, {"speech": np.ones(5, bool)}
    table = FeatureTable(vectors, here, targets, ("calm", "angry"), rows, soft=soft)  # type: ignore[arg-type]
    p = [[0.9, 0.1]] * 2 + [[0.2, 0.8]] * 3
    write_label_errors(tmp_path / "x.csv", scored_of(targets.tolist(), p, ids=list("abcde")), table)
    frame = pd.read_csv(tmp_path / "x.csv")
    assert frame[["id", "audio", "share_suggested"]].to_numpy().tolist() == [["e", "e.wav", 0.4]]


@pytest.mark.slow
def test_planted_ones_are_found_in_real_speech(shared_data: Path, recipe: Recipe, tmp_path: Path) -> None:
    """339 clips of EmoDB through the acoustic extractor, 5 % of the labels turned into another."""
    from extractors.acoustic import AcousticExtractor
    from extractors.store import EmbeddingStore
    from fusion.data.assemble import table_from_manifest
    from fusion.data.manifest import read_manifest

    frame = read_manifest(shared_data / "emodb" / "manifest.csv", extra_columns="*")
    store = EmbeddingStore(tmp_path / "store")
    table = table_from_manifest(frame, {"speech": AcousticExtractor}, store, progress=False)
    found = []
    for seed in range(3):
        noisy, flipped, _ = planted(table, 0.05, seed)
        options = {**recipe(epochs=40, head="concat", seed=seed), "modalities": ["speech"]}
        folds = GroupKFold(folds=5).split(noisy)  # whole speakers
        top = find_label_errors(cross_validated(noisy, folds, options), table.labels).head(len(flipped))
        found.append(top["id"].isin(flipped).mean())
    assert np.mean(found) > 0.35, f"by chance it would be 0.05: {found}"
