"""IEMOCAP: what its EmoEvaluation files, transcriptions and wavs make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from extractors.errors import InputError
from fusion.corpora.iemocap import Iemocap

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
ANNOTATORS = "C-E2:\tNeutral;\t()\nC-F1:\tNeutral;\t(curious)\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
TURNS = {  # turn -> emotion; the letter behind Ses01 wore the markers, the last one speaks
    "Ses01F_impro01_F000": "neu",
    "Ses01F_impro01_M000": "exc",
    "Ses01F_impro01_M001": "xxx",
    "Ses01F_impro01_F001": "fru",
    "Ses05M_script01_1b_F028": "hap",
    "Ses05M_script01_1b_M029": "ang",
    "Ses05M_script01_1b_M030": "ang",
    "Ses05M_script01_1b_F031": "neu",
    "Ses05M_script01_1b_F032": "fru",
    "Ses05M_script01_1b_F033": "oth",
    "Ses05M_script01_1b_F034": "exc",
    "Ses05M_script01_1b_F035": "neu",
}


def write_iemocap(root: Path, clips, turns: dict[str, str] = TURNS) -> None:
    for dialogue in {turn.rpartition("_")[0] for turn in turns}:
        folder = root / f"Session{dialogue[4]}" / "dialog"
        own = {turn: emotion for turn, emotion in turns.items() if turn.startswith(dialogue)}
        evaluation = HEADER + "".join(
            f"[6.2901 - 8.2357]\t{turn}\t{emotion}\t[2.5000, 3.5000, 4.0000]\n{ANNOTATORS}"
            for turn, emotion in own.items()
        )
        words = "".join(f"{turn} [006.2901-008.2357]: Words of  {turn[-4:]}.\n" for turn in own) + "M: [LAUGHTER]\n"
        for part, text in (("EmoEvaluation", evaluation), ("transcriptions", words)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / f"{dialogue}.txt").write_text(text)
        clips(*(f"Session{dialogue[4]}/sentences/wav/{dialogue}/{turn}.wav" for turn in own))


@pytest.fixture
def iemocap(tmp_path, clips) -> Path:
    write_iemocap(tmp_path, clips)
    # one annotator's file, a Mac's, the whole dialogue
    single = tmp_path / "Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro01_e2_cat.txt"
    single.parent.mkdir()
    single.write_text("Ses01F_impro01_F000 :Neutral state; ()\n[broken\n")
    (tmp_path / "Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07Mac")
    (tmp_path / "Session1/sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav").write_bytes(b"\x00\x05\x16\x07")
    clips("Session1/dialog/wav/Ses01F_impro01.wav")
    return tmp_path


def test_four_classes_with_excited_as_happy(iemocap, manifest):
    frame, built = manifest(Iemocap())
    assert frame["label"].value_counts().to_dict() == {"happy": 3, "neutral": 3, "angry": 2}
    row = frame.loc["Ses01F_impro01_M000"]
    assert row[["label", "emotion", "speaker", "group", "gender", "scenario", "dialogue"]].tolist() == [
        "happy", "excited", "Ses01M", "Session1", "male", "improvised", "Ses01F_impro01",
    ]  # fmt: skip
    assert row[["valence", "activation", "dominance", "text"]].tolist() == [
        "2.5000", "3.5000", "4.0000", "Words of M000.",
    ]  # fmt: skip
    assert frame.loc["Ses05M_script01_1b_F028", ["speaker", "gender", "scenario"]].tolist() == [
        "Ses05F", "female", "scripted",
    ]  # fmt: skip
    assert "2 utterances left out by 4way: frustrated" in built.notes
    assert "1 utterances left out by 4way: no agreement" in built.notes
    assert "No utterances of Session 2, 3, 4" in built.notes
    assert "happy: 1,636 published, 3 here" in built.mismatches


def test_six_classes(iemocap, manifest):
    with pytest.raises(InputError, match="only one example"):  # read_manifest: here, one utterance alone is happy
        manifest(Iemocap(variant="6way"))
    assert sum(counts[0] for counts in Iemocap(variant="6way").published.counts.values()) == 7380
    assert sum(counts[0] for counts in Iemocap().published.counts.values()) == 5531
    assert sum(counts[0] for counts in Iemocap(variant="4way_without_excited").published.counts.values()) == 4490


def test_labels_of_the_six_classes(iemocap):
    read = {utterance.id: utterance.label for utterance in Iemocap(variant="6way").read(iemocap).utterances}
    assert read["Ses01F_impro01_M000"] == "excited"
    assert read["Ses05M_script01_1b_F028"] == "happy"
    assert read["Ses01F_impro01_F001"] == "frustrated"
    assert not {"Ses01F_impro01_M001", "Ses05M_script01_1b_F033"} & set(read)


def test_one_scenario_is_not_held_against_the_counts_of_all(iemocap, manifest):
    frame, built = manifest(Iemocap(scenario="scripted"))
    assert frame["scenario"].unique().tolist() == ["scripted"]
    assert built.mismatches == []
    with pytest.raises(InputError, match="scenario: expected all, improvised, scripted"):
        Iemocap(scenario="impro")


def test_missing_transcripts_and_wavs_are_noted(iemocap, manifest):
    (iemocap / "Session5/dialog/transcriptions/Ses05M_script01_1b.txt").unlink()
    (iemocap / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav").unlink()
    frame, built = manifest(Iemocap())
    assert frame["text"].isna().sum() == 6
    assert "Ses01F_impro01_M000" not in frame.index
    assert any(note.startswith("1 utterances left out: no wav of them (Ses01F_impro01_M000") for note in built.notes)
    assert any(note.startswith("6 utterances without words") for note in built.notes)


def test_damaged_evaluations_are_told_together(iemocap, manifest):
    path = iemocap / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    path.write_text(path.read_text() + "[1.0 - 2.0]\tSes01F_impro01_F009\n[1 - 2]\tSes09F_x_F1\tneu\t[1, 1, 1]\n")
    with pytest.raises(InputError) as error:
        manifest(Iemocap())
    assert "expected [start - end] turn emotion [v, a, d], got '[1.0 - 2.0]\\tSes01F_impro01_F009'" in str(error.value)
    assert "unknown turn 'Ses09F_x_F1'" in str(error.value)
