"""Transcripts of any length in every format that is read, as its program writes it; for the benchmark and for tests."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, NamedTuple


class Said(NamedTuple):
    """One turn: seconds, a speaker, words with single spaces."""

    start: float
    end: float
    speaker: str
    text: str

    @property
    def words(self) -> list[tuple[str, float, float]]:
        """Each word with times, evenly spaced."""
        words = self.text.split()
        step = (self.end - self.start) / max(len(words), 1)
        return [
            (w, round(self.start + n * step, 3), round(self.start + (n + 1) * step, 3)) for n, w in enumerate(words)
        ]


class Written(NamedTuple):
    """A file's bytes, how many cues it has, and whether its texts, speakers and ends survive."""

    data: bytes
    cues: int
    text: bool = True
    speakers: bool = True
    ends: bool = True


def conversation(turns: int) -> list[Said]:
    """`turns` turns of four people, 1.5 s apart."""
    people = ("Ann Lee", "Bob Ray", "Cleo Diaz", "Dan Wu")
    return [Said(n * 4.0, n * 4.0 + 2.5, people[n % 4], f"this is turn number {n} of the call") for n in range(turns)]


def _clock(seconds: float, point: str = ".") -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _json(content: Any, cues: int, **kind: bool) -> Written:
    return Written(json.dumps(content, ensure_ascii=False).encode(), cues, **kind)


def zoom(said: Sequence[Said]) -> Written:
    """Zoom's WebVTT: the name in the text."""
    cues = (
        f"{n}\n{_clock(s.start)} --> {_clock(s.end)}\n{s.speaker}: {escape(s.text, quote=False)}\n"
        for n, s in enumerate(said, 1)
    )
    return Written(("WEBVTT\n\n" + "\n".join(cues)).encode(), len(said))


def teams(said: Sequence[Said]) -> Written:
    """Teams' WebVTT: a GUID and a voice a cue."""
    cues = (
        f"9f6b5f9e-1b2c-4d3a-8f77-{n:012x}/{n}-0\n{_clock(s.start)} --> {_clock(s.end)}\n"
        f"<v {escape(s.speaker, quote=False)}>{escape(s.text, quote=False)}</v>\n"
        for n, s in enumerate(said)
    )
    return Written(("\ufeffWEBVTT\n\n" + "\n".join(cues)).replace("\n", "\r\n").encode(), len(said))


def teams_json(said: Sequence[Said]) -> Written:
    """Teams' WebVTT whose cues are JSON."""
    cues = (
        f"{_clock(s.start)} --> {_clock(s.end)}\n{json.dumps({'speakerName': s.speaker, 'spokenText': s.text})}\n"
        for s in said
    )
    return Written(("WEBVTT\n\n" + "\n".join(cues)).encode(), len(said))


def srt(said: Sequence[Said]) -> Written:
    """SubRip with WhisperX's speakers."""
    cues = (
        f"{n}\n{_clock(s.start, ',')} --> {_clock(s.end, ',')}\n[{s.speaker}]: {s.text}\n"
        for n, s in enumerate(said, 1)
    )
    return Written("\n".join(cues).encode(), len(said))


def whisper(said: Sequence[Said]) -> Written:
    """openai-whisper's JSON."""
    segments = [
        {"id": n, "start": s.start, "end": s.end, "text": f" {s.text}", "avg_logprob": -0.2, "no_speech_prob": 0.01}
        for n, s in enumerate(said)
    ]
    return _json({"text": "", "segments": segments, "language": "en"}, len(said), speakers=False)


def whisperx(said: Sequence[Said]) -> Written:
    """WhisperX's JSON with words."""
    segments = [
        {
            "start": s.start, "end": s.end, "text": f" {s.text}", "speaker": s.speaker,
            "words": [{"word": w, "start": b, "end": e, "score": 0.9, "speaker": s.speaker} for w, b, e in s.words],
        }
        for s in said
    ]  # fmt: skip
    return _json({"segments": segments, "word_segments": []}, len(said))


def whisper_cpp(said: Sequence[Said]) -> Written:
    """whisper.cpp's JSON."""
    segments = [{"timestamps": {}, "offsets": {"from": _ms(s.start), "to": _ms(s.end)}, "text": s.text} for s in said]
    return _json({"systeminfo": "", "transcription": segments}, len(said), speakers=False)


def funasr(said: Sequence[Said]) -> Written:
    """FunASR's `sentence_info`."""
    people = {name: n for n, name in enumerate(dict.fromkeys(s.speaker for s in said))}
    info = [{"text": s.text, "start": _ms(s.start), "end": _ms(s.end), "spk": people[s.speaker]} for s in said]
    return _json([{"key": "a", "text": "", "sentence_info": info}], len(said), speakers=False)


