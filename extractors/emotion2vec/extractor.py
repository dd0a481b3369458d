"""Emotion2Vec+ as an extractor: clips of any length in, vectors, 50 Hz frames and class scores out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch

from extractors.audio import HOP, RESAMPLER, SAMPLE_RATE
from extractors.emotion2vec.encoder import PackedEncoder, Precision
from extractors.emotion2vec.inputs import read_clips
from extractors.emotion2vec.labels import ClassHead, smooth_frames
from extractors.emotion2vec.load import load_model
from extractors.emotion2vec.resolve import resolve_model
from extractors.emotion2vec.windows import CUTS, SHORTEST_LIMIT, Cut, cut_windows
from extractors.errors import EmofuseError, InputError
from extractors.fingerprint import fingerprint
from extractors.types import Embedding, Float32, Modality

log = logging.getLogger(__name__)

CODE_VERSION = 1  # goes up when a change here or in the encoder changes the numbers: stored vectors are then not reused
FRAME_RATE = SAMPLE_RATE / HOP  # Hz, 50
LICENCE = "FunASR Model Open Source License"  # of the published models; not Emofuse's own

Granularity = Literal["utterance", "frame"]

_GROUP_PACKS = 8  # packs of clips that wait together, so that long and short ones share packs well


class Emotion2vecExtractor:
    """Emotion2Vec+ (Ma et al., "emotion2vec: Self-Supervised Pre-Training for Speech Emotion Representation",
    Findings of ACL 2024) on FunASR's weights and module, batched exactly: what shares a batch changes nothing.

    model : a folder, a hub id or its short name, see `extractors.emotion2vec.resolve.resolve_model`
    device : "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1"
    precision : "float32" equals FunASR's `generate` to 1e-4; "bfloat16", "float16" (CUDA) and "int8" (CPU) are faster
    window_seconds : clips longer than this are cut in windows, whose frames are laid end to end; at least 1
    window : where they are cut, "quietest" (near the limit) or "fixed" (equal lengths)
    offline : True, or None with EMOFUSE_OFFLINE or HF_HUB_OFFLINE set: reach for nothing beyond this machine
    max_tokens : frames that run at once; memory depends on it and on nothing else; "auto" finds it

    The models carry FunASR's own model licence, which asks for attribution and for keeping the model's name: read it
    before you use or pass on a model. Scores are guesses about expression in a voice, not about what a person feels.

    >>> import tempfile
    >>> from extractors.emotion2vec.synthetic import write_random_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     extractor = Emotion2vecExtractor(write_random_checkpoint(folder), device="cpu")
    ...     clip, = extractor.extract([np.zeros(16_000, np.float32)], granularity="frame")
    >>> clip.vector.shape, clip.frames.shape, clip.scores.shape, clip.labels[:3]
    ((64,), (49, 64), (9,), ('angry', 'disgusted', 'fearful'))
    """

    modality: Modality = "speech"
    frame_rate: float | None = FRAME_RATE

    def __init__(
        self,
        model: str | Path = "iic/emotion2vec_plus_large",
        *,
        device: str = "auto",
        precision: Precision = "float32",
        window_seconds: float = 30.0,
        window: Cut = "quietest",
        offline: bool | None = None,
        max_tokens: int | Literal["auto"] = "auto",
    ) -> None:
        self.device = _check_settings(device, precision, window_seconds, window)
        self.precision, self.window_seconds, self.window = precision, float(window_seconds), window
        self.folder = resolve_model(model, offline=offline)
        loaded = load_model(self.folder.path)
        log.info("Emotion2Vec+ %s from %s (%s)", self.folder.model_id, self.folder.source, self.folder.path)
        self.weights, self._config_hash = loaded.weights, loaded.config_hash
        self.encoder = PackedEncoder(loaded.module, device=self.device, precision=precision, max_tokens=max_tokens)
        self.head = ClassHead(loaded.module.proj, loaded.tokens) if loaded.tokens else None  # type: ignore[arg-type]
        # the encoder has the weights in its own layout; FunASR's module is a cycle that would hold them until some
        # garbage collection, so it is emptied
        loaded.module.to("meta")

    @property
    def name(self) -> str:
        return self.folder.model_id.rpartition("/")[2]

    @property
    def dim(self) -> int:
        return self.encoder.dim

    @property
    def labels(self) -> tuple[str, ...]:
        """English names of the classes, in the order of `Embedding.scores`; empty for a model that does not classify."""
        return self.head.labels if self.head else ()

    @property
    def tokens(self) -> tuple[str, ...]:
        """The same classes as the model's own `tokens.txt` names them."""
        return self.head.tokens if self.head else ()

    @property
    def fingerprint(self) -> str:
        """Digest of all that changes the numbers. The weights stand for the model: its name and place do not count,
        so a copy in a folder and the hub's own make the same vectors under the same key."""
        return fingerprint(self._settings())

    def _settings(self) -> dict[str, Any]:
        return {
            "extractor": "emotion2vec",
            "code_version": CODE_VERSION,
            "weight_hash": self.weights.hash,
            "config_hash": self._config_hash,
            "precision": self.precision,
            "window_seconds": self.window_seconds,
            "window": self.window,
            "sample_rate": SAMPLE_RATE,
            "resampler": RESAMPLER,
        }

    def describe(self) -> dict[str, Any]:
        """What the fingerprint covers and what a reader wants to know, JSON-able."""
        return {
            "name": self.name,
            "modality": self.modality,
            "dim": self.dim,
            "frame_rate": self.frame_rate,
            "model_id": self.folder.model_id,
            "source": self.folder.source,
            "licence": LICENCE,
            "labels": list(self.labels),
            "tokens": list(self.tokens),
            "tensors_loaded": self.weights.loaded,
            **self._settings(),
        }

    def extract(
        self, clips: Sequence[Any], *, granularity: Granularity = "utterance", frames: bool = False
    ) -> list[Embedding]:
        """Embeddings of the clips, in the order given.

        clips : (samples,) float32 mono 16 kHz arrays in [-1, 1], or paths of audio files, mixed as you like
        granularity : "frame" is the same as `frames=True`: `.frames (frames, dim)` beside the vector; frame i is at
            i · 20 ms of the whole clip, whatever its length

        `.vector (dim,)` is the mean over the clip's frames and `.scores (classes,)` the model's softmax of it.
        Raises ClipsError (an InputError with `.reasons` by position) when a clip is unreadable, too short,
        not finite or of the wrong kind, InputError for an unknown granularity.
        """
        if granularity not in get_args(Granularity):
            raise InputError(f"unknown granularity: {granularity!r}", hint="Known: utterance, frame.")
        keep = frames or granularity == "frame"
        pools: dict[int, _Pool] = {}
        done: dict[int, Embedding] = {}
        for group in self._groups(clips, pools):
            for position, found in self.encoder.stream([wave for *_, wave in group]):
                clip, number, _ = group[position]
                pools[clip].add(number, found, keep=keep)
                if pools[clip].whole:
                    done[clip] = self._embedding(clip, pools.pop(clip))
        return [done[clip] for clip in range(len(clips))]

    def frame_scores(self, frames: Float32, *, smooth: float | None = None) -> Float32:
        """Class scores of single frames, by the model's own head, (frames, dim) -> (frames, classes) float32.

        smooth : seconds of a centred moving average over the scores; rows still sum to one. The head was trained on means over
            utterances: scores of single 20 ms frames jump, and a second or so of smoothing makes them readable.
        """
        if self.head is None:
            raise InputError(f"{self.name} has no class head, so it has no scores")
        if frames.ndim != 2 or frames.shape[1] != self.dim:
            raise InputError(f"expected frames of shape (frames, {self.dim}), got {frames.shape}")
        scores = self.head(np.asarray(frames, np.float32))
        return scores if smooth is None else smooth_frames(scores, round(smooth * FRAME_RATE))

    def _groups(self, clips: Sequence[Any], pools: dict[int, _Pool]) -> Iterator[list[_Window]]:
        """Windows of the clips, a few packs at a time; `pools` gets a place for each clip that begins."""
        limit = round(self.window_seconds * SAMPLE_RATE)
        room = _GROUP_PACKS * self.encoder.max_tokens * HOP  # samples
        group: list[_Window] = []
        held = 0
        for clip, wave in read_clips(clips):
            spans = cut_windows(wave, limit=limit, cut=self.window)
            pools[clip] = _Pool(windows=len(spans))
            for number, (start, stop) in enumerate(spans):
                group.append(_Window(clip, number, wave[start:stop]))
                held += stop - start
                if held >= room:
                    yield group
                    group, held = [], 0
        if group:
            yield group

    def _embedding(self, clip: int, pool: _Pool) -> Embedding:
        vector = (pool.total / pool.frames).astype(np.float32)
        if not np.isfinite(vector).all():
            raise EmofuseError(f"clip {clip}: the encoder gave values that are not finite (precision={self.precision})")
        frames = np.concatenate([pool.kept[number] for number in range(pool.windows)]) if pool.kept else None
        scores = self.head(vector[None])[0] if self.head else None
        return Embedding(vector=vector, frames=frames, scores=scores, labels=self.labels)


