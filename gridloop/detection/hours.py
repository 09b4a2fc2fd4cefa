"""Conditions that are judged at the end of every hour, for all keys together, and learn from it what the hours of a week have."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridloop.detection import rules
from gridloop.detection.columns import NO_EDGES, Bools, Edges, Ints, begins, edges_of, stable_order
from gridloop.detection.parts import Arrays, Part
from gridloop.detection.runs import Rows, View

SLOWEST = 8  # an hour of the week moves by an eighth of what is new at least: a changed life is learned in two months
_BLOCK = 8192  # keys at a time: what is worked out in between stays in the cache
_MILLI = 1000  # sums are of whole thousandths, so that they do not depend on where a batch ends
_THURSDAY = 3  # day 0 of our days


def classes(week: str) -> int:
    return 7 if week == rules.WEEKDAYS else 2


def day_class(day: int, week: str) -> int:
    """The weekday, or whether it is a working day (0) or weekend (1)."""
    weekday = (day + _THURSDAY) % 7
    return weekday if week == rules.WEEKDAYS else int(weekday >= 5)


def days_before(day: Ints | int, kind: int, week: str) -> Ints:
    """How many days of the class lie from day 0 up to before the day."""
    of_class = np.array([day_class(d, week) == kind for d in range(7)])
    sums = np.concatenate(([0], np.cumsum(of_class)))
    whole, rest = np.divmod(np.asarray(day, np.int64), 7)
    out: Ints = whole * sums[7] + sums[rest]
    return out


@lru_cache(maxsize=1024)
def _sightings(weekday: int, kind: int, week: str, enough: int) -> tuple[Ints, int]:
    """How often an hour of a day of this weekday was looked at by who began so many hours before it, the longest ago first, and how many

    of these have seen it often enough. It is the same for every hour of every such day: who began in it or in the hour before never has,
    who began a day before that has once if that day was of the class.
    """
    hours = np.arange((enough + 1) * 7 * 24, -1, -1)
    days = np.maximum(0, (hours - 1) // 24)
    seen: Ints = days_before(weekday + 7 * (enough + 2), kind, week) - days_before(weekday + 7 * (enough + 2) - days, kind, week)
    return seen, int((seen >= enough).sum())


class Looks(NamedTuple):
    """How often an hour of the day was looked at before, by class of days and the key's first hour, counted from ``begin``.

    A key that began before ``settled`` has seen each often enough for everything.
    """

    begin: int
    tables: dict[int, Ints]
    settled: int

    def seen(self, first: NDArray[np.int32], kind: int) -> Ints:
        table = self.tables[kind]
        return table[np.minimum(np.maximum(first - self.begin, 0), len(table) - 1)]


class Hour(NamedTuple):
    """An hour at its end: its class of days, hour of the day, place in the week, and how often each key had seen it."""

    number: int
    kind: int
    of_day: int
    slot: int
    looks: Looks


class Hourly(Part):
    """Per key what the present hour has, and in which hour its first reading was: looked at from the next on, because that is not whole."""

    enough = SLOWEST  # sightings after which more make no difference
    every_class = False  # whether it asks for the sightings of other classes of days than the hour's own

    def __init__(self, pick: rules.Pick, week: str, offset: int, of: str) -> None:
        super().__init__()
        self.pick, self.week, self.offset, self.of = pick, week, offset, of
        self.hour = -1  # the open hour, local, since 1970
        self.cell("on", np.bool_, False)
        self.cell("mean", np.float32, 0, 24 * classes(week))
        self.cell("amount", np.int64, 0)
        self.cell("first", np.int32, -1)

    @abstractmethod
    def judged(self, some: slice, hour: Hour, settled: bool) -> Bools:
        """Whether the condition holds for some keys from the end of the hour on; learns from it. ``settled``: all have seen enough."""

    def closed(self, hour: Hour) -> Ints | None:
        """The keys for which the compiled loop over all of them changed the condition; None where there is none."""
        return None

    def step(self, view: View, until: int) -> Edges:
        read = self._by_hour(view)
        if self.hour < 0 and not self._begin(read, until):
            return NO_EDGES
        parts: list[Edges] = []
        while True:
            end = (self.hour + 1) * rules.HOUR - self.offset
            if self.hour in read:
                self._add(view, read[self.hour])
            if end >= until:
                return edges_of(parts)
            parts.append(self._close(end))
            self.hour += 1

    def _by_hour(self, view: View) -> dict[int, Rows]:
        """The rows of each local hour in which there are any, by key and time."""
        rows = view.rows_of(self.pick)
        if self.of == rules.SUM:
            rows = rows[np.abs(view.rows.values(rows)) <= rules.MOST_SUMMED]  # NaN is not, either
        if not len(rows):
            return {}
        time = view.rows.time[rows]
        first, last = (int(at) + self.offset for at in (time.min(), time.max()))
        if first // rules.HOUR == last // rules.HOUR:
            return {first // rules.HOUR: rows}
        hours = (time + (self.offset - first // rules.HOUR * rules.HOUR)) // rules.HOUR
        order = stable_order(hours)
        found, starts = np.unique(hours[order], return_index=True)
        numbers = (found + first // rules.HOUR).tolist()
        return dict(zip(numbers, np.split(rows[order], starts[1:]), strict=True))

    def enroll(self, keys: Ints, at: Ints) -> None:
        hour = (at + self.offset) // rules.HOUR
        first = self.cells["first"]
        first[keys] = np.where(first[keys] < 0, hour, first[keys])

    def _begin(self, read: dict[int, Rows], until: int) -> bool:
        """Opens the first hour there is anything of."""
        first = self.cells["first"]
        known = first[first >= 0]
        if not read and not len(known):
            return False
        nothing_before = (until - 1 + self.offset) // rules.HOUR
        self.hour = min(nothing_before, *read, int(known.min(initial=nothing_before)))
        return True

    def _add(self, view: View, rows: Rows) -> None:
        """What was read in the open hour."""
        amounts, first, summed = self.cells["amount"], self.cells["first"], self.of == rules.SUM
        if self.kernels is not None:
            self.kernels.add(rows, view.key, view.rows.order, view.rows.whole.value, summed, self.hour, amounts, first)
            return
        key = view.key[rows]
        starts = begins(key).nonzero()[0]
        keys = key[starts]
        if summed:
            amounts[keys] += np.add.reduceat(np.rint(view.rows.values(rows) * _MILLI).astype(np.int64), starts)
        else:
            amounts[keys[:-1]] += starts[1:] - starts[:-1]
            amounts[keys[-1]] += len(key) - starts[-1]
        began = first[keys]
        new = (began < 0) | (began > self.hour)
        if new.any():
            first[keys[new]] = self.hour

    def amounts(self, some: slice) -> NDArray[np.float64]:
        amount = self.cells["amount"][some]
        if self.of == rules.SUM:
            return amount / _MILLI
        return (np.minimum(amount, 1) if self.of == rules.SEEN else amount).astype(np.float64)

    def _close(self, end: int) -> Edges:
        """Judges the hour for all keys."""
        on, first, changes = self.cells["on"], self.cells["first"], []
        day, of_day = divmod(self.hour, 24)
        kind = day_class(day, self.week)
        hour = Hour(self.hour, kind, of_day, kind * 24 + of_day, self._looks(day, kind))
        changed = self.closed(hour) if self.kernels is not None else None
        if changed is not None:
            return Edges(changed, np.full(len(changed), end), on[changed])
        for start in range(0, len(on), _BLOCK):
            some = slice(start, start + _BLOCK)
            began = first[some]
            settled = int(began.min()) >= 0 and int(began.max()) < hour.looks.settled
            now = self.judged(some, hour, settled)
            change = np.flatnonzero(now != on[some])
            if len(change):
                changes.append(change + start)
                on[some] = now
        self.cells["amount"][:] = 0
        if not changes:
            return NO_EDGES
        keys = np.concatenate(changes)
        return Edges(keys, np.full(len(keys), end), on[keys])

    def _looks(self, day: int, kind: int) -> Looks:
        first = self.cells["first"]
        kinds = range(classes(self.week)) if self.every_class else (kind,)
        oldest = self.hour - (self.enough + 1) * 7 * 24  # who began by then has seen enough in any case
        if int(first.max(initial=-1)) <= oldest:
            return Looks(self.hour, {c: np.array([self.enough]) for c in kinds}, self.hour)
        begin = max(int(first.min(initial=self.hour, where=first >= 0)), oldest)
        back = self.hour - begin + 1
        found = {c: _sightings(day % 7, c, self.week, self.enough) for c in kinds}
        settled = min(max(0, many - len(seen) + back) for seen, many in found.values())
        return Looks(begin, {c: seen[len(seen) - back :] for c, (seen, _) in found.items()}, begin + settled)

    def dump(self) -> Arrays:
        return {**super().dump(), "hour": np.array(self.hour, np.int64)}

    def load(self, arrays: Arrays) -> None:
        super().load(arrays)
        self.hour = int(arrays["hour"])
