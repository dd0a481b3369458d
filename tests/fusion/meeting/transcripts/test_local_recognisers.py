"""SubRip, Whisper's family and FunASR, each with its traps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fusion.meeting.timing import check_times
from fusion.meeting.transcripts import read_transcript

from .conftest import Read


def test_srt_with_mark_tags_and_overlap(read: Read) -> None:
    found = read(
        "\ufeff1\r\n00:00:01,000 --> 00:00:03,500\r\n[SPEAKER_00]: {\\an8}<font color='red'>We are</font> <i>late</i>.\r\n\r\n"
        "2\r\n00:00:03,400 --> 00:00:06,000\r\n[SPEAKER_01]: Is 3 < 4 & so?\r\n"
    )
    assert [(u.speaker, u.text) for u in found.utterances] == [
        ("SPEAKER_00", "We are late."),
        ("SPEAKER_01", "Is 3 < 4 & so?"),
    ]
    assert ["overlap" in u.flags for u in check_times(found, 10.0).utterances] == [True, True]


def test_srt_without_speakers_or_with_sounds_in_brackets(read: Read) -> None:
    found = read("1\n00:00:01,000 --> 00:00:02,000\n[Music]\n\n2\n00:00:02,000 --> 00:00:03,000\nhello\n")
    assert [(u.speaker, u.text) for u in found.utterances] == [(None, "[Music]"), (None, "hello")]
    assert not found.has_speakers


def test_whisper_hears_words_in_silence(read: Read) -> None:
    segment = {"start": 0.0, "end": 2.0, "text": " Thanks for watching!", "no_speech_prob": 0.92, "avg_logprob": -1.3}
    real = {
        "start": 3.0,
        "end": 4.0,
        "text": " Yes.",
        "no_speech_prob": 0.7,
        "avg_logprob": -0.2,
        "compression_ratio": 2.9,
    }
    found = read({"segments": [segment, real], "text": "", "language": "en"})
    assert [u.flags for u in found.utterances] == [("maybe_hallucinated",), ("repetitive",)]
    assert found.utterances[1].confidence == pytest.approx(0.8187, abs=1e-4)  # exp(-0.2)


def test_whisperx_without_speaker_start_or_end(read: Read) -> None:
    found = read(
        {
            "segments": [
                {"text": " no times at all"},
                {
                    "end": 2.0,
                    "text": " a start from words",
                    "words": [{"word": "a", "start": 1.0, "end": 1.2, "score": 0.9}],
                },
                {"start": 3.0, "text": " no end", "words": [{"word": "2026"}]},
                {"start": 5.0, "end": 4.0, "text": " backwards", "speaker": "SPEAKER_01"},
            ],
            "word_segments": [],
        }
    )
    assert found.format == "whisperx"
    assert [(u.start_s, u.end_s, u.speaker, u.flags) for u in found.utterances] == [
        (1.0, 2.0, None, ()),
        (3.0, 4.0, None, ("no_end",)),
        (5.0, 6.0, "SPEAKER_01", ("end_before_start",)),
    ]
    assert [(o.place, o.reason) for o in found.left_out] == [("segment 1", "no start time")]


def test_whisperx_two_speakers_in_one_segment(read: Read) -> None:
    words = [
        {"word": "Is", "start": 1.0, "end": 1.2, "speaker": "SPEAKER_00"},
        {"word": "it?", "start": 1.2, "end": 1.5, "speaker": "SPEAKER_00"},
        {"word": "2026,", "score": 0.1},  # neither times nor a speaker
        {"word": "Yes.", "start": 2.0, "end": 2.4, "speaker": "SPEAKER_01"},
    ]
    found = read({"segments": [{"start": 1.0, "end": 2.5, "text": " Is it? 2026, Yes.", "words": words}]})
    assert [(u.speaker, u.text, u.start_s, u.end_s) for u in found.utterances] == [
        ("SPEAKER_00", "Is it? 2026,", 1.0, 1.5), ("SPEAKER_01", "Yes.", 2.0, 2.5),
    ]  # fmt: skip
    assert (found.cues, found.splits) == (1, 1)


def test_whisper_cpp_means_its_offsets(read: Read) -> None:
    segment = {
        "timestamps": {"from": "00:01:00,000", "to": "00:01:02,000"}, "offsets": {"from": 500, "to": 2500}, "text": " so",
        "tokens": [{"text": "so", "p": 0.5}],
    }  # fmt: skip
    found = read({"systeminfo": "", "transcription": [segment]})
    assert [(u.start_s, u.end_s, u.confidence) for u in found.utterances] == [(0.5, 2.5, 0.5)]
    assert found.format == "whisper.cpp"


@pytest.mark.parametrize("key", ["text", "sentence"])
def test_funasr_milliseconds_and_tags(read: Read, key: str) -> None:
    tagged = "<|zh|><|ANGRY|><|Speech|><|withitn|>我们先看"
    info = [
        {
            key: tagged,
            "start": 380,
            "end": 2150,
            "spk": 0,
            "timestamp": [[380, 560], [560, 740], [740, 900], [900, 1100]],
        }
    ]
    info.append({key: "好。", "start": 2410, "end": 4980, "spk": 1})
    found = read([{"key": "a", "text": tagged, "sentence_info": info}])
    assert [(u.start_s, u.end_s, u.speaker, u.text) for u in found.utterances] == [
        (0.38, 2.15, "Speaker 0", "我们先看"), (2.41, 4.98, "Speaker 1", "好。"),
    ]  # fmt: skip
    assert [w.start_s for w in found.utterances[0].words] == [0.38, 0.56, 0.74, 0.9]
    assert not any(u.flags for u in found.utterances)


def test_funasr_nobody_but_0_may_be_nobody(read: Read) -> None:
    found = read([{"sentence_info": [{"text": "好", "start": 0, "end": 900, "spk": 0}]}])
    assert found.utterances[0].flags == ("fallback_speaker",)


@pytest.mark.parametrize(
    "content",
    [
        {"segments": [{"start": "NaN", "end": 1, "text": "x"}], "language": "en"},
        {"segments": [{"start": True, "end": [], "text": "x"}, None, 7, "x"], "language": "en"},
        {"segments": [{"start": 1e300, "end": 1e301, "text": "x"}], "language": "en"},
    ],
)
def test_times_that_are_none(read: Read, content: Any) -> None:
    from extractors.errors import InputError

    with pytest.raises(InputError, match="no cue gives an utterance"):
        read(content)


def test_half_a_sign_can_be_written(read: Read) -> None:
    found = read(b'{"segments": [{"start": 0, "end": 1, "text": "so \\ud83d", "speaker": "A\\u0000nn"}]}')
    assert (found.utterances[0].text, found.utterances[0].speaker) == ("so \ufffd", "Ann")


@pytest.mark.parametrize(
    ("name", "format", "utterances"),
    [
        ("turnchunk_fixtures/basic.srt", "srt", 2),
        ("synthetic/speakers.srt", "srt", 2),
        ("turnchunk_fixtures/whisper_plain.json", "whisper", 2),
        ("turnchunk_fixtures/whisperx_diarized.json", "whisperx", 3),
        ("synthetic/faster_whisper_asdict.json", "faster-whisper", 1),
        ("whisper_timestamped/whisper_timestamped.json", "whisper-timestamped", 4),
        ("synthetic/funasr_sentence_info_punc.json", "funasr", 2),
        ("synthetic/funasr_sentence_info_vad.json", "funasr", 2),
    ],
)
def test_samples(shared_data: Path, name: str, format: str, utterances: int) -> None:
    found = read_transcript(shared_data / "meeting" / name)
    assert (found.format, len(found.utterances), found.left_out) == (format, utterances, ())
