"""The services' JSON: units, speakers, and what only some files have."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion.meeting.transcripts import read_transcript

from .conftest import Read


def test_assemblyai_without_utterances(read: Read) -> None:
    words = [
        {"text": "So", "start": 100, "end": 300, "speaker": "A"},
        {"text": "no.", "start": 300, "end": 500, "speaker": "B"},
    ]
    found = read({"status": "completed", "audio_duration": 25, "utterances": None, "words": words})
    assert [(u.start_s, u.speaker, u.text) for u in found.utterances] == [
        (0.1, "Speaker A", "So"),
        (0.3, "Speaker B", "no."),
    ]
    assert found.duration_s == 25


def test_deepgram_channels_and_paragraphs(read: Read) -> None:
    words = [{"word": "so", "punctuated_word": "So.", "start": 0.5, "end": 0.9}]
    paragraph = {
        "speaker": 1,
        "sentences": [{"text": "No.", "start": 1.0, "end": 1.5}, {"text": "Yes.", "start": 2, "end": 3}],
    }
    channels = [{"alternatives": [{"words": words}]}, {"alternatives": [{"paragraphs": {"paragraphs": [paragraph]}}]}]
    found = read({"metadata": {"duration": 3.2}, "results": {"channels": channels}})
    assert [(u.speaker, u.text) for u in found.utterances] == [
        ("Channel 0", "So."), ("Speaker 1", "No."), ("Speaker 1", "Yes."),
    ]  # fmt: skip


def test_aws_marks_belong_to_the_word_before(read: Read) -> None:
    def item(text: str, start: str | None = None, end: str | None = None) -> dict[str, object]:
        times = {"start_time": start, "end_time": end} if start else {}
        return {**times, "alternatives": [{"content": text, "confidence": "0.9"}]}

    items = [
        item("."),
        item("Hello", "0.5", "0.9"),
        item("there", "0.9", "1.4"),
        item("."),
        item("How", "2.0", "2.3"),
        item("?"),
    ]
    labels = [
        {"start_time": "0.5", "end_time": "1.4", "speaker_label": "spk_0", "items": []},
        {"start_time": "2.0", "end_time": "2.7", "speaker_label": "spk_1", "items": []},
    ]
    found = read({"results": {"items": items, "speaker_labels": {"segments": labels}}})
    assert [(u.speaker, u.text) for u in found.utterances] == [("spk_0", "Hello there."), ("spk_1", "How?")]
    assert (found.cues, found.joins, [o.reason for o in found.left_out]) == (6, 3, ["no start time"])


def test_aws_call_analytics(read: Read) -> None:
    turn = {
        "BeginOffsetMillis": 240,
        "EndOffsetMillis": 4300,
        "Content": "Hello.",
        "ParticipantRole": "AGENT",
        "Items": [],
    }
    found = read({"Transcript": [turn]})
    assert [(u.start_s, u.end_s, u.speaker) for u in found.utterances] == [(0.24, 4.3, "AGENT")]


def test_google_says_all_again_with_speakers(read: Read) -> None:
    words = [{"startTime": "0.5s", "endTime": "0.9s", "word": "Hello"}, {"endTime": "1.4s", "word": "there"}]
    tagged = [
        {"startTime": {"seconds": "0", "nanos": 500_000_000}, "endTime": "0.9s", "word": "Hello", "speakerTag": 1}
    ]
    tagged += [{"startTime": "0.9s", "endTime": "1.4s", "word": "there", "speakerTag": 2}]
    results = [{"alternatives": [{"transcript": "Hello there", "words": words}]}, {"alternatives": [{"words": tagged}]}]
    found = read({"response": {"results": results}})
    assert [(u.start_s, u.end_s, u.speaker, u.text) for u in found.utterances] == [
        (0.5, 0.9, "Speaker 1", "Hello"), (0.9, 1.4, "Speaker 2", "there"),
    ]  # fmt: skip
    assert [o.place for o in found.left_out] == ["result 1"]


def test_google_2_and_results_without_words(read: Read) -> None:
    word = {"startOffset": "61.500s", "endOffset": "62s", "word": "So", "speakerLabel": "7"}
    results = [
        {"alternatives": [{"transcript": "one"}], "resultEndOffset": "4s"},
        {"alternatives": [{"words": [word]}]},
    ]
    found = read({"results": results})
    assert [(u.start_s, u.end_s, u.speaker) for u in found.utterances] == [(0.0, 4.0, None), (61.5, 62.0, "Speaker 7")]


def test_azure_units(read: Read) -> None:
    best = [{"confidence": 0.9, "display": "So."}]
    batch = [
        {
            "recognitionStatus": "Success",
            "offsetInTicks": 5_000_000,
            "durationInTicks": 9_000_000,
            "nBest": best,
            "speaker": 2,
        },
        {"recognitionStatus": "Success", "offset": "PT1M2.5S", "duration": "PT1S", "nBest": best},
        {"recognitionStatus": "NoMatch", "offset": "PT2M", "duration": "PT1S"},
    ]
    found = read({"recognizedPhrases": batch})
    assert [(u.start_s, u.end_s, u.speaker) for u in found.utterances] == [(0.5, 1.4, "Speaker 2"), (62.5, 63.5, None)]
    assert [o.reason for o in found.left_out] == ["not recognised (NoMatch)"]
    fast = read({"phrases": [{"offsetMilliseconds": 500, "durationMilliseconds": 900, "text": "So."}]})
    sdk = read([{"Offset": 5_000_000, "Duration": 9_000_000, "RecognitionStatus": "Success", "DisplayText": "So."}])
    assert [(u.start_s, u.end_s, u.text) for u in (*fast.utterances, *sdk.utterances)] == [(0.5, 1.4, "So.")] * 2


def test_meet_is_absolute_and_names_resources(read: Read) -> None:
    entries = [
        {
            "participant": "records/a/participants/p1", "text": "Hi.",
            "startTime": "2026-03-02T09:00:05.02Z", "endTime": "2026-03-02T09:00:06Z",
        },
        {"participant": "records/a/participants/p2", "text": "So.", "startTime": "2026-03-02T10:00:06+01:00"},
    ]  # fmt: skip
    people = [{"name": "records/a/participants/p1", "signedinUser": {"displayName": "Ann Lee"}}]
    found = read({"transcriptEntries": entries, "participants": people})
    assert [(u.start_s, u.speaker) for u in found.utterances] == [(0.0, "Ann Lee"), (0.98, "p2")]
    assert found.absolute_start is not None
    assert not found.has_end_times


def test_rev_names_its_speakers(read: Read) -> None:
    elements = [{"type": "text", "value": "So", "ts": 1.0, "end_ts": 1.2}, {"type": "punct", "value": "."}]
    found = read({"monologues": [{"speaker": 3, "elements": elements}], "speakers": [{"id": 3, "name": "Ann"}]})
    assert [(u.speaker, u.text) for u in found.utterances] == [("Ann", "So.")]


@pytest.mark.parametrize(
    ("name", "format", "cues", "utterances", "speakers"),
    [
        ("turnchunk_fixtures/assemblyai.json", "assemblyai", 2, 2, 2),
        ("assemblyai/assemblyai_utterances.json", "assemblyai", 1, 1, 1),
        ("assemblyai/assemblyai_transcription.json", "assemblyai", 60, 1, 1),
        ("turnchunk_fixtures/deepgram.json", "deepgram", 2, 2, 2),
        ("turnchunk_fixtures/deepgram_words_only.json", "deepgram", 4, 2, 2),
        ("deepgram/dg_speakers.json", "deepgram", 22, 22, 3),
        ("deepgram/dg_utterances.json", "deepgram", 6, 6, 0),
        ("turnchunk_fixtures/aws_transcribe.json", "aws", 7, 2, 2),
        ("aws_transcribe/02-channel-identification.json", "aws", 393, 9, 2),
        ("aws_transcribe/03-speaker-identification.json", "aws", 392, 24, 3),
        ("aws_pca/pca_output_testfile.json", "aws", 12, 12, 2),
        ("turnchunk_fixtures/google_stt.json", "google", 6, 2, 2),
        ("turnchunk_fixtures/azure_speech.json", "azure", 2, 2, 2),
        ("turnchunk_fixtures/rev.json", "rev", 2, 2, 2),
        ("synthetic/google_meet_entries.json", "meet", 2, 2, 2),
        ("synthetic/tencent_wecom_transcript.json", "wecom", 1, 1, 1),
    ],
)
def test_samples(shared_data: Path, name: str, format: str, cues: int, utterances: int, speakers: int) -> None:
    found = read_transcript(shared_data / "meeting" / name)
    assert (found.format, found.cues, len(found.utterances)) == (format, cues, utterances)
    assert len({u.speaker for u in found.utterances} - {None}) == speakers
