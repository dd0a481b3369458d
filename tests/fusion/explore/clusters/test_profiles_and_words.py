"""Who is where, and who says what."""

from __future__ import annotations

import numpy as np

from fusion.explore.clusters.profiles import COLUMNS, speaker_profiles
from fusion.explore.clusters.words import cluster_words, words_of


def test_shares_of_a_speaker_add_up_and_few_clips_are_no_proof() -> None:
    labels = np.array([0] * 30 + [1] * 20 + [-1] * 5)
    speakers = ["ann"] * 25 + ["ben"] * 25 + ["cy"] * 3 + [None] * 2
    frame = speaker_profiles(speakers, labels)
    assert tuple(frame.columns) == COLUMNS
    assert frame.groupby("speaker")["share"].sum().round(9).eq(1).all()
    assert frame.groupby("cluster")["clips"].sum().to_dict() == {1: 30, 2: 20, -1: 3}
    over = frame[frame["over"]]
    assert over[["speaker", "cluster"]].to_numpy().tolist() == [["ann", 1], ["ben", 2]]
    cy = frame[frame["speaker"] == "cy"]
    assert cy["few"].all()
    assert cy["p_adjusted"].isna().all()


def test_speakers_that_are_everywhere_are_over_nowhere() -> None:
    rng = np.random.default_rng(0)
    frame = speaker_profiles([f"s{n % 10}" for n in range(500)], rng.integers(4, size=500))
    assert not frame["over"].any()
    assert speaker_profiles([None, None], np.array([0, 1])).empty


def test_words_need_a_difference() -> None:
    labels = np.repeat([0, 1], 30)
    said = ["the bill is wrong"] * 20 + [None] * 10 + ["thank you for the help"] * 30
    first, second = cluster_words(said, labels, 3)
    assert {word for word, _ in first} == {"bill", "is", "wrong"}  # "the" is in both
    assert second == []  # "thank you for" is in more than half of all clips, "the" too
    assert all(weight > 0 for _, weight in first)
    same = ["one two three", "four five six"] * 30
    assert cluster_words(same, labels, 5) == [[], []]
    assert cluster_words([None] * 60, labels, 5) == [[], []]
    assert cluster_words(["1 2", "…"] * 30, labels, 5) == [[], []]


def test_noise_says_nothing() -> None:
    labels = np.repeat([0, 1, -1], 20)
    found = cluster_words(["alpha beta"] * 20 + ["gamma delta"] * 20 + ["noise hiss"] * 20, labels, 9)
    assert [{word for word, _ in words} for words in found] == [{"alpha", "beta"}, {"gamma", "delta"}]


def test_scripts_without_spaces() -> None:
    assert words_of("今天天气") == ["今天", "天天", "天气"]
    assert words_of("Größe zählt nicht 42") == ["größe", "zählt", "nicht"]
