"""The detectors of a story's world: readings of devices on record go through the product's engine, alarms come out as they would there."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from msgspec import structs

from gridloop.detection import language
from gridloop.detection.columns import Ints
from gridloop.detection.engine import Engine
from gridloop.detection.messages import Alarm, alarm_id
from gridloop.detection.rules import DEVICE, Detector
from gridloop.kernel.durations import WorkingCalendar
from gridloop.registry.rules import facts_of_absence, facts_of_home, next_absence
from gridloop.scenes.loading import Loaded, signal_kinds
from gridloop.scenes.stories.story import LEVELS, DeviceTold, Register
from gridloop.sdk.signals import Signal
from gridloop.signals.messages import ToldAlarm, alarm_signal
from gridloop.signals.stream import SETTLE, columns, milliseconds
from gridloop.signals.taking import LATENESS, Taking

PLACES = {"甲": (121.5000, 29.3000), "甲旁": (121.5002, 29.3000), "乙": (121.5500, 29.3300)}  # 甲旁: 19 m east of 甲
MICRO_GRIDS = {"甲": "990101100001001001", "甲旁": "990101100001001001", "乙": "990101100001002001"}
_BUCKET = 1_000
_TOLD_AFTER = timedelta(milliseconds=LATENESS + _BUCKET + round(SETTLE * 1000))  # from its moment until the scenes hear of an alarm
_PLACED = {"微网格": "micro_grid", "网格": "grid", "村社": "village", "镇街": "town"}


def keys_of(code: str, device: DeviceTold) -> dict[str, str]:
    """By grouping whose a device is, as the registry would have it."""
    region = MICRO_GRIDS[device.place]
    found = {"household": device.home, "place": device.spot, "building": device.building}
    found["subject"] = device.home or device.spot or device.building
    found |= {by: region[: LEVELS[level]] for level, by in _PLACED.items()}
    return {DEVICE: code} | {by: key for by, key in found.items() if key}


class Senses:
    """``take`` and ``look`` move it on; told alarms wait as signals, each with the moment at which the scenes hear of it."""

    def __init__(self, packs: Sequence[Loaded], on_record: Register, start: datetime, calendar: WorkingCalendar) -> None:
        self.detectors = {detector.id: detector for one in packs for detector in detectors_of(one, calendar)}
        self.record = on_record
        self.engine = Engine(list(self.detectors.values()), LATENESS, _BUCKET)
        self.taking = Taking()
        self._devices = {code: number for number, code in enumerate(on_record.devices)}
        self._names: dict[str, list[str]] = {}
        self._keys: dict[str, Ints] = {}  # by grouping, of each device, -1 for none
        self._first: dict[tuple[str, str], str] = {}  # by grouping and key: one of its devices
        self._waiting: list[tuple[datetime, int, Signal]] = []
        self._told = 0
        self.facts: dict[str, dict[str, float]] = {
            name: facts_of_home(home.people, False, home.elder, home.house) for name, home in on_record.homes.items()
        }
        for by in {detector.by for detector in self.detectors.values()} | {DEVICE}:
            self._group(by)
        self._absences: dict[str, list[tuple[datetime, datetime]]] = {}
        self._tell_facts(start)
        self.engine.tick(milliseconds(start) - round(SETTLE * 1000))

    def _group(self, by: str) -> None:
        names: list[str] = []
        key = np.full(len(self._devices), -1)
        for code, device in self.record.devices.items():
            name = keys_of(code, device).get(by)
            if name is None:
                continue
            if name not in names:
                names.append(name)
                self._first[by, name] = code
            key[self._devices[code]] = names.index(name)
        self._names[by] = names
        if by != DEVICE:
            self._keys[by] = key
            self.engine.group(by, np.arange(len(key)), key)

    def _tell_facts(self, now: datetime) -> None:
        """What is on record of homes and places now."""
        for home, told in self._absences.items():
            if (away := next_absence(told, now)) is not None:
                self.facts[home] |= facts_of_absence(*away)
        for by, names in self._names.items():
            facts = [self._known(by, name) for name in names]
            for fact in sorted({fact for known in facts for fact in known}):
                self.engine.facts(by, fact, np.array([known.get(fact, np.nan) for known in facts]))

    def away(self, home: str, since: datetime, till: datetime) -> None:
        """Nobody will be at home; what was told before stays."""
        self._absences.setdefault(home, []).append((since, till))

    def _known(self, by: str, name: str) -> dict[str, float]:
        if by == DEVICE:
            device = self.record.devices[name]
            return {"key_place": float(device.spot is not None)} | self.facts.get(device.home or "", {})
        spot = {"key_place": 1.0} if name in self.record.spots else {}
        return {"household": self.facts.get(name, {}), "place": spot, "subject": self.facts.get(name, {}) | spot}.get(by, {})

    # ---- what comes in ---------------------------------------------------------------------------------------------------

    def take(self, signal: Signal, now: datetime) -> None:
        row = (signal.id, signal.source, signal.device, signal.kind, round(signal.at.timestamp() * 1_000_000), signal.value)
        found = columns([(*row, signal.lon, signal.lat, signal.data)], np.array([milliseconds(now)]))
        device = np.array([self._devices.get(code, -1) for code in found.device], np.int64)
        readings, received = self.taking.take(found, device)
        self._wait_for(*self.taking.newly)
        self._note(self.engine.step(readings, received))

    def _wait_for(self, device: Ints, since: Ints) -> None:
        """Homes and places are waited for from when one of their devices was heard first, as at work."""
        for by, keys in self._keys.items():
            for key in np.unique(keys[device][keys[device] >= 0]).tolist():
                self.engine.enroll(by, np.array([key]), np.array([since[keys[device] == key].min()]))

    def look(self, now: datetime) -> None:
        """Time goes on to a moment, and nothing was read before it that was not taken."""
        if self._absences:
            self._tell_facts(datetime.fromtimestamp(self.engine.watermark / 1000, UTC))
        self._note(self.engine.tick(milliseconds(now) - round(SETTLE * 1000)))

    def _note(self, alarms: Sequence[Alarm]) -> None:
        for one in alarms:
            detector = self.detectors[one.detector]
            key = self._names[detector.by][one.key]
            moment, start = (datetime.fromtimestamp(at / 1000, UTC) for at in (one.at, one.start))
            number = alarm_id(one.detector, one.version, key, one.start)
            device = self._first[detector.by, key]
            lon, lat = PLACES[self.record.devices[device].place]
            told = ToldAlarm(number, one.what, one.severity, moment, one.detector, one.version, detector.by, key, device, start)
            self._told += 1
            heapq.heappush(self._waiting, (moment + _TOLD_AFTER, self._told, structs.replace(alarm_signal(told), lon=lon, lat=lat)))

    # ---- what comes out --------------------------------------------------------------------------------------------------

    def next_at(self) -> datetime | None:
        """When the scenes hear of the next alarm."""
        return self._waiting[0][0] if self._waiting else None

    def pop(self) -> Signal:
        return heapq.heappop(self._waiting)[2]


def detectors_of(loaded: Loaded, calendar: WorkingCalendar) -> list[Detector]:
    """A pack's detectors under the names they have at work."""
    assert loaded.pack is not None
    if loaded.pack.detect is None:
        return []
    made = language.detectors(loaded.pack.detect.document(), signal_kinds(), 1, calendar=calendar)
    return [replace(detector, id=f"{loaded.name}.{detector.id}") for detector in made]
