"""The loop of one stack: fill it up, train an epoch of all its models, let go of those that have ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fusion.engines.base import Job
from fusion.engines.batched.builder import Builder
from fusion.engines.batched.member import Member
from fusion.engines.batched.outcome import Outcome
from fusion.engines.batched.stack import Stack


@dataclass(frozen=True)
class Epoch:
    """That a stack has done an epoch.

    steps  : of its models together
    ended  : models that ended with it
    spared : steps that those would have done, had none stopped early
    """

    steps: int
    ended: int
    spared: int


@dataclass(frozen=True)
class Worker:
    """Trains a stack of at most `width` models until no job is left.

    builder          : makes the members
    width            : models in the stack, at most
    max_epochs       : after which a fit ends; None where only its callbacks end it
    modality_dropout : see `Stack`
    workers          : that share the machine; seconds of a fit are its share of the time of all
    recordable       : see `Stack`
    """

    builder: Builder
    width: int
    max_epochs: int | None
    modality_dropout: float
    workers: int = 1
    recordable: bool = True

    def train(self, jobs: Sequence[Job], places: Iterable[int], tell: Callable[[Epoch], None]) -> Iterator[Outcome]:
        """The fits of this worker as they end.

        jobs   : all there are
        places : those that are this worker's
        tell   : is told of every epoch
        """
        waiting = deque(places)
        stack, active = (
            Stack(modality_dropout=self.modality_dropout, recordable=self.recordable),
            dict[int, Member](),
        )  # place -> member
        while True:
            while waiting and len(active) < self.width:
                place = waiting.popleft()
                active[place] = self.builder.build(jobs[place])
            if not active:
                return
            members = list(active.values())
            if self.max_epochs != 0:
                self._epoch(stack, members)
            ended = [place for place, member in active.items() if self._over(member)]
            left = self.max_epochs or 0
            spared = sum((left - active[place].epoch) * len(active[place].batches) for place in ended) if left else 0
            tell(Epoch(sum(len(member.batches) for member in members), len(ended), spared))
            for place in ended:
                yield Outcome.of(place, active.pop(place))

    def _over(self, member: Member) -> bool:
        return member.watch.stopped or member.epoch == self.max_epochs

    def _epoch(self, stack: Stack, members: Sequence[Member]) -> None:
        start = time.perf_counter()
        stack.hold(members)
        for member in members:
            member.begin_epoch()
        steps = [len(member.batches) for member in members]
        for number in range(max(steps)):
            stack.step(number)
        for member in members:
            member.adapt_rate()
        stack.validate()
        for member in members:
            member.end_epoch()
        seconds = (time.perf_counter() - start) / self.workers
        for member, own in zip(members, steps, strict=True):
            member.seconds += seconds * own / sum(steps)
