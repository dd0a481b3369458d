"""CREMA-D: `AudioWAV/1001_IEO_ANG_HI.wav`: actor, sentence, emotion, intensity."""

from __future__ import annotations

import re
from pathlib import Path

from fusion.corpora.base import Published, Utterance
from fusion.corpora.named import NamedFiles

SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
# VideoDemographics.csv of the distribution; all others of 1001 to 1091 are women
MEN = """
1001 1005 1011 1014 1015 1016 1017 1019 1022 1023 1026 1027 1031 1032 1033 1034 1035 1036 1038 1039 1040 1041 1042 1044
1045 1048 1050 1051 1057 1059 1062 1064 1065 1066 1067 1068 1069 1070 1071 1077 1080 1081 1083 1085 1086 1087 1088 1090
"""
NAME = re.compile(r"(10\d\d)_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})", re.IGNORECASE)
VARIANTS = {
    "6way": Published(
        {emotion: (1087 if emotion == "neutral" else 1271,) for emotion in EMOTIONS.values()}, "Cao et al. 2014"
    )
}


class CremaD(NamedFiles):
    """7,442 clips of 91 actors, twelve sentences, six emotions as the actors were asked to show them.

    Source: Cao et al., "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Trans. Affective Computing
    5(4), 2014; file names as in the authors' repository (CheyneyComputerScience/CREMA-D). `1076_MTI_SAD_XX` is known
    to hold no voice.

    >>> found = CremaD().utterance(Path("AudioWAV/1001_IEO_ANG_HI.wav"))
    >>> found.label, found.speaker, found.text, dict(found.extra)
    ('anger', '1001', "It's eleven o'clock.", {'gender': 'male', 'sentence': 'IEO', 'intensity': 'high'})
    """

    name = "crema_d"
    title = "CREMA-D"
    citation = "Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE TAC 5(4), 2014"
    licence = "Open Database License (ODbL) 1.0"
    layout = "AudioWAV/1001_IEO_ANG_HI.wav … (a clone needs `git lfs pull`)"
    names = "ACTOR_SENTENCE_EMOTION_LEVEL, as 1001_IEO_ANG_HI"
    variants = VARIANTS
    extra = ("gender", "sentence", "intensity")
    scripted = True
    notice = (
        "CREMA-D is scripted: twelve sentences run through all actors and emotions, so that text can tell nothing and no "
        "gain of fusion may be claimed."
    )
    train = ("split=leave_one_speaker_out", "modalities=[speech]")

    def utterance(self, path: Path) -> Utterance | str | None:
        """What the name says; see the base class."""
        match = NAME.fullmatch(path.stem)
        actor, sentence, emotion, level = match.group(1, 2, 3, 4) if match else ("",) * 4
        sentence, emotion, level = sentence.upper(), emotion.upper(), level.upper()
        known = bool(match) and 1001 <= int(actor) <= 1091
        if not known or sentence not in SENTENCES or emotion not in EMOTIONS or level not in INTENSITIES:
            return None
        return Utterance(
            id=path.stem,
            label=EMOTIONS[emotion],
            audio=path,
            text=SENTENCES[sentence],
            speaker=actor,
            language="en",
            extra={
                "gender": "male" if actor in MEN.split() else "female",
                "sentence": sentence,
                "intensity": INTENSITIES[level],
            },
        )
