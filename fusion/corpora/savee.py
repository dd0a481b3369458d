"""SAVEE: `AudioData/DC/a01.wav`, or all in one folder as `DC_a01.wav`: speaker, emotion, number."""

from __future__ import annotations

import re
from pathlib import Path

from fusion.corpora.base import Published, Utterance
from fusion.corpora.named import NamedFiles

SPEAKERS = ("DC", "JE", "JK", "KL")
EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?(a|d|f|h|n|sa|su)(\d\d)", re.IGNORECASE)
VARIANTS = {
    "7way": Published(
        {emotion: (120 if emotion == "neutral" else 60,) for emotion in EMOTIONS.values()}, "Haq and Jackson 2010"
    )
}


class Savee(NamedFiles):
    """480 clips of four men, seven emotions. The words are not part of the distribution: the text stays empty.

    Source: Haq and Jackson, "Multimodal Emotion Recognition", in Wang (ed.), Machine Audition, IGI Global 2010;
    AudioData/Info.txt of the distribution. Of the 15 TIMIT sentences of an emotion 3 are common to all, 2 made for it
    and 10 its own, the same for all speakers.

    >>> found = Savee().utterance(Path("AudioData/DC/sa01.wav"))
    >>> found.id, found.label, found.speaker, found.text
    ('DC_sa01', 'sadness', 'DC', None)
    >>> Savee().utterance(Path("ALL/KL_n30.wav")).id
    'KL_n30'
    """

    name = "savee"
    title = "SAVEE"
    citation = "Haq and Jackson, Multimodal Emotion Recognition, in Machine Audition, IGI Global 2010"
    licence = "research use, on registration with the University of Surrey"
    layout = "AudioData/DC/a01.wav … of the speakers DC, JE, JK and KL, or DC_a01.wav …"
    names = "emotion and number, in a folder DC, JE, JK or KL or behind that name, as DC_a01"
    variants = VARIANTS
    extra = ("gender", "sentence")
    scripted = True
    notice = (
        "SAVEE is scripted, and most of its sentences belong to one emotion: whoever recognises the words knows the label. "
        "All speakers say the same sentences, so leaving a speaker out does not mend it."
    )
    train = ("split=leave_one_speaker_out", "modalities=[speech]")

    def key(self, path: Path) -> str:
        """a01 is a name in every speaker's folder."""
        found = self.utterance(path)
        return found.id.lower() if isinstance(found, Utterance) else str(path)

    def utterance(self, path: Path) -> Utterance | str | None:
        """What the name says; see the base class."""
        match = NAME.fullmatch(path.stem)
        speaker = ((match and match[1]) or path.parent.name).upper()
        if match is None or speaker not in SPEAKERS:
            return None
        code = f"{match[2].lower()}{match[3]}"
        return Utterance(
            id=f"{speaker}_{code}",
            label=EMOTIONS[match[2].lower()],
            audio=path,
            speaker=speaker,
            language="en",
            extra={"gender": "male", "sentence": code},
        )
