"""From a condition's changes to alarms: raised, more severe, cleared, and quiet after one. Keeps only keys that have something going on."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from gridloop.detection.columns import LONG_AGO, Edges
from gridloop.detection.messages import CLEARED, RAISED, STEPPED, Alarm
from gridloop.detection.parts import Arrays
from gridloop.detection.rules import Detector

_SOME = 1024  # remembered moments before it is worth forgetting some


class Raising:
    """``quieted``: alarms that were not raised because one had been a short while before."""

    def __init__(self, detector: Detector, steps_at_first: list[bool]) -> None:
        self.detector = detector
        self.quieted = 0
        self._first = sum(1 << n for n, on in enumerate(steps_at_first) if on)
        self._steps: dict[int, int] = {}  # key → which steps hold, one bit each, where it is not as at first
        self._active: dict[int, tuple[int, int]] = {}  # key → start, severity
        self._raised: dict[int, int] = {}  # key → last start, while quiet may follow
        self._forget_at = _SOME

    def alarms(self, when: Edges, steps: list[Edges], until: int) -> list[Alarm]:
        if not len(when.key) and not any(len(edges.key) for edges in steps):
            return []
        changes = [
            (time, key, number, on)
            for number, edges in enumerate([when, *steps], start=-1)
            for key, time, on in zip(edges.key.tolist(), edges.time.tolist(), edges.on.tolist(), strict=True)
        ]
        changes.sort()
        out: list[Alarm] = []
        start = 0
        while start < len(changes):
            time, key = changes[start][:2]
            end = start
            turned: bool | None = None
            while end < len(changes) and changes[end][:2] == (time, key):
                number, on = changes[end][2:]
                if number < 0:
                    turned = on
                else:
                    self._step(key, number)
                end += 1
            self._at(time, key, turned, out)
            start = end
        if len(self._raised) > self._forget_at:
            self._forget(until)
        return out

    def _step(self, key: int, number: int) -> None:
        now = self._steps.get(key, self._first) ^ 1 << number
        if now == self._first:
            self._steps.pop(key, None)
        else:
            self._steps[key] = now

    def _at(self, time: int, key: int, turned: bool | None, out: list[Alarm]) -> None:
        detector = self.detector
        if turned:
            if time < self._raised.get(key, LONG_AGO) + detector.quiet:
                self.quieted += 1
                return
            if detector.quiet:
                self._raised[key] = time
            self._active[key] = time, self._severity(key)
            out.append(self._alarm(time, key, RAISED))
        elif key in self._active:
            start, severity = self._active[key]
            if turned is False:
                out.append(self._alarm(time, key, CLEARED))
                del self._active[key]
            elif (now := self._severity(key)) > severity:
                self._active[key] = start, now
                out.append(self._alarm(time, key, STEPPED))

    def _alarm(self, at: int, key: int, what: str) -> Alarm:
        start, severity = self._active[key]
        return Alarm(at, self.detector.id, self.detector.version, key, start, severity, what)

    def active(self) -> list[Alarm]:
        return [self._alarm(start, key, RAISED) for key, (start, _) in sorted(self._active.items())]

    def _severity(self, key: int) -> int:
        held = self._steps.get(key, self._first)
        return max([self.detector.severity, *(step.severity for n, step in enumerate(self.detector.steps) if held >> n & 1)])

    def _forget(self, until: int) -> None:
        self._raised = {key: at for key, at in self._raised.items() if at + self.detector.quiet >= until}
        self._forget_at = max(_SOME, 2 * len(self._raised))

    def forget(self, keys: Collection[int]) -> None:
        """Nothing is going on of these keys, and nothing was: no end is told of what lasts."""
        for key in keys:
            self._active.pop(key, None)
            self._steps.pop(key, None)
            self._raised.pop(key, None)

    def dump(self) -> Arrays:
        active = [(key, start, severity) for key, (start, severity) in self._active.items()]
        return {
            "active": np.array(active, np.int64).reshape(-1, 3),
            "steps": np.array(list(self._steps.items()), np.int64).reshape(-1, 2),
            "raised": np.array(list(self._raised.items()), np.int64).reshape(-1, 2),
            "quieted": np.array(self.quieted, np.int64),
        }

    def load(self, arrays: Arrays) -> None:
        self._active = {key: (start, severity) for key, start, severity in arrays["active"].tolist()}
        self._steps = dict(arrays["steps"].tolist())
        self._raised = dict(arrays["raised"].tolist())
        self.quieted = int(arrays["quieted"])
