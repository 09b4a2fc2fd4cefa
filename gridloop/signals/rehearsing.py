"""What detectors would have raised: the deployment's own signals of the past go through an engine of their own, an hour at a time.

Nothing is told and no row is written. Homes, places and facts are those of now; floods are not held back, villages that fell silent are.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from gridloop.detection import messages
from gridloop.detection.columns import Readings
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import DAY, DEVICE, HOUR, MINUTE, Detector
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals.holding import kinds_asked, unheard, waits_for_silence
from gridloop.signals.keys import VILLAGE_DIGITS, Keys, everybody
from gridloop.signals.stream import horizon_of, partitions
from gridloop.signals.taking import Taking
from gridloop.signals.warming import Learning, memory_of

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
    """A run over ``since`` to ``until`` (ms), with as much before as the detectors remember."""

    def __init__(self, detectors: Sequence[Detector], since: int, until: int) -> None:
        self.detectors, self.since, self.until = tuple(detectors), since, until
        self._quiet = {one.id for one in detectors if waits_for_silence(one)}
        self._by = {one.id: one.by for one in detectors}
        self._open: dict[tuple[str, str], int] = {}
        self._hushed: set[int] = set()
        self._found: list[list[Any]] = []
        self.readings = 0
        self.cut: int | None = None  # the moment at which there were too many alarms to go on
        with scoped(SYSTEM):
            keys, self._partitions = Keys.load(), sorted(partitions())
        self._begin_with(keys, Taking())
        self._first = self._learning.begin

    def _begin_with(self, keys: Keys, taking: Taking) -> None:
        """Numbers are given for this run alone: they are not stored."""
        self.keys, self._taking, self._ended = keys, taking, False
        groupings = {one.by for one in self.detectors} - {DEVICE}
        for rows in everybody():
            keys.learn(rows, groupings)
        since = self.since - DAY - max((memory_of(one) for one in self.detectors), default=0)
        # who is to tell whether a village was silent has to hear everybody
        kinds = None if self._quiet else kinds_asked(self.detectors)
        self._learning = Learning(keys, taking, self.detectors, since, horizon_of(clock.now()), self._partitions, kinds)
        self._allowed, self._village = np.array(keys.allowed, np.int64), keys.villages()

    # --- the run -----------------------------------------------------------------------------------------------------------

    @property
    def hours(self) -> int:
        """Of the past that is gone through; first those looked back over for what has lasted since before."""
        return self._learning.back + max(1, -(-(self.until + 1 - self._first) // HOUR))

    @property
    def done(self) -> int:
        """Hours gone through."""
        if (at := self._learning.at) is None:
            return self._learning.looked
        return self.hours if self._ended else min(self.hours - 1, self._learning.back + max(0, at - self._first) // HOUR)

    @property
    def looks_back(self) -> bool:
        """Whether it has not begun with the detectors yet: nothing is put aside until then."""
        return self._learning.at is None

    @property
    def over(self) -> bool:
        return self.cut is not None or self._ended

    def step(self) -> None:
        """An hour at most; after the last, what silence still raises up to the end."""
        if (at := self._learning.at) is None:
            self._learning.next(self.until + 1)
            return
        readings = self._learning.next(self.until + 1)
        self.readings += len(readings.time)
        end, done = self._learning.at or 0, 0
        for start in range(at, end, _PIECE):
            piece = min(start + _PIECE, end)
            upto = int(np.searchsorted(readings.time, piece))
            self._piece(readings.take(slice(done, upto)), piece)
            done = upto
        if end > self.until:
            self._ended = True
            if self.cut is None:
                self._note(self._learning.engine.finish(self.until))

    def _piece(self, readings: Readings, end: int) -> None:
        self._note([*self._learning.feed(readings), *self._learning.engine.tick(end)])
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
        if device is None:  # the last of them is elsewhere by now
            return
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
        """Everything that is needed to go on from here; an interrupted write leaves what was there. Nothing while it still looks back."""
        if (at := self._learning.at) is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "at": at,
            "first": self._first,
            "ended": self._ended,
            "names": self.keys.names,
            "found": self._found,
            "open": [[*name, number] for name, number in self._open.items()],
            "hushed": sorted(self._hushed),
            "heard": self._taking.heard.tolist(),
            "since": self._taking.since.tolist(),
            "readings": self.readings,
            "cut": self.cut,
        }
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            file.write(orjson.dumps(told) + b"\n")
            self._learning.engine.write_snapshot(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def load(self, path: Path) -> bool:
        """Goes on from what was saved; False, and from the beginning, when there is nothing or it is another run's."""
        if not path.is_file():
            return False
        head, _, engine = path.read_bytes().partition(b"\n")
        told = orjson.loads(head)
        heard, since = (np.array(told[name], np.int64) for name in ("heard", "since"))
        before = self.keys, self._taking
        self._begin_with(Keys.named(told["names"]), Taking(heard=heard, since=since))
        if self._learning.engine.restore(io.BytesIO(engine)):
            self._begin_with(*before)
            return False
        self.keys.tell(self._learning.engine, {one.by for one in self.detectors})
        self._learning.go_on_from(told["at"])
        self._first, self._ended = told["first"], told["ended"]
        self._found, self.readings, self.cut = told["found"], told["readings"], told["cut"]
        self._open = {(detector, key): number for detector, key, number in told["open"]}
        self._hushed = set(told["hushed"])
        return True
