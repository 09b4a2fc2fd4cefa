"""What is usual for a key at this hour of its week, and when an hour is not: learned from its own readings alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridloop.detection import rules
from gridloop.detection.columns import NO_EDGES, Bools, Edges, Floats, Ints, edges_of
from gridloop.detection.parts import Arrays, Part
from gridloop.detection.runs import Run, View

SLOWEST = 8  # an hour of the week moves by an eighth of what is new at least: a changed life is learned in two months
_CALM = 32  # hours over which the usual deviation is taken
_BLOCK = 8192  # keys at a time: what is worked out in between stays in the cache
_MILLI = 1000  # sums are of whole thousandths, so that they do not depend on where a batch ends
_THURSDAY = 3  # day 0 of our days


def day_class(day: int, week: str) -> int:
    """The weekday, or whether it is a working day (0) or weekend (1)."""
    weekday = (day + _THURSDAY) % 7
    return weekday if week == rules.WEEKDAYS else int(weekday >= 5)


def days_before(day: Ints | int, kind: int, week: str) -> Ints:
    """How many days of the class lie from day 0 up to before the day."""
    classes = np.array([day_class(d, week) == kind for d in range(7)])
    sums = np.concatenate(([0], np.cumsum(classes)))
    whole, rest = np.divmod(np.asarray(day, np.int64), 7)
    out: Ints = whole * sums[7] + sums[rest]
    return out


class Routine(Part):
    """Per key: the mean of each hour of the week, the usual deviation, what the present hour has, and the deviations of the last hours."""

    def __init__(self, rule: rules.Routine) -> None:
        super().__init__()
        self.rule = rule
        self.hour = -1  # the open hour, local, since 1970
        self.cell("on", np.bool_, False)
        self.cell("mean", np.float32, 0, 24 * (7 if rule.week == rules.WEEKDAYS else 2))
        self.cell("calm", np.float32, np.nan)
        self.cell("amount", np.int64, 0)
        self.cell("first", np.int32, -1)  # hour of the first reading: looked at from the next on, because it is not whole
        if rule.over > 1:
            self.cell("recent", np.float32, np.nan, rule.over - 1)

    def step(self, view: View, until: int) -> Edges:
        which = view.picked(self.rule.pick)
        run = view.run(which & ~np.isnan(view.rows.value) if self.rule.of == rules.SUM else which)
        hours = (run.time + self.rule.offset) // rules.HOUR
        if self.hour < 0 and not self._begin(hours, until):
            return NO_EDGES
        parts: list[Edges] = []
        while True:
            self._add(run, hours == self.hour)
            end = (self.hour + 1) * rules.HOUR - self.rule.offset
            if end >= until:
                return edges_of(parts)
            parts.append(self._close(end))
            self.hour += 1

    def enroll(self, keys: Ints, at: Ints) -> None:
        hour = (at + self.rule.offset) // rules.HOUR
        first = self.cells["first"]
        first[keys] = np.where(first[keys] < 0, hour, first[keys])

    def _begin(self, hours: Ints, until: int) -> bool:
        """Opens the first hour there is anything of."""
        first = self.cells["first"]
        known = first[first >= 0]
        if not len(hours) and not len(known):
            return False
        nothing_before = (until - 1 + self.rule.offset) // rules.HOUR
        self.hour = min(int(hours.min(initial=nothing_before)), int(known.min(initial=nothing_before)))
        return True

    def _add(self, run: Run, which: Bools) -> None:
        if not which.any():
            return
        key = run.key[which]
        amount = np.rint(run.value[which] * _MILLI).astype(np.int64) if self.rule.of == rules.SUM else np.ones(len(key), np.int64)
        starts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        keys = key[starts]
        self.cells["amount"][keys] += np.add.reduceat(amount, starts)
        first = self.cells["first"]
        first[keys] = np.where((first[keys] < 0) | (first[keys] > self.hour), self.hour, first[keys])

    def _close(self, end: int) -> Edges:
        """Judges the hour for all keys and learns from it."""
        on, first, changes = self.cells["on"], self.cells["first"], []
        day, hour = divmod(self.hour, 24)
        begin, table = self._sightings(day, hour)
        slot = day_class(day, self.rule.week) * 24 + hour
        for start in range(0, len(on), _BLOCK):
            some = slice(start, start + _BLOCK)
            seen = table[np.clip(first[some] - begin, 0, len(table) - 1)]
            now = self._learned(some, slot, seen)
            changes.append(np.flatnonzero(now != on[some]) + start)
            on[some] = now
        self.cells["amount"][:] = 0
        change = np.concatenate(changes)
        return Edges(change, np.full(len(change), end), on[change])

    def _sightings(self, day: int, hour: int) -> tuple[int, Ints]:
        """How often this hour of the week was looked at, for each first hour there can be, and which of them the table begins with."""
        first = self.cells["first"]
        begin = int(first.min(initial=self.hour, where=first >= 0))
        since = -((hour - 1 - np.arange(begin, self.hour + 1)) // 24)  # the first day on which this hour was looked at
        kind = day_class(day, self.rule.week)
        return begin, days_before(day, kind, self.rule.week) - days_before(since, kind, self.rule.week)

    def _learned(self, some: slice, slot: int, seen: Ints) -> Bools:
        """Whether the hour was unusual for some keys, whose means then follow it."""
        rule, first = self.rule, self.cells["first"][some]
        known = (first >= 0) & (first < self.hour)
        means = self.cells["mean"][slot, some]
        mean = means.astype(np.float64)
        amount = self.cells["amount"][some] / (_MILLI if rule.of == rules.SUM else 1)
        if rule.of == rules.SEEN:
            np.minimum(amount, 1, out=amount)
        ready = known & (seen >= rule.learn)
        off = amount - mean
        on, limit = self._judged(some, known, self._over(some, np.where(ready, off, np.nan)))
        near = np.where(ready & ~np.isnan(limit), np.clip(off, -limit, limit), off)
        moved = np.where(seen == 0, amount, mean + near / np.clip(seen + 1, 1, SLOWEST))
        np.copyto(means, moved.astype(np.float32), where=known)
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

    def _judged(self, some: slice, known: Bools, deviation: Floats) -> tuple[Bools, Floats]:
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

    def dump(self) -> Arrays:
        return {**super().dump(), "hour": np.array(self.hour, np.int64)}

    def load(self, arrays: Arrays) -> None:
        super().load(arrays)
        self.hour = int(arrays["hour"])
