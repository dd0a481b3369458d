"""Praat, ELAN, NIST's lines, SegLST, Kaldi: tiers, slots, durations, several recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from extractors.errors import InputError
from fusion.meeting.transcripts import read_transcript

from .conftest import Read


def eaf(slots: str, tiers: str) -> str:
    body = f"<TIME_ORDER>{slots}</TIME_ORDER>{tiers}"
    body = f"<TIME_ORDER>{slots}</TIME_ORDER>{tiers}"
    return f"<?xml version='1.0' encoding='UTF-8'?><ANNOTATION_DOCUMENT>{body}</ANNOTATION_DOCUMENT>"


def annotation(name: str, first: str, last: str, text: str) -> str:
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{last}">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def test_elan_slots_without_a_value_lie_between(read: Read) -> None:
    values = {"a": ' TIME_VALUE="1000"', "b": "", "c": "", "d": ' TIME_VALUE="4000"', "e": ""}
    values = {"a": ' TIME_VALUE="1000"', "b": "", "c": "", "d": ' TIME_VALUE="4000"', "e": ""}
    slots = "".join(f'<TIME_SLOT TIME_SLOT_ID="{name}"{value}/>' for name, value in values.items())
    said = annotation("a1", "a", "b", "x") + annotation("a2", "b", "c", "y") + annotation("a3", "d", "e", "z")
    tiers = f'<TIER TIER_ID="Ann">{said}</TIER>'
    tiers += (
        '<TIER TIER_ID="gloss" PARENT_REF="Ann"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r1" ANNOTATION_REF="a1">'
        "<ANNOTATION_VALUE>ex</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>"
    )
    found = read(eaf(slots, tiers))
    assert [(u.id, u.start_s, u.end_s, u.flags) for u in found.utterances] == [
        ("a1", 1.0, 2.0, ("interpolated",)), ("a2", 2.0, 3.0, ("interpolated",)), ("a3", 4.0, 5.0, ("no_end",)),
    ]  # fmt: skip
    assert [o.reason for o in found.left_out] == ["hangs on an annotation of another tier"]


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE a [<!ENTITY c SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
    ],
)
def test_an_xml_bomb_is_refused(read: Read, declared: str) -> None:
    slots = '<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="900"/>'
    whole = eaf(slots, f'<TIER TIER_ID="Ann">{annotation("a1", "a", "b", "&c;")}</TIER>')
    with pytest.raises(InputError, match="declares a document type"):
        read(whole.replace("?>", "?>" + declared, 1))


def test_broken_xml(read: Read) -> None:
    with pytest.raises(InputError, match="broken XML"):
        read("<ANNOTATION_DOCUMENT><TIER>")


def test_stm_labels_comments_and_ignored_stretches(read: Read) -> None:
    found = read(
        ";; by hand\ncall A ann 0.5 2.0 <o,f0,female> so be it\ncall A bob 2.0 3.0\n"
        "call A bob 3.0 4.0 ignore_time_segment_in_scoring\n"
        "call A 7 4.0 5.0 <x> numbers are names\n"
    )
    assert [(u.speaker, u.text) for u in found.utterances] == [("ann", "so be it"), ("7", "numbers are names")]
    assert [o.reason for o in found.left_out] == ["no text", "marked to be ignored"]


def test_ctm_has_durations_and_words(read: Read) -> None:
    found = read("a 1 0.50 0.40 so 0.9\na 1 0.95 0.30 it 0.7\na 1 4.00 0.50 goes\nb 1 0.00 1.0 other\n", recording="a")
    assert [(u.start_s, u.end_s, u.text, u.confidence) for u in found.utterances] == [
        (0.5, 1.25, "so it", 0.8), (4.0, 4.5, "goes", None),
    ]  # fmt: skip
    assert (found.cues, found.joins, [o.reason for o in found.left_out]) == (4, 1, ["of another recording"])


def test_rttm_has_durations_and_no_words(read: Read) -> None:
    found = read(
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown ann <NA> <NA>\nSPEAKER a 1 6.690 0.430 <NA> <NA> ann <NA> <NA>\n"
    )
    assert [(u.start_s, u.end_s, u.speaker, u.text) for u in found.utterances] == [(6.69, 7.12, "ann", "")]
    assert found.format == "rttm"


def test_several_recordings_must_be_chosen_from(read: Read) -> None:
    lines = "a 1 ann 0 1 so\nb 1 bob 0 2 no\n"
    with pytest.raises(InputError, match="2 recordings: a, b"):
        read(lines, format="stm")
    assert [u.speaker for u in read(lines, recording="b").utterances] == ["bob"]
    with pytest.raises(InputError, match="no recording 'c'"):
        read(lines, recording="c")


def test_textgrid_tiers_of_words_and_sounds_are_no_speakers(read: Read) -> None:
    def tier(name: str, *intervals: tuple[float, float, str]) -> str:
        rows = "\n".join(f'{start}\n{end}\n"{text}"' for start, end, text in intervals)
        return f'"IntervalTier"\n"{name}"\n0\n9\n{len(intervals)}\n{rows}\n'

    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n9\n<exists>\n3\n'
    words = tier("Ann - words", (0, 1, ""), (1, 1.5, "so"), (1.5, 2, "be"), (2, 3, ""), (3, 3.5, "it"))
    phones = tier("Ann - phones", (1, 1.2, "s"), (1.2, 1.5, "o"))
    found = read(head + words + phones)
    assert [(u.start_s, u.end_s, u.speaker, u.text) for u in found.utterances] == [
        (1.0, 2.0, "Ann", "so be"),
        (3.0, 3.5, "Ann", "it"),
    ]
    assert (found.cues, found.joins, len(found.left_out)) == (5, 1, 2)
    phrases = read(head + words + tier("Bob", (1, 2, 'he said ""no"" !')))
    assert [(u.speaker, u.text) for u in phrases.utterances] == [("Bob", 'he said "no" !')]


def test_kaldi_folder_without_running_its_pipes(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "wav.scp").write_text(f"call touch {proof} |\n")
    (folder / "segments").write_text("u1 call 0.5 2.0\nu2 call 3.0 -1\nbroken\n")
    (folder / "text").write_text("u1 so be it\nu2 yes\nu3 nowhere\n")
    (folder / "utt2spk").write_text("u1 ann\nu2 bob\n")
    found = read_transcript(folder)
    assert [(u.id, u.start_s, u.speaker, u.text) for u in found.utterances] == [
        ("u1", 0.5, "ann", "so be it"), ("u2", 3.0, "bob", "yes"),
    ]  # fmt: skip
    assert sorted(o.reason for o in found.left_out) == ["no line of segments", "no segment"]
    assert not proof.exists()


@pytest.mark.parametrize(
    ("name", "recording", "format", "utterances"),
    [
        ("pyannote_sample/sample.rttm", None, "rttm", 10),
        ("pyannote_sample/sample.stm", None, "stm", 13),
        ("ami_ES2011a/ES2011a.rttm", None, "rttm", 348),
        ("ami_ES2011a/ES2011a_sups.jsonl.gz", None, "jsonl", 348),
        ("elan/sample_from_stm.eaf", None, "elan", 13),
        ("textgrid/sample_from_stm.TextGrid", None, "textgrid", 13),
        ("textgrid/mary.TextGrid", None, "textgrid", 1),
        ("textgrid/bobby_words_short.TextGrid", None, "textgrid", 1),
        ("meeteval/hyp.seglst.json", "recordingA", "seglst", 4),
        ("meeteval/hyp.stm", "recordingB", "stm", 2),
        ("meeteval/hyp1.ctm", "recordingB", "ctm", 1),
        ("meeteval/ref.rttm", "recordingA", "rttm", 4),
    ],
)
def test_samples(shared_data: Path, name: str, recording: str | None, format: str, utterances: int) -> None:
    found = read_transcript(shared_data / "meeting" / name, recording=recording)
    assert (found.format, len(found.utterances)) == (format, utterances)


def test_three_forms_of_one_recording_agree(shared_data: Path) -> None:
    names = ("pyannote_sample/sample.stm", "elan/sample_from_stm.eaf", "textgrid/sample_from_stm.TextGrid")
    stm, elan, praat = (read_transcript(shared_data / "meeting" / name) for name in names)
    for other in (elan, praat):
        assert [(u.speaker, u.text) for u in other.utterances] == [(u.speaker, u.text) for u in stm.utterances]
        assert [u.start_s for u in other.utterances] == pytest.approx([u.start_s for u in stm.utterances], abs=1e-3)
