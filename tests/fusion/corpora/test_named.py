"""Corpora that are read from file names alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from extractors.errors import InputError
from fusion.corpora.crema_d import MEN, SENTENCES, CremaD
from fusion.corpora.emodb import EmoDb
from fusion.corpora.ravdess import Ravdess
from fusion.corpora.savee import Savee
from fusion.corpora.tess import Tess


def test_crema_d(clips, manifest):
    clips(
        "AudioWAV/1001_IEO_ANG_HI.wav", "AudioWAV/1001_DFA_ANG_XX.WAV", "AudioWAV/1091_WSI_NEU_XX.wav",
        "AudioWAV/1002_ITH_NEU_X.wav",
    )  # fmt: skip
    frame, built = manifest(CremaD())
    assert frame.index.tolist() == ["1001_DFA_ANG_XX", "1001_IEO_ANG_HI", "1002_ITH_NEU_X", "1091_WSI_NEU_XX"]
    assert frame["label"].tolist() == ["anger", "anger", "neutral", "neutral"]
    assert frame["speaker"].tolist() == ["1001", "1001", "1002", "1091"]
    assert frame["gender"].tolist() == ["male", "male", "female", "female"]
    assert frame["intensity"].tolist() == ["unspecified", "high", "unspecified", "unspecified"]
    assert frame["text"].iloc[0] == "Don't forget a jacket."
    assert "happiness: 1,271 published, 0 here" in built.mismatches
    assert (len(MEN.split()), len(set(SENTENCES.values()))) == (48, 12)


def test_a_clone_of_crema_d_has_the_clips_as_mp3_too(clips, manifest, tmp_path):
    clips("AudioWAV/1001_IEO_ANG_HI.wav", "AudioWAV/1002_IEO_ANG_HI.wav")
    clips("AudioWAV/1001_IEO_SAD_HI.wav", "AudioWAV/1002_IEO_SAD_HI.wav")
    clips("AudioMP3/1001_IEO_ANG_HI.mp3", "AudioMP3/1002_IEO_SAD_HI.mp3")
    frame, built = manifest(CremaD())
    assert all(path.endswith(".wav") for path in frame["audio"])
    assert built.notes == ["2 .mp3 files left aside: the same names are there as .wav"]


def test_ravdess_leaves_song_and_the_sound_of_videos_aside(clips, manifest):
    clips(
        "Actor_01/03-01-06-01-02-01-01.wav", "Actor_02/03-01-06-02-01-02-02.wav", "Actor_02/03-01-01-01-01-02-02.wav",
        "Actor_01/03-01-01-01-01-02-01.wav", "Song/Actor_01/03-02-06-01-02-01-01.wav",
        "Video/01-01-06-01-02-01-01.wav",
    )  # fmt: skip
    frame, built = manifest(Ravdess())
    assert frame["label"].value_counts().to_dict() == {"fearful": 2, "neutral": 2}
    assert frame.loc["03-01-06-02-01-02-02", ["speaker", "gender", "intensity", "statement", "repetition"]].tolist() == [
        "02", "female", "02", "01", "02",
    ]  # fmt: skip
    assert frame.loc["03-01-06-01-02-01-01", "text"] == "Dogs are sitting by the door."
    assert any("1 files left aside: sung" in note for note in built.notes)
    assert any("the sound of a video" in note for note in built.notes)


def test_emodb_and_its_four_classes(clips, manifest):
    clips(*(f"wav/{name}.wav" for name in ("03a01Fa", "08b03Fb", "03a02Wc", "16b10Wb", "09a05La", "09a05Lb")))
    frame, _ = manifest(EmoDb())
    assert sorted(frame["label"].unique()) == ["anger", "boredom", "happiness"]
    assert frame.loc["08b03Fb", ["speaker", "gender", "sentence", "language"]].tolist() == ["08", "female", "b03", "de"]
    frame, built = manifest(EmoDb(variant="4way"), overwrite=True)
    assert sorted(frame["label"].unique()) == ["anger", "happiness"]
    assert built.notes == ["2 files left aside: boredom is none of the classes of 4way"]
    assert built.mismatches[-1] == "sadness: 62 published, 0 here"


@pytest.mark.parametrize("name", ["AudioData/{}/{}.wav", "ALL/{}_{}.wav"])
def test_savee_in_folders_and_in_one(clips, manifest, name):
    clips(*(name.format(speaker, code) for speaker in ("DC", "KL") for code in ("a01", "sa01", "su15", "n30")))
    frame, _ = manifest(Savee())
    assert sorted(frame.index) == sorted(f"{s}_{c}" for s in ("DC", "KL") for c in ("a01", "n30", "sa01", "su15"))
    assert frame.loc["KL_sa01", ["label", "speaker", "sentence"]].tolist() == ["sadness", "KL", "sa01"]
    assert frame["text"].isna().all()


def test_tess_that_holds_itself_again(clips, manifest, tmp_path):
    """The mirror that most people have: the whole set once more, one folder deeper; and a misnamed file."""
    inner = tmp_path / "TESS" / "TESS"
    clips("TESS/OAF_neutral/OA_bite_neutral.wav", "TESS/OAF_neutral/OAF_dog_neutral.wav")
    clips("TESS/YAF_pleasant_surprised/YAF_food_ps.wav", "TESS/OAF_Pleasant_surprise/OAF_food_ps.wav")
    for folder in list((tmp_path / "TESS").iterdir()):
        shutil.copytree(folder, inner / folder.name)
    frame, built = manifest(Tess())
    assert frame.index.tolist() == ["OAF_bite_neutral", "OAF_dog_neutral", "OAF_food_ps", "YAF_food_ps"]
    assert frame["text"].iloc[0] == "Say the word bite."
    assert frame["speaker"].tolist() == ["OAF", "OAF", "OAF", "YAF"]
    assert built.notes[0].startswith("4 copies of files left aside")
    assert not any("TESS/TESS/" in path for path in built.frame["audio"])


def test_one_name_with_two_contents_is_told(clips, manifest):
    clips("a/OAF_dog_sad.wav", "b/OAF_dog_sad.wav", "a/OAF_dog_happy.wav")
    with pytest.raises(InputError, match="one name, two contents"):
        manifest(Tess())


def test_what_macs_leave_behind_is_passed_over(clips, manifest, tmp_path):
    clips(*(f"{s}_dog_{e}.wav" for s in ("OAF", "YAF") for e in ("sad", "happy")))
    for name in ("._OAF_dog_sad.wav", "__MACOSX/OAF_dog_fear.wav", ".DS_Store", ".hidden/YAF_dog_fear.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x00\x05\x16\x07 not audio")
    frame, built = manifest(Tess())
    assert len(frame) == 4
    assert not built.problems


def test_a_link_that_leads_back_ends(clips, manifest, tmp_path):
    clips(*(f"set/{s}_dog_{e}.wav" for s in ("OAF", "YAF") for e in ("sad", "happy")))
    (tmp_path / "set" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(manifest(Tess())[0]) == 4


def test_all_unknown_names_are_told_together(clips, manifest, tmp_path):
    clips("1001_IEO_ANG_HI.wav", "1002_IEO_ANG_HI.wav", "1001_IEO_SAD_HI.wav", "1002_IEO_SAD_HI.wav")
    clips("1001_XXX_ANG_HI.wav", "1099_IEO_ANG_HI.wav", "my test.wav")
    (tmp_path / "1003_IEO_SAD_HI.wav").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (tmp_path / "1004_IEO_SAD_HI.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError) as error:
        manifest(CremaD())
    assert not (tmp_path / "manifest.csv").exists()
    said = str(error.value)
    assert "5 problems; nothing was written" in said
    for name in ("1001_XXX_ANG_HI.wav", "1099_IEO_ANG_HI.wav", "my test.wav", "1004_IEO_SAD_HI.wav"):
        assert name in said
    assert "1003_IEO_SAD_HI.wav: Git left a pointer in its place: run `git lfs pull`" in said
    frame, built = manifest(CremaD(), unusable="skip")
    assert len(frame) == 4
    assert len(built.problems) == 5


def test_suffixes_in_any_case_and_names_in_another(clips, manifest):
    clips("1001_ieo_ang_hi.WAV", "1002_IEO_ANG_HI.Flac", "1001_IEO_SAD_HI.wav", "1002_IEO_SAD_HI.wav")
    frame, _ = manifest(CremaD())
    assert frame.loc["1001_ieo_ang_hi", ["label", "sentence"]].tolist() == ["anger", "IEO"]
    assert Path(frame.loc["1002_IEO_ANG_HI", "audio"]).suffix == ".Flac"
