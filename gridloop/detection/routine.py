"""What is usual for a key at this hour of its week, and when an hour or a silence is not: learned from its own readings alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridloop.detection import rules
from gridloop.detection.columns import Bools, Floats, Ints
from gridloop.detection.hours import SLOWEST, Hour, Hourly, classes
from gridloop.detection.parts import Asking

_CALM = 32  # hours over which the usual deviation is taken
POOLED = 4  # sightings that what all classes of days have at this hour counts for
BIT = 32  # parts of a bit in which it is kept how unlikely a silent hour is: at most 7.4 bits, of the 8 there is room for
_OF = {rules.COUNT: 0, rules.SEEN: 1, rules.SUM: 2}  # as the compiled loops have them
_DIRECTION = {rules.UP: 1, rules.DOWN: 2, rules.BOTH: 3}


class Routine(Hourly):
    """Per key: the mean of each hour of the week, the usual deviation, and the deviations of the last hours."""

    def __init__(self, rule: rules.Routine) -> None:
        super().__init__(rule.pick, rule.week, rule.offset, rule.of)
        self.rule = rule
        self.enough = max(SLOWEST, rule.learn)
        self.cell("calm", np.float32, np.nan)
        if rule.over > 1:
            self.cell("recent", np.float32, np.nan, rule.over - 1)

    def closed(self, hour: Hour) -> Ints | None:
        rule, cells, looks = self.rule, self.cells, hour.looks
        if rule.over > 1:
            return None
        keys, means, first = np.empty(len(cells["on"]), np.int64), cells["mean"][hour.slot], cells["first"]
        what = _OF[rule.of], _DIRECTION[rule.direction], float(rule.times), float(rule.least)
        usual = means, cells["calm"], cells["on"]
        if rule.least >= 0 and rule.times >= 0 and int(first.min()) >= 0 and int(first.max()) < looks.settled:
            now = np.empty(len(keys), np.bool_)
            return keys[: self.kernels.close_settled(*what, SLOWEST, _CALM, cells["amount"], *usual, now, keys)]
        known = hour.number, looks.begin, looks.tables[hour.kind]
        size: int = self.kernels.close_routine(*known, *what, rule.learn, SLOWEST, _CALM, cells["amount"], first, *usual, keys)
        return keys[:size]

    def judged(self, some: slice, hour: Hour, settled: bool) -> Bools:
        means = self.cells["mean"][hour.slot, some]
        amount = self.amounts(some)
        off = amount - means
        plain = self.rule.over == 1 and self.rule.least >= 0 and self.rule.times >= 0
        if settled and plain and not np.isnan(self.cells["calm"][some].min()):
            return self._all_known(some, means, off)
        first, rule = self.cells["first"][some], self.rule
        seen = hour.looks.seen(first, hour.kind)
        known = (first >= 0) & (first < hour.number)
        ready = known & (seen >= rule.learn)
        mean = means.astype(np.float64)
        on, limit = self._unusual(some, known, self._over(some, np.where(ready, off, np.nan)))
        near = np.where(ready & ~np.isnan(limit), np.clip(off, -limit, limit), off)
        moved = np.where(seen == 0, amount, mean + near / np.clip(seen + 1, 1, SLOWEST))
        np.copyto(means, moved.astype(np.float32), where=known)
        return on

    def _all_known(self, some: slice, means: NDArray[np.float32], off: Floats) -> Bools:
        """The same for keys that have all seen enough, in as few looks at them as can be."""
        rule, stored = self.rule, self.cells["calm"][some]
        calm = stored.astype(np.float64)
        limit = calm * rule.times
        limit += rule.least
        size = np.abs(off)
        on: Bools = size >= limit
        beyond = on.nonzero()[0]
        if len(beyond):  # few: what goes beyond the limit moves the mean no further than the limit does
            there, most = off[beyond], limit[beyond]
            if rule.direction != rules.BOTH:
                on[beyond] = there >= most if rule.direction == rules.UP else there < 0
            size[beyond] = most
            off[beyond] = np.copysign(most, there)
        off *= 1 / SLOWEST  # a power of two: the same as the division, to the last bit
        off += means
        means[:] = off
        size -= calm
        size *= 1 / _CALM
        size += calm
        stored[:] = size
        return on

    def _over(self, some: slice, off: Floats) -> Floats:
        """The deviation of the last hours together, this one the first."""
        if self.rule.over == 1:
            return off
        recent: NDArray[Any] = self.cells["recent"][:, some]
        total = off.copy()
        for earlier in recent:
            total = total + earlier
        recent[1:] = recent[:-1].copy()
        recent[0] = off
        return total

    def _unusual(self, some: slice, known: Bools, deviation: Floats) -> tuple[Bools, Floats]:
        """Whether it is unusual, and from where on; NaN while that is not known."""
        rule, stored = self.rule, self.cells["calm"][some]
        calm = stored.astype(np.float64)
        limit = calm * rule.times + rule.least
        low, high = deviation <= -limit, deviation >= limit
        on = known & {rules.DOWN: low, rules.UP: high, rules.BOTH: low | high}[rule.direction]
        size = np.abs(deviation)
        moved = np.where(np.isnan(calm), size, calm + (np.minimum(size, limit) - calm) / _CALM)
        np.copyto(stored, moved.astype(np.float32), where=~np.isnan(deviation))
        return on, limit


class Silence(Hourly, Asking):
    """Per key: the share of each hour of the week in which anything was read, and how unlikely by them the last hours of the present
    silence were, each in parts of a bit: bits add up without rounding, in whatever order."""

    every_class = True

    def __init__(self, rule: rules.Silence) -> None:
        super().__init__(rule.pick, rule.week, rule.offset, rules.COUNT)
        self.rule = rule
        self.enough = max(SLOWEST, rule.learn)
        self.limit = math.ceil(-math.log2(rule.rarity) * BIT)
        self.cell("silent", np.uint8, 0, rule.over)

    def closed(self, hour: Hour) -> Ints | None:
        rule, cells, looks = self.rule, self.cells, hour.looks
        keys = np.empty(len(cells["on"]), np.int64)
        what = hour.kind, hour.of_day, self.limits(slice(0, len(keys))), rule.learn, SLOWEST, POOLED, BIT
        state = cells["amount"], cells["first"], cells["mean"], cells["silent"], cells["on"]
        return keys[: self.kernels.close_silence(hour.number, looks.begin, np.array(list(looks.tables.values())), *what, *state, keys)]

    def judged(self, some: slice, hour: Hour, settled: bool) -> Bools:
        first, silent = self.cells["first"][some], self.cells["silent"][:, some]
        heard = self.cells["amount"][some] > 0
        counts = [SLOWEST] * len(hour.looks.tables) if settled else [hour.looks.seen(first, c) for c in range(len(hour.looks.tables))]
        share = self._share(some, hour, counts)
        known: Bools = np.ones(len(heard), np.bool_)
        if not settled:
            known = (first >= 0) & (first < hour.number)
            share[~(known & (np.add.reduce(counts) >= self.rule.learn))] = 0
        silent[hour.number % self.rule.over] = np.rint(np.log2(1 - share) * -BIT)
        silent[:, heard] = 0
        on: Bools = known & ~heard & (self.cells["on"][some] | (silent.sum(axis=0, dtype=np.int64) >= self.limits(some)))
        means, seen = self.cells["mean"][hour.slot, some], counts[hour.kind]
        mean = means.astype(np.float64)
        moved = mean + (heard - mean) / np.clip(np.asarray(seen) + 1, 1, SLOWEST)
        if not settled:
            moved = np.where(np.equal(seen, 0), heard, moved)
        np.copyto(means, moved.astype(np.float32), where=known & ~on)
        return on

    def limits(self, some: slice) -> Ints:
        """How many parts of a bit are an alarm, by key: one bit more for each silence that was found harmless."""
        harmless = self.known(rules.HARMLESS, np.arange(len(self.cells["on"]))[some])
        whole: Ints = np.clip(np.nan_to_num(harmless), 0, rules.MOST_HARMLESS).astype(np.int64)
        return self.limit + BIT * whole

    def _share(self, some: slice, hour: Hour, counts: list[Any]) -> Floats:
        """How likely anything is read in the hour: by its own class of days, drawn to what all have while that was seen seldom."""
        weight, total = np.zeros(len(self.cells["on"][some])), np.zeros(len(self.cells["on"][some]))
        for kind in range(classes(self.week)):
            count = np.minimum(counts[kind], SLOWEST)
            weight += count
            total += count * self.cells["mean"][kind * 24 + hour.of_day, some].astype(np.float64)
        own = np.minimum(counts[hour.kind], SLOWEST)
        mean = self.cells["mean"][hour.slot, some].astype(np.float64)
        share: Floats = (own * mean + POOLED * (total / (weight + 1))) / (own + POOLED)
        return share
