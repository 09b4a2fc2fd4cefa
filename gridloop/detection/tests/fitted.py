"""A routine that has learned up to a moment and judges by that alone from then on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gridloop.detection import rules
from gridloop.detection.columns import Bools
from gridloop.detection.hours import Hour, Hourly, Looks, classes, days_before
from gridloop.detection.parts import Part
from gridloop.detection.rules import HOUR


class Fitted:
    """Put around the parts of an engine of one key: from a moment on they judge hours by what they had learned, and learn no more."""

    def __init__(self, at: int) -> None:
        self.until = at // HOUR

    def __call__(self, _: rules.Condition, part: Part) -> Part:
        if isinstance(part, Hourly):
            part.judged = self._judging(part)  # type: ignore[method-assign, assignment]
        return part

    def _judging(self, part: Hourly) -> Callable[[slice, Hour, bool], Bools]:
        judged, cells = part.judged, part.cells

        def fitted(some: slice, hour: Hour, settled: bool) -> Bools:
            if hour.number < self.until:
                return judged(some, hour, settled)
            learned = {name: cells[name].copy() for name in ("mean", "calm") if name in cells}
            on = judged(some, hour._replace(looks=self._looks(part, hour)), False)
            for name, values in learned.items():
                cells[name][:] = values
            return on

        return fitted

    def _looks(self, part: Hourly, hour: Hour) -> Looks:
        """How often the hour had been looked at by the moment."""
        day, of_day = divmod(int(part.cells["first"].max()), 24)
        since, until = day + (hour.of_day <= of_day), self.until // 24 + (hour.of_day < self.until % 24)
        kinds = range(classes(part.week))
        return Looks(0, {c: np.array([days_before(until, c, part.week) - days_before(since, c, part.week)]) for c in kinds}, 0)
