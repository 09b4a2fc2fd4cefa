"""Conditions that count: readings or different names in a window, days on which the same name came again."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gridloop.detection import rules
from gridloop.detection.columns import LONG_AGO, NEVER, Bools, Edges, Ints
from gridloop.detection.parts import Arrays, Leaf
from gridloop.detection.runs import Rows, Run, View

_FEW = 8  # keys left: from here on one by one costs less than all at once
_STIR = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class _Windowed(Leaf):
    """Holds while the ``least``-th latest of what is counted lies in the window."""

    def __init__(self, rule: rules.Count | rules.Distinct) -> None:
        super().__init__(timed=True)
        self.window = rule

    @abstractmethod
    def nth(self, run: Run) -> Ints:
        """For each row the time of the ``least``-th latest, itself counted."""

    def _changes(self, run: Run, holds: Bools, flip: Ints | None) -> list[Edges]:
        if not holds.any() and not self.cells["on"][run.keys].any():
            return []  # what did not hold and does not hold waits for no moment
        return super()._changes(run, holds, flip)

    def judge(self, run: Run) -> tuple[Run, Bools, Ints]:
        rule, nth = self.window, self.nth(run)
        if rule.tumbling:
            begin = (run.time - rule.offset) // rule.within * rule.within + rule.offset
            holds = nth >= begin
            return run, holds, np.where(holds, begin + rule.within, NEVER)
        holds = nth + rule.within > run.time
        return run, holds, np.where(holds, nth + rule.within, NEVER)


class Count(_Windowed):
    def __init__(self, rule: rules.Count) -> None:
        super().__init__(rule)
        self.rule = rule
        self.cell("times", np.int64, LONG_AGO, rule.least - 1)  # the latest first
        self.loop = rule.pick, self._swept

    def wanted(self, view: View) -> Run:
        return view.run_of(self.rule.pick)

    def _swept(self, view: View, rows: Rows, out: Edges) -> int:
        rule, cells = self.rule, self.cells
        what = rule.within, rule.tumbling, rule.offset, cells["times"]
        flip = cells["flip"]
        size: int = self.kernels.count(rows, view.key, view.rows.time, *what, cells["on"], flip, self.bounds.of(len(flip)), out)
        return size

    def nth(self, run: Run) -> Ints:
        back, ring = self.rule.least - 1, self.cells["times"]
        if not back:
            return run.time
        out: Ints = ring[back - 1][run.key]
        if not run.single:
            rest = run.rest
            here = rest - back
            inside = here >= run.head[rest]
            out[rest] = np.where(inside, run.time[np.maximum(here, 0)], ring[np.maximum(run.head[rest] - here - 1, 0), run.key[rest]])
        self._turn(run, ring, back)
        return out

    def _turn(self, run: Run, ring: Ints, back: int) -> None:
        """Puts the latest times first. Most keys have one row in a step: their times move on by one."""
        several = (run.last > run.first).nonzero()[0]
        if len(several):
            first, last, keys = run.first[several], run.last[several], run.keys[several]
            count, place = last - first + 1, np.arange(back)[:, None]
            moved = np.where(place < count, run.time[np.maximum(last - place, 0)], ring[np.maximum(place - count, 0), keys])
        for to in range(back - 1, 0, -1):
            ring[to][run.keys] = ring[to - 1][run.keys]
        ring[0][run.keys] = run.time[run.last]
        if len(several):
            ring[:, keys] = moved


class Distinct(_Windowed):
    """Keeps the ``least`` names that came last, the latest first: one that fell out is older than all of them."""

    def __init__(self, rule: rules.Distinct) -> None:
        super().__init__(rule)
        self.rule = rule
        self.cell("names", np.int64, 0, rule.least)
        self.cell("times", np.int64, LONG_AGO, rule.least)

    def forget_tokens(self, tokens: Ints) -> None:
        """The others stay in their order."""
        names, times = self.cells["names"], self.cells["times"]
        if self.rule.of != rules.TOKEN or not len(tokens):
            return
        gone = np.isin(names, tokens) & (names != 0)
        keys = np.flatnonzero(gone.any(axis=0))
        order = np.argsort(gone[:, keys], axis=0, kind="stable")
        for cell, nothing in ((names, 0), (times, LONG_AGO)):
            kept = np.where(gone[:, keys], nothing, cell[:, keys])
            cell[:, keys] = np.take_along_axis(kept, order, axis=0)

    def wanted(self, view: View) -> Run:
        which = view.picked(self.rule.pick)
        return view.run(which if self.rule.of == rules.DEVICE else which & (view.rows.token != 0))

    def nth(self, run: Run) -> Ints:
        name = run.device + 1 if self.rule.of == rules.DEVICE else run.token
        out = np.empty(len(run), np.int64)
        row, last = run.first, run.last
        while len(row) >= _FEW:
            out[row] = self._seen(run.key[row], name[row], run.time[row])
            more = row < last
            row, last = row[more] + 1, last[more]
        for start, end in zip(row.tolist(), last.tolist(), strict=True):
            self._one(int(run.key[start]), name[start : end + 1], run.time[start : end + 1], out[start : end + 1])
        return out

    def _seen(self, key: Ints, name: Ints, time: Ints) -> Ints:
        names, times = self.cells["names"][:, key], self.cells["times"][:, key]
        same = names == name
        moved = np.arange(self.rule.least)[:, None] <= np.where(same.any(axis=0), same.argmax(axis=0), self.rule.least - 1)
        names = np.where(moved, np.vstack((name, names[:-1])), names)
        times = np.where(moved, np.vstack((time, times[:-1])), times)
        self.cells["names"][:, key], self.cells["times"][:, key] = names, times
        return cast(Ints, times[-1])

    def _one(self, key: int, name: Ints, time: Ints, out: Ints) -> None:
        names, times = self.cells["names"][:, key].tolist(), self.cells["times"][:, key].tolist()
        found = []
        for who, when in zip(name.tolist(), time.tolist(), strict=True):
            at = names.index(who) if who in names else -1
            del names[at], times[at]
            names.insert(0, who)
            times.insert(0, when)
            found.append(times[-1])
        out[:] = found
        self.cells["names"][:, key], self.cells["times"][:, key] = names, times


class Days(Leaf):
    """A table of (key, token) by a 64-bit mix of both: the last day and a bit for each of the 64 days up to it."""

    def __init__(self, rule: rules.Days) -> None:
        super().__init__(timed=True)
        self.rule = rule
        self.pair = np.zeros(0, np.uint64)  # sorted
        self.key = np.zeros(0, np.int32)  # of each pair; -1 where a program before this one stored it
        self.day = np.zeros(0, np.int32)
        self.bits = np.zeros(0, np.uint64)

    def forget(self, keys: Ints) -> None:
        """Pairs of which nobody knows whose they are go as well: rather a day too few than one too many."""
        super().forget(keys)
        if len(keys):
            self._keep(~np.isin(self.key, keys) & (self.key >= 0))

    def forget_tokens(self, tokens: Ints) -> None:
        for token in tokens.tolist():
            named = self.pair == _mixed(self.key.astype(np.int64), np.full(len(self.key), token))
            self._keep(~named & (self.key >= 0))

    def _keep(self, which: Bools) -> None:
        self.pair, self.key = self.pair[which], self.key[which]
        self.day, self.bits = self.day[which], self.bits[which]

    def wanted(self, view: View) -> Run:
        return view.run(view.picked(self.rule.pick) & (view.rows.token != 0))

    def judge(self, run: Run) -> tuple[Run, Bools, Ints]:
        rule = self.rule
        day = (run.time + rule.offset) // rules.DAY
        pair = _mixed(run.key, run.token)
        until = np.zeros(len(run), np.int64)  # when what each row's token has is no longer enough
        for today in np.unique(day).tolist():
            rows = np.flatnonzero(day == today)
            pairs, one, which = np.unique(pair[rows], return_index=True, return_inverse=True)
            ends = (self._days_left(pairs, run.key[rows[one]], today) + today) * rules.DAY - rule.offset
            until[rows] = np.where(ends > today * rules.DAY - rule.offset, ends, 0)[which]
        stored = np.where(self.cells["on"][run.keys], self.cells["flip"][run.keys], 0)
        until[run.first] = np.maximum(until[run.first], stored)
        values, which = np.unique(until, return_inverse=True)
        rank = np.repeat(np.arange(len(run.keys)) * len(values), run.last - run.first + 1)  # so that a running maximum stays within its key
        until = values[np.maximum.accumulate(which + rank) - rank]
        holds = until > run.time
        return run, holds, np.where(holds, until, NEVER)

    def _days_left(self, pairs: NDArray[np.uint64], keys: Ints, today: int) -> Ints:
        """Marks the day; for how many days from today on each has enough of them, 0 for not."""
        self._make_room(pairs, keys, today)
        at = np.searchsorted(self.pair, pairs)
        self.key[at] = keys
        gone = (today - self.day[at]).astype(np.uint64)
        bits = np.where(gone < 64, self.bits[at] << np.minimum(gone, np.uint64(63)), np.uint64(0)) | np.uint64(1)
        self.day[at], self.bits[at] = today, bits
        left = np.zeros(len(pairs), np.int64)
        count = np.zeros(len(pairs), np.int64)
        for ago in range(self.rule.of):
            set_ = (bits >> np.uint64(ago)) & np.uint64(1) == 1
            count += set_
            left[set_ & (count == self.rule.least)] = self.rule.of - ago
        return left

    def _make_room(self, pairs: NDArray[np.uint64], keys: Ints, today: int) -> None:
        at = np.searchsorted(self.pair, pairs)
        known = np.zeros(len(pairs), np.bool_)
        inside = at < len(self.pair)
        known[inside] = self.pair[at[inside]] == pairs[inside]
        if known.all():
            return
        new = pairs[~known]
        keep = self.day > today - self.rule.of  # the others count no more
        pair = np.concatenate((self.pair[keep], new, pairs[known]))
        key = np.concatenate((self.key[keep], keys[~known].astype(np.int32), self.key[at[known]]))
        day = np.concatenate((self.day[keep], np.full(len(new), today, np.int32), self.day[at[known]]))
        bits = np.concatenate((self.bits[keep], np.zeros(len(new), np.uint64), self.bits[at[known]]))
        self.pair, first = np.unique(pair, return_index=True)
        self.key, self.day, self.bits = key[first], day[first], bits[first]

    def dump(self) -> Arrays:
        return {**super().dump(), "pair": self.pair, "key": self.key, "day": self.day, "bits": self.bits}

    def load(self, arrays: Arrays) -> None:
        super().load(arrays)
        self.pair, self.day, self.bits = (arrays[name].copy() for name in ("pair", "day", "bits"))
        self.key = arrays["key"].copy() if "key" in arrays else np.full(len(self.pair), -1, np.int32)


def _mixed(key: Ints, token: Ints) -> NDArray[Any]:
    """64 bits of a key and a token: two of a hundred million pairs fall together once in some thousand deployments."""
    mix = key.astype(np.uint64) * _STIR[0] + _STIR[1]
    mix = (mix ^ (mix >> np.uint64(30))) * _STIR[1] ^ token.astype(np.uint64)
    mix = (mix ^ (mix >> np.uint64(27))) * _STIR[2]
    return mix ^ (mix >> np.uint64(31))
