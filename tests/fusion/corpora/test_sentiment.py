"""CMU-MOSI and CMU-MOSEI: tables, transcripts, cut and whole audio."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extractors.errors import InputError
from fusion.corpora.cmu_mosei import CmuMosei
from fusion.corpora.cmu_mosi import CmuMosi
from fusion.corpora.sentiment import CLASSES, STEPS, seven

LABELS = """video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode
03bSnISJMiM,1,ANYHOW IT WAS REALLY GOOD,2.4,,,,Positive,train
03bSnISJMiM,2,"A LOT OF SAD PARTS, REALLY",-1.75,,,,Negative,train
_dI--eQ6qVU,1,SO SO,0.0,,,,Neutral,valid
_dI--eQ6qVU,2,FINE,0.6,,,,Positive,valid
c7UH_rxdZv4,1,NO,-3.0,,,,Negative,test
c7UH_rxdZv4,2,YES,1,,,,Positive,test
"""


@pytest.fixture
def mosi(tmp_path, clips):
    (tmp_path / "label.csv").write_text(LABELS)
    for video in ("03bSnISJMiM", "_dI--eQ6qVU", "c7UH_rxdZv4"):
        clips(f"Raw/{video}/1.wav", f"Raw/{video}/2.wav")
        (tmp_path / "Raw" / video / "1.mp4").write_bytes(b"video")
    return tmp_path


def test_mosi_with_clips_by_folder(mosi, manifest):
    frame, built = manifest(CmuMosi())
    assert frame["label"].value_counts().to_dict() == {"positive": 3, "negative": 2}
    assert frame.loc["03bSnISJMiM_2", ["label", "sentiment", "speaker", "split", "text"]].tolist() == [
        "negative", "-1.75", "03bSnISJMiM", "train", "A LOT OF SAD PARTS, REALLY",
    ]  # fmt: skip
    assert frame.loc["_dI--eQ6qVU_2", "split"] == "val"
    assert "1 utterances sentiment of exactly zero: left out by 2way" in built.notes
    assert "positive, train: 679 published, 1 here" in built.mismatches


def test_mosi_with_clips_in_one_folder_and_transcripts(tmp_path, clips, manifest):
    rows = [line.split(",") for line in LABELS.replace('"A LOT OF SAD PARTS, REALLY"', "x").splitlines()]
    table = pd.DataFrame(rows[1:], columns=rows[0])[["video_id", "clip_id", "label"]]
    table.rename(columns={"label": "sentiment", "video_id": "Video_ID"}).to_csv(tmp_path / "labels.csv", index=False)
    folder = tmp_path / "Raw" / "Transcript" / "Segmented"
    folder.mkdir(parents=True)
    (folder / "03bSnISJMiM.annotprocessed").write_text("1_DELIM_ANYHOW IT WAS\n2_DELIM_A LOT OF SAD PARTS\nbroken\n")
    for video, clip in zip(table["video_id"], table["clip_id"], strict=True):
        clips(f"Raw/Audio/WAV_16000/Segmented/{video}_{clip}.wav")
    frame, built = manifest(CmuMosi(variant="2way_nonnegative"))
    assert frame["label"].value_counts().to_dict() == {"non-negative": 4, "negative": 2}
    assert frame.loc["03bSnISJMiM_2", "text"] == "A LOT OF SAD PARTS"
    assert frame["split"].value_counts().to_dict() == {"train": 2, "val": 2, "test": 2}  # known by video
    assert "4 utterances without words" in built.notes


def test_the_published_counts_are_those_of_the_real_labels(shared_data):
    data = np.load(shared_data / "mosi" / "mosi_utterance.npz", allow_pickle=False)
    folds = np.array([CmuMosi.folds[video] for video in data["video"]])
    assert (folds == data["split_standard"]).all()
    for variant, classes in CLASSES.items():
        labels = np.array([str(classes(float(value))) for value in data["sentiment"]])
        for name, counts in CmuMosi(variant=variant).published.counts.items():
            assert counts == tuple(((labels == name) & (folds == part)).sum() for part in ("train", "val", "test"))


def test_seven_classes_are_the_nearest_step():
    assert [seven(float(step)) for step in range(-3, 4)] == list(STEPS)
    for value in np.linspace(-3, 3, 121):
        assert STEPS.index(seven(float(value))) - 3 == np.round(value)


MOSEI = """video_id,clip_id,label,mode
-3g5yACwYnA,0,1.0,train
-3g5yACwYnA,1,-0.6666667,train
0_x___Y,7,0.3333333,valid
0_x___Y,8,-2,test
"""


def test_mosei_with_whole_videos_and_their_transcripts(tmp_path, clips, manifest):
    (tmp_path / "label.csv").write_text(MOSEI)
    folder = tmp_path / "Transcript/Segmented/Combined"
    folder.mkdir(parents=True)
    (folder / "-3g5yACwYnA.txt").write_text(
        "-3g5yACwYnA___0___0.0___0.9___Key is part of it.\n-3g5yACwYnA___1___1.0___1.95___They've ___ it.\n"
        "-3g5yACwYnA___2___cut\n"
    )
    (folder / "0_x___Y.txt").write_bytes(b"0_x___Y___7___0.5___1.25___caf\xe9\n0_x___Y___8___1.25___1.5___no\n")
    clips("Audio/Full/WAV_16000/-3g5yACwYnA.wav", "Audio/Full/WAV_16000/0_x___Y.wav", seconds=2)
    frame, built = manifest(CmuMosei())
    row = frame.loc["-3g5yACwYnA_1"]
    assert (row["start"], row["end"], row["text"], row["label"]) == (1.0, 1.95, "They've ___ it.", "negative")
    assert frame.loc["0_x___Y_7", ["text", "split", "label"]].tolist() == ["café", "val", "positive"]
    assert built.hours == pytest.approx(4 / 3600)
    assert CmuMosei(variant="7way").published is None


def test_times_of_other_words_are_not_taken(tmp_path, clips, manifest):
    """Some tables number the segments otherwise: the words must agree before a time is believed."""
    (tmp_path / "label.csv").write_text(
        "video_id,clip_id,text,label,mode\nv,0,Key is part of it!,1,train\nv,1,Something else,-1,train\n"
        "v,2,And a third,-1,train\nv,3,last one,2,train\n"
    )
    (tmp_path / "v.txt").write_text("".join(f"v___{n}___{n}___{n + 1}___{w}\n" for n, w in enumerate(
        ["key is part of it", "They've been able", "and a third", "Last one."]
    )))  # fmt: skip
    clips("v.wav", seconds=4)
    with pytest.raises(InputError, match="only one example"):
        manifest(CmuMosei())
    built_again = CmuMosei(text_only=True)
    frame, built = manifest(built_again, overwrite=True)
    assert frame.loc["v_0", ["start", "end"]].tolist() == [0.0, 1.0]
    assert frame.loc["v_1", ["audio", "start"]].isna().all()
    assert "1 utterances without audio: kept with their words only" in built.notes


def test_the_division_of_the_sdk_is_read_and_not_run(tmp_path, clips, manifest):
    (tmp_path / "label.csv").write_text(MOSEI.replace(",mode", "").replace(",train", "").replace(",valid", "")
                                        .replace(",test", ""))  # fmt: skip
    (tmp_path / "cmu_mosei_std_folds.py").write_text(
        "raise SystemExit('never run')\nstandard_train_fold=['-3g5yACwYnA']\nstandard_test_fold = ['0_x___Y']\n"
    )
    clips(*(f"{video}_{clip}.flac" for video, clip in (("-3g5yACwYnA", 0), ("-3g5yACwYnA", 1))))
    clips("0_x___Y/7.ogg", "0_x___Y/8.wav")
    frame, _ = manifest(CmuMosei())
    assert frame["split"].tolist() == ["train", "train", "test", "test"]


def test_unusable_rows_are_told_together(mosi, manifest):
    (mosi / "label.csv").write_text(
        LABELS + "v,3,x,9,,,,,train\nv,,x,1,,,,,train\n03bSnISJMiM,1,x,1,,,,,train\nc7UH_rxdZv4,9,x,1,,,,,dev2\n"
    )
    with pytest.raises(InputError) as error:
        manifest(CmuMosi(text_only=True))
    said = str(error.value)
    assert "row 7: video 'v', clip '3', sentiment '9'; expected -3 to 3" in said
    assert "row 8: video 'v', clip ''" in said
    assert "row 9: 03bSnISJMiM_1 has another sentiment than before" in said
    assert "c7UH_rxdZv4_9: split 'dev2'" in said


def test_labels_in_hdf5_say_what_to_do(tmp_path, clips, manifest):
    clips("Raw/Audio/03bSnISJMiM_1.wav")
    (tmp_path / "CMU_MOSI_Opinion_Labels.csd").write_bytes(b"\x89HDF")
    with pytest.raises(InputError) as error:
        manifest(CmuMosi())
    assert "expected a label.csv with the columns video_id, clip_id, label" in str(error.value)
    assert "1 .csd files are there, which Emofuse does not read" in str(error.value)


def test_tables_of_other_things_are_passed_over(mosi, manifest):
    """Features of a frame a column, of which the first line alone is longer than a csv cell may be."""
    (mosi / "features.csv").write_text(",".join(map(str, range(60_000))) + "\n" + "1," * 60_000 + "\n")
    (mosi / "notes.csv").write_text('video_id,clip_id\n1,"open\n')
    assert len(manifest(CmuMosi())[0]) == 5


def test_a_quotation_mark_that_never_closes_is_told(mosi, manifest):
    (mosi / "label.csv").write_text(LABELS + 'v,1,"never closed,1,,,,,train\n' + "x,1,y,1,,,,,train\n" * 20_000)
    with pytest.raises(InputError, match="field larger than field limit"):
        manifest(CmuMosi())
