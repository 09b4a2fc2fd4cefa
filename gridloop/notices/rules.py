"""Pure rules of notices: when to send, when to try again, what a text says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final

from gridloop.kernel.durations import WorkingCalendar, parse_duration
from gridloop.kernel.expressions import Expression, ExpressionFault
from gridloop.kernel.texts import say
from gridloop.sdk.pack import FACT_NAMES, Audience, OnFact

MOST_ATTEMPTS = 8
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=4)
_UNIT_KEYS = {unit: f"notices.unit_{unit}" for unit in ("m", "h", "d", "wh", "wd")}
HOUSE: Final[dict[str, Audience]] = {"nobody_competent": "desk", "supervised": "holders"}  # told in the app whatever a pack says
CALM_AUDIENCES = frozenset({"reporter", "owner"})  # people at home; those at work chose their shift
ALWAYS = "true"
CALM_CHANNELS = frozenset({"sms", "voice"})


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which people at home are not disturbed, local time; may run over midnight. ``start == end`` = never."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Quiet:
        """``22:00-07:00``; ValueError for anything else."""
        start, _, end = text.partition("-")
        return cls(time.fromisoformat(start.strip()), time.fromisoformat(end.strip()))

    def holds(self, local: datetime) -> bool:
        now = local.time()
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end


def first_at(now: datetime, quiet: Quiet, calendar: WorkingCalendar, *, audience: str, channel: str, urgent: bool) -> datetime:
    """When a notice may go out: at once, or when the quiet hours are over. What a process itself sends is urgent."""
    if urgent or audience not in CALM_AUDIENCES or channel not in CALM_CHANNELS:
        return now
    local = calendar.local(now)
    if not quiet.holds(local):
        return now
    end = calendar.at(local.date(), quiet.end)
    return end if end > now else calendar.at(local.date() + timedelta(days=1), quiet.end)


def next_pause(attempts: int) -> timedelta | None:
    """The pause after so many attempts: 30 s, 2 min, 8 min, … at most 4 h; None when it was the last."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return min(_FIRST_PAUSE * int(4 ** (attempts - 1)), _LONGEST_PAUSE)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its names filled in; packs are checked at installation, so every name is known."""
    return template.format_map(values)


@lru_cache(maxsize=1024)
def _condition(source: str) -> Expression:
    return Expression(source, FACT_NAMES)


def asks_for(rule: OnFact, data: Mapping[str, Any]) -> bool:
    """Whether a fact with such data calls for the rule's notice; data the condition cannot work with does not."""
    if rule.when == ALWAYS:
        return True
    try:
        return _condition(rule.when).holds({"data": dict(data)})
    except ExpressionFault:
        return False


def pause_seconds(rule: OnFact) -> float:
    """How long the rule's notice is not repeated for a case."""
    if rule.pause is None:
        return 0.0
    pause = parse_duration(rule.pause)
    return float(pause.amount * {"m": 60, "h": 3600, "d": 86400}[pause.unit])


def wait_words(duration: str, lang: str) -> str:
    """``5m`` → ``5 分钟``."""
    parsed = parse_duration(duration)
    return say(_UNIT_KEYS[parsed.unit], lang, amount=parsed.amount)


def local_time(at: datetime | None, calendar: WorkingCalendar) -> str:
    return calendar.local(at).strftime("%m-%d %H:%M") if at else "–"
