"""MELD: three tables, and audio that somebody took out of the videos."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from extractors.errors import InputError
from fusion.corpora.meld import EMOTIONS, SENTIMENTS, Meld

COLUMNS = """
Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime
"""
ROWS = [  # words, speaker, emotion, sentiment, dialogue, utterance
    ("Oh my God, he\u0092s lost it. He\u0092s totally lost it.", "Phoebe", "sadness", "negative", 0, 0),
    ('"Wanted. Female roommate." Nice!', "Chandler", "joy", "positive", 0, 1),
    ("What?", "Monica", "sadness", "negative", 1, 0),
    ("  Yeah!  ", "Joey", "joy", "positive", 1, 1),
]
FOLDERS = {"train": "train/train_splits", "dev": "dev/dev_splits_complete", "test": "test/output_repeated_splits_test"}


def write_table(path: Path, rows: list[tuple[object, ...]] = ROWS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.strip().split(","))
        for number, row in enumerate(rows, 1):
            writer.writerow([number, *row, 4, 7, "00:20:57,256", "00:21:00,049"])


@pytest.fixture
def meld(tmp_path, clips) -> Path:
    for part, folder in FOLDERS.items():
        write_table(tmp_path / f"{part}_sent_emo.csv")
        clips(*(f"{folder}/dia{row[4]}_utt{row[5]}.wav" for row in ROWS))
        (tmp_path / folder / "dia0_utt0.mp4").write_bytes(b"video")
    (tmp_path / FOLDERS["test"] / "._dia0_utt0.wav").write_bytes(b"mac")
    clips("test/output_repeated_splits_test/final_videos_testdia0_utt0.wav")
    return tmp_path


def test_the_official_division(meld, manifest):
    frame, built = manifest(Meld())
    assert frame["split"].value_counts().to_dict() == {"train": 4, "val": 4, "test": 4}
    row = frame.loc["val_dia0_utt0"]
    assert row["text"] == "Oh my God, he’s lost it. He’s totally lost it."
    assert row[["label", "sentiment", "speaker", "group"]].tolist() == ["sadness", "negative", "Phoebe", "val_dia0"]
    assert "dev_splits_complete" in row["audio"]
    assert frame.loc["train_dia0_utt1", "text"] == '"Wanted. Female roommate." Nice!'
    assert frame.loc["train_dia1_utt1", "text"] == "Yeah!"
    assert "joy, test: 402 published, 2 here" in built.mismatches
    assert built.notes == []


def test_sentiment_as_the_label(meld, manifest):
    frame, _ = manifest(Meld(variant="sentiment"))
    assert frame.loc["test_dia1_utt1", ["label", "emotion"]].tolist() == ["positive", "joy"]
    assert [sum(c[part] for c in SENTIMENTS.values()) for part in range(3)] == [9989, 1109, 2610]
    assert [sum(c[part] for c in EMOTIONS.values()) for part in range(3)] == [9989, 1109, 2610]


def test_a_broken_video_costs_its_own_utterance(meld, manifest):
    (meld / FOLDERS["train"] / "dia0_utt0.wav").unlink()
    frame, built = manifest(Meld())
    assert len(frame) == 11
    assert built.notes[0] == "1 utterances of train without audio: left out"
    frame, built = manifest(Meld(text_only=True), overwrite=True)
    assert len(frame) == 12
    assert frame["audio"].isna().sum() == 1


def test_videos_alone_say_what_to_do(meld, manifest):
    for path in meld.rglob("*.wav"):
        path.unlink()
    with pytest.raises(InputError) as error:
        manifest(Meld())
    assert "nothing of MELD" in str(error.value)
    assert 'ffmpeg -nostdin -i "$1" -vn -ac 1 -ar 16000 "${1%.mp4}.flac"' in str(error.value)
    frame, _ = manifest(Meld(text_only=True))
    assert frame["audio"].isna().all()
    assert len(frame) == 12


def test_a_part_that_is_not_there(meld, manifest):
    (meld / "dev_sent_emo.csv").unlink()
    frame, built = manifest(Meld())
    assert set(frame["split"]) == {"train", "test"}
    assert "No table of val: the official division is not complete" in built.notes


def test_contradictions_are_told_together(meld, manifest, clips):
    write_table(meld / "train" / "train_sent_emo.csv", ROWS[:3])
    write_table(meld / "dev_sent_emo.csv", [*ROWS, ("Hm.", "Ross", "bored", "neutral", 2, 0)])
    write_table(meld / "test_sent_emo.csv", [*ROWS, ("Hm.", "Ross", "joy", "positive", "two", 0)])
    clips("elsewhere/dia0_utt0.wav", "test/copy/dia0_utt0.wav")
    with pytest.raises(InputError) as error:
        manifest(Meld())
    said = str(error.value)
    assert "train/train_sent_emo.csv and train_sent_emo.csv differ; keep one" in said
    assert "dev_sent_emo.csv, row 5: emotion 'bored'" in said
    assert "test_sent_emo.csv, row 5: Dialogue_ID 'two'" in said
    assert "elsewhere/dia0_utt0.wav: in no folder of train, dev or test" in said
    assert "one name, two contents" in said
