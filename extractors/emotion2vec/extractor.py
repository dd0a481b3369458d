"""Emotion2Vec+ as an extractor: clips of any length in, vectors, 50 Hz frames and class scores out."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from extractors.audio import HOP, RESAMPLER, SAMPLE_RATE
from extractors.conditioning import Conditioning, conditioning_problems
from extractors.emotion2vec.encoder import PackedEncoder, Precision
from extractors.emotion2vec.inputs import as_list, read_clips
from extractors.emotion2vec.labels import ClassHead, smooth_frames
from extractors.emotion2vec.load import load_model
from extractors.emotion2vec.packing import count_frames
from extractors.emotion2vec.pooling import Pool, Window
from extractors.emotion2vec.resolve import resolve_model
from extractors.emotion2vec.windows import CUTS, SHORTEST_LIMIT, Cut, cut_windows
from extractors.errors import EmofuseError, InputError
from extractors.fingerprint import fingerprint
from extractors.types import Embedding, Float32, Modality
from extractors.vad import speech_detector

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
    precision : "float32" equals FunASR's `generate` to 1e-4; faster are "bfloat16" (CUDA, and CPUs with AVX512-BF16 or
        AMX), "float16" (CUDA) and "int8" (CPU)
    window_seconds : clips longer than this are cut in windows, whose frames are laid end to end; at least 1
    window : where they are cut, "quietest" (near the limit), "vad" (in the longest pause between stretches of speech that
        Silero VAD finds, with the extra `vad`) or "fixed" (equal lengths)
    layer : the transformer block whose output is wanted instead of the last one's, 0 … num_layers - 1, or -1 … from the
        end; the blocks after it are not run. Only the last layer has scores
    loudness, trim_silence : see `extractors.conditioning.Conditioning`. The model sets every clip to variance 1 itself,
        with 1e-5 added to it: loudness matters only for clips below about -40 dB of full scale (at -50 dB, by 3 dB)
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
        layer: int | None = None,
        loudness: float | None = None,
        trim_silence: bool = False,
        offline: bool | None = None,
        max_tokens: int | Literal["auto"] = "auto",
    ) -> None:
        problems = conditioning_problems(loudness, trim_silence)
        self.device = _check_settings(device, precision, window_seconds, window, layer, problems)
        self.conditioning = Conditioning(loudness=loudness, trim_silence=trim_silence)
        self._detector = speech_detector() if window == "vad" else None
        self.precision, self.window_seconds, self.window = precision, float(window_seconds), window
        self.folder = resolve_model(model, offline=offline)
        loaded = load_model(self.folder.path)
        log.info("Emotion2Vec+ %s from %s (%s)", self.folder.model_id, self.folder.source, self.folder.path)
        self.weights, self._config_hash = loaded.weights, loaded.config_hash
        self.encoder = PackedEncoder(loaded.module, device=self.device, precision=precision, max_tokens=max_tokens)
        self.layer = _layer(layer, self.encoder.num_layers)
        classifies = loaded.tokens and self.layer is None
        self.head = ClassHead(loaded.module.proj, loaded.tokens) if classifies else None  # type: ignore[arg-type]
        # the encoder has the weights in its own layout; FunASR's module is a cycle that would hold them until some
        # garbage collection, so it is emptied
        loaded.module.to("meta")
        self.weights.digest.start()  # only now: beside the laying out it would slow it

    @property
    def name(self) -> str:
        return self.folder.model_id.rpartition("/")[2]

    @property
    def dim(self) -> int:
        return self.encoder.dim

    @property
    def labels(self) -> tuple[str, ...]:
        """English names of the classes, in the order of `Embedding.scores`; empty where there are no scores."""
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
        settings = {
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
        # what is off leaves no trace: vectors that were stored before it existed stay valid
        if self.layer is not None:
            settings["layer"] = self.layer
        if self._detector is not None:
            settings["vad"] = self._detector.settings()
        return settings | self.conditioning.settings()

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
        self, clips: Iterable[Any], *, granularity: Granularity = "utterance", frames: bool = False
    ) -> list[Embedding]:
        """Embeddings of the clips, in the order given.

        clips : (samples,) float32 mono 16 kHz arrays in [-1, 1], or paths of audio files, mixed as you like
        granularity : "frame" is the same as `frames=True`: `.frames (frames, dim)` beside the vector; frame i is at
            `.start` + i · 20 ms of the whole clip, whatever its length. `.start` is 0 without `trim_silence`

        `.vector (dim,)` is the mean over the clip's frames and `.scores (classes,)` the model's softmax of it.
        Raises ClipsError (an InputError with `.reasons` by position) when a clip is unreadable, too short,
        not finite, of the wrong kind, or silent where silence is trimmed; InputError for an unknown granularity.
        """
        if granularity not in get_args(Granularity):
            raise InputError(f"unknown granularity: {granularity!r}", hint="Known: utterance, frame.")
        keep = frames or granularity == "frame"
        clips = as_list(clips)
        pools: dict[int, Pool] = {}
        done: dict[int, Embedding] = {}
        layers = None if self.layer is None else [self.layer]
        mean = not keep and self.encoder.device.type == "cuda"  # a hundred times less to copy than frames
        with self.weights.digest.paused():
            for group in self._groups(clips, pools):
                waves = [window.wave for window in group]
                for position, found in self.encoder.stream(waves, layers=layers, pool=mean):
                    clip, number, wave = group[position]
                    found = found if layers is None else found[0]
                    if mean:
                        pools[clip].add_mean(found, count_frames(len(wave)))
                    else:
                        pools[clip].add(number, found, keep=keep)
                    if pools[clip].whole:
                        done[clip] = self._embedding(clip, pools.pop(clip))
        return [done[clip] for clip in range(len(clips))]

    def frame_scores(self, frames: Float32, *, smooth: float | None = None) -> Float32:
        """Class scores of single frames, by the model's own head, (frames, dim) -> (frames, classes) float32.

        smooth : seconds of a centred moving average over the scores, rounded up to an odd number of frames; at the ends, over
            what there is; rows still sum to one. The head was trained on means over utterances: scores of single 20 ms
            frames jump, and a second or so of smoothing makes them readable.
        """
        if self.head is None:
            why = "has no class head" if self.layer is None else f"scores its last layer only, not layer {self.layer}"
            raise InputError(f"{self.name} {why}, so there are no scores")
        if frames.ndim != 2 or frames.shape[1] != self.dim:
            raise InputError(f"expected frames of shape (frames, {self.dim}), got {frames.shape}")
        if smooth is not None and not 0 <= smooth < math.inf:
            raise InputError(f"smooth: expected seconds from 0, got {smooth!r}")
        scores = self.head(np.asarray(frames, np.float32))
        return scores if smooth is None else smooth_frames(scores, round(smooth * FRAME_RATE))

    def _groups(self, clips: Sequence[Any], pools: dict[int, Pool]) -> Iterator[list[Window]]:
        """Windows of the clips, a few packs at a time; `pools` gets a place for each clip that begins."""
        limit = round(self.window_seconds * SAMPLE_RATE)
        room = _GROUP_PACKS * self.encoder.max_tokens * HOP  # samples
        find_speech = None if self._detector is None else self._detector.speech
        group: list[Window] = []
        held = 0
        for clip, wave, trimmed in read_clips(clips, self.conditioning):
            spans = cut_windows(wave, limit=limit, cut=self.window, find_speech=find_speech)
            pools[clip] = Pool(windows=len(spans), start=trimmed / SAMPLE_RATE)
            for number, (start, stop) in enumerate(spans):
                group.append(Window(clip, number, wave[start:stop]))
                held += stop - start
                if held >= room:
                    yield group
                    group, held = [], 0
        if group:
            yield group

    def _embedding(self, clip: int, pool: Pool) -> Embedding:
        vector = pool.vector()
        if not np.isfinite(vector).all():
            raise EmofuseError(f"clip {clip}: the encoder gave values that are not finite (precision={self.precision})")
        scores = self.head(vector[None])[0] if self.head else None
        return Embedding(vector=vector, frames=pool.stitched(), scores=scores, labels=self.labels, start=pool.start)


def _check_settings(
    device: str, precision: str, window_seconds: float, window: str, layer: Any, problems: list[str]
) -> str:
    """All that is wrong with the settings, and `problems` found before, before anything heavy loads. Returns the device."""
    cuda = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if cuda else "cpu"
    if device.partition(":")[0] not in ("cpu", "cuda"):
        problems.append(f"device: expected auto, cpu, cuda or cuda:N, got {device!r}")
    elif device.startswith("cuda") and not cuda:
        problems.append(f"device: {device} was asked for, and torch {torch.__version__} sees no CUDA device; use cpu")
    if precision not in get_args(Precision):
        problems.append(f"precision: expected one of {', '.join(get_args(Precision))}, got {precision!r}")
    if not SHORTEST_LIMIT <= window_seconds < math.inf:
        problems.append(f"window_seconds: expected {SHORTEST_LIMIT:g} or more, got {window_seconds!r}")
    if window not in CUTS:
        problems.append(f"window: expected one of {', '.join(CUTS)}, got {window!r}")
    if layer is not None and (not isinstance(layer, int) or isinstance(layer, bool)):
        problems.append(f"layer: expected null or the number of a layer, got {layer!r}")
    if problems:
        raise InputError("the speech encoder cannot be set up like this", problems)
    return device


def _layer(layer: int | None, layers: int) -> int | None:
    """The number of a hidden layer; None for the last, however it was named."""
    if layer is None:
        return None
    if not -layers <= layer < layers:
        raise InputError(f"layer: the model has layers 0 to {layers - 1}, or -1 from the end, got {layer}")
    return None if layer % layers == layers - 1 else layer % layers
