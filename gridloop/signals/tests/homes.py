"""Homes with sensors, a day of their readings in the log, and detectors over them: small enough that every alarm can be listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from gridloop.detection import rules
from gridloop.detection.language import kind_number
from gridloop.detection.rules import HOUR, MINUTE, Detector, Pick
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.messages import DeviceRow, HouseholdRow
from gridloop.sdk.signals import Signal
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import AlarmChange

GRID = "990101100200001001"
PLACE = (121.605, 29.205)
START = datetime(2026, 11, 2, 0, 0, tzinfo=UTC)
DOOR, WATER, TEMPERATURE = "door_open", "water_use", "temperature"
SENSORS = (DOOR, WATER, TEMPERATURE)


def pick(*kinds: str) -> Pick:
    return Pick(tuple(kind_number(kind) for kind in kinds))


SILENT = Detector("homes.silent", 1, rules.Absence(pick(DOOR, WATER), 3 * HOUR), by="household")
HOT = Detector(
    "homes.hot",
    1,
    rules.Hold(rules.Threshold(pick(TEMPERATURE), 60.0, 50.0), 2 * MINUTE),
    severity=1,
    steps=(rules.Step(3, rules.Threshold(pick(TEMPERATURE), 80.0)),),
    quiet=10 * MINUTE,
)
BUSY = Detector("homes.busy", 1, rules.Count(pick(DOOR), 4, 30 * MINUTE), by="household")
ALL = (SILENT, HOT, BUSY)


def register(homes: int, grid: str = GRID, interval: int = 86_400) -> None:
    """Homes ``h000`` … with a sensor of each kind, ``h000-door_open`` …"""
    codes = [f"h{number:03d}" for number in range(homes)]
    load(SYSTEM, [HouseholdRow(code=code, house="", region_code=grid) for code in codes])
    load(SYSTEM, [sensor(code, kind, grid, interval) for code in codes for kind in SENSORS])


def sensor(home: str, kind: str, grid: str = GRID, interval: int = 86_400) -> DeviceRow:
    return DeviceRow(
        code=f"{home}-{kind}", kind=kind, region_code=grid, lon=PLACE[0], lat=PLACE[1], household=home, interval_seconds=interval
    )


def reading(home: str, kind: str, at: datetime, value: float = 1.0) -> Signal:
    return Signal(f"{home}:{kind}:{at.timestamp()}", "test", f"{home}-{kind}", kind, at, value)


def day(homes: int, minutes: int, seed: int = 1) -> list[Signal]:
    """Readings as they were received: up to 25 s after their time, some of them twice."""
    chance = Random(seed)
    out: list[tuple[datetime, Signal]] = []
    for number in range(homes):
        home = f"h{number:03d}"
        at = START + timedelta(minutes=chance.uniform(0, 60))
        while at < START + timedelta(minutes=minutes):
            kind = chance.choice((DOOR, DOOR, *SENSORS))
            value = chance.choice((20.0, 65.0, 85.0)) if kind == TEMPERATURE else 1.0
            out += [(at + timedelta(seconds=chance.uniform(0, 25)), reading(home, kind, at, value))] * chance.choice((1, 1, 1, 2))
            at += timedelta(minutes=chance.choice((1, 2, 3, 5, 5, 8, 20, 20, 220)))
    out.sort(key=lambda pair: pair[0])
    return [signal for _, signal in out]


def receive(log: PostgresLog, signals: Sequence[Signal], every: timedelta = timedelta(seconds=30)) -> None:
    """Into the log in the order given, in batches of a stretch of time, each received when none of them was a minute old."""
    start = 0
    while start < len(signals):
        end = start
        received = signals[start].at + every
        while end < len(signals) and signals[end].at <= received:
            end += 1
        latest = max(signal.at for signal in signals[start:end])
        with clock.fixed(max(latest, received)):
            log.append(signals[start:end])
        start = end


@dataclass(frozen=True, slots=True)
class Told:
    """A change of an alarm as it stands in the rows."""

    detector: str
    key: str
    what: str
    severity: int
    at: datetime
    start: datetime


def told() -> list[Told]:
    """Every change there is, in the order of the data."""
    rows = AlarmChange.objects.select_related("alarm").order_by("at", "alarm__detector", "alarm__key", "what")
    return [Told(r.alarm.detector, r.alarm.key, r.what, r.severity, r.at, r.alarm.start) for r in rows]
