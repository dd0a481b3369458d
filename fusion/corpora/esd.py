"""ESD: `0011/Angry/test/0011_000371.wav` and the words in `0011/0011.txt`."""

from __future__ import annotations

import re
from pathlib import Path

from fusion.corpora.base import Corpus, Published, Reading, Utterance
from fusion.corpora.files import AUDIO, audio_by_name, files_of, one_line, read_text

EMOTIONS = {name: name for name in ("angry", "happy", "neutral", "sad", "surprise")}
SPLITS = {"train": "train", "evaluation": "val", "test": "test"}
SENTENCES = 350  # of each language; number 351 is the first sentence in the second emotion
NAME = re.compile(r"(00(?:0[1-9]|1\d|20))_(\d{6})")
LINE = re.compile(r"(\d{4}_\d{6})\s+(.*)")
LAST_WORD = re.compile(r"\t\s*\S+\s*$")  # of a line: the emotion, in the speaker's language
SOURCE = "Zhou et al. 2022"


def _counts(languages: int) -> Published:
    speakers = 10 * languages
    return Published(dict.fromkeys(EMOTIONS.values(), (300 * speakers, 20 * speakers, 30 * speakers)), SOURCE)


VARIANTS = {"all": _counts(2), "english": _counts(1), "mandarin": _counts(1)}


class Esd(Corpus):
    """35,000 clips: 350 sentences in Mandarin and in English, ten speakers each, five emotions.

    Source: Zhou, Sisman, Liu and Li, "Emotional voice conversion: Theory, databases and ESD", Speech Communication 137,
    2022. Speakers 0001 to 0010 are Mandarin, 0011 to 0020 English. Of each emotion the folders hold 300 utterances for
    training, 20 for evaluation and 30 for test, the same sentences for every speaker; some copies have no such folders.
    The transcripts come in UTF-8, UTF-16, GB 2312 and Latin-1.

    >>> Esd(variant="english").published.total("angry")
    3500
    """

    name = "esd"
    title = "ESD"
    citation = "Zhou et al., Emotional voice conversion: Theory, databases and ESD, Speech Communication 137, 2022"
    licence = "research use, on agreement with the authors"
    layout = "0001/Angry/train/0001_000401.wav … (or without train/) and 0001/0001.txt, to 0020"
    variants = VARIANTS
    extra = ("sentence",)
    scripted = True
    notice = (
        "ESD is scripted: 350 sentences of each language run through all speakers and emotions, so that text can tell "
        "nothing and no gain of fusion may be claimed. In its official division the speakers of the test are also those "
        "of training."
    )
    train = ("split=leave_one_speaker_out", "modalities=[speech]")

    def read(self, root: Path) -> Reading:
        """Every clip of the variant's languages; a transcript that is missing or lacks a line is noted."""
        files, problems, notes = audio_by_name(files_of(root, AUDIO))
        words = _transcripts(root)
        reading = Reading(problems=problems, notes=notes)
        others = silent = 0
        for path in files.values():
            match = NAME.fullmatch(path.stem)
            folders = [part.lower() for part in path.relative_to(root).parts[:-1]]
            labels = [EMOTIONS[part] for part in folders if part in EMOTIONS]
            if match is None or len(labels) != 1:
                why = "no name of ESD, as 0011_000371" if match is None else "in no folder of one emotion"
                reading.problems.append(f"{path.relative_to(root)}: {why}")
                continue
            language = "zh" if int(match[1]) <= 10 else "en"
            if self.variant != "all" and language != {"english": "en", "mandarin": "zh"}[self.variant]:
                others += 1
                continue
            text = words.get(path.stem)
            silent += text is None
            sentence = f"{language}{(int(match[2]) - 1) % SENTENCES + 1:03d}"
            split = next((SPLITS[part] for part in reversed(folders) if part in SPLITS), None)
            reading.utterances.append(
                Utterance(
                    id=path.stem,
                    label=labels[0],
                    audio=path,
                    text=text,
                    speaker=match[1],
                    split=split,
                    language=language,
                    extra={"sentence": sentence},
                )
            )
        if others:
            reading.notes.append(f"{others:,} clips of the other language left aside")
        if silent:
            reading.notes.append(f"{silent:,} clips without words: no line for them in SPEAKER/SPEAKER.txt")
        if reading.utterances and not any(utterance.split for utterance in reading.utterances):
            reading.notes.append("No folders train, evaluation and test: the official division is not known")
        return reading


def _transcripts(root: Path) -> dict[str, str]:
    """Utterance -> its words. The emotion at the end of a line is not taken: the folders say it more reliably."""
    words: dict[str, str] = {}
    for path in files_of(root, [".txt"]):
        if not re.fullmatch(r"\d{4}", path.stem):
            continue
        for line in read_text(path, *(["gb18030"] if path.stem <= "0010" else ["cp1252"])).splitlines():
            match = LINE.match(line.replace("\ufeff", "").strip())
            text = one_line(LAST_WORD.sub("", match[2]) if match else None)
            if match and text:
                words[match[1]] = text
    return words
