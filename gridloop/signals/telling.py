"""What becomes of a lane's alarms: told, kept back or over, as long as it is at work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from gridloop.detection.columns import Bools
from gridloop.detection.engine import Engine
from gridloop.detection.messages import RAISED, Alarm
from gridloop.detection.rules import DEVICE, Detector, happens
from gridloop.signals import alarms
from gridloop.signals.alarms import SILENCE, Found, Ruling
from gridloop.signals.holding import unheard
from gridloop.signals.keys import VILLAGE_DIGITS, Keys
from gridloop.signals.lanes import Lane
from gridloop.signals.models import Alarm as Row
from gridloop.signals.models import HeldDetector
from gridloop.signals.taking import Taking


class Telling:
    """The part of ``detecting.AtWork`` that looks at rows of alarms, inside its transactions."""

    lane: Lane
    detectors: tuple[Detector, ...]
    engine: Engine
    keys: Keys
    taking: Taking
    frontier: int
    held: set[str]
    _next: tuple[Detector, ...]
    _quiet: set[str]
    _looked: int
    _unsent: bool

    def _end_deserted(self, silent: Bools, now: datetime) -> None:
        at_work = [detector.id for detector in self.detectors]
        alarms.end_deserted(at_work, self.lane.own, self.keys.has_device, self.engine.watermark, self._judge(silent, now), now)
        self.keys.deserted, self._unsent = False, True

    def _found(self, told: Sequence[Alarm]) -> list[Found]:
        """With names. What has no device any more can be over, but nothing is raised of it: nobody would know where to go."""
        by = {detector.id: detector.by for detector in self.detectors}
        out = []
        for one in told:
            goes_by = by[one.detector]
            device = self.keys.device_of(goes_by, one.key)
            where = ("", "") if device is None else (self.keys.name(DEVICE, device), self.keys.regions[device])
            if device is not None or one.what != RAISED:
                out.append(Found(one, goes_by, self.keys.name(goes_by, one.key), *where))
        return out

    def _judge(self, silent: Bools, now: datetime) -> alarms.Judge:
        def judge(one: Found) -> Ruling:
            if one.alarm.detector in self._quiet and self._is_silent(silent, one.region):
                return Ruling(Row.Told.HELD, SILENCE)
            return Ruling(Row.Told.WAITING) if now - one.at > alarms.OLD else Ruling(Row.Told.TOLD)

        return judge

    def _silent_villages(self) -> Bools:
        heard = self.taking.heard
        size = min(len(heard), len(self.keys.allowed))
        return unheard(heard[:size], np.array(self.keys.allowed[:size], np.int64), self.keys.villages()[:size], self.frontier)

    def _is_silent(self, silent: Bools, region: str) -> bool:
        number = self.keys.village_numbers.get(region[:VILLAGE_DIGITS], -1)
        return 0 <= number < len(silent) and bool(silent[number])

    def _look_again(self, silent: Bools, now: datetime, *, caught_up: bool) -> None:
        """Alarms kept so far: of a village that is heard again, of detectors a person has let go on, old ones once we have caught up."""
        self._looked = self.frontier
        mine = {detector.id for detector in (*self.detectors, *self._next)}
        back = [row for row in alarms.held_back(SILENCE) if self._is_mine(row, mine) and not self._is_silent(silent, row.region)]
        alarms.tell(back, now)
        alarms.tell(alarms.waiting(mine, self.lane.own, now, caught_up=caught_up), now)
        held = set(HeldDetector.objects.values_list("detector", flat=True))
        at_work = {detector.id for detector in self.detectors}
        past = alarms.happened({d.id for d in self.detectors if d.id not in held and happens(d.when)}, now)
        if free := ((self.held | alarms.flooded() | {row.detector for row in past}) - held) & at_work:
            # let go on since the last look, or while nobody was at work
            alarms.tell([row for row in (*alarms.held_back(alarms.FLOOD), *past) if self._is_mine(row, free)], now)
            self._reconcile(free, silent, now)
        self.held = held | (self.held - at_work)

    def _is_mine(self, row: Row, detectors: set[str]) -> bool:
        return row.detector in detectors and self.lane.own(row.device)

    def _reconcile(self, detectors: set[str], silent: Bools, now: datetime) -> None:
        active = self._found([alarm for alarm in self.engine.active() if alarm.detector in detectors])
        alarms.reconcile(detectors, self.lane.own, active, self.engine.watermark, self._judge(silent, now), now)
        self._unsent = True
