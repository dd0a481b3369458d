"""ESD and nEMO: clips with a table or transcripts beside them."""

from __future__ import annotations

import pytest

from extractors.errors import InputError
from fusion.corpora.esd import Esd
from fusion.corpora.nemo import Nemo


def esd_lines(speaker: str, words: str, *emotions: str) -> str:
    numbers = (f"{speaker}_{number:06d}" for number in (1, 351, 701))
    return "\r\n".join(f"{n}\t{words}\t{e}" for n, e in zip(numbers, emotions, strict=True)) + "\r\n"


@pytest.fixture
def esd(clips, tmp_path):
    """Two speakers of each language, each with its transcript in another encoding."""
    for speaker in ("0001", "0003", "0011", "0016"):
        for emotion, number, part in (("Neutral", 1, "evaluation"), ("Angry", 351, "test"), ("Happy", 701, "train")):
            clips(f"{speaker}/{emotion}/{part}/{speaker}_{number:06d}.wav")
    chinese = ("打远一看，它们的确很是美丽。", "中立", "生气", "快乐")
    texts = {
        "0001": esd_lines("0001", *chinese).encode("gb18030"),
        "0003": esd_lines("0003", *chinese).encode("utf-16"),
        "0011": ("\ufeff" + esd_lines("0011", "The nine  the eggs, I keep.", "Neutral", "Angry", "Happy")).encode(),
        "0016": esd_lines("0016", "Déjà vu", "Neutral", "Angry", "Happy").encode("latin-1"),
    }
    for speaker, raw in texts.items():
        (tmp_path / speaker / f"{speaker}.txt").write_bytes(raw)
    (tmp_path / "ReadMe.txt").write_text("0001_000001 is no transcript here")
    return tmp_path


def test_esd(esd, manifest):
    frame, built = manifest(Esd())
    assert len(frame) == 12
    assert frame.loc["0001_000351", ["label", "split", "language", "text", "sentence"]].tolist() == [
        "angry", "test", "zh", "打远一看，它们的确很是美丽。", "zh001",
    ]  # fmt: skip
    assert frame.loc["0003_000001", ["label", "split", "text"]].tolist() == [
        "neutral", "val", "打远一看，它们的确很是美丽。",
    ]  # fmt: skip
    assert frame.loc["0011_000701", ["split", "text"]].tolist() == ["train", "The nine the eggs, I keep."]
    assert frame.loc["0016_000701", "text"] == "Déjà vu"
    assert "angry, test: 600 published, 4 here" in built.mismatches


def test_esd_in_one_language_and_without_parts(esd, clips, manifest, tmp_path):
    frame, built = manifest(Esd(variant="english"))
    assert frame["language"].unique().tolist() == ["en"]
    assert "6 clips of the other language left aside" in built.notes
    for path in list(tmp_path.rglob("*.wav")):
        path.rename(path.parents[1] / path.name)
    (tmp_path / "0016" / "0016.txt").unlink()
    frame, built = manifest(Esd(variant="english"), overwrite=True)
    assert "split" not in built.frame.columns
    assert any("official division is not known" in note for note in built.notes)
    assert any(note.startswith("3 clips without words") for note in built.notes)
    assert "angry: 3,500 published, 2 here" in built.mismatches


def test_esd_tells_of_strange_folders(esd, clips, manifest):
    clips("0001/Bored/0001_000002.wav", "0021/Angry/0021_000001.wav")
    with pytest.raises(InputError) as error:
        manifest(Esd())
    assert "0001_000002.wav: in no folder of one emotion" in str(error.value)
    assert "0021_000001.wav: no name of ESD" in str(error.value)


NEMO = """file_id	emotion	raw_text	normalized_text	speaker_id	gender	age
WR0_surprised_64.wav	surprised	Ucho wykrywa dźwięki.	ucho wykrywa dźwięki	        WR0	male	23
KS0_surprised_38.wav	surprised	„Ród smoka" to serial.	ród smoka to serial	        KS0	male	23
EB0_neutral_13.wav	neutral	Interesuje mnie historia Polski.	interesuje mnie historia polski	        EB0	female	27
WR0_neutral_13.wav	neutral	Interesuje mnie historia Polski.	interesuje mnie historia polski	        WR0	male	23
WR0_fear_13.wav	fear	Interesuje mnie historia Polski.	interesuje mnie historia polski	        WR0	male	23
"""


def test_nemo(clips, manifest, tmp_path):
    clips(*(f"samples/{n}.wav" for n in ("WR0_surprised_64", "KS0_surprised_38", "EB0_neutral_13", "WR0_neutral_13")))
    clips("samples/extra.wav")
    (tmp_path / "data.tsv").write_text(NEMO, encoding="utf-8")
    (tmp_path / "samples" / "._WR0_fear_13.wav").write_bytes(b"mac")
    frame, built = manifest(Nemo())
    assert frame.loc["KS0_surprised_38", ["label", "speaker", "gender", "age", "sentence", "text"]].tolist() == [
        "surprised", "KS0", "male", "23", "38", '„Ród smoka" to serial.',
    ]  # fmt: skip
    assert "1 rows of data.tsv left out: their clips are not there" in built.notes
    assert "1 audio files left aside, in no data.tsv: extra.wav …" in built.notes
    assert "fear: 736 published, 0 here" in built.mismatches


def test_nemo_with_a_damaged_table(clips, manifest, tmp_path):
    clips("samples/WR0_surprised_64.wav", "samples/KS0_surprised_38.wav")
    (tmp_path / "data.tsv").write_text(NEMO.replace("\tneutral\t", "\tbored\t") + NEMO.splitlines()[1] + "\n")
    with pytest.raises(InputError) as error:
        manifest(Nemo())
    assert "row 3: EB0_neutral_13.wav has the emotion 'bored'" in str(error.value)
    assert "row 6: WR0_surprised_64.wav is listed twice" in str(error.value)
    (tmp_path / "data.tsv").write_text("file\temotion\n")
    with pytest.raises(InputError, match="no column file_id, raw_text, speaker_id, gender, age"):
        manifest(Nemo())
