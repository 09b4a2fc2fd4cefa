"""Conditions that look at what was read last: threshold, rate, absence, dwell, sequence, unanswered.

Each is worked out for all rows of a step at once by looking back to a marked row, never row by row: a device that sends a quarter of all
readings costs no more than others.
"""

from __future__ import annotations

import numpy as np

from gridloop.detection import rules
from gridloop.detection.columns import LONG_AGO, NEVER, Bools, Edges, Ints
from gridloop.detection.parts import Leaf
from gridloop.detection.runs import Rows, Run, View

_NONE = np.zeros(0, np.int64)


class Threshold(Leaf):
    def __init__(self, rule: rules.Threshold) -> None:
        super().__init__(timed=False)
        self.rule = rule
        self.loop = rule.pick, self._swept

    def wanted(self, view: View) -> Run:
        return view.run_of(self.rule.pick)

    def _swept(self, view: View, rows: Rows, out: Edges) -> int:
        rule, of = self.rule, view.rows
        clear = rule.limit if rule.clear is None else rule.clear
        columns = rows, view.key, of.time, of.order, of.whole.value
        size: int = self.kernels.threshold(*columns, rule.limit, clear, rule.direction == rules.UP, self.cells["on"], out)
        return size

    def judge(self, run: Run) -> tuple[Run, Bools, None]:
        rule, value = self.rule, run.value
        clear = rule.limit if rule.clear is None else rule.clear
        over, under = (value >= rule.limit, value < clear) if rule.direction == rules.UP else (value <= rule.limit, value > clear)
        said = over | under
        silent = (~said).nonzero()[0]
        if len(silent):  # between the limits, or without a value: as before
            over[silent] = self.cells["on"][run.key[silent]]
            if not run.single and (run.key[silent] == run.key[silent - 1]).any():
                last = run.latest(said)
                over = np.where(last >= 0, over[last], over)
        return run, over, None


class Rate(Leaf):
    def __init__(self, rule: rules.Rate) -> None:
        super().__init__(timed=False)
        self.rule = rule
        self.cell("time", np.int64, LONG_AGO)
        self.cell("value", np.float64, np.nan)

    def wanted(self, view: View) -> Run:
        return view.run(view.picked(self.rule.pick) & ~np.isnan(view.rows.value))

    def judge(self, run: Run) -> tuple[Run, Bools, None]:
        run, rule = run.moments, self.rule
        time, value = self.cells["time"], self.cells["value"]
        rise = run.value - run.before(run.value, value)
        gone = run.time - run.before(run.time, time)
        rise = {rules.UP: rise, rules.DOWN: -rise, rules.BOTH: np.abs(rise)}[rule.direction]
        holds: Bools = rise * rule.per >= rule.change * gone
        time[run.keys], value[run.keys] = run.time[run.last], run.value[run.last]
        return run, holds, None


class Absence(Leaf):
    def __init__(self, rule: rules.Absence) -> None:
        super().__init__(timed=True)
        self.rule = rule
        self.loop = rule.pick, self._swept

    def wanted(self, view: View) -> Run:
        return view.run_of(self.rule.pick)

    def _swept(self, view: View, rows: Rows, out: Edges) -> int:
        on, flip = self.cells["on"], self.cells["flip"]
        size: int = self.kernels.absence(rows, view.key, view.rows.time, self.rule.longer, on, flip, self.bounds.of(len(flip)), out)
        return size

    def judge(self, run: Run) -> tuple[Run, Bools, Ints]:
        return run, np.zeros(len(run), np.bool_), run.time + self.rule.longer

    def enroll(self, keys: Ints, at: Ints) -> None:
        flip = self.cells["flip"]
        fresh = (flip[keys] == NEVER) & ~self.cells["on"][keys]
        flip[keys[fresh]] = at[fresh] + self.rule.longer
        self.bounds.look(flip)