def assemblyai(said: Sequence[Said]) -> Written:
    """AssemblyAI with utterances."""
    utterances = [
        {"start": _ms(s.start), "end": _ms(s.end), "text": s.text, "speaker": s.speaker, "words": []} for s in said
    ]
    return _json({"status": "completed", "utterances": utterances}, len(said))


def deepgram(said: Sequence[Said]) -> Written:
    """Deepgram with utterances."""
    utterances = [
        {"start": s.start, "end": s.end, "transcript": s.text, "speaker": s.speaker, "words": []} for s in said
    ]
    return _json({"metadata": {}, "results": {"channels": [], "utterances": utterances}}, len(said))


def aws(said: Sequence[Said]) -> Written:
    """Amazon Transcribe with speaker labels: words."""
    items = [
        {
            "start_time": str(b), "end_time": str(e), "type": "pronunciation",
            "alternatives": [{"confidence": "0.9", "content": w}],
        }
        for s in said for w, b, e in s.words
    ]  # fmt: skip
    segments = [
        {"start_time": str(s.start), "end_time": str(s.end), "speaker_label": s.speaker, "items": []} for s in said
    ]
    return _json({"results": {"transcripts": [], "speaker_labels": {"segments": segments}, "items": items}}, len(items))


def google(said: Sequence[Said]) -> Written:
    """Google's JSON: a result a turn, words."""
    results = [
        {"alternatives": [{"words": [{"word": w, "startTime": f"{b}s", "endTime": f"{e}s"} for w, b, e in s.words]}]}
        for s in said
    ]
    return _json({"results": results}, sum(len(s.words) or 1 for s in said), speakers=False)


def azure(said: Sequence[Said]) -> Written:
    """Azure's batch JSON."""
    phrases = [
        {
            "recognitionStatus": "Success", "channel": 0, "speaker": s.speaker, "offsetInTicks": round(s.start * 1e7),
            "durationInTicks": round(s.end * 1e7) - round(s.start * 1e7), "nBest": [{"confidence": 0.9, "display": s.text}],
        }
        for s in said
    ]  # fmt: skip
    return _json({"recognizedPhrases": phrases}, len(said))


def rev(said: Sequence[Said]) -> Written:
    """Rev.ai's monologues."""
    monologues = [
        {
            "speaker": s.speaker,
            "elements": [
                element
                for w, b, e in s.words
                for element in ({"type": "text", "value": w, "ts": b, "end_ts": e}, {"type": "punct", "value": " "})
            ],
        }
        for s in said
    ]
    return _json({"monologues": monologues}, len(said))


def meet(said: Sequence[Said]) -> Written:
    """Google Meet's API."""
    begun = datetime(2026, 3, 2, 9, tzinfo=UTC)
    entries = [
        {
            "name": f"conferenceRecords/a/transcripts/t/entries/{n}", "participant": s.speaker, "text": s.text,
            "startTime": (begun + timedelta(seconds=s.start)).isoformat(),
            "endTime": (begun + timedelta(seconds=s.end)).isoformat(),
        }
        for n, s in enumerate(said)
    ]  # fmt: skip
    return _json({"transcript": {"startTime": begun.isoformat()}, "transcriptEntries": entries}, len(said))


def wecom(said: Sequence[Said]) -> Written:
    """Tencent Meeting's paragraphs."""
    paragraphs = [
        {
            "speaker_info": {"userid": s.speaker},
            "sentences": [
                {
                    "start_time": _ms(s.start), "end_time": _ms(s.end),
                    "words": [{"start_time": _ms(b), "end_time": _ms(e), "text": w} for w, b, e in s.words],
                }
            ],
        }
        for s in said
    ]  # fmt: skip
    return _json({"errcode": 0, "transcripts": {"paragraphs": paragraphs}}, len(said))


def seglst(said: Sequence[Said]) -> Written:
    """meeteval's SegLST."""
    segments = [
        {"session_id": "a", "speaker": s.speaker, "start_time": str(s.start), "end_time": str(s.end), "words": s.text}
        for s in said
    ]
    return _json(segments, len(said))


