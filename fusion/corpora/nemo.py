"""nEMO: `data.tsv` and `samples/SB0_anger_12.wav`."""

from __future__ import annotations

import csv
from pathlib import Path

from fusion.corpora.base import Corpus, Published, Reading, Utterance
from fusion.corpora.files import AUDIO, audio_by_name, files_of, read_table, stem

COUNTS = {"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprised": 669}
COLUMNS = ("file_id", "emotion", "raw_text", "speaker_id", "gender", "age")
VARIANTS = {"6way": Published({label: (count,) for label, count in COUNTS.items()}, "the distribution")}


class Nemo(Corpus):
    """4,481 Polish clips: 90 sentences, nine speakers, six emotions.

    Source: Christop, "nEMO: Dataset of Emotional Speech in Polish", LREC-COLING 2024; the table and its columns as in
    the author's repository (amu-cai/nEMO). There is no official division.

    >>> Nemo().published.total("fear")
    736
    """

    name = "nemo"
    title = "nEMO"
    citation = "Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024"
    licence = "CC BY-NC-SA 4.0"
    layout = "data.tsv (file_id, emotion, raw_text, …, speaker_id, gender, age) and samples/SB0_anger_12.wav …"
    variants = VARIANTS
    extra = ("gender", "age", "sentence")
    scripted = True
    notice = (
        "nEMO is scripted: 90 sentences run through all speakers and emotions, so that text can tell nothing and no gain of "
        "fusion may be claimed."
    )
    train = ("split=leave_one_speaker_out", "modalities=[speech]")

    def read(self, root: Path) -> Reading:
        """The rows of every data.tsv whose clip is there."""
        files, problems, notes = audio_by_name(files_of(root, AUDIO))
        reading = Reading(problems=problems, notes=notes)
        listed: set[str] = set()
        missing = 0
        for table in (path for path in files_of(root, [".tsv"]) if path.name.lower() == "data.tsv"):
            # no quoting: the texts hold single quotation marks, opened and never closed
            columns, rows = read_table(table, delimiter="\t", quoting=csv.QUOTE_NONE)
            if lacking := [name for name in COLUMNS if name not in columns]:
                reading.problems.append(f"{table.relative_to(root)}: no column {', '.join(lacking)}")
                continue
            for number, cells in enumerate(rows, 1):
                key = stem(Path(cells["file_id"]))
                if cells["emotion"] not in COUNTS or key in listed:
                    why = "is listed twice" if key in listed else f"has the emotion {cells['emotion']!r}"
                    reading.problems.append(f"{table.relative_to(root)}, row {number}: {cells['file_id']} {why}")
                    continue
                listed.add(key)
                if key not in files:
                    missing += 1
                    continue
                reading.utterances.append(_utterance(cells, files[key]))
        if strangers := [path for key, path in files.items() if key not in listed]:
            reading.notes.append(f"{len(strangers):,} audio files left aside, in no data.tsv: {strangers[0].name} …")
        if missing:
            reading.notes.append(f"{missing:,} rows of data.tsv left out: their clips are not there")
        reading.utterances.sort(key=lambda utterance: utterance.id)
        return reading


def _utterance(cells: dict[str, str], path: Path) -> Utterance:
    return Utterance(
        id=path.stem,
        label=cells["emotion"],
        audio=path,
        text=cells["raw_text"] or None,
        speaker=cells["speaker_id"],
        language="pl",
        extra={"gender": cells["gender"], "age": cells["age"], "sentence": path.stem.rpartition("_")[2]},
    )
