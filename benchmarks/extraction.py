"""How much time extraction adds to the encoder's own: files -> store, over the time inside `extractor.extract`.

    python benchmarks/extraction.py [--clips 1000] [--repeats 3]
    python benchmarks/extraction.py --encoder emotion2vec --clips 128 --repeats 3

The aim is a ratio of at most 1.1 on 1,000 clips. The encoder is `acoustic`, or Emotion2Vec+ of full size with random
weights, on clips that `corpus.py` makes; every repeat begins with an empty store. The second run of the same clips is
timed too: it computes nothing. `share_of_own_rate` is the other way to look at it: the time that the encoder alone takes
for the same clips, decoded and in memory, measured just before, over that from files to store.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from corpus import voice_like, write_corpus
from machine import RESULTS, describe_machine, write_json

from extractors import AcousticExtractor, Clip, EmbeddingStore, Emotion2vecExtractor, extract_to_store
from extractors.audio import load_audio
from extractors.emotion2vec.synthetic import write_random_checkpoint
from extractors.types import Extractor

log = logging.getLogger("benchmarks.extraction")

AIM = 1.1


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="default: results/extraction.json, or with the encoder's name")
    parser.add_argument("--encoder", choices=("acoustic", "emotion2vec"), default="acoustic")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    out = options.out or RESULTS / f"extraction{'' if options.encoder == 'acoustic' else '_emotion2vec'}.json"
    with tempfile.TemporaryDirectory() as folder:
        extractor: Extractor = AcousticExtractor()
        if options.encoder == "emotion2vec":
            extractor = Emotion2vecExtractor(str(write_random_checkpoint(Path(folder, "model"), size="large")))
        extractor.extract([voice_like(2.0, seed=1)])  # what the first call compiles is not extraction
        clips = [Clip(path.stem, audio=path) for path in write_corpus(Path(folder, "wav"), options.clips)]
        runs = [_measure(clips, extractor, Path(folder, f"store {i}")) for i in range(options.repeats)]
    ratio = statistics.median(run["ratio"] for run in runs)
    share = statistics.median(run["share_of_own_rate"] for run in runs)
    log.info("extract / encoder: median %.3f (aim: at most %.1f); share of its own rate %.3f", ratio, AIM, share)
    write_json(
        out,
        {
            "what": "time of extract_to_store over time inside the encoder, files on disk to store on disk",
            "command": f"python benchmarks/extraction.py --encoder {options.encoder} --clips {options.clips} "
            f"--repeats {options.repeats}",
            "machine": describe_machine(),
            "encoder": extractor.describe(),
            "clips": options.clips,
            "audio_seconds": runs[0]["audio_seconds"],
            "ratio": ratio,
            "share_of_own_rate": share,
            "aim": AIM,
            "runs": runs,
        },
    )


def _measure(clips: list[Clip], extractor: Extractor, folder: Path) -> dict[str, Any]:
    waves = [load_audio(clip.audio) for clip in clips]
    start = time.perf_counter()
    extractor.extract(waves)
    own = time.perf_counter() - start
    first = extract_to_store(clips, extractor, EmbeddingStore(folder))
    second = extract_to_store(clips, extractor, EmbeddingStore(folder))
    if (first.new, second.new, second.reused) != (len(clips), 0, len(clips)):
        raise RuntimeError(f"not what was to be measured: {first}; then {second}")
    log.info("%s\n%s", first, second)
    return {
        "seconds": round(first.seconds, 3),
        "encoder_seconds": round(first.encoder_seconds, 3),
        "own_seconds": round(own, 3),
        "share_of_own_rate": round(own / first.seconds, 4),
        "ratio": round(first.seconds / first.encoder_seconds, 4),
        "audio_seconds": round(first.audio_seconds, 1),
        "times_real_time": round(first.audio_seconds / first.seconds, 1),
        "second_run_seconds": round(second.seconds, 3),
    }


if __name__ == "__main__":
    main()
