"""The layout of the Emotion2Vec+ WebUI: a folder `outputs_YYYYMMDD_HHMMSS` for each clip."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from extractors.audio import SAMPLE_RATE, load_audio
from extractors.errors import InputError
from extractors.export.publish import names_in, new_entries, refuse_existing
from extractors.export.stored import StoredClip, StoredClips
from extractors.types import Clip, Float32, Modality

FOLDER = "outputs_%Y%m%d_%H%M%S"
AUDIO, RESULT, EMBEDDING = "processed_audio.wav", "result.json", "embedding.npy"


class WebUIExport:
    """`outputs_YYYYMMDD_HHMMSS/{processed_audio.wav, result.json, embedding.npy}`, one such folder for each clip.

    The WebUI writes one clip at a time and names its folder by the second. Here the last clip has the second of the
    export and each clip before it the next earlier one that is free: in the order of the names, the clips are in the
    order of the manifest; no folder is ever used twice, and none is named after a time to come, which the WebUI could
    then hit. A folder's name is therefore only a name; `timestamp` in result.json says when it was written.

    result.json    : the WebUI's `emotion, confidence, scores, granularity, timestamp`, and besides `key` (the clip's id),
                     `labels`, `seconds`, `start`, `end`, `frames`, `dim`, `frame_rate`, `model`, `fingerprint`. Of a
                     model that does not classify, emotion and confidence are null and scores empty.
    embedding.npy  : (dim,) float32, or (frames, dim) at frame granularity
    processed_audio.wav : what the encoder heard, 16 kHz mono, with the gain and without the silence that it was told to
                     change; rounded to 16 bit, exact where the source was 16 kHz PCM16 and nothing was changed
    """

    modality: Modality = "speech"

    def __init__(self, *, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()

    def check(self, clips: Sequence[Clip]) -> None:
        """Names are chosen so that they are free; only a file where the folder should be is in the way."""
        refuse_existing(self.path, [])

    def write(self, stored: StoredClips) -> Path:
        """All folders, or none. Returns the folder that they are in."""
        if stored.extractor.modality != "speech":
            raise InputError("export=webui: the WebUI has no place for text vectors", hint="Use export=parquet.")
        self.check(stored.clips)
        now = datetime.now()
        names = free_names(names_in(self.path), len(stored), now)
        described = stored.describe()
        prepared = preparation(described["extractor"])
        with new_entries(self.path) as aside:
            for name, row in zip(names, stored, strict=True):
                assert row.clip.audio is not None  # it has a speech embedding
                samples = prepared(load_audio(row.clip.audio, row.clip.start, row.clip.end))
                folder = aside / name
                folder.mkdir()
                soundfile.write(folder / AUDIO, pcm16(samples), SAMPLE_RATE, subtype="PCM_16")
                np.save(folder / EMBEDDING, np.asarray(row.array, np.float32))
                result = _result(row, described, now, len(samples) / SAMPLE_RATE)
                text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
                (folder / RESULT).write_text(text, encoding="utf-8")
        return self.path


def free_names(taken: set[str], number: int, last: datetime) -> list[str]:
    """`number` folder names that are not `taken`, in order, the last one at or before the second `last`.

    >>> free_names({"outputs_20240104_222959"}, 2, datetime(2024, 1, 4, 22, 30))
    ['outputs_20240104_222958', 'outputs_20240104_223000']
    """
    found: list[str] = []
    seconds = (last - timedelta(seconds=back) for back in count())
    while len(found) < number:
        if (name := next(seconds).strftime(FOLDER)) not in taken:
            found.append(name)
    return found[::-1]


def preparation(extractor: Mapping[str, Any]) -> Callable[[Float32], Float32]:
    """What an extractor that describes itself so does to a decoded clip, (samples,) -> (samples,), before it encodes."""
    if not extractor.get("conditioning"):
        return lambda samples: samples
    from extractors.conditioning import Conditioning

    conditioning = Conditioning(
        loudness=extractor.get("loudness"), trim_silence=bool(extractor.get("trim_silence", False))
    )
    return lambda samples: conditioning.plan(samples).apply(samples)


def pcm16(samples: Float32) -> np.ndarray[Any, np.dtype[np.int16]]:
    """[-1, 1] float -> int16 such that 16-bit audio comes back bit by bit.

    (libsndfile reads PCM16 as n / 32768 but writes x · 32767.)

    >>> pcm16(np.array([-1, -0.5, 1 / 32768, 1], np.float32)).tolist()
    [-32768, -16384, 1, 32767]
    """
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)


def _result(row: StoredClip, described: dict[str, Any], now: datetime, seconds: float) -> dict[str, Any]:
    scores = {} if row.scores is None else dict(zip(described["labels"], map(float, row.scores), strict=True))
    best = max(scores, key=scores.__getitem__) if scores else None
    return {
        "emotion": best,
        "confidence": None if best is None else scores[best],
        "scores": scores,
        "granularity": described["granularity"],
        "timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
        "key": row.clip.id,
        "labels": list(scores),
        "seconds": seconds,
        "start": row.clip.start,
        "end": row.clip.end,
        "frames": None if row.frames is None else len(row.frames),
        **{name: described[name] for name in ("dim", "frame_rate", "model", "fingerprint")},
    }
