"""A Kaldi data folder: `segments`, `text`, `utt2spk`. Its `wav.scp` can hold commands; it is neither read nor run."""

from __future__ import annotations

from pathlib import Path

from fusion.meeting.transcripts.clock import number
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.recordings import OTHER, chosen_recording
from fusion.meeting.transcripts.source import Source


def matches(source: Source) -> bool:
    """Whether it is a folder with `segments` and `text`."""
    return source.folder and (source.path / "segments").is_file()


def read(source: Source) -> Raw:
    """All segments of one recording; an utterance of `text` without a segment is left out.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "segments").write_text("ann-1 call 0.5 2.0\\n")
    ...     _ = Path(folder, "text").write_text("ann-1 so be it\\n")
    ...     _ = Path(folder, "utt2spk").write_text("ann-1 ann\\n")
    ...     [(cue.start, cue.end, cue.speaker, cue.text) for cue in read(Source(Path(folder))).cues]
    [(0.5, 2.0, 'ann', 'so be it')]
    """
    rows = [(n, line.split()) for n, line in enumerate(_lines(source.path / "segments"), start=1) if line.strip()]
    texts, speakers = _table(source.path / "text"), _table(source.path / "utt2spk")
    whole = [(n, row) for n, row in rows if len(row) == 4]
    meant = chosen_recording((row[1] for _, row in whole), source.recording, source.name)
    cues = [
        Cue(f"segments, line {n}", None, None, "", dropped="no line of segments") for n, row in rows if len(row) != 4
    ]
    for n, (utterance, recording, start, end) in whole:
        ends = number(end)
        cues.append(
            Cue(
                f"segments, line {n}", number(start), None if ends is not None and ends < 0 else ends,  # -1: to the end
                texts.get(utterance, ""), speakers.get(utterance), utterance,
                dropped=None if recording == meant else OTHER,
            )
        )  # fmt: skip
    timed = {row[0] for _, row in whole}
    cues += [Cue(f"text, {name}", None, None, "", dropped="no segment") for name in texts if name not in timed]
    return Raw(cues, tool="kaldi")


def _lines(path: Path) -> list[str]:
    return Source(path).lines


def _table(path: Path) -> dict[str, str]:
    """The first word of each line to the rest of it; empty where there is no such file."""
    if not path.is_file():
        return {}
    return {key: rest.strip() for key, _, rest in (line.strip().partition(" ") for line in _lines(path)) if key}
