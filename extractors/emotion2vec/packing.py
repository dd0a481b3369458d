"""Utterances end to end, without padding: where each one lies in the packed wave and among the packed tokens.

Every utterance starts on a multiple of the model's hop (320 samples), so the strided convolutions, run once over the
whole packed wave, give it exactly the frames it would have alone, followed by one frame that straddles two utterances
and is dropped. Among the tokens each utterance has `slots` places in front of its frames: zeros while the positional
convolutions run (the zero padding they expect), the learned extra tokens afterwards.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor

HOP = 320  # samples between frames: 5 · 2 · 2 · 2 · 2 · 2 · 2
FIELD = 400  # samples that one frame sees
GRAIN = (
    64  # packs have a multiple of so many tokens: oneDNN keeps compiled kernels and buffers for each size it has met
)


def count_frames(samples: int) -> int:
    """Frames that the model makes of `samples` samples at 16 kHz: one every 20 ms, none below 25 ms.

    >>> count_frames(16_000), count_frames(400), count_frames(399)
    (49, 1, 0)
    """
    return max(0, (samples - FIELD) // HOP + 1)


@dataclass(frozen=True)
class Layout:
    """Places of the utterances of one pack, in its order.

    frames : frames of each utterance, at least 1
    slots : token places in front of each utterance's frames; the last `extra` of them take the extra tokens
    extra : learned extra tokens of the model

    >>> layout = Layout(frames=(2, 3), slots=10, extra=10)
    >>> layout.tokens, layout.wave_starts, layout.spans, layout.frame_spans
    (64, (0, 960), ((0, 12), (12, 25)), ((10, 12), (22, 25)))
    """

    frames: tuple[int, ...]
    slots: int
    extra: int

    @cached_property
    def units(self) -> int:
        """Hops of the packed wave: each utterance's frames and the one that is dropped; silence up to a round number."""
        return _rounded(sum(self.frames) + len(self.frames) - 1) + 1

    @cached_property
    def samples(self) -> int:
        """Samples of the packed wave; the last frame looks FIELD - HOP samples past its own hop."""
        return self.units * HOP

    @cached_property
    def wave_starts(self) -> tuple[int, ...]:
        """First sample of each utterance in the packed wave."""
        return tuple(accumulate((HOP * (frames + 1) for frames in self.frames[:-1]), initial=0))

    @cached_property
    def tokens(self) -> int:
        """Token places of the pack, idle ones at its end among them."""
        return _rounded(self._used)

    @cached_property
    def _used(self) -> int:
        return sum(self.frames) + self.slots * len(self.frames)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """(start, stop) of each utterance's extra tokens and frames: the tokens that attend to one another."""
        idle = self.slots - self.extra
        return tuple((start + idle, stop) for start, stop in self._places)

    @cached_property
    def frame_spans(self) -> tuple[tuple[int, int], ...]:
        """(start, stop) of each utterance's frames among the tokens."""
        return tuple((start + self.slots, stop) for start, stop in self._places)

    @cached_property
    def frame_places(self) -> Tensor:
        """Token places of all frames, (sum(frames),) int64, ascending."""
        return _ranges(self.frame_spans)

    @cached_property
    def frame_units(self) -> Tensor:
        """Which of the packed wave's frames those are, (sum(frames),) int64: all but the ones that straddle."""
        return _ranges(
            [(start // HOP, start // HOP + n) for start, n in zip(self.wave_starts, self.frames, strict=True)]
        )

    @cached_property
    def slot_places(self) -> Tensor:
        """Token places in front of the frames, and the idle ones, (tokens - sum(frames),) int64."""
        return _ranges([*((start, start + self.slots) for start, _ in self._places), (self._used, self.tokens)])

    @cached_property
    def extra_places(self) -> Tensor:
        """Token places of the extra tokens, (utterances · extra,) int64."""
        return _ranges([(start, start + self.extra) for start, _ in self.spans])

    @cached_property
    def _places(self) -> tuple[tuple[int, int], ...]:
        stops = tuple(accumulate(self.slots + frames for frames in self.frames))
        return tuple(zip((0, *stops[:-1]), stops, strict=True))


def _rounded(count: int) -> int:
    return -(-count // GRAIN) * GRAIN


def _ranges(spans: Sequence[tuple[int, int]]) -> Tensor:
    return torch.cat([torch.arange(start, stop) for start, stop in spans])


def plan_packs(frames: Sequence[int], *, slots: int, max_tokens: int) -> Iterator[list[int]]:
    """Indices of the utterances of each pack: best fit by decreasing length, at most `max_tokens` tokens in each.

    An utterance that alone exceeds the budget gets a pack of its own. The longest pack comes first, so that a budget
    that is too large for the memory shows at once.

    >>> list(plan_packs([5, 40, 7, 30], slots=10, max_tokens=60))
    [[1], [3, 2], [0]]
    """
    rooms: list[tuple[int, int]] = []  # (tokens left, pack), ascending
    packs: list[list[int]] = []
    for index in sorted(range(len(frames)), key=lambda i: (-frames[i], i)):
        need = frames[index] + slots
        place = bisect_left(rooms, (need, -1))
        if place < len(rooms):
            left, pack = rooms.pop(place)
            packs[pack].append(index)
        else:
            left, pack = max_tokens, len(packs)
            packs.append([index])
        insort(rooms, (left - need, pack))
    yield from packs
