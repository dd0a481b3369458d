"""TESS: `OAF_angry/OAF_back_angry.wav`: speaker, word, emotion."""

from __future__ import annotations

import re
from pathlib import Path

from fusion.corpora.base import Published, Utterance
from fusion.corpora.named import NamedFiles

EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprise",  # pleasant surprise
    "sad": "sad",
}
AGES = {"OAF": "64", "YAF": "26"}
NAME = re.compile(r"(OAF|YAF|OA)_([a-z]+)_([a-z]+)", re.IGNORECASE)
VARIANTS = {"7way": Published(dict.fromkeys(EMOTIONS.values(), (400,)), "Pichora-Fuller and Dupuis 2020")}


class Tess(NamedFiles):
    """2,800 clips: "Say the word …" with 200 words, in seven emotions, by two women.

    Source: Pichora-Fuller and Dupuis, "Toronto emotional speech set (TESS)", Scholars Portal Dataverse 2020. One file
    is misnamed there (`OA_bite_neutral`); a well-known mirror holds the whole set twice, folder in folder.

    >>> found = Tess().utterance(Path("YAF_pleasant_surprised/YAF_food_ps.wav"))
    >>> found.label, found.speaker, found.text
    ('surprise', 'YAF', 'Say the word food.')
    >>> Tess().utterance(Path("OAF_neutral/OA_bite_neutral.wav")).id
    'OAF_bite_neutral'
    """

    name = "tess"
    title = "TESS"
    citation = "Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), Scholars Portal Dataverse 2020"
    licence = "CC BY-NC-ND 4.0"
    layout = "OAF_angry/OAF_back_angry.wav … YAF_sad/…, or all in one folder"
    names = "speaker, word, emotion, as OAF_back_angry"
    variants = VARIANTS
    extra = ("gender", "age")
    scripted = True
    notice = (
        'TESS is scripted: "Say the word …" with 200 words, all in every emotion, so that text can tell nothing and no gain '
        "of fusion may be claimed. It has two speakers, who stand on both sides of any split: it says nothing of new ones."
    )
    train = ("split=random", "allow_leakage=true", "modalities=[speech]")  # three speakers are needed to leave one out

    def key(self, path: Path) -> str:
        """The misnamed file is the one that it should be."""
        found = self.utterance(path)
        return found.id.lower() if isinstance(found, Utterance) else str(path)

    def utterance(self, path: Path) -> Utterance | str | None:
        """What the name says; see the base class."""
        match = NAME.fullmatch(path.stem)
        if match is None or match[3].lower() not in EMOTIONS:
            return None
        speaker = "YAF" if match[1].upper() == "YAF" else "OAF"
        return Utterance(
            id=f"{speaker}_{match[2].lower()}_{match[3].lower()}",
            label=EMOTIONS[match[3].lower()],
            audio=path,
            text=f"Say the word {match[2].lower()}.",
            speaker=speaker,
            language="en",
            extra={"gender": "female", "age": AGES[speaker]},
        )
