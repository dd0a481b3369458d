"""CMU-MOSEI: `label.csv`, and clips or whole videos with `Transcript/Segmented/Combined/VIDEO.txt`."""

from __future__ import annotations

from pathlib import Path

from fusion.corpora.base import Published
from fusion.corpora.files import files_of, one_line, read_text
from fusion.corpora.sentiment import Segment, SentimentCorpus

SOURCE = "Mao et al. 2022"
NEGATIVE, NEUTRAL, POSITIVE = (4738, 506, 1350), (3540, 433, 1025), (8048, 932, 2284)
VARIANTS = {
    "2way": Published({"negative": NEGATIVE, "positive": POSITIVE}, SOURCE),
    "2way_nonnegative": Published({"negative": NEGATIVE, "non-negative": (11588, 1365, 3309)}, SOURCE),
    "3way": Published({"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}, SOURCE),
    "7way": None,
}


class CmuMosei(SentimentCorpus):
    """22,856 sentences of online videos, sentiment from -3 to 3.

    Variants as CMU-MOSI's. The division is the table's (`mode`), or that of the SDK's `cmu_mosei_std_folds.py` if the
    file lies in the folder; it is read, not run. The six emotions of MOSEI, of which several may hold at once, are no
    classes and are not read.

    Source: Zadeh et al., "Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset and Interpretable Dynamic Fusion
    Graph", ACL 2018; the CMU Multimodal SDK; table and counts of Mao et al., "M-SENA: An Integrated Platform for
    Multimodal Sentiment Analysis", ACL 2022 (other preparations have a few rows more).

    >>> [sum(counts) for counts in zip(NEGATIVE, NEUTRAL, POSITIVE)]
    [16326, 1871, 4659]
    """

    name = "cmu_mosei"
    title = "CMU-MOSEI"
    citation = "Zadeh et al., Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset …, ACL 2018"
    licence = "research use"
    layout = (
        "label.csv (video_id, clip_id, label, text, mode) and the audio of its clips: VIDEO_CLIP.wav, VIDEO/CLIP.wav, or "
        "Audio/Full/WAV_16000/VIDEO.wav with Transcript/Segmented/Combined/VIDEO.txt"
    )
    variants = VARIANTS

    def transcripts(self, root: Path) -> dict[tuple[str, str], Segment]:
        """Lines `VIDEO___3___12.35___25.6___words`, seconds into the whole video."""
        found = {}
        for path in files_of(root, [".txt"]):
            for line in read_text(path, "cp1252").splitlines():
                if not line.startswith(f"{path.stem}___"):
                    continue
                parts = line[len(path.stem) + 3 :].split("___", 3)
                try:
                    clip, start, end, words = parts
                    found[path.stem, clip.strip()] = Segment(one_line(words), float(start), float(end))
                except ValueError:  # a line that was cut; its row of the table then has no times
                    continue
        return found
