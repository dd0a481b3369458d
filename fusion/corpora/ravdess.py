"""RAVDESS: `Actor_01/03-01-06-01-02-01-01.wav`: seven numbers name everything."""

from __future__ import annotations

import re
from pathlib import Path

from fusion.corpora.base import Published, Utterance
from fusion.corpora.named import NamedFiles

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
VARIANTS = {
    "8way": Published(
        {emotion: (96 if emotion == "neutral" else 192,) for emotion in EMOTIONS.values()},
        "Livingstone and Russo 2018",
    )
}


class Ravdess(NamedFiles):
    """The speech of RAVDESS: 1,440 clips of 24 actors, two sentences, eight emotions. Song is left aside.

    Source: Livingstone and Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS)", PLoS ONE
    13(5), 2018; the file names are explained there: modality, channel, emotion, intensity, statement, repetition, actor.

    >>> found = Ravdess().utterance(Path("Actor_12/03-01-06-02-01-02-12.wav"))
    >>> found.label, found.speaker, found.text, found.extra["gender"]
    ('fearful', '12', 'Kids are talking by the door.', 'female')
    """

    name = "ravdess"
    title = "RAVDESS"
    citation = (
        "Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE 13(5), 2018"
    )
    licence = "CC BY-NC-SA 4.0"
    layout = "Actor_01/03-01-06-01-02-01-01.wav … (Audio_Speech_Actors_01-24.zip)"
    names = "seven numbers, as 03-01-06-01-02-01-12"
    variants = VARIANTS
    extra = ("intensity", "statement", "repetition", "gender")
    scripted = True
    notice = (
        "RAVDESS is scripted: two sentences run through all actors and emotions, so that text can tell nothing and no gain "
        "of fusion may be claimed."
    )
    train = ("split=leave_one_speaker_out", "modalities=[speech]")

    def utterance(self, path: Path) -> Utterance | str | None:
        """What the name says; see the base class."""
        match = NAME.fullmatch(path.stem)
        if not match:
            return None
        modality, channel, emotion, intensity, statement, repetition, actor = match.groups()
        known = modality in ("01", "03") and channel in ("01", "02") and intensity in ("01", "02")
        if not known or emotion not in EMOTIONS or statement not in STATEMENTS or not 1 <= int(actor) <= 24:
            return None
        if channel == "02":
            return "sung, not spoken"
        if modality == "01":
            return "the sound of a video (01-…), which is there as audio only (03-…) as well"
        return Utterance(
            id=path.stem,
            label=EMOTIONS[emotion],
            audio=path,
            text=STATEMENTS[statement],
            speaker=actor,
            language="en",
            extra={
                "intensity": intensity,
                "statement": statement,
                "repetition": repetition,
                "gender": "female" if int(actor) % 2 == 0 else "male",
            },
        )
