"""MELD: `train_sent_emo.csv`, `dev_…`, `test_…`, and a clip `dia0_utt0` for each of their rows."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from fusion.corpora.base import Corpus, Published, Reading, Utterance
from fusion.corpora.files import AUDIO, VIDEO, audio_by_name, files_of, read_table

TABLES = {"train_sent_emo.csv": "train", "dev_sent_emo.csv": "val", "test_sent_emo.csv": "test"}
FOLDERS = (
    ("train", "train"),
    ("dev", "val"),
    ("valid", "val"),
    ("output_repeated_splits_test", "test"),
    ("test", "test"),
)
COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode")
EMOTIONS = {
    "anger": (1109, 153, 345),
    "disgust": (271, 22, 68),
    "fear": (268, 40, 50),
    "joy": (1743, 163, 402),
    "neutral": (4710, 470, 1256),
    "sadness": (683, 111, 208),
    "surprise": (1205, 150, 281),
}
SENTIMENTS = {"negative": (2945, 406, 833), "neutral": (4710, 470, 1256), "positive": (2334, 233, 521)}
NAME = re.compile(r"dia(\d+)_utt(\d+)", re.IGNORECASE)
# quotation marks that were Windows-1252 and went into UTF-8 as control characters
MENDED = {code: bytes([code]).decode("cp1252", errors="ignore") or " " for code in range(0x80, 0xA0)}
CONVERT = (
    "MELD ships videos, and Emofuse reads audio: put a .flac or .wav beside each, as with "
    "find . -name 'dia*_utt*.mp4' -exec sh -c "
    """'ffmpeg -nostdin -i "$1" -vn -ac 1 -ar 16000 "${1%.mp4}.flac"' _ {} \\; """
)
VARIANTS = {
    "7way": Published(EMOTIONS, "Poria et al. 2019"),
    "sentiment": Published(SENTIMENTS, "Poria et al. 2019"),
}


class Meld(Corpus):
    """13,708 utterances of 1,432 dialogues of the series Friends, in seven emotions or (`sentiment`) three sentiments.

    Source: Poria et al., "MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations", ACL 2019;
    MELD.Raw and its README. Dialogues are numbered anew in each part, so that a clip's folder says which it is of
    (`train_splits`, `dev_splits_complete`, `output_repeated_splits_test`). At least one video of the training part is
    broken as distributed, and one of the development part is missing.

    Args:
        variant: emotions or sentiments as the label; the other is kept as a column.
        text_only: keep utterances without audio, with their words.

    >>> [sum(counts[part] for counts in EMOTIONS.values()) for part in range(3)]
    [9989, 1109, 2610]
    """

    name = "meld"
    title = "MELD"
    citation = "Poria et al., MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations, ACL 2019"
    licence = "GPL-3.0 (annotations); the clips are from a television series"
    layout = (
        "train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv, and the audio of train_splits/dia0_utt0.mp4, "
        "dev_splits_complete/… and output_repeated_splits_test/… beside the videos as .wav or .flac"
    )
    variants = VARIANTS
    extra = ("emotion", "sentiment", "season", "episode")
    notice = (
        "MELD's official division shares its main speakers between training and test: what a classifier reaches there it "
        "reaches for voices that it knows."
    )
    train = ("split=column", "allow_leakage=true")

    def __init__(self, *, variant: str | None = None, text_only: bool = False) -> None:
        super().__init__(variant=variant)
        self.text_only = text_only

    def read(self, root: Path) -> Reading:
        """The rows of the three tables that have audio (or, with `text_only`, words)."""
        tables, problems = _tables(root)
        reading = Reading(problems=problems)
        clips = [path for path in files_of(root, AUDIO) if NAME.fullmatch(path.stem)]
        lost = [path for path in clips if _part(path, root) is None] if tables else []
        reading.problems += [f"{path.relative_to(root)}: in no folder of train, dev or test" for path in lost]
        files, problems, notes = audio_by_name(set(clips) - set(lost), key=lambda path: _key(path, root))
        reading.problems += problems
        reading.notes += notes
        missing: Counter[str] = Counter()
        for table, part in tables.items():
            self._read_table(table, part, root, files, reading, missing)
        if absent := sorted(set(TABLES.values()) - set(tables.values())):
            reading.notes.append(f"No table of {', '.join(absent)}: the official division is not complete")
        for part, count in missing.items():
            done = "kept with their words only" if self.text_only else "left out"
            reading.notes.append(f"{count:,} utterances of {part} without audio: {done}")
        if missing and (videos := sum(bool(NAME.fullmatch(path.stem)) for path in files_of(root, VIDEO))):
            reading.notes.append(f"{videos:,} videos found. {CONVERT}")
        return reading

    def _read_table(
        self, table: Path, part: str, root: Path, files: dict[str, Path], reading: Reading, missing: Counter[str]
    ) -> None:
        columns, rows = read_table(table, "cp1252")
        if lacking := [name for name in COLUMNS if name not in columns]:
            reading.problems.append(f"{table.relative_to(root)}: no column {', '.join(lacking)}")
            return
        for number, row in enumerate(rows, 1):
            cells = {name: row[name].translate(MENDED) for name in COLUMNS}
            emotion, sentiment = cells["Emotion"].lower(), cells["Sentiment"].lower()
            where = f"{table.relative_to(root)}, row {number}"
            dialogue, utterance = cells["Dialogue_ID"], cells["Utterance_ID"]
            if emotion not in EMOTIONS or sentiment not in SENTIMENTS:
                reading.problems.append(f"{where}: emotion {emotion!r}, sentiment {sentiment!r}")
                continue
            if not (dialogue.isdecimal() and utterance.isdecimal()):
                reading.problems.append(f"{where}: Dialogue_ID {dialogue!r}, Utterance_ID {utterance!r}")
                continue
            name = f"{part}_dia{int(dialogue)}_utt{int(utterance)}"
            audio = files.get(name)
            if audio is None:
                missing[part] += 1
                if not (self.text_only and cells["Utterance"]):
                    continue
            reading.utterances.append(
                Utterance(
                    id=name,
                    label=emotion if self.variant == "7way" else sentiment,
                    audio=audio,
                    text=cells["Utterance"] or None,
                    speaker=cells["Speaker"] or None,
                    split=part,
                    group=f"{part}_dia{int(dialogue)}",
                    language="en",
                    extra={
                        "emotion": emotion,
                        "sentiment": sentiment,
                        "season": cells["Season"],
                        "episode": cells["Episode"],
                    },
                )
            )


def _tables(root: Path) -> tuple[dict[Path, str], list[str]]:
    """Table -> part, one each; and those of which there are two that differ."""
    found: dict[str, Path] = {}
    problems = []
    for path in sorted(files_of(root, [".csv"]), key=lambda p: (len(p.parts), p)):
        part = TABLES.get(path.name.lower())
        if part is None:
            continue
        first = found.setdefault(part, path)
        if first is not path and first.read_bytes() != path.read_bytes():
            problems.append(f"{path.relative_to(root)} and {first.relative_to(root)} differ; keep one")
    return {found[part]: part for part in ("train", "val", "test") if part in found}, problems


def _part(path: Path, root: Path) -> str | None:
    """Of which part a clip is, by the nearest folder that says so."""
    for folder in reversed(path.relative_to(root).parts[:-1]):
        for beginning, part in FOLDERS:
            if folder.lower().startswith(beginning):
                return part
    return None


def _key(path: Path, root: Path) -> str:
    match = NAME.fullmatch(path.stem)
    assert match is not None  # only such clips come here
    return f"{_part(path, root)}_dia{int(match[1])}_utt{int(match[2])}"
