"""Conditions over conditions: all, any, not, hold, and what an alarm may begin under."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from gridloop.detection import rules
from gridloop.detection.columns import LONG_AGO, NEVER, NO_EDGES, Bools, Edges, Ints, begins, edges_of
from gridloop.detection.parts import Arrays, Asking, Bounds, Part
from gridloop.detection.runs import View

_CLOSED = NEVER - 1  # waits for what never opens, as far as is known


class Combine(Part):
    """All, any or none of the inner conditions."""

    def __init__(self, how: str, inner: tuple[Part, ...]) -> None:
        super().__init__()
        self.how, self.inner = how, inner
        self.initial = bool(self._joined([np.array([part.initial]) for part in inner])[0])
        for number, part in enumerate(inner):
            self.cell(f"in{number}", np.bool_, part.initial)
        self.cell("on", np.bool_, self.initial)

    def _joined(self, states: list[Bools]) -> Bools:
        if self.how == "all":
            every: Bools = np.logical_and.reduce(states)
            return every
        some: Bools = np.logical_or.reduce(states)
        return some if self.how == "any" else ~some

    def step(self, view: View, until: int) -> Edges:
        parts = [part.step(view, until) for part in self.inner]
        key, time, on = (np.concatenate(column) for column in zip(*parts, strict=True))
        if not len(key):
            return NO_EDGES
        which = np.repeat(np.arange(len(parts)), [len(part.key) for part in parts])
        order = np.lexsort((time, key))
        key, time, on, which = key[order], time[order], on[order], which[order]
        new = np.r_[True, key[1:] != key[:-1]]
        first = np.flatnonzero(new)
        head = first[np.cumsum(new) - 1]
        states = [self._state(number, key, on, which == number, head) for number in range(len(parts))]
        settles = np.r_[(key[1:] != key[:-1]) | (time[1:] != time[:-1]), True]
        last = np.append(first[1:], len(key)) - 1
        for number, state in enumerate(states):
            self.cells[f"in{number}"][key[last]] = state[last]
        return self._changed(key[settles], time[settles], self._joined(states)[settles])

    def _state(self, number: int, key: Ints, on: Bools, own: Bools, head: NDArray[np.intp]) -> Bools:
        """Of one inner condition, at every row."""
        at = np.maximum.accumulate(np.where(own, np.arange(len(key)), -1))
        return np.where(at >= head, on[at], self.cells[f"in{number}"][key])

    def _changed(self, key: Ints, time: Ints, on: Bools) -> Edges:
        stored = self.cells["on"]
        first = np.r_[True, key[1:] != key[:-1]]
        before = np.where(first, stored[key], np.r_[False, on[:-1]])
        last = np.r_[first[1:], True]
        stored[key[last]] = on[last]
        change = before != on
        return Edges(key[change], time[change], on[change])


class Delay(Part):
    """Begins later than its inner condition and ends with it; not at all when that ends before."""

    def __init__(self, inner: Part) -> None:
        super().__init__()
        self.inner = (inner,)
        self.bounds = Bounds()
        self.initial = inner.initial
        self.cell("due", np.int64, LONG_AGO if inner.initial else NEVER)  # NEVER: not begun, LONG_AGO: holds

    @abstractmethod
    def begins(self, time: Ints, key: Ints) -> Ints: ...

    def step(self, view: View, until: int) -> Edges:
        edges = self.inner[0].step(view, until)
        parts = [self._moved(edges)] if len(edges.key) else []
        keys, moments = self.bounds.come(self.cells["due"], until, LONG_AGO, self.kernels)
        if len(keys):
            parts.append(Edges(keys, moments, np.ones(len(keys), np.bool_)))
        return edges_of(parts)

    def _moved(self, edges: Edges) -> Edges:
        key, time, on = edges
        stored = self.cells["due"]
        first, last = begins(key), np.ones(len(key), np.bool_)
        last[:-1] = first[1:]
        due = np.full(len(key), NEVER)
        due[on] = np.minimum(self.begins(time[on], key[on]), _CLOSED)
        before = stored[key]
        later = (~first).nonzero()[0]
        before[later] = due[later - 1]
        over = ~on & (before < time)  # held, or would have come due by now
        late = over & (before > LONG_AGO)
        stored[key[last]] = due[last]
        self.bounds.lower(key[last], due[last])
        begun = Edges(key[late], before[late], np.ones(int(late.sum()), np.bool_))
        return edges_of([begun, Edges(key[over], time[over], np.zeros(int(over.sum()), np.bool_))])

    def load(self, arrays: Arrays) -> None:
        super().load(arrays)
        self.bounds.look(self.cells["due"])


class Hold(Delay):
    def __init__(self, rule: rules.Hold, inner: Part) -> None:
        super().__init__(inner)
        self.rule = rule

    def begins(self, time: Ints, key: Ints) -> Ints:
        return time + self.rule.longer

    def _moved(self, edges: Edges) -> Edges:
        if self.kernels is None:
            return super()._moved(edges)
        due, room = self.cells["due"], 2 * len(edges.key)
        out = Edges(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.bool_))
        size = self.kernels.hold(*edges, self.rule.longer, due, self.bounds.of(len(due)), out)
        return Edges(out.key[:size], out.time[:size], out.on[:size])


class During(Delay):
    def __init__(self, rule: rules.During, inner: Part) -> None:
        super().__init__(inner)
        self.rule = rule

    def begins(self, time: Ints, key: Ints) -> Ints:
        return self.rule.schedule.next_open(time)


class Gate(Delay, Asking):
    """A gate that facts open and close. When they change, what waits is asked anew; what has begun goes on."""

    def changed(self, watermark: int) -> None:
        due = self.cells["due"]
        keys = np.flatnonzero((due != NEVER) & (due > LONG_AGO))
        due[keys] = np.minimum(self.begins(np.full(len(keys), watermark), keys), _CLOSED)
        self.bounds.look(due)


class Where(Gate):
    def __init__(self, rule: rules.Where, inner: Part) -> None:
        super().__init__(inner)
        self.rule = rule

    def begins(self, time: Ints, key: Ints) -> Ints:
        value = self.known(self.rule.fact, key)
        so = ~np.isnan(value)
        if self.rule.at_least is not None:
            so &= value >= self.rule.at_least
        if self.rule.at_most is not None:
            so &= value <= self.rule.at_most
        return np.where(so, time, _CLOSED)


class Unless(Gate):
    def __init__(self, rule: rules.Unless, inner: Part) -> None:
        super().__init__(inner)
        self.rule = rule

    def begins(self, time: Ints, key: Ints) -> Ints:
        since, till = self.known(self.rule.since, key), self.known(self.rule.till, key)
        away = (since <= time) & (time < till)  # a comparison with what is not known is false
        return np.where(away, np.where(away, till, 0).astype(np.int64), time)
