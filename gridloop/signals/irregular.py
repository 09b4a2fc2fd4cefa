"""Readings that are not as they should be, by hour and device: what took no part, and values a counter or a unit must have spoiled.

Counted beside the detectors' state and written with it, so that a replay counts nothing twice. Of lanes that read the same, one counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from django.db import connection

from gridloop.detection.columns import Ints
from gridloop.detection.engine import Engine
from gridloop.detection.language import kind_number
from gridloop.detection.rules import DEVICE, HOUR
from gridloop.journal.frame import elevated
from gridloop.journal.selectors import reading
from gridloop.kernel.viewer import Viewer
from gridloop.registry.selectors import device as device_of
from gridloop.signals.keys import Keys
from gridloop.signals.models import Irregular
from gridloop.signals.outcomes import matcher
from gridloop.signals.stream import Columns
from gridloop.signals.taking import Taking

LATE, AHEAD, FLOOD, AGAIN, UNKNOWN, UNIT, RESET, ALL = "late", "ahead", "flood", "again", "unknown", "unit", "reset", "all"
WHYS = (LATE, AHEAD, FLOOD, UNIT, RESET)  # of a device
LEAST, SHARE = 20, 0.5  # of a device's readings in a day: it is mostly so
DAY = timedelta(days=1)

_ADD = """
INSERT INTO signals_irregular (hour, device, why, count) SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::bigint[])
ON CONFLICT (hour, device, why) DO UPDATE SET count = signals_irregular.count + excluded.count
"""

_COUNTS = "SELECT why, sum(count)::bigint FROM signals_irregular WHERE hour > %s AND hour <= %s AND why <> %s GROUP BY why"
_WORST = """
SELECT device, sum(count)::bigint AS n FROM signals_irregular WHERE hour > %s AND hour <= %s AND device <> '' AND why = ANY(%s)
GROUP BY device ORDER BY n DESC, device LIMIT 3
"""
_DOUBTFUL = """
SELECT device, array_agg(why), array_agg(n) FROM (
    SELECT device, why, n, max(n) FILTER (WHERE why = %s) OVER of AS all_of, max(n) FILTER (WHERE why = ANY(%s)) OVER of AS most FROM (
        SELECT device, why, sum(count)::bigint AS n FROM signals_irregular WHERE hour > %s AND hour <= %s AND device <> ''
        GROUP BY device, why
    ) one WINDOW of AS (PARTITION BY device)
) each WHERE most >= %s AND most > %s * greatest(all_of, most) GROUP BY device ORDER BY max(most) DESC, device LIMIT %s
"""


@dataclass(slots=True)
class Noting:
    """What was seen since it was last written. ``totals``: of everything ever, by why. ``on``: whether what is read until it is written

    the next time is counted here; it is stored, so that a replay does as was done before.
    """

    on: bool = True
    totals: Counter[str] = field(default_factory=Counter)
    _read: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # by device number
    _odd: dict[str, Counter[int]] = field(default_factory=lambda: {UNIT: Counter(), RESET: Counter()})
    _before: dict[str, Counter[int]] = field(default_factory=dict)  # as ``_counts`` when last written
    _rows: list[tuple[str, str, int]] = field(default_factory=list)
    _again: int = 0
    _unknown: int = 0

    def begin(self, taking: Taking, engine: Engine, totals: Mapping[str, int]) -> None:
        """What was counted up to here was written before."""
        self.totals = Counter(totals)
        self._settle(taking, engine)

    def look(self, found: Columns, device: Ints, allowed: Sequence[int]) -> None:
        """At readings as they come. ``allowed``: by device number, how long it may be unheard (ms), so long at most its use lasted."""
        if not self.on:
            return
        known = device[device >= 0]
        counts = np.bincount(known, minlength=len(self._read))
        counts[: len(self._read)] += self._read
        self._read = counts
        for kind, most in _most().items():
            rows = np.flatnonzero((found.kind == kind) & (device >= 0))
            if len(rows):
                hours = np.array([allowed[one] for one in device[rows].tolist()]) / HOUR
                self._odd[UNIT].update(device[rows[found.value[rows] > most * hours]].tolist())
                self._odd[RESET].update(device[rows[found.value[rows] < 0]].tolist())

    def gather(self, taking: Taking, engine: Engine, keys: Keys, on: bool) -> Mapping[str, int]:
        """For the next ``write``; the totals with it. ``on``: as it is from here."""
        if self.on:
            self._rows = self._gathered(taking, engine, keys)
        self.on = on
        self._settle(taking, engine)
        return self.totals

    def _gathered(self, taking: Taking, engine: Engine, keys: Keys) -> list[tuple[str, str, int]]:
        fresh = {why: now - self._before.get(why, Counter()) for why, now in self._counts(taking, engine).items()}
        for why, odd in self._odd.items():
            fresh[why] = fresh[why] + odd
        unknown, again = taking.passed.unknown - self._unknown, engine.passed.again - self._again
        self.totals.update({why: counts.total() for why, counts in fresh.items()} | {UNKNOWN: unknown, AGAIN: again})
        rows = [(keys.name(DEVICE, one), why, n) for why, counts in fresh.items() for one, n in counts.items()]
        some = sorted({one for counts in fresh.values() for one in counts})
        rows += [(keys.name(DEVICE, one), ALL, int(self._read[one])) for one in some if one < len(self._read)]
        return rows + [("", why, n) for why, n in ((UNKNOWN, unknown), (AGAIN, again)) if n > 0]

    def forget(self, device: Ints) -> None:
        """What was seen of these devices and is not written yet."""
        self._read[device[device < len(self._read)]] = 0
        for counts in self._odd.values():
            for one in device.tolist():
                counts.pop(one, None)

    def write(self, at: datetime) -> None:
        """Within the transaction that stores what the detectors know."""
        if self._rows:
            with connection.cursor() as cursor:
                hour = at.replace(minute=0, second=0, microsecond=0)
                cursor.execute(_ADD, [hour, *(list(column) for column in zip(*self._rows, strict=True))])
        self._rows = []

    def _settle(self, taking: Taking, engine: Engine) -> None:
        self._before = {why: Counter(counts) for why, counts in self._counts(taking, engine).items()}
        self._unknown, self._again = taking.passed.unknown, engine.passed.again
        self._read, self._odd = np.zeros(0, np.int64), {UNIT: Counter(), RESET: Counter()}

    @staticmethod
    def _counts(taking: Taking, engine: Engine) -> dict[str, Counter[int]]:
        """The engine itself finds late only what ``taking`` let pass: nothing, unless time was set on for it."""
        passed = taking.passed
        meters = {UNIT: Counter(dict(engine.too_much)), RESET: Counter(dict(engine.fell_back))}
        return {LATE: passed.late + Counter(dict(engine.late_by)), AHEAD: passed.ahead, FLOOD: passed.flood, **meters}


@cache
def _most() -> dict[int, float]:
    """By the number of a kind of use: the most that a home's connection gives of it in an hour, in its unit."""
    return {kind_number(kind): most for kind, most in matcher().most_an_hour().items()}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A device's irregular readings of a day: ``share`` of what came from it while there were any; ``mostly``: a person should look."""

    why: str
    count: int
    share: float
    mostly: bool


