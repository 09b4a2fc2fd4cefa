"""What other rooms answer and what this one hands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gridloop.cases.messages import SceneMatch
from gridloop.detection.rules import Detector
from gridloop.sdk.signals import Signal

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
