"""Readings of one step by key: the view a grouping has of them, and runs of the rows an operator asks for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridloop.detection.columns import Bools, Floats, Ints, Sorted, begins, order_by
from gridloop.detection.rules import Pick

Rows = NDArray[np.intp]


class Run:
    """Rows sorted by key, then time. ``first`` and ``last``: the rows a key begins and ends at; ``rest``: those that are no first."""

    def __init__(self, whole: Sorted, rows: Rows, key: Ints, time: Ints) -> None:
        self._whole, self._rows, self.key, self.time = whole, rows, key, time
        new = begins(key)
        self.first = new.nonzero()[0]
        self.single = len(self.first) == len(key)
        self.rest = (~new).nonzero()[0] if not self.single else _NONE
        self.last = self.first if self.single else _ends(self.first, len(key))
        self.keys = key if self.single else key[self.first]

    @cached_property
    def value(self) -> Floats:
        return self._whole.values(self._rows)

    @cached_property
    def token(self) -> Ints:
        return self._whole.tokens(self._rows)

    @cached_property
    def device(self) -> Ints:
        return self._whole.device[self._rows]

    def __len__(self) -> int:
        return len(self.key)

    @cached_property
    def head(self) -> Rows:
        """For each row, its key's first."""
        return np.repeat(self.first, self.last - self.first + 1)

    @cached_property
    def settles(self) -> Bools:
        """The last row of each moment of a key."""
        out = np.ones(len(self.key), np.bool_)
        rest = self.rest
        out[rest - 1] = self.time[rest] != self.time[rest - 1]
        return out

    @cached_property
    def settled(self) -> bool:
        """Whether every row is the last of its moment."""
        return self.single or bool(self.settles.all())

    @cached_property
    def moment(self) -> Rows:
        """For each row, the first row of its moment."""
        begins = np.ones(len(self.key), np.bool_)
        begins[1:] = self.settles[:-1]
        starts = np.flatnonzero(begins)
        out: Rows = starts[np.cumsum(begins) - 1]
        return out

    @cached_property
    def moments(self) -> Run:
        """Only the last row of each moment."""
        return self if self.settled else self.take(self.settles)

    def take(self, which: Bools) -> Run:
        return Run(self._whole, self._rows[which], self.key[which], self.time[which])

    def latest(self, marked: Bools) -> Rows:
        """For each row, the last marked row of its key up to it; -1 where there is none."""
        out = np.where(marked, np.arange(len(self.key)), -1)
        if not self.single:
            np.maximum.accumulate(out, out=out)
            out[out < self.head] = -1
        return out

    def before(self, column: NDArray[Any], stored: NDArray[Any]) -> NDArray[Any]:
        """The column one row earlier; for a key's first row what was stored."""
        out: NDArray[Any] = stored[self.key]
        if not self.single:
            out[self.rest] = column[self.rest - 1]
        return out


_NONE = np.zeros(0, np.intp)


def _ends(first: Rows, size: int) -> Rows:
    """The last rows of keys that begin at the first."""
    out = np.empty_like(first)
    out[:-1] = first[1:]
    out[-1:] = size
    out -= 1
    return out


class View:
    """A step's readings by one grouping. ``key``: for each row of ``rows`` (by device, then time) its key, negative for none.

    ``kernels``: the module of compiled loops, where they are used.
    """

    def __init__(self, rows: Sorted, key: Ints | None, kernels: Any = None) -> None:
        self._kernels = kernels
        if key is None:
            self.rows, self.key = rows, rows.device
        else:
            known = np.flatnonzero(key >= 0)
            order, self.key, _ = order_by(key[known], rows.time[known])
            self.rows = rows.take(known[order])
        self._picked: dict[Pick, Bools] = {}
        self._rows: dict[Pick, Rows] = {}
        self._runs: dict[Pick, Run] = {}

    @cached_property
    def _kind(self) -> NDArray[Any]:
        kind = self.rows.kind
        return kind.astype(np.int16) if int(kind.max(initial=0)) < 2**15 else kind

    def picked(self, pick: Pick) -> Bools:
        found = self._picked.get(pick)
        if found is None:
            found = self._picked[pick] = self._pick(pick)
        return found

    def _pick(self, pick: Pick) -> Bools:
        rows = self.rows
        out = self._kind == pick.kinds[0] if pick.kinds else np.ones(len(self.key), np.bool_)
        for kind in pick.kinds[1:]:
            out |= self._kind == kind
        if pick.at_least is not None:
            out &= rows.value >= pick.at_least
        if pick.at_most is not None:
            out &= rows.value <= pick.at_most
        if pick.during is not None and len(out):
            out &= pick.during.is_open(rows.time)
        return out

    def rows_of(self, pick: Pick) -> Rows:
        """Rows of a pick: worked out once for all that ask for it."""
        found = self._rows.get(pick)
        if found is None:
            found = self._rows[pick] = self._marked(self.picked(pick))
        return found

    def _marked(self, which: Bools) -> Rows:
        if self._kernels is None:
            return which.nonzero()[0]
        out = np.empty(len(which), np.intp)
        return out[: self._kernels.rows_of(which, out)]

    def run_of(self, pick: Pick) -> Run:
        found = self._runs.get(pick)
        if found is None:
            found = self._runs[pick] = self._run(self.rows_of(pick))
        return found

    def run(self, which: Bools) -> Run:
        return self._run(which.nonzero()[0])

    def _run(self, rows: Rows) -> Run:
        return Run(self.rows, rows, self.key[rows], self.rows.time[rows])
