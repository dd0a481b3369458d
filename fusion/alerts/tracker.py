"""One rule, followed for one speaker, topic or meeting: inactive → pending → firing → resolved."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

from fusion.alerts.episode import TOUCHING, Episode, Heard
from fusion.alerts.rule import Rule
from fusion.alerts.smoothing import Smoother

State = Literal["inactive", "pending", "firing", "resolved"]


class Tracker:
    """The state machine of a rule in one scope.

    inactive → pending : the smoothed signal reaches `on`, with `min_evidence_s` in its memory. Supporting speech of the
                         last `tau_s` seconds counts: it is what brought the signal there
    pending → firing   : supporting speech and utterances are enough, and no cooldown lasts
    pending → inactive : the signal falls back from `on`
    firing → resolved  : it leaves `off`; the alert ended with the last speech that supported it
    resolved → firing  : it fires again, with a gap of at most `merge_s`: both are one alert
    resolved → inactive: that can happen no more; the alert is told

    A pause longer than `max_silence_s` ends what is pending or firing. While the memory holds too little, the signal is
    not known, and nothing changes.
    """

    def __init__(self, rule: Rule, scope_value: str | None) -> None:
        self.rule, self.scope_value = rule, scope_value
        self.state: State = "inactive"
        self._smoother = Smoother(rule.tau_s)
        self._recent: deque[Heard] = deque()  # supporting speech of the last tau_s seconds
        self._episode: Episode | None = None  # pending or firing
        self._held: list[Episode] = []  # resolved, and may still be merged with what comes; apart, in order
        self._ended_s = -math.inf  # of the last alert
        self._heard_s = -math.inf  # of the last speech in this scope

    @property
    def level(self) -> float:
        """The smoothed signal; NaN while nothing was heard."""
        return self._smoother.level

    @property
    def idle(self) -> bool:
        """Whether time alone can change nothing."""
        return self._episode is None and not self._held

    @property
    def firing(self) -> Episode | None:
        return self._episode if self.state == "firing" else None

    def hear(self, end: float, batch: list[Heard]) -> None:
        """All speech of this scope that ends at `end` s."""
        rule = self.rule
        self._silence_until(min(heard.observation.start_s for heard in batch))
        self._smoother.add(end, [(heard.observation.start_s, heard.rate, heard.value) for heard in batch])
        self._heard_s = end
        known = self._smoother.evidence >= rule.min_evidence_s
        level = self._smoother.level
        supporting = [rule.beyond(heard.value, rule.off) for heard in batch]

        if self._episode is None:
            if known and rule.beyond(level, rule.on) and any(supporting):
                self._episode, self.state = self._seeded(end), "pending"
        elif self.state == "pending" and known and not rule.beyond(level, rule.on):
            self._drop()
        elif self.state == "firing" and known and not rule.beyond(level, rule.off):
            self._resolve()
        if self._episode is not None:
            for heard, supports in zip(batch, supporting, strict=True):
                if supports:
                    self._episode.hear(heard)
            if known:
                weight = sum(heard.rate * heard.observation.seconds for heard in batch)
                self._episode.note(level, end, weight=weight, supported=any(supporting))
            if self.state == "pending" and known:
                self._fire(end)
            elif self.state == "firing":
                self._merge()  # what began long ago may have joined it
        self._recent.extend(heard for heard, supports in zip(batch, supporting, strict=True) if supports)

    def advance(self, now: float) -> list[Episode]:
        """Nothing that begins before `now` s is still to come. Returns the alerts that are over for good."""
        if self._episode is not None:
            self._silence_until(now)
        told = []
        while self._held and not self._near(self._held[0], now) and not self._near(self._held[0], self._begins(now)):
            told.append(self._held.pop(0))
        if not self._held and self.state == "resolved":
            self.state = "inactive"
        return told

    def finish(self) -> list[Episode]:
        """What is left when nothing more comes; the last may still be firing: ask before."""
        told = [*self._held, *([self._episode] if self._episode is not None and self.state == "firing" else [])]
        self._episode, self._held, self.state = None, [], "inactive"
        return told

    def _seeded(self, end: float) -> Episode:
        """An episode that begins with the recent speech that brought the signal to `on`."""
        episode = Episode(self.rule)
        self._forget(end)
        for heard in self._recent:
            if heard.observation.start_s >= self._ended_s:
                episode.hear(heard)
        return episode

    def _fire(self, end: float) -> None:
        episode = self._episode
        assert episode is not None
        if not episode.enough():
            return
        merges = bool(self._held) and self._near(self._held[-1], episode.start_s)
        if not merges and end < self._ended_s + self.rule.cooldown_s:
            return
        episode.fired_s = end
        self.state = "firing"
        self._merge()

    def _merge(self) -> None:
        """What fires and what it follows closely become one."""
        while self._episode is not None and self._held and self._near(self._held[-1], self._episode.start_s):
            earlier = self._held.pop()
            earlier.absorb(self._episode)
            self._episode = earlier

    def _near(self, earlier: Episode, start: float) -> bool:
        return start - earlier.end_s <= self.rule.merge_s + TOUCHING

    def _silence_until(self, time: float) -> None:
        if time - self._heard_s <= self.rule.max_silence_s:
            return
        if self.state == "pending":
            self._drop()
        elif self.state == "firing":
            self._resolve()

    def _drop(self) -> None:
        self._episode = None
        self.state = "resolved" if self._held else "inactive"

    def _resolve(self) -> None:
        assert self._episode is not None
        self._ended_s = max(self._ended_s, self._episode.end_s)
        self._held.append(self._episode)
        self._episode = None
        self.state = "resolved"

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0].observation.end_s < now - self.rule.tau_s:
            self._recent.popleft()

    def _begins(self, now: float) -> float:
        """No earlier than this an episode begins that could still fire: with speech to come, or with recent speech."""
        self._forget(now)
        seeds = (h.observation.start_s for h in self._recent if h.observation.start_s >= self._ended_s)
        return min(now, min(seeds, default=math.inf), math.inf if self._episode is None else self._episode.start_s)
