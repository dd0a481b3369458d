"""EmoDB: `wav/03a01Fa.wav`: speaker, sentence, emotion (by its German initial), version."""

from __future__ import annotations

import re
from pathlib import Path

from fusion.corpora.base import Published, Utterance
from fusion.corpora.named import NamedFiles

SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
EMOTIONS = {  # Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral
    "w": "anger",
    "l": "boredom",
    "e": "disgust",
    "a": "fear",
    "f": "happiness",
    "t": "sadness",
    "n": "neutral",
}
COUNTS = {"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "sadness": 62, "neutral": 79}
FOUR = ("anger", "happiness", "neutral", "sadness")
SPEAKERS = dict.fromkeys(("03", "10", "11", "12", "15"), "male") | dict.fromkeys(
    ("08", "09", "13", "14", "16"), "female"
)
SOURCE = "the distribution (Burkhardt et al. 2005)"
NAME = re.compile(r"(\d\d)([ab]\d\d)([a-z])([a-z])", re.IGNORECASE)
VARIANTS = {
    "7way": Published({label: (count,) for label, count in COUNTS.items()}, SOURCE),
    "4way": Published({label: (COUNTS[label],) for label in FOUR}, SOURCE),
}


class EmoDb(NamedFiles):
    """535 clips of 10 German speakers, ten sentences, seven emotions; `4way` keeps anger, happiness, neutral, sadness.

    Source: Burkhardt et al., "A Database of German Emotional Speech", Interspeech 2005; the file names are explained
    at the authors' page.

    >>> found = EmoDb().utterance(Path("wav/16b10Lb.wav"))
    >>> found.label, found.speaker, found.extra["gender"], found.extra["sentence"]
    ('boredom', '16', 'female', 'b10')
    >>> EmoDb(variant="4way").utterance(Path("wav/16b10Lb.wav"))
    'boredom is none of the classes of 4way'
    """

    name = "emodb"
    title = "EmoDB"
    citation = "Burkhardt et al., A Database of German Emotional Speech, Interspeech 2005"
    licence = "CC0 (as released in 2024; before, free for research)"
    layout = "wav/03a01Fa.wav …"
    names = "speaker, sentence, emotion, version, as 03a01Fa"
    variants = VARIANTS
    extra = ("gender", "sentence")
    scripted = True
    notice = (
        "EmoDB is scripted: ten sentences run through all speakers and emotions, so that text can tell nothing and no gain "
        "of fusion may be claimed."
    )
    train = ("split=leave_one_speaker_out", "modalities=[speech]")

    def utterance(self, path: Path) -> Utterance | str | None:
        """What the name says; see the base class."""
        match = NAME.fullmatch(path.stem)
        if not match:
            return None
        speaker, sentence, letter = match[1], match[2].lower(), match[3].lower()
        if speaker not in SPEAKERS or sentence not in SENTENCES or letter not in EMOTIONS:
            return None
        label = EMOTIONS[letter]
        if self.variant == "4way" and label not in FOUR:
            return f"{label} is none of the classes of 4way"
        return Utterance(
            id=path.stem,
            label=label,
            audio=path,
            text=SENTENCES[sentence],
            speaker=speaker,
            language="de",
            extra={"gender": SPEAKERS[speaker], "sentence": sentence},
        )
