"""What all operators are made of: arrays by key that grow, and conditions that change by a reading or by time alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gridloop.detection.columns import NEVER, NO_EDGES, Bools, Edges, Ints, edges_of
from gridloop.detection.runs import Run, View

Arrays = dict[str, NDArray[Any]]


class Part(ABC):
    """Has state by key in ``cells`` and, when asked for a step, says the changes of its condition up to before ``until``."""

    initial = False  # whether the condition holds before anything was read

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


class Leaf(Part):
    """A condition over readings. ``judge`` says for each row whether it holds from then on, and when that turns around by time alone."""

    def __init__(self, *, timed: bool) -> None:
        super().__init__()
        self.timed = timed
        self.soonest = NEVER  # nothing turns around before it
        self.cell("on", np.bool_, False)
        if timed:
            self.cell("flip", np.int64, NEVER)

    @abstractmethod
    def wanted(self, view: View) -> Run: ...

    @abstractmethod
    def judge(self, run: Run) -> tuple[Run, Bools, Ints | None]:
        """The rows (all, or one a moment), whether the condition holds at each, and when it flips if nothing more is read."""

    def step(self, view: View, until: int) -> Edges:
        run = self.wanted(view)
        parts = self._changes(*self.judge(run)) if len(run) else []
        if self.timed and self.soonest < until:
            parts.append(self._expired(until))
        return edges_of(parts)

    def _changes(self, run: Run, holds: Bools, flip: Ints | None) -> list[Edges]:
        if not run.settles.all():
            holds, flip = holds[run.settles], None if flip is None else flip[run.settles]
            run = run.moments()
        on, parts = self.cells["on"], []
        before: Any = run.before(holds, on)
        if flip is not None:
            stored = self.cells["flip"]
            due: Any = run.before(flip, stored)
            lapsed = due < run.time
            if lapsed.any():
                parts.append(Edges(run.key[lapsed], due[lapsed], ~before[lapsed]))
                before = before ^ lapsed
            ends = flip[run.last]
            stored[run.keys] = ends
            self.soonest = min(self.soonest, int(ends.min()))
        change = before != holds
        if change.any():
            parts.append(Edges(run.key[change], run.time[change], holds[change]))
        on[run.keys] = holds[run.last]
        return parts

    def _expired(self, until: int) -> Edges:
        on, flip = self.cells["on"], self.cells["flip"]
        keys = np.flatnonzero(flip < until)
        edges = Edges(keys, flip[keys], ~on[keys]) if len(keys) else NO_EDGES
        on[keys] ^= True
        flip[keys] = NEVER
        self.soonest = int(flip.min(initial=NEVER))
        return edges

    def load(self, arrays: Arrays) -> None:
        super().load(arrays)
        if self.timed:
            self.soonest = int(self.cells["flip"].min(initial=NEVER))