class _Window(NamedTuple):
    clip: int
    number: int
    wave: Float32


@dataclass
class _Pool:
    """The sum of a clip's frames, window by window, and the frames themselves where they are wanted."""

    windows: int
    seen: int = 0
    frames: int = 0
    total: Any = 0.0  # (dim,) float64
    kept: dict[int, Float32] = field(default_factory=dict)

    def add(self, number: int, found: torch.Tensor, *, keep: bool) -> None:
        self.seen += 1
        self.frames += found.shape[0]
        self.total = self.total + found.sum(dim=0, dtype=torch.float64).numpy()
        if keep:
            self.kept[number] = found.numpy()

    @property
    def whole(self) -> bool:
        return self.seen == self.windows


def _check_settings(device: str, precision: str, window_seconds: float, window: str) -> str:
    """All that is wrong with the settings, before anything heavy loads. Returns the device to use."""
    problems = []
    cuda = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if cuda else "cpu"
    if device.partition(":")[0] not in ("cpu", "cuda"):
        problems.append(f"device: expected auto, cpu, cuda or cuda:N, got {device!r}")
    elif device.startswith("cuda") and not cuda:
        problems.append(f"device: {device} was asked for, and torch {torch.__version__} sees no CUDA device; use cpu")
    if precision not in get_args(Precision):
        problems.append(f"precision: expected one of {', '.join(get_args(Precision))}, got {precision!r}")
    if not SHORTEST_LIMIT <= window_seconds < float("inf"):
        problems.append(f"window_seconds: expected {SHORTEST_LIMIT:g} or more, got {window_seconds!r}")
    if window not in CUTS:
        problems.append(f"window: expected one of {', '.join(CUTS)}, got {window!r}")
    if problems:
        raise InputError("the speech encoder cannot be set up like this", problems)
    return device
