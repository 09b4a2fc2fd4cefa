"""A detector as a plain sentence in Chinese or English, made from its definition: nothing of it is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from gridloop.detection import rules
from gridloop.detection.language import detectors, house_severity, utc_offset
from gridloop.detection.rules import DAY, HOUR, MINUTE, Condition, Detector, Pick
from gridloop.detection.schedules import ANY, Schedule, Span
from gridloop.detection.values import Kind
from gridloop.detection.vocabulary import ABOVE_ZERO, FACTS, NUMBER
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.hashing import token_of
from gridloop.kernel.texts import say

VALUE, SEEN = "value", "seen"  # a kind by what it measures, or by what happened
_PIECES = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1_000), ("ms", 1))
_WIDE = (("h", HOUR, 72), ("m", MINUTE, 119))  # so many of them are said without a larger unit
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_BLANK = re.compile("(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")  # behind a unit that is a Chinese word


def sentences(document: Any, kinds: Mapping[str, Kind], lang: str, calendar: WorkingCalendar | None = None) -> dict[str, str]:
    """The sentence of each detector of a document. LanguageFault when it is not right."""
    found = detectors(document, kinds, 1, calendar=calendar)
    teller = Teller(kinds, lang, calendar, zone_names(document))
    return {detector.id: teller.sentence(detector) for detector in found}


def zone_names(part: Any) -> dict[int, str]:
    """Names of zones in a right document by their tokens."""
    if isinstance(part, list):
        return {token: name for item in part for token, name in zone_names(item).items()}
    if not isinstance(part, dict):
        return {}
    here = {token_of(name): name for name in part.get("zones", ())}
    return here | {token: name for value in part.values() for token, name in zone_names(value).items()}


class Dots(Condition):
    """Stands for a condition that is told elsewhere."""


class Teller:
    """``zones``: the names behind tokens; one without is told by its number."""

    def __init__(
        self, kinds: Mapping[str, Kind], lang: str, calendar: WorkingCalendar | None = None, zones: Mapping[int, str] | None = None
    ) -> None:
        self.kinds = {kind.number: kind for kind in kinds.values()}
        self.lang, self.zones = lang, zones or {}
        self.offset = utc_offset(calendar or WorkingCalendar())

    def say(self, key: str, **params: Any) -> str:
        return _BLANK.sub("", say(f"detection.say_{key}", self.lang, **params))

    def sentence(self, detector: Detector) -> str:
        more = [self.say("step_to", clause=self.clause(step.when), severity=self._severity(step.severity)) for step in detector.steps]
        if detector.quiet:
            more.append(self.say("quiet", quiet=self.duration(detector.quiet)))
        by, severity = self.say(f"by_{detector.by}"), self._severity(detector.severity)
        return self.say("whole", by=by, clause=self.clause(detector.when), severity=severity, more="".join(more))

    def _severity(self, severity: int) -> str:
        return say(f"cases.severity_{house_severity(severity)}", self.lang)

    # --- conditions -------------------------------------------------------------------------------------------------------

    def clause(self, condition: Condition) -> str:
        """What is said of a condition; begins with a blank where a number comes first in Chinese."""
        told: str = getattr(self, f"_{type(condition).__name__.lower().rstrip('_')}")(condition)
        return told

    def outline(self, condition: Condition) -> str:
        """The clause with dots for the conditions inside."""
        if isinstance(condition, rules.All | rules.Any_):
            condition = replace(condition, of=tuple(Dots() for _ in condition.of))
        elif isinstance(condition, rules.Not | rules.Hold | rules.During | rules.Where | rules.Unless):
            condition = replace(condition, of=Dots())
        return self.clause(condition).strip()

    def _dots(self, condition: Dots) -> str:
        return "…"

    def _inside(self, condition: Condition) -> str:
        """In brackets where it would run into what stands around it."""
        told = self.clause(condition)
        joins = isinstance(condition, rules.All | rules.Any_)
        return self.say("brackets", clause=told.strip()) if joins else told

    def _all(self, condition: rules.All) -> str:
        return self._joined(condition.of, "and")

    def _any(self, condition: rules.Any_) -> str:
        return self._joined(condition.of, "or")

    def _joined(self, inner: Iterable[Condition], how: str) -> str:
        told = [self.clause(one) for one in inner]
        if len(told) == 1:
            return told[0]
        return self.say(how).join(self._separate(one, text) for one, text in zip(inner, told, strict=True))

    def _separate(self, condition: Condition, told: str) -> str:
        while isinstance(condition, rules.During | rules.Where | rules.Unless):
            condition = condition.of
        runs_on = isinstance(condition, rules.All | rules.Any_ | rules.Hold | rules.Sequence | rules.Routine)
        return self.say("brackets", clause=told.strip()) if runs_on else told

    def _not(self, condition: rules.Not) -> str:
        return self.say("not", clause=self.clause(condition.of).strip())

    def _hold(self, condition: rules.Hold) -> str:
        return self.say("hold", clause=self._inside(condition.of), longer=self.duration(condition.longer))

    def _during(self, condition: rules.During) -> str:
        return self.say("during", clause=self._inside(condition.of), schedule=self.schedule(condition.schedule))

    def _unless(self, condition: rules.Unless) -> str:
        since, till = self.say(f"fact_{condition.since}"), self.say(f"fact_{condition.till}")
        return self.say("unless", clause=self._inside(condition.of), since=since, till=till)

    def _where(self, condition: rules.Where) -> str:
        fact = self.say(f"fact_{condition.fact}")
        low, high = condition.at_least, condition.at_most
        if FACTS[condition.fact] == NUMBER:
            how, bounds = self._bounds("fact", low, high), {"low": number(low), "high": number(high)}
        else:
            how, bounds = "fact_is" if low is not None else "fact_not" if high is not None else "fact_known", {}
        return self.say("where", clause=self._inside(condition.of), fact=self.say(how, fact=fact, **bounds))

    def _bounds(self, what: str, low: float | None, high: float | None) -> str:
        if low is None and high is None:
            return f"{what}_known"
        return f"{what}_from_to" if low is not None and high is not None else f"{what}_from" if low is not None else f"{what}_to"

    # --- over readings ----------------------------------------------------------------------------------------------------

    def _threshold(self, rule: rules.Threshold) -> str:
        limit, clear = self.figure(rule.limit, rule.pick), ""
        if rule.clear is not None:
            clear = self.say(f"clears_{rule.direction}", clear=self.figure(rule.clear, rule.pick))
        return self.say(f"threshold_{rule.direction}", what=self._value(rule.pick), limit=limit, clear=clear, only=self._only(rule.pick))

    def _rate(self, rule: rules.Rate) -> str:
        change, per = self.figure(rule.change, rule.pick), self.duration(rule.per)
        return self.say(f"rate_{rule.direction}", what=self._value(rule.pick), change=change, per=per, only=self._only(rule.pick))

    def _absence(self, rule: rules.Absence) -> str:
        return self.say("absence", longer=self.duration(rule.longer), seen=self._seen(rule.pick), only=self._only(rule.pick))

    def _count(self, rule: rules.Count) -> str:
        return self._windowed("count", rule)

    def _distinct(self, rule: rules.Distinct) -> str:
        return self._windowed(f"distinct_{rule.of}", rule)

    def _windowed(self, key: str, rule: rules.Count | rules.Distinct) -> str:
        told = {"seen": self._seen(rule.pick), "only": self._only(rule.pick), "least": rule.least, "within": self.duration(rule.within)}
        if not rule.tumbling:
            return self.say(key, **told)
        return self.say(f"{key}_windows", start=self._window_start(rule), **told)

    def _window_start(self, rule: rules.Count | rules.Distinct) -> str:
        """When one of the windows begins: a time of day, of a weekday where they are a week long, of a date where they fit neither."""
        since = (rule.offset + self.offset - 4 * DAY) % rule.within
        at = _MONDAY + timedelta(milliseconds=since)
        if DAY % rule.within == 0:
            return _clock(at.time())
        if rule.within == 7 * DAY:
            return self.say(f"weekday_{since // DAY}") + f" {_clock(at.time())}"
        return f"{at:%Y-%m-%d} {_clock(at.time())}"

    def _days(self, rule: rules.Days) -> str:
        begin, start = (self.offset - rule.offset) % DAY, ""
        if begin:
            start = self.say("day_from", start=_clock((_MONDAY + timedelta(milliseconds=begin)).time()))
        told = {"seen": self._seen(rule.pick), "only": self._only(rule.pick)}
        return self.say("days", of=rule.of, least=rule.least, start=start, **told)

    def _dwell(self, rule: rules.Dwell) -> str:
        zones = self.say("one_zone")
        if rule.zones is not None:
            names = sorted(self.zones.get(zone, f"#{zone}") for zone in rule.zones)
            zones = self.say("zones", zones=self.listed(names))
        gap = self.say("gap", gap=self.duration(rule.gap)) if rule.gap is not None else ""
        told = {"seen": self._seen(rule.pick), "only": self._only(rule.pick)}
        return self.say("dwell", zones=zones, longer=self.duration(rule.longer), gap=gap, **told)

    def _sequence(self, rule: rules.Sequence) -> str:
        within, keep = self.duration(rule.within), self.duration(rule.keep)
        return self.say("sequence", first=self._whole(rule.first), then=self._whole(rule.then), within=within, keep=keep)

    def _unanswered(self, rule: rules.Unanswered) -> str:
        return self.say("unanswered", first=self._whole(rule.first), then=self._whole(rule.then), within=self.duration(rule.within))

    def _zone(self, offset: int) -> str:
        """'' for the calendar's own."""
        if offset == self.offset:
            return ""
        sign, minutes = "-" if offset < 0 else "+", abs(offset) // MINUTE
        return self.say("zone", zone=f"{sign}{minutes // 60:02}:{minutes % 60:02}")

    def _silence(self, rule: rules.Silence) -> str:
        return self.say(
            "silence",
            seen=self._seen(rule.pick),
            over=rule.over,
            rarity=number(rule.rarity),
            week=self.say(f"week_{rule.week}", learn=rule.learn, zone=self._zone(rule.offset)),
            only=self._only(rule.pick),
        )

    def _routine(self, rule: rules.Routine) -> str:
        return self.say(
            "routine",
            over=rule.over,
            what=self.say(f"routine_{rule.of}"),
            seen=self._seen(rule.pick),
            direction=self.say(f"routine_{rule.direction}"),
            least=self.figure(rule.least, rule.pick) if rule.of == rules.SUM else number(rule.least),
            times=number(rule.times),
            week=self.say(f"week_{rule.week}", learn=rule.learn, zone=self._zone(rule.offset)),
            only=self._only(rule.pick),
        )

    # --- words ------------------------------------------------------------------------------------------------------------

    def _value(self, pick: Pick) -> str:
        """What is measured."""
        return self.listed([self._name(number, VALUE) for number in self._in_order(pick)]) if pick.kinds else self.say("any_value")

    def _seen(self, pick: Pick) -> str:
        """What happened."""
        return self.listed([self._name(number, SEEN) for number in self._in_order(pick)]) if pick.kinds else self.say("any_kind")

    def _in_order(self, pick: Pick) -> list[int]:
        """Kinds as the catalogue has them, one that it does not have at the end."""
        place = {number: place for place, number in enumerate(self.kinds)}
        return sorted(pick.kinds, key=lambda number: place.get(number, len(place)))

    def kind(self, number: int) -> str:
        """The name of a kind."""
        return self._name(number, VALUE)

    def _name(self, number: int, what: str) -> str:
        kind = self.kinds.get(number)
        if kind is None:
            return f"#{number}"
        plain = kind.zh if self.lang == "zh" else kind.en[:1].lower() + kind.en[1:]
        seen = kind.seen_zh if self.lang == "zh" else kind.seen_en
        return (seen if what == SEEN else "") or plain or f"#{number}"

    def _whole(self, pick: Pick) -> str:
        return self._seen(pick) + self._only(pick)

    def _only(self, pick: Pick) -> str:
        """What is said of a choice among the readings of the kinds."""
        told = []
        if pick.at_least == ABOVE_ZERO:
            told.append(self.say("value_above_zero") if pick.at_most is None else self._up_to(pick))
        elif pick.at_least is not None or pick.at_most is not None:
            low, high = self.figure(pick.at_least, pick), self.figure(pick.at_most, pick)
            told.append(self.say(self._bounds("value", pick.at_least, pick.at_most), low=low, high=high))
        if pick.during is not None:
            told.append(self.say("read_during", schedule=self.schedule(pick.during)))
        return self.say("only", what=self.say("comma").join(told)) if told else ""

    def _up_to(self, pick: Pick) -> str:
        return self.say("value_above_zero_to", high=self.figure(pick.at_most, pick))

    def figure(self, value: float | None, pick: Pick) -> str:
        """With the unit of the kinds when they share one."""
        units = {kind.unit if self.lang == "zh" else kind.unit_en or kind.unit for n in pick.kinds if (kind := self.kinds.get(n))}
        unit = units.pop() if len(units) == 1 else ""
        return f"{number(value)} {unit}".strip()

    def listed(self, names: list[str]) -> str:
        if len(names) < 2:
            return "".join(names)
        return self.say("comma").join(names[:-1]) + self.say("last_or") + names[-1]

    def duration(self, length: int) -> str:
        for unit, size, most in _WIDE:
            if length % size == 0 and length // size <= most:
                return self._amount(unit, length // size)
        told = []
        for unit, size in _PIECES:
            if length >= size:
                told.append(self._amount(unit, length // size))
                length %= size
        return " ".join(told)

    def _amount(self, unit: str, amount: int) -> str:
        told = self.say(f"unit_{unit}", amount=amount)
        return told.removesuffix("s") if amount == 1 and self.lang == "en" else told

    def schedule(self, schedule: Schedule) -> str:
        return self.listed([self._span(span) for span in schedule.spans])

    def _span(self, span: Span) -> str:
        till = self.say("next_day", till=_clock(span.till)) if span.till <= span.since else _clock(span.till)
        if len(span.weekdays) == 7:
            days = self.say(f"days_{span.days}")
        else:
            weekdays = self._weekdays(sorted(span.weekdays))
            days = self.say("days_of" if span.days == ANY else f"days_of_{span.days}", weekdays=weekdays)
        return self.say("span", days=days, since=_clock(span.since), till=till)

    def _weekdays(self, days: list[int]) -> str:
        names = [self.say(f"weekday_{day}") for day in days]
        if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
            return self.say("from_day_to", since=names[0], till=names[-1])
        return self.listed(names)


def number(value: float | None) -> str:
    """As short as it can be without losing anything."""
    if value is None:
        return ""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value!r}"


def _clock(at: time) -> str:
    if at.microsecond:
        return at.isoformat()
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
