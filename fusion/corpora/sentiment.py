"""What CMU-MOSI and CMU-MOSEI share: a table of sentiments in [-3, 3], transcripts by segment, audio whole or cut."""

from __future__ import annotations

import ast
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fusion.corpora.base import Corpus, Reading, Utterance
from fusion.corpora.files import AUDIO, VIDEO, audio_by_name, files_of, has_columns, read_table, read_text
from fusion.data.transcripts import normalise

STEPS = (  # of Zadeh et al. 2016, from -3 to 3
    "strongly negative",
    "negative",
    "weakly negative",
    "neutral",
    "weakly positive",
    "positive",
    "strongly positive",
)
COLUMNS = {  # what the tables that circulate call them
    "video": ("video_id", "video", "file"),
    "clip": ("clip_id", "clip", "segment", "index"),
    "sentiment": ("sentiment", "label"),
    "text": ("text",),
    "start": ("start", "start_time"),
    "end": ("end", "end_time"),
    "split": ("mode", "split"),
}
NEEDED = ("video", "clip", "sentiment")
SPLITS = {"train": "train", "valid": "val", "val": "val", "dev": "val", "test": "test"}
FOLD = re.compile(r"(?:standard_)?(train|valid|test)_fold", re.IGNORECASE)
EXPECTED = (
    "a label.csv with the columns video_id, clip_id, label (the sentiment, -3 to 3), text and mode (train, valid, test)"
)
CONVERT = "Emofuse reads audio: put a .flac or .wav beside each video (ffmpeg -i 1.mp4 -vn -ac 1 -ar 16000 1.flac)"


def polarity(sentiment: float) -> str | None:
    """negative or positive, None for zero: as papers after 2019 count the two classes.

    >>> polarity(-0.2), polarity(0.0), polarity(1.8)
    ('negative', None, 'positive')
    """
    return None if sentiment == 0 else "negative" if sentiment < 0 else "positive"


def nonnegative(sentiment: float) -> str:
    """negative or non-negative: as papers before 2019 count the two classes.

    >>> nonnegative(0.0)
    'non-negative'
    """
    return "negative" if sentiment < 0 else "non-negative"


def three(sentiment: float) -> str:
    """negative, neutral (zero and nothing else) or positive.

    >>> three(0.2)
    'positive'
    """
    return polarity(sentiment) or "neutral"


def seven(sentiment: float) -> str:
    """The nearest whole number's name, halves to the even one: as Tsai et al. (ACL 2019) and most since count Acc-7.

    >>> seven(-2.6), seven(-0.5), seven(0.6)
    ('strongly negative', 'neutral', 'weakly positive')
    """
    return STEPS[min(3, max(-3, round(sentiment))) + 3]


CLASSES: Mapping[str, Callable[[float], str | None]] = {
    "2way": polarity,
    "2way_nonnegative": nonnegative,
    "3way": three,
    "7way": seven,
}


@dataclass(frozen=True)
class Segment:
    """A line of a transcript. `start` and `end` in seconds, where it has them."""

    text: str | None
    start: float | None = None
    end: float | None = None


class SentimentCorpus(Corpus):
    """Reads the label table, joins transcripts and audio by video and clip.

    Args:
        variant: how sentiments become classes, see `CLASSES`.
        text_only: keep utterances without audio, with their words.
    """

    extra = ("sentiment",)
    train = ("split=column",)
    folds: ClassVar[Mapping[str, str]] = {}  # video -> part of the official division, where it is short enough to know

    def __init__(self, *, variant: str | None = None, text_only: bool = False) -> None:
        super().__init__(variant=variant)
        self.text_only = text_only

    @abstractmethod
    def transcripts(self, root: Path) -> dict[tuple[str, str], Segment]:
        """(video, clip) -> its line, from the transcripts of the distribution."""

    def read(self, root: Path) -> Reading:
        """The rows of the label table that have audio (or, with `text_only`, words)."""
        reading = Reading()
        rows = _label_rows(root, reading)
        videos = {video for video, _ in rows}
        files, problems, notes = audio_by_name(files_of(root, AUDIO), key=lambda path: _clip_name(path, videos))
        reading.problems += problems
        reading.notes += notes
        segments = self.transcripts(root) if rows else {}
        folds = {**self.folds, **_folds(root)}
        counts: Counter[str] = Counter()
        for (video, clip), cells in rows.items():
            label = CLASSES[self.variant](float(cells["sentiment"]))
            if label is None:
                counts["sentiment of exactly zero: left out by 2way"] += 1
                continue
            text, audio, start, end = _join(cells, segments.get((video, clip)), files, video, clip)
            if audio is None:
                done = "kept with their words only" if self.text_only and text else "left out"
                counts[f"without audio: {done}"] += 1
                if done == "left out":
                    continue
            counts["without words"] += text is None
            given = cells.get("split", "").lower()
            if given and given not in SPLITS:
                reading.problems.append(f"{video}_{clip}: split {given!r}, expected train, valid or test")
            split = SPLITS.get(given) or folds.get(video)
            counts["without a part of the official division"] += split is None
            reading.utterances.append(
                Utterance(
                    id=f"{video}_{clip}",
                    label=label,
                    audio=audio,
                    text=text,
                    speaker=video,
                    split=split,
                    group=video,
                    start=start,
                    end=end,
                    language="en",
                    extra={"sentiment": cells["sentiment"]},
                )
            )
        reading.notes += [f"{count:,} utterances {why}" for why, count in counts.items() if count]
        if any("without audio" in why for why in counts) and files_of(root, VIDEO):
            reading.notes.append(CONVERT)
        reading.utterances.sort(key=lambda utterance: utterance.id)
        return reading