def textgrid(said: Sequence[Said]) -> Written:
    """Praat's long TextGrid, a tier a speaker; silence has no interval here."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", "xmax = 90000", "tiers? <exists>"]
    people = list(dict.fromkeys(s.speaker for s in said))
    lines += [f"size = {len(people)}", "item []:"]
    for n, name in enumerate(people, 1):
        own = [s for s in said if s.speaker == name]
        quoted = name.replace('"', '""')
        lines += [
            f"    item [{n}]:",
            '        class = "IntervalTier"',
            f'        name = "{quoted}"',
            "        xmin = 0",
        ]
        lines += ["        xmax = 90000", f"        intervals: size = {len(own)}"]
        for at, s in enumerate(own, 1):
            text = s.text.replace('"', '""')
            lines += [f"        intervals [{at}]:", f"            xmin = {s.start}", f"            xmax = {s.end}"]
            lines += [f'            text = "{text}"']
    return Written("\n".join(lines).encode("utf-16"), sum(bool(s.text) for s in said))


def elan(said: Sequence[Said]) -> Written:
    """ELAN's XML."""
    slots, tiers = [], []
    for n, s in enumerate(said):
        slots.append(f'<TIME_SLOT TIME_SLOT_ID="a{n}" TIME_VALUE="{_ms(s.start)}"/>')
        slots.append(f'<TIME_SLOT TIME_SLOT_ID="b{n}" TIME_VALUE="{_ms(s.end)}"/>')
    for at, name in enumerate(dict.fromkeys(s.speaker for s in said)):
        tiers.append(f'<TIER TIER_ID="t{at}" PARTICIPANT="{escape(name)}">')
        tiers += [
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="n{n}" TIME_SLOT_REF1="a{n}" TIME_SLOT_REF2="b{n}">'
            f"<ANNOTATION_VALUE>{escape(s.text)}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
            for n, s in enumerate(said) if s.speaker == name
        ]  # fmt: skip
        tiers.append("</TIER>")
    body = f"<TIME_ORDER>{''.join(slots)}</TIME_ORDER>{''.join(tiers)}"
    return Written(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT>{body}</ANNOTATION_DOCUMENT>'.encode(), len(said)
    )


def rttm(said: Sequence[Said]) -> Written:
    """RTTM: names without spaces, no words."""
    lines = (
        f"SPEAKER a 1 {s.start:.3f} {s.end - s.start:.3f} <NA> <NA> {s.speaker.replace(' ', '_')} <NA> <NA>"
        for s in said
    )
    return Written("\n".join(lines).encode(), len(said), text=False, speakers=False)


def stm(said: Sequence[Said]) -> Written:
    """NIST's STM: names without spaces."""
    lines = (f"a 1 {s.speaker.replace(' ', '_')} {s.start:.3f} {s.end:.3f} <o,f0> {s.text}" for s in said)
    return Written((";; by hand\n" + "\n".join(lines)).encode(), len(said), speakers=False)


def ctm(said: Sequence[Said]) -> Written:
    """NIST's CTM: words."""
    words = [word for s in said for word in s.words]
    return Written(
        "\n".join(f"a 1 {b:.3f} {e - b:.3f} {w} 0.9" for w, b, e in words).encode(), len(words), speakers=False
    )


def otter(said: Sequence[Said]) -> Written:
    """Otter's text: whole seconds, no ends."""
    turns = (f"{s.speaker}  {timedelta(seconds=int(s.start))}\n{s.text}\n" for s in said)
    return Written("\n".join(turns).encode(), len(said), ends=False)


def bracketed(said: Sequence[Said]) -> Written:
    """Lines that begin with a time."""
    return Written(
        "\n".join(f"[{_clock(s.start)}] {s.speaker}: {s.text}" for s in said).encode(), len(said), ends=False
    )


def table(said: Sequence[Said]) -> Written:
    """CSV, in Western encoding where that has the signs."""
    file = io.StringIO(newline="")
    rows = csv.writer(file)
    rows.writerow(["start", "end", "speaker", "text"])
    rows.writerows([s.start, s.end, s.speaker, s.text] for s in said)
    return Written(file.getvalue().encode(), len(said))


def json_lines(said: Sequence[Said]) -> Written:
    """JSON Lines."""
    lines = (
        json.dumps({"start_ms": _ms(s.start), "end_ms": _ms(s.end), "speaker": s.speaker, "text": s.text}) for s in said
    )
    return Written("\n".join(lines).encode(), len(said))


WRITERS: dict[str, tuple[str, Callable[[Sequence[Said]], Written]]] = {  # what it is: how it is read, its writer
    "webvtt (Zoom)": ("webvtt", zoom),
    "webvtt (Teams)": ("webvtt", teams),
    "webvtt (Teams, JSON)": ("webvtt", teams_json),
    "srt": ("srt", srt),
    "whisper": ("whisper", whisper),
    "whisperx": ("whisperx", whisperx),
    "whisper.cpp": ("whisper.cpp", whisper_cpp),
    "funasr": ("funasr", funasr),
    "assemblyai": ("assemblyai", assemblyai),
    "deepgram": ("deepgram", deepgram),
    "aws": ("aws", aws),
    "google": ("google", google),
    "azure": ("azure", azure),
    "rev": ("rev", rev),
    "meet": ("meet", meet),
    "wecom": ("wecom", wecom),
    "seglst": ("seglst", seglst),
    "textgrid": ("textgrid", textgrid),
    "elan": ("elan", elan),
    "rttm": ("rttm", rttm),
    "stm": ("stm", stm),
    "ctm": ("ctm", ctm),
    "otter": ("otter", otter),
    "bracketed": ("bracketed", bracketed),
    "csv": ("csv", table),
    "jsonl": ("jsonl", json_lines),
}
