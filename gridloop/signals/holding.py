"""What is held back: readings of a device that floods, alarms of a silence that has another cause. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from gridloop.detection import rules
from gridloop.detection.columns import Bools, Ints
from gridloop.detection.explaining import kinds_of
from gridloop.detection.rules import Detector

MOST_A_MINUTE = 1200  # readings of one device that take part: 20 a second
GROUP_LEAST = 10  # fewer devices of a village say nothing of what they have in common
GROUP_SHARE = 0.5  # more than this share of them unheard: it is not the homes that are silent
_MINUTE = 60_000


@dataclass(slots=True)
class Fair:
    """Lets so many readings of each device pass in every minute of receipt: a function of the log, whatever its batches."""

    most: int = MOST_A_MINUTE
    minute: int = -1
    counts: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # by device number, of the present minute

    def passing(self, device: Ints, received: Ints) -> Bools:
        """``received`` does not fall."""
        out = np.ones(len(device), np.bool_)
        if not len(device):
            return out
        minutes = received // _MINUTE
        starts = np.flatnonzero(np.concatenate(([True], minutes[1:] != minutes[:-1])))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(minutes)], strict=True):
            if int(minutes[start]) != self.minute:
                self.minute = int(minutes[start])
                self.counts[:] = 0
            self._count(device[start:end], out[start:end])
        return out

    def _count(self, device: Ints, out: Bools) -> None:
        names, counts = np.unique(device, return_counts=True)
        if len(names) and names[-1] >= len(self.counts):
            self.counts = np.concatenate((self.counts, np.zeros(int(names[-1]) + 1 - len(self.counts) + len(self.counts) // 4, np.int64)))
        before = self.counts[names]
        self.counts[names] += counts
        for n in np.flatnonzero(before + counts > self.most).tolist():
            rows = np.flatnonzero(device == names[n])
            out[rows[max(0, self.most - int(before[n])) :]] = False


def waits_for_silence(detector: Detector) -> bool:
    """Whether it may be raised because nothing was read: then a gateway's death looks to it like many homes falling silent."""
    return rules.unread(detector.when)


def conditions(detector: Detector) -> list[rules.Condition]:
    """All there are in it, one in another."""
    return [part for top in (detector.when, *(step.when for step in detector.steps)) for part in rules.parts_of(top)]


def fact_names(detector: Detector) -> set[str]:
    """Facts the detector asks for."""
    found: set[str] = set()
    for part in conditions(detector):
        if isinstance(part, rules.Where):
            found.add(part.fact)
        elif isinstance(part, rules.Unless):
            found |= {part.since, part.till}
        elif isinstance(part, rules.Silence):
            found.add(rules.HARMLESS)
    return found


def kinds_asked(detectors: Iterable[Detector]) -> frozenset[int] | None:
    """Numbers of all kinds they look at, also of the states of meters that stand for one; None when one looks at every kind."""
    detectors = list(detectors)
    found = {total.kind for detector in detectors for total in detector.totals}
    for part in (part for detector in detectors for part in conditions(detector)):
        if not kinds_of(part) and not rules.below(part):
            return None
        found |= set(kinds_of(part))
    return frozenset(found)


def unheard(heard: Ints, allowed: Ints, village: Ints, now: int) -> Bools:
    """By village: whether most of its devices have not been heard for longer than they may be. Never heard ones (-1) do not count."""
    villages = int(village.max(initial=-1)) + 1
    known = (heard >= 0) & (village >= 0)
    silent = known & (now - heard > allowed)
    among = np.bincount(village[known], minlength=villages)
    quiet = np.bincount(village[silent], minlength=villages)
    out: Bools = (among >= GROUP_LEAST) & (quiet > GROUP_SHARE * among)
    return out
