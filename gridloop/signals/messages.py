"""What other rooms answer and what this one hands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from gridloop.cases.messages import SceneMatch
from gridloop.detection.language import house_severity
from gridloop.detection.rules import Detector, Total
from gridloop.sdk.signals import Signal
from gridloop.signals.rules import OWN_SOURCE

DEVICE_STATUS = "device_status"
ALARM = "alarm"  # kind of the signals by which scenes are told what a detector raised


class Matcher(Protocol):
    """Says what a signal means to the scenes that are on. Wired by the project (setting ``GRIDLOOP_SCENE_BOOK``)."""

    def kinds(self) -> frozenset[str]:
        """Kinds any scene asks for: signals of others are history only."""
        ...

    def detectors(self) -> Sequence[Detector]:
        """Detectors of the scenes that are on anywhere."""
        ...

    def title(self, name: str, lang: str) -> str:
        """What people call a detector (``pack.name``), or what a device tells by itself (``pack:kind``); its name when nobody knows it."""
        ...

    def sentence(self, name: str, lang: str) -> str:
        """What a detector waits for, in words; '' when it is none or nobody knows it."""
        ...

    def kinds_called(self, lang: str) -> Mapping[str, tuple[str, str]]:
        """What people call kinds of readings, and the unit of each."""
        ...

    def most_an_hour(self) -> Mapping[str, float]:
        """Kinds of use, and the most of each that a home's connection gives in an hour, in the kind's unit."""
        ...

    def meters(self) -> Sequence[Total]:
        """Kinds whose readings are the state of a meter."""
        ...

    def recognise(self, signal: Signal, region: str) -> Sequence[SceneMatch]:
        """What the scenes that are on in the region make of the signal."""
        ...


@dataclass(frozen=True, slots=True)
class Erasure:
    """What erasing a person took: signals without data and place, sealed values, cases whose reporter went, files they had sent."""

    signals: int
    values: int
    cases: int
    files: int


class ToldAlarm(NamedTuple):
    """A change of an alarm as the scenes hear of it. ``severity`` as the engine counts it, ``id`` of the alarm, 32 hex digits."""

    id: str
    what: str
    severity: int
    at: datetime
    detector: str
    version: int
    by: str
    key: str
    device: str
    start: datetime
    late: bool = False


def alarm_signal(one: ToldAlarm) -> Signal:
    """The same change is the same signal, whoever tells it how often."""
    data = {"alarm": one.id, "detector": one.detector, "version": one.version, "by": one.by, "key": one.key, one.by: one.key}
    data |= {"what": one.what, "start": one.start.isoformat()} | ({"late": True} if one.late else {})
    value = float(house_severity(one.severity))
    return Signal(f"{one.id}:{one.what}:{one.severity}", OWN_SOURCE, one.device, ALARM, one.at, value, data=data)
