"""Readings of one step by key: the view a grouping has of them, and runs of the rows an operator asks for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gridloop.detection.columns import Bools, Floats, Ints, Readings, stable_order
from gridloop.detection.rules import Pick

Rows = NDArray[np.intp]


class Run:
    """Rows sorted by key, then time. ``first`` and ``last``: the rows a key begins and ends at; ``head``: for each row, its key's first."""

    def __init__(self, whole: Readings, rows: Rows, key: Ints, time: Ints) -> None:
        self._whole, self._rows, self.key, self.time = whole, rows, key, time
        new = np.ones(len(key), np.bool_)
        np.not_equal(key[1:], key[:-1], out=new[1:])
        self.first = np.flatnonzero(new)
        self.last = np.append(self.first[1:], len(key)) - 1
        self.keys = key[self.first]

    @cached_property
    def value(self) -> Floats:
        return self._whole.value[self._rows]

    @cached_property
    def token(self) -> Ints:
        return self._whole.token[self._rows]

    @cached_property
    def device(self) -> Ints:
        return self._whole.device[self._rows]

    def __len__(self) -> int:
        return len(self.key)

    @cached_property
    def head(self) -> Rows:
        return np.repeat(self.first, self.last - self.first + 1)

    @cached_property
    def settles(self) -> Bools:
        """The last row of each moment of a key."""
        out = np.ones(len(self.key), np.bool_)
        out[:-1] = (self.key[1:] != self.key[:-1]) | (self.time[1:] != self.time[:-1])
        return out

    @cached_property
    def moment(self) -> Rows:
        """For each row, the first row of its moment."""
        begins = np.ones(len(self.key), np.bool_)
        begins[1:] = self.settles[:-1]
        starts = np.flatnonzero(begins)
        out: Rows = starts[np.cumsum(begins) - 1]
        return out

    def moments(self) -> Run:
        """Only the last row of each moment."""
        return self if self.settles.all() else self.take(self.settles)

    def take(self, which: Bools) -> Run:
        return Run(self._whole, self._rows[which], self.key[which], self.time[which])

    def latest(self, marked: Bools) -> Rows:
        """For each row, the last marked row of its key up to it; -1 where there is none."""
        out = np.where(marked, np.arange(len(self.key)), -1)
        np.maximum.accumulate(out, out=out)
        out[out < self.head] = -1
        return out

    def before(self, column: NDArray[np.generic], stored: NDArray[np.generic]) -> NDArray[np.generic]:
        """The column one row earlier; for a key's first row what was stored."""
        out = np.empty_like(column)
        out[1:] = column[:-1]
        out[self.first] = stored[self.keys]
        return out


class View:
    """A step's readings by one grouping. ``key``: for each row of ``readings`` (by device, then time) its key, negative for none."""

    def __init__(self, readings: Readings, key: Ints | None) -> None:
        if key is None:
            self.rows, self.key = readings, readings.device
        else:
            order = stable_order(readings.time)
            order = order[key[order] >= 0]
            order = order[stable_order(key[order])]
            self.rows, self.key = readings.take(order), key[order]
        self._picked: dict[Pick, Bools] = {}

    def picked(self, pick: Pick) -> Bools:
        found = self._picked.get(pick)
        if found is None:
            found = self._picked[pick] = self._pick(pick)
        return found

    def _pick(self, pick: Pick) -> Bools:
        rows = self.rows
        out = np.zeros(len(self.key), np.bool_) if pick.kinds else np.ones(len(self.key), np.bool_)
        for kind in pick.kinds:
            out |= rows.kind == kind
        if pick.at_least is not None:
            out &= rows.value >= pick.at_least
        if pick.at_most is not None:
            out &= rows.value <= pick.at_most
        if pick.during is not None and len(out):
            out &= pick.during.is_open(rows.time)
        return out

    def run(self, which: Bools) -> Run:
        rows = np.flatnonzero(which)
        return Run(self.rows, rows, self.key[rows], self.rows.time[rows])
