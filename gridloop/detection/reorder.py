"""Readings in the order of their own time: what comes out of order within the lateness is put in order, the rest is counted.

A reading waits in the bucket of its time. Whole buckets are handed on once the latest time seen is ``lateness`` past them, so that readings
of one moment stay together and the steps inside follow the readings' time, not how they arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridloop.detection.columns import LONG_AGO, Bools, Ints, Readings, Sorted, by_device, joined, stable_order

_BUCKETS, _ROWS = 16, 64  # a batch goes into so many buckets, or into more of so many rows


@dataclass(slots=True)
class Passed:
    """Readings that did not take part: ``late`` beyond the lateness, ``ahead`` of the time they were received, ``again`` sent before."""

    late: int = 0
    ahead: int = 0
    again: int = 0


class Reorder:
    """``lateness``: how far a reading may be behind the latest; ``grid``: width of a bucket; ``ahead``: how far before its receipt, ms."""

    def __init__(self, lateness: int = 60_000, grid: int = 1_000, ahead: int = 60_000) -> None:
        if lateness < 0 or grid < 1 or ahead < 0:
            raise ValueError("lateness and ahead are 0 ms or more, grid 1 ms or more")
        self.lateness, self.grid, self.ahead = lateness, grid, ahead
        self.latest = LONG_AGO
        self.watermark = LONG_AGO  # everything before it has been handed on
        self.passed = Passed()
        self.late_by: dict[int, int] = {}  # device → late or ahead, for those who look after it
        self._buckets: dict[tuple[int, int], list[Readings]] = {}  # by how often the grid was doubled, and number
        self.kernels: Any = None  # the module of compiled loops, where they are used
        self._fresh: list[Readings] = []  # not yet in buckets: what is handed on at once never is

    def push(self, readings: Readings, received: Ints | None = None) -> None:
        """Takes readings as they arrive. ``received``: when each was received, as the log has it; a clock that is fast then moves nobody's

        time but its own: what is ahead waits for its moment, so that it is told from its neighbours and from itself sent again.
        """
        if received is not None:
            ahead = readings.time > received + self.ahead
            self.passed.ahead += self._note(readings, ahead)
            if ahead.any():
                readings, received = readings.take(~ahead), received[~ahead]
        if not len(readings.time):
            return
        late = self._late(readings.time if received is None else np.minimum(readings.time, received))
        if late.any():
            self.passed.late += self._note(readings, late)
            readings = readings.take(~late)
        self._fresh.append(readings)

    def _late(self, time: Ints) -> Bools:
        """Which come too late; moves the latest time."""
        late: Bools
        if self.kernels is not None:
            late = np.empty(len(time), np.bool_)
            self.latest = self.kernels.late(time, self.latest, self.lateness, self.watermark, late)
            return late
        running = np.maximum.accumulate(time)
        if self.latest > running[0]:
            np.maximum(running, self.latest, out=running)
        self.latest = int(running[-1])
        running -= self.lateness
        late = time < running
        if int(time.min()) < self.watermark:  # what finish() handed on is closed as well
            late |= time < self.watermark
        return late

    def tick(self, now: int) -> None:
        """A moment that is known to have come though nothing was read: silence of everything is noticed by it."""
        self.latest = max(self.latest, now)

    def release(self) -> tuple[Sorted, int]:
        """What is in order now, by device and time, and the watermark up to which it is whole."""
        if self.latest == LONG_AGO:
            return by_device(joined([]))[0], self.watermark
        return self._release((self.latest - self.lateness) // self.grid * self.grid)

    def finish(self, to: int | None = None) -> tuple[Sorted, int]:
        """Everything up to ``to`` or the latest time, that moment included: nothing older is waited for."""
        end = max(self.latest, int(self.waiting().time.max(initial=LONG_AGO))) if to is None else to
        self.latest = max(self.latest, end)
        return self._release(end + 1)

    def _release(self, mark: int) -> tuple[Sorted, int]:
        if mark <= self.watermark:
            self._settle()
            return by_device(joined([]))[0], self.watermark
        self.watermark = mark
        out: list[Readings] = []
        for coarse, bucket in sorted(self._buckets):
            begin, end = (bucket * self.grid) << coarse, ((bucket + 1) * self.grid) << coarse
            if begin >= mark:
                continue
            rows = joined(self._buckets.pop((coarse, bucket)))
            if end > mark:
                soon = rows.time < mark
                if not soon.all():
                    self._buckets[coarse, bucket] = [rows.take(~soon)]
                rows = rows.take(soon)
            out.append(rows)
        handed, again = self._with_fresh(out, mark)
        self.passed.again += again
        return handed, mark

    def _with_fresh(self, out: list[Readings], mark: int) -> tuple[Sorted, int]:
        """Rows that waited and rows that need not, in order. Of the latter, what is not yet due goes into buckets where it is most."""
        fresh, self._fresh = joined(self._fresh), []
        wait = (fresh.time >= mark).nonzero()[0]
        if 2 * len(wait) > len(fresh.time):
            self._file(fresh.take(wait))
        elif len(wait):  # looked at again with the next: never more rows than are handed on
            self._fresh.append(fresh.take(wait))
        if len(wait) < len(fresh.time):
            out = [*out, fresh]
        return by_device(joined(out), mark, self.kernels)

    def _settle(self) -> None:
        """Puts what came last into buckets."""
        for readings in self._fresh:
            self._file(readings)
        self._fresh = []

    def _file(self, readings: Readings) -> None:
        """Into buckets, coarser ones where a batch spans much time: many with a few rows each cost more than some that are cut later."""
        size = len(readings.time)
        if not size:
            return
        order = stable_order(readings.time)
        rows = readings.take(order)
        bucket, coarse = rows.time // self.grid, 0
        starts = _begins(bucket)
        while len(starts) > _BUCKETS and len(starts) * _ROWS > size:
            coarse += 1
            starts = starts[_begins(bucket[starts] >> coarse)]
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), size], strict=True):
            self._buckets.setdefault((coarse, int(bucket[start]) >> coarse), []).append(rows.take(slice(start, end)))

    def _note(self, readings: Readings, which: Bools) -> int:
        devices, counts = np.unique(readings.device[which], return_counts=True)
        for device, count in zip(devices.tolist(), counts.tolist(), strict=True):
            self.late_by[device] = self.late_by.get(device, 0) + count
        return int(which.sum())

    def waiting(self) -> Readings:
        self._settle()
        return joined([part for bucket in sorted(self._buckets) for part in self._buckets[bucket]])

    def forget(self, devices: Ints, tokens: Ints) -> None:
        """What waits of these devices, or names one of these tokens, goes; so does what was counted of them."""
        rows = self.waiting()
        self._buckets = {}
        self._file(rows.take(~np.isin(rows.device, devices) & ~np.isin(rows.token, tokens)))
        for device in devices.tolist():
            self.late_by.pop(device, None)

    def dump(self) -> dict[str, np.ndarray]:
        names = list(self.late_by)
        passed = self.passed
        return {
            **{f"waiting/{name}": column for name, column in self.waiting()._asdict().items()},
            "marks": np.array([self.latest, self.watermark, passed.late, passed.ahead, passed.again], np.int64),
            "late_by": np.array([names, [self.late_by[name] for name in names]], np.int64).reshape(2, -1),
        }

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        self.latest, self.watermark, late, ahead, again = arrays["marks"].tolist()
        self.passed = Passed(late, ahead, again)
        self.late_by = dict(arrays["late_by"].T.tolist())
        self._buckets, self._fresh = {}, []
        self._file(Readings(*(arrays[f"waiting/{name}"] for name in Readings._fields)))


def _begins(numbers: Ints) -> NDArray[np.intp]:
    """Rows of a sorted column where a new number begins."""
    return np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
