"""Are changes found where they are? Clips of one speaker laid end to end, the label changing at known times.

    python benchmarks/trajectory.py

EmoDB and RAVDESS (`EMOFUSE_DATA`): recordings of six stretches of two or three clips of one label and one speaker each, by
`speech=acoustic`, that knows no labels; beside them the same speaker's clips of one label only, in which every change found
is one too many; and changes at random times, as many as were found, for chance. The length of windows and the penalty were
chosen on EmoDB with other draws (seed 0 there, 100 here); RAVDESS had no part in it.
Cost: an hour of samples laid end to end, with the same encoder, peak memory and seconds of each part.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from machine import RESULTS, describe_machine, write_json

from extractors.acoustic import AcousticExtractor
from extractors.audio import SAMPLE_RATE, load_audio
from fusion.explore.trajectory import Search, trajectory

REPOSITORY = Path(__file__).resolve().parents[1]
STRETCHES, PER_SPEAKER, SEED = 6, 2, 100
WITHIN = 1.0  # s
PENALTIES = (0.5, 1.0, 1.5)


def concatenated(clips: pd.DataFrame, folder: Path, random: np.random.Generator) -> tuple[np.ndarray, list[float]]:
    """(samples,) of one speaker, and the seconds at which the label changes."""
    waves, edges, before, samples = [], [], None, 0
    for stretch in range(STRETCHES):
        before = random.choice([label for label in clips.label.unique() if label != before])
        own = clips[clips.label == before]
        if stretch:
            edges.append(samples / SAMPLE_RATE)
        for path in random.permutation(own.audio.to_numpy())[: random.integers(2, 4)]:
            waves.append(load_audio(folder / path))
            samples += len(waves[-1])
    return np.concatenate(waves), edges


def one_label(clips: pd.DataFrame, folder: Path, random: np.random.Generator) -> list[np.ndarray]:
    found = []
    for _, own in clips.groupby("label"):
        if len(own) >= 6:
            paths = random.permutation(own.audio.to_numpy())[:10]
            found.append(np.concatenate([load_audio(folder / path) for path in paths]))
    return found


def measure(folder: Path, search: Search, speakers: int) -> dict[str, Any]:
    table = pd.read_csv(folder / "manifest.csv")
    random = np.random.default_rng(SEED)
    encoder = AcousticExtractor()
    distances: list[float] = []
    correct = found_in_all = chance = recordings = extra = 0
    minutes = 0.0
    for speaker in sorted(table.speaker.unique())[:speakers]:
        clips = table[table.speaker == speaker]
        for _ in range(PER_SPEAKER):
            wave, edges = concatenated(clips, folder, random)
            times = np.array([change.time_s for change in trajectory(wave, encoder, changes=search).changes])
            recordings, found_in_all = recordings + 1, found_in_all + len(times)
            guessed = random.uniform(0, len(wave) / SAMPLE_RATE, len(times))
            for edge in edges:
                distances.append(float(np.abs(times - edge).min()) if len(times) else np.inf)
                chance += bool(len(guessed)) and float(np.abs(guessed - edge).min()) <= WITHIN
            correct += sum(float(np.abs(np.array(edges) - one).min()) <= WITHIN for one in times)
        for wave in one_label(clips, folder, random):
            extra += len(trajectory(wave, encoder, changes=search).changes)
            minutes += len(wave) / SAMPLE_RATE / 60
    return {
        "recordings": recordings,
        "true_changes": len(distances),
        "found": found_in_all,
        "recall_within_1s": round(float(np.mean(np.array(distances) <= WITHIN)), 3),
        "precision_within_1s": round(correct / max(1, found_in_all), 3),
        "median_distance_s": round(float(np.median(distances)), 3),
        "recall_of_random_times": round(chance / len(distances), 3),
        "one_label_minutes": round(minutes, 1),
        "one_label_changes_per_minute": round(extra / minutes, 2),
    }


def cost(seconds: float) -> dict[str, Any]:
    """An hour from samples/: time and peak memory of all of it."""
    clips = [load_audio(path) for path in sorted((REPOSITORY / "samples" / "audio").glob("us-*.flac"))]
    once = np.concatenate(clips)
    many = int(np.ceil(seconds * SAMPLE_RATE / len(once)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.flac")
        with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
            for _ in range(many):
                file.write(once)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.perf_counter()
        found = trajectory(path, AcousticExtractor())
        built = time.perf_counter() - begin
        begin = time.perf_counter()
        files = found.write(Path(folder, "out"))
        written = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "audio_s": round(found.seconds, 1),
            "seconds": round(built, 1),
            "writing_s": round(written, 1),
            "peak_mib": round(peak / 1024),
            "peak_before_mib": round(before / 1024),
            "page_mib": round(next(f for f in files if f.suffix == ".html").stat().st_size / 2**20, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--long", type=float, default=3600.0, help="seconds of the long recording; 0 for none")
    parser.add_argument("--speakers", type=int, default=10)
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": describe_machine(("numpy", "librosa", "ruptures", "scikit-learn"))}
    if options.long:
        results["cost"] = cost(options.long)
        print(results["cost"], flush=True)  # noqa: T201
    for corpus in ("emodb", "ravdess"):
        if not (options.data / corpus / "manifest.csv").is_file():
            continue
        results[corpus] = {}
        for penalty in PENALTIES:
            results[corpus][f"penalty {penalty:g}"] = measure(
                options.data / corpus, Search(penalty=penalty), options.speakers
            )
            print(corpus, penalty, results[corpus][f"penalty {penalty:g}"], flush=True)  # noqa: T201
    write_json(RESULTS / "trajectory.json", results)


if __name__ == "__main__":
    main()
