"""An hour-long meeting end to end: how much time everything beside the speech encoder takes.

    python benchmarks/meeting.py [--minutes 60] [--repeats 1]

A recording is put together from the bundled sample's synthetic clips in the turns of two to four people, with a transcript
and minutes. It goes through `enrich`, `publish` and all outputs with Emotion2Vec+ of full size (random weights: time does
not depend on them), an empty store, and MiniLM for the minutes. Beyond the encoder is everything from reading the
transcript to the last file written, but not loading the models, which is told by itself. The aim is at most 10 % of the
encoder's time.
"""

from __future__ import annotations

import argparse
import csv
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from machine import RESULTS, describe_machine, write_json

from extractors import EmbeddingStore, Emotion2vecExtractor, SentenceTransformerExtractor
from extractors.emotion2vec.synthetic import write_random_checkpoint
from fusion.alerts import check_rules, load_rules
from fusion.meeting import Manners, enrich, named_purpose, publish, read_minutes, read_transcript, write_outputs
from fusion.meeting.estimators import ClassEstimator
from fusion.valence import load_valence

log = logging.getLogger("benchmarks.meeting")

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SAMPLE_RATE = 16_000  # Hz
AIM = 0.10
PEOPLE = ("us-f1", "us-m1", "rp-f3", "scot-m8")
STEPS = ("transcript", "enrich", "outputs")


def main() -> None:
    """Measure, log and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "meeting.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        encoder = Emotion2vecExtractor(str(write_random_checkpoint(folder / "model", size="large")))
        text = SentenceTransformerExtractor()
        loading = time.perf_counter() - began
        encoder.extract([np.zeros(SAMPLE_RATE, np.float32)])
        text.extract(["what the first call sets up is not the meeting"])
        utterances = make_meeting(folder, 60 * options.minutes)
        runs = [measure(folder, encoder, text, repeat) for repeat in range(options.repeats)]
    share = float(np.median([run["beyond_share"] for run in runs]))
    log.info("beyond the encoder: %.3f of its time (aim: at most %.2f)", share, AIM)
    write_json(
        options.out,
        {
            "what": "time of a whole meeting beside the speech encoder's, over the encoder's",
            "command": f"python benchmarks/meeting.py --minutes {options.minutes:g} --repeats {options.repeats}",
            "machine": describe_machine(),
            "encoder": encoder.describe(),
            "minutes": options.minutes,
            "utterances": utterances,
            "loading_seconds": round(loading, 2),
            "beyond_share": round(share, 4),
            "aim": AIM,
            "runs": runs,
        },
    )


def measure(folder: Path, encoder: Any, text: Any, repeat: int) -> dict[str, Any]:
    """One meeting, with an empty store."""
    inside = [0.0]
    extract = type(encoder).extract

    def timed(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return extract(encoder, *args, **options)
        finally:
            inside[0] += time.perf_counter() - began

    encoder.extract = timed
    estimator = ClassEstimator(encoder)
    valence = load_valence("emotion2vec", labels=estimator.labels)
    rules, _ = check_rules(load_rules("default"), estimator.labels, valence=valence)
    manners = Manners(named_purpose("research"), modality="speech", per_person=True, acknowledged=True)
    times = [time.perf_counter()]
    transcript, minutes = read_transcript(folder / "call.csv"), read_minutes(folder / "minutes.md")
    times.append(time.perf_counter())
    meeting = enrich(
        transcript,
        manners=manners,
        estimator=estimator,
        valence=valence,
        store=EmbeddingStore(folder / f"store {repeat}"),
        audio=folder / "call.flac",
        minutes=minutes,
        rules=rules,
        encoder=text,
    )
    times.append(time.perf_counter())
    write_outputs(publish(meeting), folder / f"out {repeat}")
    times.append(time.perf_counter())
    total = times[-1] - times[0]
    run = {
        "seconds": round(total, 2),
        "encoder_seconds": round(inside[0], 2),
        "beyond_seconds": round(total - inside[0], 2),
        "beyond_share": round((total - inside[0]) / inside[0], 4),
        **{f"{step}_seconds": round(b - a, 2) for step, a, b in zip(STEPS, times[:-1], times[1:], strict=True)},
        "alerts": len(meeting.alerts),
    }
    log.info("%s", run)
    return run


def make_meeting(folder: Path, seconds: float) -> int:
    """Write call.flac, call.csv and minutes.md of about so long; returns the number of utterances."""
    rng = np.random.default_rng(0)
    with (SAMPLES / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["speaker"] in PEOPLE]
    clips = {row["id"]: soundfile.read(SAMPLES / row["audio"], dtype="float32")[0] for row in rows}
    cues, said, at = [], [], 0.0
    with soundfile.SoundFile(folder / "call.flac", "w", SAMPLE_RATE, 1, "PCM_16") as out:
        while at < seconds:
            mine = [row for row in rows if row["speaker"] == PEOPLE[int(rng.integers(len(PEOPLE)))]]
            picked = [mine[int(i)] for i in rng.integers(len(mine), size=rng.integers(1, 5))]
            sound = np.concatenate([clips[row["id"]] for row in picked])
            pause = rng.exponential(0.4)
            words = " ".join(row["text"] for row in picked)
            cues.append((round(at, 3), round(at + len(sound) / SAMPLE_RATE, 3), picked[0]["speaker"], words))
            said.append(picked[0]["text"])
            silence = 1e-4 * rng.standard_normal(int(pause * SAMPLE_RATE)).astype(np.float32)
            out.write(np.concatenate([sound, silence]))
            at += (len(sound) + len(silence)) / SAMPLE_RATE
    with (folder / "call.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("start", "end", "speaker", "text"), *cues])
    bullets = [f"- {said[int(i)]}" for i in np.linspace(0, len(said) - 1, 30)]
    (folder / "minutes.md").write_text("# Minutes\n\n## Discussion\n\n" + "\n".join(bullets) + "\n", encoding="utf-8")
    return len(cues)


if __name__ == "__main__":
    main()
