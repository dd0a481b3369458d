"""Where in a clip someone speaks: Silero VAD, from the extra `vad`.

The package ships its network as TorchScript that hears 32 ms a call, about 70 times as fast as real time. Here the
weights are taken from that file and run in blocks of 8 s, at about 600 times: the same probabilities to 1e-5.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from extractors.audio import SAMPLE_RATE
from extractors.emotion2vec.quiet import undisturbed
from extractors.errors import MissingExtraError
from extractors.types import Float32

CHUNK = 512  # samples, 32 ms, that get one probability
CONTEXT = 64  # samples before them that the network hears too
BLOCK = 256  # chunks at a time, 8 s

THRESHOLD = 0.5  # probability from which on it is speech; it ends below 0.35, as Silero has it
SHORTEST_SPEECH = 100  # ms; a "no" is speech, a click is not
SHORTEST_SILENCE = 100  # ms; less does not part two stretches of speech

_NEEDED = "silero-vad 6.2.3 or newer"  # the first that does not ask for torchaudio
_STRIDES = (1, 2, 2, 1)  # of the four convolutions
_PARTS = ("encoder.0.reparam_conv", "encoder.1.reparam_conv", "encoder.2.reparam_conv", "encoder.3.reparam_conv")


class SpeechDetector:
    """Silero VAD (Silero Team, 2024; MIT). Has no state: threads may share one.

    Raises MissingExtraError where the package is missing or too old.
    """

    def __init__(self) -> None:
        spec = find_spec("silero_vad")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(_NEEDED, extra="vad")
        path = Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.jit"
        self._spans = _state_machine()
        self.weight_hash = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        with warnings.catch_warnings(action="ignore"):  # TorchScript is deprecated; only its tensors are wanted
            weights = torch.jit.load(path, map_location="cpu").state_dict()
        self._network = _Network({name.removeprefix("_model."): value for name, value in weights.items()})

    def settings(self) -> dict[str, Any]:
        """All that decides where speech is found, for fingerprints."""
        return {
            "model": "silero-vad",
            "weight_hash": self.weight_hash,
            "threshold": THRESHOLD,
            "shortest_speech_ms": SHORTEST_SPEECH,
            "shortest_silence_ms": SHORTEST_SILENCE,
        }

    def probabilities(self, wave: Float32, *, gain: float = 1.0) -> Float32:
        """Probability of speech in each 32 ms of `gain` times a mono clip (samples,) at 16 kHz: (chunks,) float32."""
        return self._network.probabilities(torch.from_numpy(wave), gain).numpy()

    def speech(self, wave: Float32, *, gain: float = 1.0) -> list[tuple[int, int]]:
        """(start, stop) samples of the stretches of speech, in order, without margins; empty where there is none."""
        found = self._spans(
            self.probabilities(wave, gain=gain).tolist(),
            sampling_rate=SAMPLE_RATE,
            threshold=THRESHOLD,
            min_speech_duration_ms=SHORTEST_SPEECH,
            min_silence_duration_ms=SHORTEST_SILENCE,
            speech_pad_ms=0,
            audio_length_samples=len(wave),
        )
        return [(span["start"], span["end"]) for span in found]


@cache
def speech_detector() -> SpeechDetector:
    """The one detector of this process: 2 MB, read once."""
    return SpeechDetector()


def _state_machine() -> Callable[..., list[dict[str, int]]]:
    """Silero's own way from probabilities to stretches of speech."""
    try:
        with undisturbed():  # `import silero_vad` sets the process to one thread
            from silero_vad import get_speech_timestamps_from_probs
    except ImportError as error:
        raise MissingExtraError(_NEEDED, extra="vad") from error
    spans: Callable[..., list[dict[str, int]]] = get_speech_timestamps_from_probs
    return spans


class _Network:
    """The network for 16 kHz, over many chunks at once: spectrogram, four convolutions, an LSTM along the chunks."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.basis = weights["stft.forward_basis_buffer"]  # (2 · 129, 1, 256): real parts, imaginary parts
        self.convs = [(weights[f"{part}.weight"], weights[f"{part}.bias"]) for part in _PARTS]
        width = weights["decoder.rnn.weight_hh"].shape[1]
        self.lstm = nn.LSTM(width, width)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        self.lstm.load_state_dict({f"{name}_l0": weights[f"decoder.rnn.{name}"] for name in names})
        self.out = weights["decoder.decoder.2.weight"][..., 0], weights["decoder.decoder.2.bias"]

    @torch.inference_mode()
    def probabilities(self, wave: Tensor, gain: float) -> Tensor:
        """wave (samples,) -> (chunks,); the last chunk is filled up with zeros."""
        state: tuple[Tensor, Tensor] | None = None
        context = wave.new_zeros(CONTEXT)
        done = []
        for piece in wave.split(BLOCK * CHUNK):
            piece = F.pad(piece * gain, (0, -len(piece) % CHUNK))
            heard = torch.cat([context, piece]).unfold(0, CONTEXT + CHUNK, CHUNK)  # (chunks, 576)
            context = piece[-CONTEXT:]
            rows, state = self.lstm(self._encode(heard)[:, None], state)  # (chunks, 1, 128)
            done.append(torch.sigmoid(F.linear(rows[:, 0].relu(), *self.out))[:, 0])
        return torch.cat(done)

    def _encode(self, heard: Tensor) -> Tensor:
        """(chunks, 576) -> (chunks, 128)."""
        x = F.conv1d(F.pad(heard[:, None], (0, CONTEXT), mode="reflect"), self.basis, stride=128)  # (chunks, 258, 4)
        real, imaginary = x.chunk(2, dim=1)
        x = torch.hypot(real, imaginary)  # (chunks, 129, 4)
        for (weight, bias), stride in zip(self.convs, _STRIDES, strict=True):
            x = F.conv1d(x, weight, bias, stride=stride, padding=1).relu()
        return x[..., 0]
