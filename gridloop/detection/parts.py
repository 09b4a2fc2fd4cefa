"""What all operators are made of: arrays by key that grow, and conditions that change by a reading or by time alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gridloop.detection.columns import LONG_AGO, NEVER, Bools, Edges, Ints, begins, edges_of
from gridloop.detection.rules import Pick
from gridloop.detection.runs import Run, View

Arrays = dict[str, NDArray[Any]]
Facts = Mapping[str, NDArray[np.float64]]  # by key; NaN is not known


class Bounds:
    """Moments that wait by key, known by blocks of keys: none of a block is before its bound, so that few are looked through."""

    def __init__(self) -> None:
        self._low = np.zeros(0, np.int64)

    def of(self, size: int) -> Ints:
        """The bounds themselves, with room for so many keys."""
        blocks = (size - 1 >> _BLOCK) + 1
        if blocks > len(self._low):
            self._low = np.append(self._low, np.full(blocks - len(self._low), NEVER))
        return self._low

    def lower(self, keys: Ints, due: Ints) -> None:
        """Some keys, in their order, are due now."""
        blocks = keys >> _BLOCK
        self.of(int(keys[-1]) + 1)
        starts = begins(blocks).nonzero()[0]
        blocks = blocks[starts]
        self._low[blocks] = np.minimum(self._low[blocks], np.minimum.reduceat(due, starts))

    def look(self, due: Ints) -> None:
        """Learns all bounds anew; what is ``LONG_AGO`` waits no more."""
        starts = np.arange(0, len(due), 1 << _BLOCK)
        self._low = np.minimum.reduceat(np.where(due == LONG_AGO, NEVER, due), starts) if len(due) else np.zeros(0, np.int64)

    def come(self, due: Ints, until: int, then: int, kernels: Any) -> tuple[Ints, Ints]:
        """The keys that are due before a moment, and when; ``then`` is put in the place of that."""
        if kernels is not None:
            blocks = kernels.blocks_due(self._low, until)
            if not blocks:
                return _NONE, _NONE
            keys, moments = np.empty(blocks << _BLOCK, np.int64), np.empty(blocks << _BLOCK, np.int64)
            size = kernels.come(self._low, due, until, then, keys, moments)
            return keys[:size], moments[:size]
        return self._come(due, until, then)

    def _come(self, due: Ints, until: int, then: int) -> tuple[Ints, Ints]:
        blocks = (self._low < until).nonzero()[0]
        if not len(blocks):
            return blocks, blocks
        keys = ((blocks[:, None] << _BLOCK) + np.arange(1 << _BLOCK)).ravel()
        if keys[-1] >= len(due):
            keys = keys[: np.searchsorted(keys, len(due))]
        at = due[keys]
        at[at == LONG_AGO] = NEVER
        came = np.flatnonzero(at < until)
        found, moments = keys[came], at[came]
        at[came] = NEVER
        self._low[blocks] = np.minimum.reduceat(at, np.arange(0, len(at), 1 << _BLOCK))
        due[found] = then
        return found, moments


_NONE = np.zeros(0, np.int64)
_BLOCK = 8  # keys of a block are 2 to this; the compiled loops know it too


class Part(ABC):
    """Has state by key in ``cells`` and, when asked for a step, says the changes of its condition up to before ``until``."""

    initial = False  # whether the condition holds before anything was read
    kernels: Any = None  # the module of compiled loops, where they are used

    def __init__(self) -> None:
        self.cells: Arrays = {}
        self._fills: dict[str, Any] = {}
        self.inner: tuple[Part, ...] = ()

    def cell(self, name: str, dtype: DTypeLike, fill: Any, *width: int) -> None:
        """An array whose last axis goes by key."""
        self.cells[name] = np.zeros((*width, 0), dtype)
        self._fills[name] = fill

    def grow(self, size: int) -> None:
        for name, old in self.cells.items():
            if old.shape[-1] == size:
                continue
            new = np.full((*old.shape[:-1], size), self._fills[name], old.dtype)
            new[..., : old.shape[-1]] = old
            self.cells[name] = new

    @abstractmethod
    def step(self, view: View, until: int) -> Edges: ...

    def forget(self, keys: Ints) -> None:
        """As if nothing had ever been read of some keys. Bounds stay: they may be too early, never too late."""
        for name, cell in self.cells.items():
            cell[..., keys] = self._fills[name]

    def forget_tokens(self, tokens: Ints) -> None:  # noqa: B027  # most conditions keep none
        """As if nothing had ever been read that named one of these; what holds already goes on."""

    def dump(self) -> Arrays:
        return dict(self.cells)

    def load(self, arrays: Arrays) -> None:
        """Takes the arrays as its own."""
        for name, cell in self.cells.items():
            stored = arrays[name]
            if stored.dtype != cell.dtype or stored.shape[:-1] != cell.shape[:-1]:
                raise ValueError(f"{type(self).__name__}.{name} is stored in another shape")
            self.cells[name] = stored

    def enroll(self, keys: Ints, at: Ints) -> None:  # noqa: B027  # most conditions wait for nobody
        """Keys that are known, each from a moment on, though nothing was read of them."""

    def nbytes(self) -> int:
        return sum(cell.nbytes for cell in self.dump().values())

    def tree(self, path: str = "") -> Iterator[tuple[str, Part]]:
        yield path, self
        for number, part in enumerate(self.inner):
            yield from part.tree(f"{path}.{number}")


# The compiled loop of an operator that has one, whose rows it goes through; it writes changes and says how many.
Loop = tuple[Pick, Callable[[View, NDArray[np.intp], Edges], int]]


class Leaf(Part):
    """A condition over readings. ``judge`` says for each row whether it holds from then on, and when that turns around by time alone."""

    loop: Loop | None = None

    def __init__(self, *, timed: bool) -> None:
        super().__init__()
        self.timed = timed
        self.bounds = Bounds()
        self.cell("on", np.bool_, False)
        if timed:
            self.cell("flip", np.int64, NEVER)

    @abstractmethod
    def wanted(self, view: View) -> Run: ...

    @abstractmethod
    def judge(self, run: Run) -> tuple[Run, Bools, Ints | None]:
        """The rows (all, or one a moment), whether the condition holds at each, and when it flips if nothing more is read."""

    def _read(self, view: View) -> list[Edges]:
        """The changes that readings make."""
        if self.loop is None or self.kernels is None:
            run = self.wanted(view)
            return self._changes(*self.judge(run)) if len(run) else []
        pick, sweep = self.loop
        rows = view.rows_of(pick)
        if not len(rows):
            return []
        room = 2 * len(rows)
        out = Edges(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.bool_))
        size = sweep(view, rows, out)
        return [Edges(out.key[:size], out.time[:size], out.on[:size])] if size else []

    def step(self, view: View, until: int) -> Edges:
        parts = self._read(view)
        if self.timed:
            keys, moments = self.bounds.come(self.cells["flip"], until, NEVER, self.kernels)
            if len(keys):
                on = self.cells["on"]
                on[keys] ^= True
                parts.append(Edges(keys, moments, on[keys]))
        return edges_of(parts)

    def _changes(self, run: Run, holds: Bools, flip: Ints | None) -> list[Edges]:
        if not run.settled:
            holds, flip = holds[run.settles], None if flip is None else flip[run.settles]
            run = run.moments
        on, parts = self.cells["on"], []
        before: Bools = run.before(holds, on)
        if flip is not None:
            stored = self.cells["flip"]
            due = run.before(flip, stored)
            lapsed = due < run.time
            if lapsed.any():
                parts.append(Edges(run.key[lapsed], due[lapsed], ~before[lapsed]))
                before = before ^ lapsed
            self._wait(run, flip, due)
        change = before != holds
        if change.any():
            parts.append(Edges(run.key[change], run.time[change], holds[change]))
        if parts:
            on[run.keys] = holds[run.last]
        return parts

    def _wait(self, run: Run, flip: Ints, due: Ints) -> None:
        """Keeps when each key flips, and lowers its bound where that is sooner than it was."""
        first, ends = (due, flip) if run.single else (due[run.first], flip[run.last])
        self.cells["flip"][run.keys] = ends
        sooner = ends < first
        if sooner.any():
            self.bounds.lower(run.keys[sooner], ends[sooner])

    def load(self, arrays: Arrays) -> None:
        super().load(arrays)
        if self.timed:
            self.bounds.look(self.cells["flip"])


class Asking(Part):
    """Asks for facts of its keys."""

    facts: Facts = {}

    def known(self, name: str, key: Ints) -> NDArray[np.float64]:
        column = self.facts.get(name)
        if column is None or not len(column):
            return np.full(len(key), np.nan)
        return np.where(key < len(column), column[np.minimum(key, len(column) - 1)], np.nan)

    def changed(self, watermark: int) -> None:  # most look at them when they need them
        """The facts are others now."""