def _label_rows(root: Path, reading: Reading) -> dict[tuple[str, str], dict[str, str]]:
    """(video, clip) -> cells by our names, from every table that has the needed columns."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    tables = 0
    for path in sorted(files_of(root, [".csv"]), key=lambda p: (len(p.parts), p)):
        if not has_columns(path, ",", *(COLUMNS[ours] for ours in NEEDED)):
            continue
        columns, table = read_table(path, "cp1252")
        header = {name.strip().lower(): name for name in columns}
        names = {ours: next((header[n] for n in theirs if n in header), None) for ours, theirs in COLUMNS.items()}
        tables += 1
        for number, row in enumerate(table, 1):
            cells = {ours: row[theirs] for ours, theirs in names.items() if theirs}
            where, key = f"{path.relative_to(root)}, row {number}", (cells["video"], cells["clip"])
            if not all(key) or not _is_sentiment(cells["sentiment"]):
                reading.problems.append(
                    f"{where}: video {key[0]!r}, clip {key[1]!r}, sentiment {cells['sentiment']!r}; expected -3 to 3"
                )
            elif rows.setdefault(key, cells)["sentiment"] != cells["sentiment"]:
                reading.problems.append(f"{where}: {'_'.join(key)} has another sentiment than before")
    if not tables:
        packed = files_of(root, [".csd"])
        also = f"; {len(packed)} .csd files are there, which Emofuse does not read: export the labels" if packed else ""
        reading.problems.append(f"no table of labels: expected {EXPECTED}{also}")
    return rows


def _is_sentiment(cell: str) -> bool:
    try:
        return -3 <= float(cell) <= 3
    except ValueError:
        return False


def _join(
    cells: Mapping[str, str], segment: Segment | None, files: Mapping[str, Path], video: str, clip: str
) -> tuple[str | None, Path | None, float | None, float | None]:
    """Words and audio of one row: its own cut file, or a span of the whole video's.

    A transcript's times are only taken where its words are those of the table: segments are not numbered alike everywhere.
    """
    text = cells.get("text") or None
    if segment is not None and text and segment.text and normalise(segment.text) != normalise(text):
        segment = None
    text = text or (segment.text if segment else None)
    if cut := files.get(f"{video}_{clip}"):
        return text, cut, None, None
    try:
        start, end = float(cells.get("start", "")), float(cells.get("end", ""))
    except ValueError:
        if segment is None or segment.start is None or segment.end is None:
            return text, None, None, None
        start, end = segment.start, segment.end
    whole = files.get(video)
    return (text, whole, max(0.0, start), end) if whole else (text, None, None, None)


def _clip_name(path: Path, videos: set[str]) -> str:
    """`VIDEO/3.wav` and `VIDEO_3.wav` are one clip. Names of videos are told apart by case."""
    return f"{path.parent.name}_{path.stem}" if path.parent.name in videos else path.stem


def _folds(root: Path) -> dict[str, str]:
    """video -> part, of the SDK's `…_std_folds.py` if it lies there: its lists are read, nothing is run."""
    folds: dict[str, str] = {}
    for path in files_of(root, [".py"]):
        if "folds" not in path.stem:
            continue
        try:
            statements = ast.parse(read_text(path)).body
        except (SyntaxError, ValueError):
            continue
        for statement in statements:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                continue
            match = FOLD.fullmatch(statement.targets[0].id)
            if match and isinstance(statement.value, ast.List):
                names = [item.value for item in statement.value.elts if isinstance(item, ast.Constant)]
                folds |= {str(name): SPLITS[match[1].lower()] for name in names}
    return folds
