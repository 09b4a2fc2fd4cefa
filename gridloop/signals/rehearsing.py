"""What detectors would have raised: the deployment's own signals of the past go through an engine of their own, an hour at a time.

Nothing is told and no row is written. Homes, places and facts are those of now; floods are not held back, villages that fell silent are.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from gridloop.detection import messages
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import DAY, DEVICE, MINUTE, Detector
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals.holding import fact_names, unheard, waits_for_silence
from gridloop.signals.keys import VILLAGE_DIGITS, Keys
from gridloop.signals.past import HOUR, Tail, hour_of, hours
from gridloop.signals.taking import LATENESS, Taking
from gridloop.signals.warming import memory_of

MOST_ALARMS = 100_000  # a detector that raises more is judged by them
_PIECE = 10 * MINUTE  # of the log's time between two looks at who is heard
LASTS = -1


class Raised(NamedTuple):
    """One alarm there would have been; ``end`` is ``LASTS`` while it lasts, ms. ``hushed``: its whole village was silent."""

    detector: str
    goes_by: str
    key: str
    device: str
    region: str
    severity: int
    start: int
    end: int
    hushed: bool


class Rehearsing:
    """A run over ``since`` to ``until`` (ms), with as much before as the detectors remember. ``kinds``: None to read all there is."""

    def __init__(self, detectors: Sequence[Detector], since: int, until: int, kinds: Collection[str] | None = None) -> None:
        self.detectors, self.since, self.until = tuple(detectors), since, until
        self._quiet = {one.id for one in detectors if waits_for_silence(one)}
        self._kinds = None if self._quiet else kinds
        self._by = {one.id: one.by for one in detectors}
        self._open: dict[tuple[str, str], int] = {}
        self._hushed: set[int] = set()
        self._found: list[list[Any]] = []
        self.readings = 0
        self.cut: int | None = None  # the moment at which there were too many alarms to go on
        self._taking = Taking()
        self._tail = Tail()
        begin = since - DAY - max((memory_of(one) for one in detectors), default=0)
        self.hours = hours(max(begin, 0), until, self._tail)
        self.done = 0  # of the hours
        self.engine = Engine(detectors, LATENESS)
        with scoped(SYSTEM):
            keys = Keys.load()
        self._know(keys)

    def _know(self, keys: Keys) -> None:
        """Numbers are given for this run alone: they are not stored."""
        self.keys = keys
        groupings = {one.by for one in self.detectors} - {DEVICE}
        for rows in keys.everybody():
            keys.learn(rows, groupings)
        for by in groupings:
            homes = keys.homes.get(by, {})
            self.engine.group(by, list(homes), list(homes.values()))
        for by in {one.by for one in self.detectors}:
            names: set[str] = set().union(*(fact_names(one) for one in self.detectors if one.by == by))
            for name, column in keys.facts(by, names).items():
                self.engine.facts(by, name, column)
        self._allowed, self._village = np.array(keys.allowed, np.int64), keys.villages()

    # --- the run -----------------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        return self.cut is not None or self.done >= len(self.hours)

    def step(self) -> None:
        """The next hour; after the last, what silence still raises up to the end."""
        hour = self.hours[self.done]
        self._note(self.engine.tick(hour * HOUR))
        found = hour_of(hour, self._tail, self._kinds)
        found = found.take(found.received <= self.until)
        device = self.keys.devices(found.device)
        readings = self._taking.past(found, device)
        readings = readings.take(np.argsort(readings.time, kind="stable"))
        self.readings += len(readings.time)
        done = 0
        for start in range(hour * HOUR, min((hour + 1) * HOUR, self.until + 1), _PIECE):
            end = int(np.searchsorted(readings.time, start + _PIECE))  # the first piece with what came ahead of its time
            self._piece(readings.take(slice(done, end)), min(start + _PIECE, self.until))
            done = end
        self.done += 1
        if self.done == len(self.hours) and self.cut is None:
            self._note(self.engine.finish(self.until))

    def _piece(self, readings: Readings, end: int) -> None:
        self._taking.hear(readings.device, readings.time)
        told = self.engine.step(readings) if len(readings.time) else []
        self._note([*told, *self.engine.tick(end)])
        for number in list(self._hushed):
            row = self._found[number]
            if row[7] != LASTS or not self._silent(row[4], end):
                row[8] = row[7] != LASTS
                self._hushed.discard(number)

    def _note(self, told: Sequence[Alarm]) -> None:
        for one in told:
            by = self._by[one.detector]
            key = self.keys.name(by, one.key)
            if one.what == messages.RAISED:
                if one.at >= self.since and self.cut is None:
                    self._begin(one, by, key)
            elif (number := self._open.get((one.detector, key))) is not None:
                row = self._found[number]
                row[5] = max(row[5], one.severity)
                if one.what == messages.CLEARED:
                    row[7] = one.at
                    del self._open[one.detector, key]

    def _begin(self, one: Alarm, by: str, key: str) -> None:
        device = self.keys.device_of(by, one.key)
        region = self.keys.regions[device]
        hushed = one.detector in self._quiet and self._silent(region, one.at)
        if hushed:
            self._hushed.add(len(self._found))
        self._open[one.detector, key] = len(self._found)
        row = Raised(one.detector, by, key, self.keys.name(DEVICE, device), region, one.severity, one.start, LASTS, hushed)
        self._found.append(list(row))
        if len(self._found) >= MOST_ALARMS:
            self.cut = one.at

    def _silent(self, region: str, at: int) -> bool:
        number = self.keys.village_numbers.get(region[:VILLAGE_DIGITS], -1)
        if number < 0:
            return False
        size = min(len(self._taking.heard), len(self._allowed))
        silent = unheard(self._taking.heard[:size], self._allowed[:size], self._village[:size], at)
        return number < len(silent) and bool(silent[number])

    def found(self) -> list[Raised]:
        """In the order in which they were raised."""
        return [Raised(*row) for row in self._found]

    # --- kept over a restart -----------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Everything that is needed to go on after the hours done so far; an interrupted write leaves what was there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "hour": self.hours[self.done] if self.done < len(self.hours) else None,
            "names": self.keys.names,
            "found": self._found,
            "open": [[*name, number] for name, number in self._open.items()],
            "hushed": sorted(self._hushed),
            "heard": self._taking.heard.tolist(),
            "readings": self.readings,
            "cut": self.cut,
        }
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            file.write(orjson.dumps(told) + b"\n")
            self.engine.write_snapshot(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def load(self, path: Path) -> bool:
        """Goes on from what was saved; False, and from the beginning, when there is nothing or it is another run's."""
        if not path.is_file():
            return False
        head, _, engine = path.read_bytes().partition(b"\n")
        told = orjson.loads(head)
        fresh = Engine(self.detectors, LATENESS)
        if fresh.restore(io.BytesIO(engine)):
            return False
        self.engine = fresh
        self._know(Keys.named(told["names"]))
        self._found, self.readings, self.cut = told["found"], told["readings"], told["cut"]
        self._open = {(detector, key): number for detector, key, number in told["open"]}
        self._hushed = set(told["hushed"])
        self._taking.heard = np.array(told["heard"], np.int64)
        hour = told["hour"]
        self.done = len(self.hours) if hour is None else sum(one < hour for one in self.hours)
        return True
