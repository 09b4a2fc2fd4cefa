"""Why there was an alarm for a key, or none: the conditions of its detectors, when each held, and what it waits for now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from gridloop.detection import rules
from gridloop.detection.columns import LONG_AGO, NEVER, Edges, Ints, Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import Alarm
from gridloop.detection.parts import Part
from gridloop.detection.rules import Condition, Detector
from gridloop.detection.runs import View

_ALONE = "alone"  # the grouping in which the key is the only one
_KEPT = 5  # of the latest stretches, alarms and readings
Stretch = tuple[int, int | None]  # from, till


class Noted(Part):
    """A part that writes down when its condition held for one key."""

    def __init__(self, condition: Condition, part: Part, key: int) -> None:
        super().__init__()
        self.condition, self.key = condition, key
        self.inner = (part,)
        self.initial = part.initial
        self.count = 0
        self.stretches: deque[list[int | None]] = deque(maxlen=_KEPT)
        self.on = part.initial

    def step(self, view: View, until: int) -> Edges:
        edges = self.inner[0].step(view, until)
        for row in np.flatnonzero(edges.key == self.key).tolist():
            self._note(int(edges.time[row]), bool(edges.on[row]))
        return edges

    def _note(self, time: int, on: bool) -> None:
        self.on = on
        if on:
            self.count += 1
            self.stretches.append([time, None])
        elif self.stretches:
            self.stretches[-1][1] = time

    def due(self) -> int | None:
        """When it turns around by time alone, if nothing else happens; None when it does not."""
        cells = self.inner[0].cells
        waits = cells.get("flip", cells.get("due"))
        if waits is None or self.key >= len(waits):
            return None
        at = int(waits[self.key])
        return at if LONG_AGO < at < NEVER - 1 else None


@dataclass(frozen=True, slots=True)
class Told:
    """One condition: how deep it stands in the whole, whether it holds now, how often it began to and the last times, what it waits for."""

    condition: Condition
    depth: int
    on: bool
    count: int
    stretches: tuple[Stretch, ...]
    due: int | None
    part: int  # 0: the condition of the alarm; from 1: those of its steps


@dataclass(slots=True)
class Explanation:
    """Of one detector for the key."""

    detector: Detector
    parts: list[Told]
    alarms: list[Alarm]
    quieted: int


class Explained:
    """Detectors of one grouping at work for one of its keys. Takes the whole stream, so that late is late as it was."""

    def __init__(self, detectors: list[Detector], lateness: int, grid: int = 1_000) -> None:
        self.detectors = detectors
        self._noted: list[Noted] = []
        self._engine = Engine([replace(detector, by=_ALONE) for detector in detectors], lateness, grid, around=self._around)
        self.alarms: list[Alarm] = []
        self.last: dict[int, tuple[int, float]] = {}
        self._mine: Ints = np.zeros(0, np.int64)

    def _around(self, condition: Condition, part: Part) -> Part:
        self._noted.append(Noted(condition, part, 0))
        return self._noted[-1]

    def devices(self, mine: ArrayLike, known_at: int | None) -> None:
        """Those that belong to the key from now on, and since when readings are expected of it; None when none are."""
        self._mine = np.union1d(self._mine, np.asarray(mine, np.int64))
        self._engine.group(_ALONE, self._mine, np.zeros(len(self._mine), np.int64))
        if known_at is not None:
            self._engine.enroll(_ALONE, [0], known_at)

    def facts(self, facts: Mapping[str, float]) -> None:
        for name, value in facts.items():
            self._engine.facts(_ALONE, name, [value])

    def step(self, readings: Readings, received: Ints | None = None) -> None:
        own = readings.take(np.isin(readings.device, self._mine))
        for kind in np.unique(own.kind).tolist():
            rows = np.flatnonzero(own.kind == kind)
            row = rows[np.argmax(own.time[rows])]
            if int(own.time[row]) >= self.last.get(kind, (LONG_AGO, 0.0))[0]:
                self.last[kind] = int(own.time[row]), float(own.value[row])
        self.alarms += self._engine.step(readings, received)

    @property
    def late(self) -> int:
        """Readings of its devices that came too late, or from the future, and took no part."""
        late_by = self._engine.late_by
        return sum(late_by.get(device, 0) for device in self._mine.tolist())

    def finish(self, to: int | None = None) -> list[Explanation]:
        self.alarms += self._engine.finish(to)
        remaining = iter(self._noted)
        return [self._explanation(detector, remaining) for detector in self.detectors]

    def _explanation(self, detector: Detector, remaining: Iterator[Noted]) -> Explanation:
        conditions = [detector.when, *(step.when for step in detector.steps)]
        parts = [told for number, condition in enumerate(conditions) for told in self._tree(condition, remaining, 0, number)]
        mine = [alarm for alarm in self.alarms if alarm.detector == detector.id]
        return Explanation(detector, parts, mine, self._engine.quieted[detector.id])

    def _tree(self, condition: Condition, remaining: Iterator[Noted], depth: int, part: int) -> list[Told]:
        """The condition before those inside it; they were built the other way round."""
        inner = [told for one in inner_of(condition) for told in self._tree(one, remaining, depth + 1, part)]
        noted = next(remaining)
        stretches = tuple((since, till) for since, till in noted.stretches if since is not None)
        return [Told(condition, depth, noted.on, noted.count, stretches, noted.due(), part), *inner]


def inner_of(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, rules.All | rules.Any_):
        return condition.of
    inner = getattr(condition, "of", None)
    return (inner,) if isinstance(inner, Condition) else ()


def kinds_of(condition: Condition) -> tuple[int, ...]:
    """Kinds that a condition itself looks at."""
    picks = [getattr(condition, name, None) for name in ("pick", "first", "then")]
    return tuple(kind for pick in picks if pick is not None for kind in pick.kinds)
