"""Which readings take part, and when each device was last heard: between the log's columns and the engine's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from gridloop.detection.columns import Bools, Ints, Readings
from gridloop.signals.holding import Fair
from gridloop.signals.stream import Columns

LATENESS = 60_000  # ms a reading may be received after its time
AHEAD = 60_000  # ms it may be ahead: a clock that is fast
NEVER_HEARD = -1


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
    """``heard``: by device number when it was last heard, ms."""

    fair: Fair = field(default_factory=Fair)
    passed: Passed = field(default_factory=Passed)
    heard: Ints = field(default_factory=lambda: np.full(0, NEVER_HEARD, np.int64))

    def take(self, found: Columns, device: Ints) -> tuple[Readings, Ints]:
        """Those that take part, and when each was received. ``device``: number of each row's device, -1 for a stranger."""
        known = device >= 0
        self.passed.unknown += int((~known).sum())
        self.hear(device[known], found.received[known])
        ahead = known & (found.time > found.received + AHEAD)
        late = known & (found.time < found.received - LATENESS)
        _count(self.passed.ahead, device, ahead)
        _count(self.passed.late, device, late)
        going = known & ~ahead & ~late
        flood = going.copy()
        flood[going] = ~self.fair.passing(device[going], found.received[going])
        _count(self.passed.flood, device, flood)
        going &= ~flood
        return _readings(found, device, going), found.received[going]

    def past(self, found: Columns, device: Ints) -> Readings:
        """Of what was received long ago: those that took part, but for floods."""
        in_time = (found.time <= found.received + AHEAD) & (found.time >= found.received - LATENESS)
        return _readings(found, device, (device >= 0) & in_time)

    def hear(self, device: Ints, received: Ints) -> None:
        size = int(device.max(initial=-1)) + 1
        if size > len(self.heard):
            grown = np.full(max(size, len(self.heard) * 5 // 4), NEVER_HEARD, np.int64)
            grown[: len(self.heard)] = self.heard
            self.heard = grown
        np.maximum.at(self.heard, device, received)


def _count(counts: Counter[int], device: Ints, which: Bools) -> None:
    if which.any():
        names, numbers = np.unique(device[which], return_counts=True)
        counts.update(dict(zip(names.tolist(), numbers.tolist(), strict=True)))


def _readings(found: Columns, device: Ints, which: Bools) -> Readings:
    return Readings(found.time[which], device[which], found.kind[which], found.value[which], found.token[which], found.id[which])
