"""What became of alarms, counted: precision with its interval, and the threshold that would have been right more often. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gridloop.detection import rules
from gridloop.detection.rules import Detector, Pick

TRUE, FALSE, UNCLEAR = "true", "false", "unclear"
OUTCOMES = (TRUE, FALSE, UNCLEAR)
NORMAL, KNOWN = "normal", "known"
REASONS = ("device", NORMAL, KNOWN, "test", "other")  # why an alarm was false
LOOKED_AT = timedelta(days=90)  # older outcomes say little of a device that may have been mended since, or of a home
FOUND_UNTRUE = "found_untrue"  # on the spot, before anybody stated a reason
# Why a case was closed, as diagrams say it (``gridloop:with name="reason"``): it went by itself, or there was nothing.
LEFT, FALSE_ALARM = "left", "false_alarm"
# What a task's form may say of the alarm, in a field of one of these names.
FORM_FIELDS = ("alarm", "outcome", "result")
FORM_ANSWERS: Mapping[str, tuple[str, str]] = {
    "true": (TRUE, ""),
    "false": (FALSE, "other"),
    "unclear": (UNCLEAR, ""),
    "needs_help": (TRUE, ""),
    "safe": (FALSE, NORMAL),
    "away": (FALSE, KNOWN),
    "false_alarm": (FALSE, "other"),
}
REPEATED = 3  # false alarms of a device by one detector, before anything is proposed …
MOSTLY = 0.5  # … that are more than this share of those decided
_Z = 1.96  # 95 %


@dataclass(frozen=True, slots=True)
class Counts:
    """Decided alarms. ``low``, ``high``: Wilson's interval of the precision at 95 %; none of the three without any that was clear."""

    true: int = 0
    false: int = 0
    unclear: int = 0
    waiting: int = 0

    @property
    def precision(self) -> float | None:
        clear = self.true + self.false
        return round(self.true / clear, 4) if clear else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.true, self.true + self.false)


def wilson(right: int, of: int) -> tuple[float, float] | None:
    """Between which shares the true one lies in 95 of 100 cases."""
    if of <= 0:
        return None
    share = right / of
    middle = share + _Z**2 / (2 * of)
    reach = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    whole = 1 + _Z**2 / of
    return round(max(0.0, (middle - reach) / whole), 4), round(min(1.0, (middle + reach) / whole), 4)


def of_form(form: Mapping[str, Any]) -> tuple[str, str] | None:
    """Outcome and reason as a form tells them; None when it does not."""
    for name in FORM_FIELDS:
        if (found := FORM_ANSWERS.get(str(form.get(name)))) is not None:
            reason = str(form.get(f"{name}_reason") or "")
            return found[0], reason if found[0] == FALSE and reason in REASONS else found[1]
    return None


def is_repeated(counts: Counts) -> bool:
    return counts.false >= REPEATED and counts.false > MOSTLY * (counts.true + counts.false)


@dataclass(frozen=True, slots=True)
class Limited:
    """The threshold a detector goes by. ``beyond``: another of its own, from which on there is an alarm whatever this one becomes."""

    pick: Pick
    limit: float
    up: bool
    beyond: float | None = None


def threshold_of(detector: Detector) -> Limited | None:
    """Of a detector with one threshold, or of several on the same readings the one that is reached first; of others nobody could say which

    was wrong.
    """
    parts = rules.parts_of(detector.when)
    found = [part for part in parts if isinstance(part, rules.Threshold)]
    if not found or len({(part.pick, part.direction) for part in found}) > 1:
        return None
    if len(found) > 1 and any(isinstance(part, rules.All | rules.Not) for part in parts):
        return None
    up = found[0].direction == rules.UP
    limits = sorted({part.limit for part in found}, reverse=not up)
    return Limited(found[0].pick, limits[0], up, limits[1] if len(limits) > 1 else None)


@dataclass(frozen=True, slots=True)
class Better:
    """``keeps`` of the true alarms and ``drops`` of the false ones, with this limit."""

    limit: float
    keeps: int
    drops: int


def better_limit(now: Limited, true: Sequence[float], false: Sequence[float]) -> Better | None:
    """From how far each alarm went: the limit that keeps every true one and drops the most false ones, as far from both as it can be.

    None when no limit drops at least half of the false ones without a true one.
    """
    sign = 1.0 if now.up else -1.0
    kept = min((sign * value for value in true), default=math.inf)
    if now.beyond is not None:
        kept = min(kept, sign * now.beyond)
    gone = [sign * value for value in false if sign * value < kept]
    if not gone or 2 * len(gone) < len(false):
        return None
    reach = max(gone)
    limit = (reach + kept) / 2 if math.isfinite(kept) else reach + abs(reach - sign * now.limit) * 0.1
    rounded = _between(limit, reach, kept)
    if rounded <= sign * now.limit:
        return None
    return Better(sign * rounded, len(true), sum(value < rounded for value in gone))


def _between(wish: float, over: float, upto: float) -> float:
    """The shortest number near the wish that lies over the one and not over the other."""
    for digits in range(5):
        for found in (round(wish, digits), round(round(wish, digits) + 10**-digits, digits)):
            if over < found <= upto:
                return found
    return upto if math.isfinite(upto) else math.nextafter(over, math.inf)
