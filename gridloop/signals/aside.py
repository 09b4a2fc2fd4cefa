"""Detectors that cannot go on are set aside, so that those beside them can: exactly as if they were not there.

What a detector meets with in the engine, which is pure, is its own; what the machine or the database does is not and sets nothing aside.
Nobody is set aside for one fault: what was known is dropped and loaded anew, and only who fails again before it has come further is.
What it had raised stays as it was until it is at work again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping

from gridloop.detection.engine import Faulty
from gridloop.detection.rules import Detector
from gridloop.journal.actions import append
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals.alarms import moment
from gridloop.signals.lanes import Lane
from gridloop.signals.models import AsideDetector

log = logging.getLogger(__name__)
Versions = Collection[tuple[str, int]]  # detectors' ids and versions


def left(detectors: Iterable[Detector], aside: Versions) -> tuple[Detector, ...]:
    """Those that are not set aside."""
    return tuple(one for one in detectors if (one.id, one.version) not in aside)


class Suspects:
    """A lane's detectors that have failed once."""

    def __init__(self) -> None:
        self._failed: dict[tuple[str, int], int] = {}  # how far the lane was then, ms

    def note(self, faulty: Faulty, lane: Lane, until: int, position: Mapping[int, int]) -> None:
        """Those that had failed before are set aside. ``position``: from which the lane goes on."""
        for one, fault in faulty.faults:
            if self._failed.pop((one.id, one.version), None) is None:
                self._failed[one.id, one.version] = until
            else:
                _set_aside(one, fault, lane, until, position)

    def passed(self, detectors: Iterable[Detector], until: int) -> None:
        """The lane is that far with these: who had failed before then is no suspect any more."""
        if self._failed:
            well = {(one.id, one.version) for one in detectors}
            self._failed = {name: at for name, at in self._failed.items() if name not in well or at > until}


def _set_aside(detector: Detector, fault: Exception, lane: Lane, until: int, position: Mapping[int, int]) -> None:
    log.error("%s %d fails again and again, it is set aside", detector.id, detector.version, exc_info=fault)
    values = {
        "version": detector.version,
        "since": clock.now(),
        "fault": f"{type(fault).__name__}: {fault}".replace("\x00", "")[:500],
        "lane": lane.tag,
        "until": moment(until),
        "position": {str(partition): seq for partition, seq in position.items()},
    }
    with scoped(SYSTEM):
        row, fresh = AsideDetector.objects.select_for_update().get_or_create(detector=detector.id, defaults=values)
        if not fresh and row.version == detector.version:
            return  # another lane was sooner
        AsideDetector.objects.filter(pk=detector.id).update(**values)
        append("org", "detector_set_aside", {"detector": detector.id, "version": detector.version, "why": type(fault).__name__}, SYSTEM)


def forget_others(detectors: Iterable[Detector]) -> None:
    """Inside the caller's transaction: these are at work; that another version of them was set aside is over."""
    for detector, version in AsideDetector.objects.values_list("detector", "version"):
        if any(one.id == detector and one.version != version for one in detectors):
            AsideDetector.objects.filter(detector=detector, version=version).delete()
