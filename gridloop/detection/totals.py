"""Meters that send their state: each reading, less the one before, is what was used since, and counts as a reading of that use.

A state that has run over its last digit is told from one that fell back by where it stood: just below a round number, now just above 0.
What a step cannot have been (backwards; more than a connection gives in that time) is no use, and is counted for a person to see.
A single state of 0 from which the meter comes back to where it was or beyond was none: what was used is counted from the state before it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gridloop.detection.columns import NOTHING, Floats, Ints, Readings, Sorted, begins, by_device, joined
from gridloop.detection.parts import Arrays
from gridloop.detection.rules import HOUR, Total

# registers end at a power of ten, or after 16, 24 or 32 bits, in whatever decimal unit their pulses are told
_ENDS = (1.0, 2.0**16 / 10**4, 2.0**24 / 10**7, 2.0**32 / 10**9)
_NEAR = 0.1  # of the register before and after its end


class Totals:
    """``back``, ``over``: device → states that fell back, and steps that were too long for the time they took."""

    def __init__(self, totals: Iterable[Total]) -> None:
        self._totals = {total.kind: total for total in totals}
        self._kinds = np.array(sorted(self._totals), np.int64)
        self._value: dict[int, Floats] = {}  # by kind: of each device its last state, NaN for none; the one before while that fell to 0
        self._time: dict[int, Ints] = {}  # of the last state, its complement (below 0) when that fell to 0
        self.back: dict[int, int] = {}
        self.over: dict[int, int] = {}

    def turned(self, rows: Sorted) -> Sorted:
        """The same rows, those of a state being ones of the use since the state before; a device's first state is none."""
        if not len(self._kinds) or not len(rows):
            return rows
        states = np.isin(rows.kind, self._kinds)
        if not states.any():
            return rows
        kind, value = rows.kind.copy(), rows.value.copy()
        for number in np.unique(rows.kind[states]).tolist():
            at = np.flatnonzero((rows.kind == number) & ~np.isnan(rows.value))
            if len(at):
                use, known = self._uses(self._totals[number], rows.device[at], rows.time[at], rows.value[at])
                kind[at[known]], value[at[known]] = self._totals[number].use, use[known]
        ids = rows.whole.id[rows.order]
        whole = Readings(rows.time, rows.device, kind, value, rows.token, ids)
        return Sorted(whole, np.arange(len(kind)), rows.device, rows.time)

    def _uses(self, total: Total, device: Ints, time: Ints, value: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Of one kind's states, by device and time: what was used, and where that is known."""
        self._grow(total.kind, int(device[-1]) + 1)
        last, when = self._value[total.kind], self._time[total.kind]
        before, since = np.empty_like(value), np.empty_like(time)
        before[1:], since[1:] = value[:-1], time[:-1]
        first = begins(device)
        stored, at = last[device[first]], when[device[first]]
        dropped = (at < 0) & ~np.isnan(stored)
        before[first], since[first] = np.where(dropped, 0, stored), np.where(dropped, ~at, at)
        most = total.most * np.maximum(time - since, HOUR) / HOUR
        use = value - before
        fell = np.flatnonzero(use < 0)
        use[fell] = _over_the_end(before[fell], value[fell], most[fell])
        known = ~np.isnan(use)
        fell = fell[~known[fell]]
        _count(self.back, device[fell])
        held = np.full(len(value), np.nan)  # what a state before the last was, when the last fell from it to 0
        held[first] = np.where(dropped, stored, np.nan)
        to_zero = fell[value[fell] == 0]
        goes_on = to_zero[~np.append(first, True)[to_zero + 1]]
        held[goes_on + 1] = before[goes_on]
        again = value - held
        use = np.where((again >= 0) & (again <= most), again, use)
        over = known & (use > most)
        _count(self.over, device[over])
        ends = np.append(first[1:], True)
        last[device[ends]], when[device[ends]] = value[ends], time[ends]
        to_zero = to_zero[ends[to_zero]]
        last[device[to_zero]], when[device[to_zero]] = before[to_zero], ~time[to_zero]
        return use, known & ~over

    def _grow(self, kind: int, size: int) -> None:
        value = self._value.setdefault(kind, np.zeros(0, np.float64))
        if size > len(value):
            room = max(size, len(value) * 5 // 4) - len(value)
            self._value[kind] = np.append(value, np.full(room, np.nan))
            self._time[kind] = np.append(self._time.get(kind, np.zeros(0, np.int64)), np.zeros(room, np.int64))

    def adopt(self, other: Totals) -> None:
        """States of devices that the other knows and this one does not."""
        for kind, theirs in other._value.items():
            if kind in self._totals:
                self._grow(kind, len(theirs))
                mine = self._value[kind][: len(theirs)]
                new = np.flatnonzero(np.isnan(mine) & ~np.isnan(theirs))
                mine[new], self._time[kind][new] = theirs[new], other._time[kind][new]

    def forget(self, devices: Ints) -> None:
        for value in self._value.values():
            value[devices[devices < len(value)]] = np.nan
        for device in devices.tolist():
            self.back.pop(device, None)
            self.over.pop(device, None)

    def dump(self) -> Arrays:
        """What was counted is not in it: those who look at it have written it down."""
        kinds = np.array(list(self._value), np.int64)
        parts = {f"{kind}/value": value for kind, value in self._value.items()}
        return {"kinds": kinds, **parts, **{f"{kind}/time": time for kind, time in self._time.items()}}

    def load(self, arrays: Arrays) -> None:
        for kind in arrays["kinds"].tolist() if "kinds" in arrays else ():
            if kind in self._totals:
                self._value[kind], self._time[kind] = arrays[f"{kind}/value"].copy(), arrays[f"{kind}/time"].copy()

    def nbytes(self) -> int:
        return sum(column.nbytes for columns in (self._value, self._time) for column in columns.values())


class Backwards:
    """States that are read stretch by stretch back in time, as what was used: the first of each device waits for the one before it, and

    with a 0 the one after it. What still waits when there is no more before is told by ``rest``.
    """

    def __init__(self, totals: Iterable[Total]) -> None:
        self._totals = {total.kind: total for total in totals}
        self._waiting = dict.fromkeys(self._totals, NOTHING)
        self._lone = {kind: np.zeros(0, np.int64) for kind in self._totals}  # devices with a single state so far, a 0

    def turned(self, found: Readings) -> Readings:
        """Uses, and all that is no state. Of each device's states there is the very last, and the one from which that fell to 0: from it

        later ones go on.
        """
        states = np.isin(found.kind, list(self._totals)) & ~np.isnan(found.value)
        parts = [found.take(~states)]
        for kind in np.unique(found.kind[states]).tolist():
            parts += self._of(self._totals[kind], found.take(states & (found.kind == kind)))
        return joined(parts)

    def _of(self, total: Total, found: Readings) -> list[Readings]:
        waiting = self._waiting[total.kind]
        again = np.isin(waiting.device, found.device)
        rows = by_device(joined([found, waiting.take(again)]))[0]
        states, uses = rows.whole.take(rows.order), Totals([total]).turned(rows).whole
        first, zero = begins(states.device), states.value == 0
        last = np.append(first[1:], True)
        open_ = first.copy()
        open_[1:] |= first[:-1] & zero[:-1] & ~first[1:] & ~zero[1:]
        self._waiting[total.kind] = joined([waiting.take(~again), states.take(open_)])
        fresh, lone = last & ~np.isin(states.device, waiting.device), self._lone[total.kind]
        fell = (fresh | last & np.isin(states.device, lone)) & zero & ~first & (uses.kind == total.kind)
        lone = lone[~np.isin(lone, states.device)]
        self._lone[total.kind] = np.append(lone, states.device[fresh & first & zero])
        return [states.take(fresh | np.append(fell[1:], False)), uses.take((uses.kind == total.use) & ~open_)]

    def rest(self) -> Readings:
        """Uses that waited for states there are none of."""
        parts = []
        for kind, waiting in self._waiting.items():
            uses = Totals([self._totals[kind]]).turned(by_device(waiting)[0]).whole
            parts.append(uses.take(uses.kind == self._totals[kind].use))
        return joined(parts)


def _over_the_end(before: Floats, value: Floats, most: Floats) -> Floats:
    """What was used by meters that fell from ``before`` to ``value`` by running over their end; NaN for those that did not."""
    out = np.full(len(value), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        for first in _ENDS:
            end = first * 10.0 ** (np.floor(np.log10(before / first)) + 1)
            use = value + (end - before)
            fits = (value >= 0) & (before >= (1 - _NEAR) * end) & (value <= _NEAR * end) & (use <= most)
            out = np.where(fits, np.fmin(out, use), out)
    return out


def _count(counts: dict[int, int], devices: Ints) -> None:
    for device in devices.tolist():
        counts[device] = counts.get(device, 0) + 1
