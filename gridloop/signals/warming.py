"""What detectors that are new or changed would know had they always been at work: history goes through an engine of their own.

Beside those that are at work, a little in every turn, until both stand at the same moment. No alarm of that time is told; those that
still last are.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gridloop.detection.columns import NOTHING, Ints, Readings, joined
from gridloop.detection.engine import Engine
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import DAY, DEVICE, HOUR, Detector
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals.alarms import moment
from gridloop.signals.holding import conditions, kinds_asked
from gridloop.signals.keys import Keys
from gridloop.signals.past import Kinds, Past, decisive, earlier
from gridloop.signals.stream import Stream, marks_before
from gridloop.signals.stream import partitions as all_partitions
from gridloop.signals.taking import LATENESS, Taking, compiled

if TYPE_CHECKING:
    from gridloop.signals.detecting import AtWork

LOOK_BACK = 45 * DAY  # so far before the window a device's last and decisive readings are looked for: what has lasted since began with them


def memory_of(detector: Detector) -> int:
    """How far back a detector's present state may reach, ms: the sum of all it counts or waits over."""
    return detector.quiet + sum(part.memory for part in conditions(detector))


def enrol(engine: Engine, groupings: Collection[str], keys: Keys, device: Ints, at: Ints) -> None:
    """Homes and places are waited for from when any of their devices was heard, as on the command line. A device is not: of which kinds

    it never sends, nobody knows.
    """
    order = np.argsort(at, kind="stable")
    for by in sorted({*groupings} - {DEVICE}) if len(device) else ():
        homes = keys.homes.get(by, {})
        key = np.array([homes.get(one, -1) for one in device[order].tolist()], np.int64)
        known, first = np.unique(key, return_index=True)
        if len(known[known >= 0]):
            engine.enroll(by, known[known >= 0], at[order][first[known >= 0]])


class Learning:
    """An engine of its own through which history goes: first what last was before ``since`` (ms). ``kinds``: None to read all there is;

    ``lane``: the only partition in whose files it lies.
    """

    def __init__(
        self,
        keys: Keys,
        taking: Taking,
        detectors: Sequence[Detector],
        since: int,
        frontier: int,
        partitions: Sequence[int],
        kinds: Kinds,
        lane: int | None = None,
    ) -> None:
        self.engine = Engine(detectors, LATENESS, compiled=compiled())
        self._keys, self._taking = keys, taking
        self._groupings = {detector.by for detector in detectors}
        keys.tell(self.engine, self._groupings)
        for by in self._groupings:
            for name, column in keys.facts(by, detectors, moment(frontier)).items():
                self.engine.facts(by, name, column)
        self._past = Past(since, frontier, partitions, keys.devices, kinds, lane)
        self.begin = self._past.at
        asked = decisive(part for detector in detectors for part in conditions(detector))
        meters = {total for detector in detectors for total in detector.totals}
        self._earlier = earlier(self.begin, self.begin - LOOK_BACK, keys.devices, kinds, lane, asked, meters)
        self._last: list[Readings] | None = []  # those of before, until all are found
        self.back = (self.begin - 1) // HOUR - (self.begin - LOOK_BACK) // HOUR + 1  # hours it looks back over

    @property
    def at(self) -> int | None:
        """Everything before it was handed on, ms; None while it still looks back."""
        return self._past.at if self._last is None else None

    @property
    def looked(self) -> int:
        """Hours of ``back`` gone through."""
        return self.back if self._last is None else len(self._last)

    def go_on_from(self, at: int) -> None:
        """With an engine that has seen everything before ``at`` (ms)."""
        self._last, self._past.at = None, at

    def group(self, by: str, device: Ints, key: Sequence[int]) -> None:
        """Devices belong elsewhere from now on."""
        if by in self._groupings:
            self.engine.group(by, device, key)

    def next(self, until: int) -> Readings:
        """The next piece of history up to before ``until``, for ``feed``; none while it still looks back."""
        if self._last is None:
            return self._past.next(until)
        found = next(self._earlier, None)
        if found is not None:
            self._last.append(found)
            return NOTHING
        self._look_back(joined(self._last))
        return NOTHING

    def _look_back(self, found: Readings) -> None:
        self._last = None
        self.feed(found.take(np.argsort(found.time, kind="stable")))
        since = self._taking.since
        known = np.flatnonzero(since >= 0)
        enrol(self.engine, self._groupings, self._keys, known, np.maximum(since[known], self.begin))

    def feed(self, readings: Readings) -> list[Alarm]:
        if not len(readings.time):
            return []
        new, at = self._taking.hear(readings.device, readings.time, readings.time)  # before anybody was at work
        enrol(self.engine, self._groupings, self._keys, new, at)
        return self.engine.step(readings)


class Warming:
    """``wanted``: all that are to be at work, ``detectors`` those of them that have to learn."""

    def __init__(self, work: AtWork, wanted: tuple[Detector, ...], detectors: Sequence[Detector]) -> None:
        self.wanted, self._work = wanted, work
        since = work.engine.watermark - DAY - max(memory_of(detector) for detector in detectors)
        # devices that lay in other partitions left their past there
        lane = None if since - LOOK_BACK < work.moved else work.lane.partition
        with scoped(SYSTEM):
            partitions = sorted(all_partitions()) if lane is None else [lane]
        self._learning = Learning(work.keys, work.taking, detectors, since, work.frontier, partitions, kinds_asked(detectors), lane)
        self.group, self.engine = self._learning.group, self._learning.engine

    def go_on(self, seconds: float) -> bool:
        """For about so long; whether it stands where the work stands."""
        end, until = time.monotonic() + seconds, self._work.engine.watermark
        while (at := self._learning.at) is None or at < until:
            self._learning.feed(self._learning.next(until))
            self._work.keep_lease()
            if time.monotonic() > end:
                return False
        self.engine.finish(until - 1)
        return True


def begin_with_what_waits(work: AtWork) -> None:
    """The first start: readings received of late whose moment has not come take part."""
    with scoped(SYSTEM):
        stream = Stream({p: mark for p, mark in marks_before(work.frontier - 2 * LATENESS).items() if p in work.stream.marks})
    reached = -1
    while reached < work.frontier:
        with scoped(SYSTEM):
            batches, reached = stream.take(work.frontier, 50_000)
        for found in (batch.found for batch in batches):
            readings = work.taking.past(found, work.keys.devices(found.device))
            due = readings.time >= work.engine.watermark
            work.engine.step(readings.take(due), np.full(int(due.sum()), work.frontier))