@dataclass(frozen=True, slots=True)
class Day:
    """Of all devices: ``counts`` by why; ``worst``: the devices of most of them; ``doubtful``: devices that are mostly so, and why."""

    counts: dict[str, int]
    worst: list[tuple[str, int]]
    doubtful: list[tuple[str, Doubt]]


def day_before(until: datetime, most: int) -> Day:
    """Within the caller's frame; ``doubtful`` are so many devices at most. A day has two rows or more for every device and hour in which

    one clock was wrong, millions for a county of meters that send late: they are added up where they lie.
    """
    span = [until - DAY, until]
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [*span, ALL])
        counts = dict(cursor.fetchall())
        cursor.execute(_WORST, [*span, list(WHYS)])
        worst = cursor.fetchall()
        cursor.execute(_DOUBTFUL, [ALL, list(WHYS), *span, LEAST, SHARE, most])
        found = [(device, doubts_of(dict(zip(whys, numbers, strict=True)))) for device, whys, numbers in cursor.fetchall()]
    return Day(counts, worst, [(device, one) for device, doubts in found for one in doubts if one.mostly])


def doubts_of(counts: Mapping[str, int]) -> list[Doubt]:
    """The gravest first."""
    found = []
    for why in WHYS:
        if count := counts.get(why, 0):
            share = min(1.0, count / max(counts.get(ALL, 0), count))
            found.append(Doubt(why, count, round(share, 4), count >= LEAST and share > SHARE))
    return sorted(found, key=lambda one: -one.count)


@reading
def device_doubts(viewer: Viewer, code: str, until: datetime) -> list[Doubt]:
    """Of a device the viewer sees, the day before ``until``. NotFound."""
    device_of(viewer, code)
    with elevated():
        rows: dict[str, Any] = Counter()
        for why, count in Irregular.objects.filter(device=code, hour__gt=until - DAY, hour__lte=until).values_list("why", "count"):
            rows[why] += count
    return doubts_of(rows)
