"""Which readings take part, and when each device was last heard: between the log's columns and the engine's."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from gridloop.detection.columns import Bools, Ints, Readings
from gridloop.detection.engine import compiled_asked
from gridloop.signals.holding import Fair
from gridloop.signals.stream import Columns

LATENESS = 60_000  # ms a reading may be received after its time
AHEAD = 60_000  # ms it may be ahead: a clock that is fast
NEVER_HEARD = -1
_NONE = np.zeros(0, np.int64)


def compiled() -> bool:
    """``GRIDLOOP_DETECTION`` (numpy): whether engines run in compiled loops."""
    return compiled_asked(os.environ.get("GRIDLOOP_DETECTION", ""))


@dataclass(slots=True)
class Passed:
    """Readings that did not take part, by device number; ``unknown``: of devices nobody has registered."""

    late: Counter[int] = field(default_factory=Counter)
    ahead: Counter[int] = field(default_factory=Counter)
    flood: Counter[int] = field(default_factory=Counter)
    unknown: int = 0

    def totals(self) -> dict[str, int]:
        return {"late": self.late.total(), "ahead": self.ahead.total(), "flood": self.flood.total(), "unknown": self.unknown}


@dataclass(slots=True)
class Taking:
    """``heard``: by device number when it was last heard, ms; ``since``: the moment of what was heard of it first."""

    fair: Fair = field(default_factory=Fair)
    passed: Passed = field(default_factory=Passed)
    heard: Ints = field(default_factory=lambda: np.full(0, NEVER_HEARD, np.int64))
    since: Ints = field(default_factory=lambda: np.full(0, NEVER_HEARD, np.int64))
    newly: tuple[Ints, Ints] = (_NONE, _NONE)  # devices heard for the first time in what was taken last, and since when

    def take(self, found: Columns, device: Ints) -> tuple[Readings, Ints]:
        """Those that take part, and when each was received. ``device``: number of each row's device, -1 for a stranger."""
        known = device >= 0
        self.passed.unknown += int((~known).sum())
        ahead = known & (found.time > found.received + AHEAD)
        late = known & (found.time < found.received - LATENESS)
        _count(self.passed.ahead, device, ahead)
        _count(self.passed.late, device, late)
        going = known & ~ahead & ~late
        self.newly = self.hear(device[known], found.received[known], np.where(ahead | late, found.received, found.time)[known])
        flood = going.copy()
        flood[going] = ~self.fair.passing(device[going], found.received[going])
        _count(self.passed.flood, device, flood)
        going &= ~flood
        return _readings(found, device, going), found.received[going]

    def past(self, found: Columns, device: Ints) -> Readings:
        """Of what was received long ago: those that took part, but for floods."""
        return _readings(found, device, (device >= 0) & in_time(found.time, found.received))

    def forget(self, device: Ints) -> None:
        """As if nothing had ever been heard of these devices."""
        within = device[device < len(self.heard)]
        self.heard[within] = self.since[within] = NEVER_HEARD
        for counts in (self.passed.late, self.passed.ahead, self.passed.flood):
            for one in device.tolist():
                counts.pop(one, None)

    def heard_of(self, device: Ints) -> Ints:
        """Those of some devices that were heard at all."""
        within = device[device < len(self.heard)]
        return within[self.heard[within] >= 0]

    def hear(self, device: Ints, received: Ints, time: Ints) -> tuple[Ints, Ints]:
        """Those that had never been heard, and the first moment of each."""
        size = int(device.max(initial=-1)) + 1
        if size > len(self.heard):
            room = np.full(max(size, len(self.heard) * 5 // 4) - len(self.heard), NEVER_HEARD, np.int64)
            self.heard, self.since = np.append(self.heard, room), np.append(self.since, room)
        first = np.flatnonzero(self.heard[device] < 0)
        np.maximum.at(self.heard, device, received)
        first = first[np.argsort(time[first], kind="stable")]
        new, row = np.unique(device[first], return_index=True)
        self.since[new] = time[first][row]
        return new, self.since[new]


def in_time(time: Ints, received: Ints) -> Bools:
    """Neither late nor from the future: a matter of the reading and its receipt alone."""
    out: Bools = (time <= received + AHEAD) & (time >= received - LATENESS)
    return out


def _count(counts: Counter[int], device: Ints, which: Bools) -> None:
    if which.any():
        names, numbers = np.unique(device[which], return_counts=True)
        counts.update(dict(zip(names.tolist(), numbers.tolist(), strict=True)))


def _readings(found: Columns, device: Ints, which: Bools) -> Readings:
    return Readings(found.time[which], device[which], found.kind[which], found.value[which], found.token[which], found.id[which])