class Dwell(Leaf):
    def __init__(self, rule: rules.Dwell) -> None:
        super().__init__(timed=True)
        self.rule = rule
        self.cell("zone", np.int64, 0)
        if rule.gap is not None:
            self.cell("last", np.int64, 0)
        self.loop = rule.pick, self._swept

    def wanted(self, view: View) -> Run:
        return view.run_of(self.rule.pick)

    def forget_tokens(self, tokens: Ints) -> None:
        zone, waits = self.cells["zone"], ~self.cells["on"]
        gone = np.isin(zone, tokens) & (zone != 0)
        zone[gone] = 0
        self.cells["flip"][gone & waits] = NEVER

    def _swept(self, view: View, rows: Rows, out: Edges) -> int:
        rule, of, cells = self.rule, view.rows, self.cells
        zones = np.array(rule.zones or (), np.int64)
        gap = -1 if rule.gap is None else rule.gap
        columns = rows, view.key, of.time, of.order, of.whole.token
        where = rule.longer, gap, zones, rule.zones is None
        flip = cells["flip"]
        state = cells["zone"], cells.get("last", _NONE), cells["on"], flip, self.bounds.of(len(flip))
        size: int = self.kernels.dwell(*columns, *where, *state, out)
        return size

    def judge(self, run: Run) -> tuple[Run, Bools, Ints]:
        run, rule = run.moments, self.rule
        zone, on = self.cells["zone"], self.cells["on"]
        since = np.where(on[run.key], LONG_AGO, self.cells["flip"][run.key] - rule.longer)  # of a stay that goes on
        here = run.token
        if rule.zones is not None:
            here = np.where(np.logical_or.reduce([here == one for one in rule.zones]), here, 0)
        new = here != run.before(here, zone)
        if rule.gap is not None:
            last = self.cells["last"]
            new |= run.time - run.before(run.time, last) > rule.gap
            last[run.keys] = run.time[run.last]
        came = run.latest(new)
        began = np.where(came >= 0, run.time[came], since)
        zone[run.keys] = here[run.last]
        due = np.where(here != 0, began + rule.longer, NEVER)
        holds = due <= run.time
        return run, holds, np.where(holds, NEVER, due)


class _Pair(Leaf):
    """Two picks whose readings answer each other."""

    def __init__(self, rule: rules.Sequence | rules.Unanswered) -> None:
        super().__init__(timed=True)
        self.pair = rule
        self._first = self._then = np.zeros(0, np.bool_)

    def wanted(self, view: View) -> Run:
        first, then = view.picked(self.pair.first), view.picked(self.pair.then)
        either = first | then
        self._first, self._then = first[either], then[either]
        return view.run(either)


class Sequence(_Pair):
    def __init__(self, rule: rules.Sequence) -> None:
        super().__init__(rule)
        self.rule = rule
        self.cell("first", np.int64, LONG_AGO)

    def judge(self, run: Run) -> tuple[Run, Bools, Ints]:
        stored = self.cells["first"]
        seen = run.latest(self._first)
        first = np.where(seen >= 0, run.time[seen], stored[run.key])
        earlier = run.moment - 1  # the last row before this moment
        inside = earlier >= run.head
        before = np.where(inside, first[earlier], stored[run.key])
        hit = run.latest(self._then & (before >= run.time - self.rule.within))
        held = np.where(self.cells["on"][run.key], self.cells["flip"][run.key], LONG_AGO)
        ends = np.where(hit >= 0, run.time[hit] + self.rule.keep, held)
        stored[run.keys] = first[run.last]
        holds = ends > run.time
        return run, holds, np.where(holds, ends, NEVER)


class Unanswered(_Pair):
    def __init__(self, rule: rules.Unanswered) -> None:
        super().__init__(rule)
        self.rule = rule

    def judge(self, run: Run) -> tuple[Run, Bools, Ints]:
        starts = np.flatnonzero(np.r_[True, run.settles[:-1]])
        answer = np.logical_or.reduceat(self._then, starts)
        ask = np.logical_or.reduceat(self._first, starts) & ~answer  # what is answered at once was not asked
        run = run.moments
        on, flip = self.cells["on"][run.key], self.cells["flip"][run.key]
        answered = run.latest(answer)
        waits = (answered < 0) & (on | (flip != NEVER))  # since before this step
        asked = np.cumsum(ask)
        since = np.where(answered >= 0, answered, run.head)
        fresh = ask & (asked - asked[since] + ask[since] == 1) & ~waits  # the first since the answer, or of the step
        begun = run.latest(fresh)
        due = np.where(begun > answered, run.time[begun] + self.rule.within, NEVER)
        due = np.where(waits, np.where(on, LONG_AGO, flip), due)
        holds = due <= run.time
        return run, holds, np.where(holds, NEVER, due)
