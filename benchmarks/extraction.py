"""How much time extraction adds to the encoder's own: files -> store, over the time inside `extractor.extract`.

    python benchmarks/extraction.py [--clips 1000] [--repeats 3]

The aim is a ratio of at most 1.1 on 1,000 clips. The encoder is `acoustic`, on clips that `corpus.py` makes; every
repeat begins with an empty store. The second run of the same clips is timed too: it computes nothing.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
from pathlib import Path
from typing import Any

from corpus import voice_like, write_corpus
from machine import RESULTS, describe_machine, write_json

from extractors import AcousticExtractor, Clip, EmbeddingStore, extract_to_store

log = logging.getLogger("benchmarks.extraction")

AIM = 1.1


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "extraction.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    extractor = AcousticExtractor()
    extractor.extract([voice_like(2.0, seed=1)])  # what the first call compiles is not extraction
    with tempfile.TemporaryDirectory() as folder:
        clips = [Clip(path.stem, audio=path) for path in write_corpus(Path(folder, "wav"), options.clips)]
        runs = [_measure(clips, extractor, Path(folder, f"store {i}")) for i in range(options.repeats)]
    ratio = statistics.median(run["ratio"] for run in runs)
    log.info("extract / encoder: median %.3f (aim: at most %.1f)", ratio, AIM)
    write_json(
        options.out,
        {
            "what": "time of extract_to_store over time inside the encoder, files on disk to store on disk",
            "command": f"python benchmarks/extraction.py --clips {options.clips} --repeats {options.repeats}",
            "machine": describe_machine(),
            "encoder": extractor.describe(),
            "clips": options.clips,
            "audio_seconds": runs[0]["audio_seconds"],
            "ratio": ratio,
            "aim": AIM,
            "runs": runs,
        },
    )


def _measure(clips: list[Clip], extractor: AcousticExtractor, folder: Path) -> dict[str, Any]:
    first = extract_to_store(clips, extractor, EmbeddingStore(folder))
    second = extract_to_store(clips, extractor, EmbeddingStore(folder))
    if (first.new, second.new, second.reused) != (len(clips), 0, len(clips)):
        raise RuntimeError(f"not what was to be measured: {first}; then {second}")
    log.info("%s\n%s", first, second)
    return {
        "seconds": round(first.seconds, 3),
        "encoder_seconds": round(first.encoder_seconds, 3),
        "ratio": round(first.seconds / first.encoder_seconds, 4),
        "audio_seconds": round(first.audio_seconds, 1),
        "times_real_time": round(first.audio_seconds / first.seconds, 1),
        "second_run_seconds": round(second.seconds, 3),
    }


if __name__ == "__main__":
    main()
