"""CMU-MOSI: `label.csv` and clips, `Raw/03bSnISJMiM/1.mp4` or `Audio/WAV_16000/Segmented/03bSnISJMiM_1.wav`."""

from __future__ import annotations

from pathlib import Path

from fusion.corpora.base import Published
from fusion.corpora.files import files_of, one_line, read_text
from fusion.corpora.sentiment import STEPS, Segment, SentimentCorpus

# the standard division of the CMU Multimodal SDK: 52 videos to train, 10 to validate, 31 to test
VALID = """
WKA5OygbEKI X3j2zQgwYgE ZAIRrfG22O0 ZUXBRvtny7o _dI--eQ6qVU aiEXnCPZubE atnd_PF-Lbs bOL9jKpeJRs bvLlb-M3UXU
c5xsKMxpXnc
"""
TEST = """
c7UH_rxdZv4 cM3Yna7AavY cW1FSBF59ik cXypl4FnoZo d3_k5Xpfmik d6hH302o4v8 dq3Nf_lMPnE etzxEpPuc6I f9O3YtZ2VfI
f_pcplsH_V0 fvVhgmXxadc iiK8YX8oH1E jUzDDGyPkXU k5Y_838nuGo lXPQBPVc5Cw nbWiPyCm4g0 nzpVDcQ0ywM ob23OKe5a9Q
pLTX3ipuDJI phBUpBr1hSo rnaNMUZpvvg tIrG4oNLFzE tStelxIAHjw tmZoasNr4rU v0zCBqDeKcE vvZ4IcEtiZc vyB00TXsimI
wMbj6ajWbic yDtzw_Y-7RU yvsjCA6Y5Fc zhpQhgha_KU
"""
TRAIN = """
03bSnISJMiM 0h-zjBukYpk 1DmNV9C1hbY 1iG0909rllw 2WGyTLYerpo 2iD-tVS8NPw 5W7Z1C_fDaE 6Egk_28TtTM 6_0THN4chvY
73jzhE8R1TQ 7JsX8y1ysxY 8OtFthrtaJM 8d-gEyoeBzc 8qrpnFRGt2A 9J25DZhivz8 9T9Hf74oK10 9c67fiY0wGQ 9qR7uwkblbs
Af8D0E4ZXaw BI97DNYfe5I BXuRRbG0Ugk Bfr499ggo-0 BioHAh1qJAQ BvYR0L6f2Ig Ci-AH39fi3Y Clx4VXItLTE Dg_0XKD0Mf4
G-xst2euQUc G6GlGvlkxAQ GWuJjcEuzt8 HEsqda8_d0Q I5y0__X72p0 Iu2PFX3z_1s IumbAb8q2dM Jkswaaud0hk LSi-o-IrDMs
MLal-t_vJPM Njd1F0vZSm4 Nzq88NnDkEk OQvJTdtJ2H4 OtBXNcAL_lE Oz06ZWiO20M POKffnXeBds PZ-lDQFboO8 QN9ZIUWUXsY
Qr1Ca94K55A Sqr0AcuoNnk TvyZBvOMOTc VCslbP0mgZI VbQk4H8hgr0 Vj1wYRQjB-o W8NXH0Djyww
"""
SOURCE = "the labels of the distribution, standard division"
NEGATIVE, NEUTRAL, POSITIVE = (552, 92, 379), (53, 13, 30), (679, 124, 277)
SEVEN = (  # -3 to 3
    (24, 10, 46),
    (199, 30, 156),
    (227, 32, 145),
    (248, 49, 106),
    (227, 39, 113),
    (313, 50, 100),
    (46, 19, 20),
)
VARIANTS = {
    "2way": Published({"negative": NEGATIVE, "positive": POSITIVE}, SOURCE),
    "2way_nonnegative": Published({"negative": NEGATIVE, "non-negative": (732, 137, 307)}, SOURCE),
    "3way": Published({"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}, SOURCE),
    "7way": Published(dict(zip(STEPS, SEVEN, strict=True)), SOURCE),
}
FOLDS = {video: part for part, videos in (("train", TRAIN), ("val", VALID), ("test", TEST)) for video in videos.split()}


class CmuMosi(SentimentCorpus):
    """2,199 opinions of 93 videos of film reviews, sentiment from -3 to 3.

    `2way` is negative against positive, zero left out; `2way_nonnegative` counts zero as non-negative; `3way`; `7way`
    rounds. The official division is known by video even where the table has none.

    Source: Zadeh et al., "MOSI: Multimodal Corpus of Sentiment Intensity and Subjectivity Analysis in Online Opinion
    Videos", IEEE Intelligent Systems 31(6), 2016; the CMU Multimodal SDK (division, classes); the `label.csv` that
    circulates with the clips is that of Mao et al., "M-SENA", ACL 2022.

    >>> corpus = CmuMosi()
    >>> [sum(part == name for part in corpus.folds.values()) for name in ("train", "val", "test")]
    [52, 10, 31]
    """

    name = "cmu_mosi"
    title = "CMU-MOSI"
    citation = "Zadeh et al., MOSI: Multimodal Corpus of Sentiment Intensity …, IEEE Intelligent Systems 31(6), 2016"
    licence = "research use"
    layout = (
        "label.csv (video_id, clip_id, label, text, mode) and the audio of its clips: 03bSnISJMiM_1.wav, "
        "03bSnISJMiM/1.wav, or 03bSnISJMiM.wav with start and end in the table"
    )
    variants = VARIANTS
    folds = FOLDS

    def transcripts(self, root: Path) -> dict[tuple[str, str], Segment]:
        """`Transcript/Segmented/VIDEO.annotprocessed`: a line `1_DELIM_WORDS` for each clip."""
        found = {}
        for path in files_of(root, [".annotprocessed"]):
            for line in read_text(path, "cp1252").splitlines():
                clip, delimiter, words = line.partition("_DELIM_")
                if delimiter:
                    found[path.stem, clip.strip()] = Segment(one_line(words))
        return found
