"""How the detectors' work is shared: by lanes, each with its own leases, positions, numbers and state.

What is about one device and its own readings is the work of the partition the device lies in. What looks at several devices, or at
whether others are heard, is the work of one lane that reads all partitions. A lane is one worker's at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gridloop.detection.rules import DEVICE, Detector
from gridloop.registry.briefs import DeviceKeys
from gridloop.sdk.signals import partition_of_name
from gridloop.signals.holding import waits_for_silence
from gridloop.signals.log import partitions_setting

TOGETHER, DEVICES = "detectors", "devices"  # consumers of the log


class Lane(NamedTuple):
    """``partition``: the one whose devices it is about, None for what spans them all."""

    partition: int | None = None

    @property
    def consumer(self) -> str:
        return TOGETHER if self.partition is None else DEVICES

    @property
    def tag(self) -> str:
        """Behind the names of its numbers and its state."""
        return "" if self.partition is None else f":{self.partition}"

    @classmethod
    def tagged(cls, tag: str) -> Lane:
        return cls(int(tag[1:])) if tag else cls()

    def own(self, device: str) -> bool:
        """Whether a device takes part."""
        return self.partition is None or partition_of_name(device, partitions_setting()) == self.partition


WHOLE = Lane()


def parted(rows: Sequence[DeviceKeys]) -> Mapping[int, list[DeviceKeys]]:
    """Devices by the partition they lie in."""
    found, count = defaultdict[int, list[DeviceKeys]](list), partitions_setting()
    for row in rows:
        found[partition_of_name(row.code, count)].append(row)
    return found


def spans(detector: Detector) -> bool:
    """Whether it looks at more than one device's own readings."""
    return detector.by != DEVICE or waits_for_silence(detector)


def shared(detectors: Sequence[Detector], partitions: Sequence[int]) -> dict[Lane, tuple[Detector, ...]]:
    """Lanes with something to do."""
    together = tuple(one for one in detectors if spans(one))
    devices = tuple(one for one in detectors if not spans(one))
    lanes = {WHOLE: together} if together else {}
    return lanes | {Lane(partition): devices for partition in partitions if devices}
