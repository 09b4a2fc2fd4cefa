"""``detect.yaml`` → detectors. What a person can write wrongly is gathered as faults that say where and how to mend it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from gridloop.detection import rules, vocabulary
from gridloop.detection.rules import DAY, Condition, Detector, Step, Total
from gridloop.detection.schedules import Schedule, Span
from gridloop.detection.values import Fault, Kind, Path, Values, milliseconds, short
from gridloop.detection.vocabulary import FACTS, ONE_OF, OPERATORS, TIME, YES, Key
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.hashing import token_of

_MONDAY = 4 * DAY  # 5 January 1970: windows of whole weeks begin on Mondays
_STANDARD = datetime(2025, 1, 15, tzinfo=UTC)


class LanguageFault(ValueError):
    """All that is wrong with a document."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.path))}: {fault.said('en')}" for fault in faults))
        self.faults = faults


def kind_number(name: str) -> int:
    """A number for a kind that stays the same whatever else the catalogue holds."""
    return zlib.crc32(name.encode())


def house_severity(severity: int) -> int:
    """The house counts from 1, the most urgent, to 4; the engine the other way. The same function leads back."""
    return 5 - severity


def utc_offset(calendar: WorkingCalendar) -> int:
    """How far the zone's standard time is before UTC, ms."""
    local = calendar.local(_STANDARD)
    offset, summer = local.utcoffset(), local.dst()
    assert offset is not None
    return round((offset - summer if summer else offset).total_seconds() * 1000)


def meters(kinds: Mapping[str, Kind]) -> list[tuple[str, Total]]:
    """Kinds that are the state of a meter, each with the name of the use it stands for."""
    counted = [(one, kinds[one.counts]) for one in kinds.values() if one.counts]
    return [(one.counts, Total(one.number, use.number, use.most or vocabulary.LARGEST)) for one, use in counted]


def detectors(
    document: Any,
    kinds: Mapping[str, Kind],
    version: int,
    *,
    calendar: WorkingCalendar | None = None,
    token: Callable[[str], int] = token_of,
) -> tuple[Detector, ...]:
    """The detectors of a document (plain data of a ``detect.yaml``), in its order. Their severity is the engine's, see

    ``house_severity``; ``token`` is the number that readings have for a zone. LanguageFault with everything that is wrong.
    """
    reader = Reader(kinds, calendar or WorkingCalendar(), token)
    found = reader.document(document, version)
    if reader.faults:
        raise LanguageFault(reader.faults)
    return found


def definitions(document: Mapping[str, Any]) -> dict[str, Any]:
    """By detector of a right document: everything that makes it what it is, so without its title."""
    schedules = document.get("schedules") or {}
    parts = {name: {key: value for key, value in one.items() if key != "title"} for name, one in (document.get("detectors") or {}).items()}
    return {name: {"schedules": {used: schedules[used] for used in sorted(_used(part))}, **part} for name, part in parts.items()}


def _used(part: Any) -> set[str]:
    """Schedules that a part of a right document names."""
    if isinstance(part, list):
        return {name for item in part for name in _used(item)}
    if not isinstance(part, dict):
        return set()
    return {name for key, value in part.items() for name in ([value] if key == "during" else _used(value))}


class Reader(Values):
    """Reads a document part by part; a part that is wrong is None and its faults are noted."""

    def __init__(self, kinds: Mapping[str, Kind], calendar: WorkingCalendar, token: Callable[[str], int]) -> None:
        super().__init__(kinds)
        self.calendar, self.token = calendar, token
        self.offset = utc_offset(calendar)
        self._conditions = 0  # of the detector being read

    # --- the document and its detectors -----------------------------------------------------------------------------------

    def document(self, value: Any, version: int) -> tuple[Detector, ...]:
        parts = self.keys(value, (), {"schedules": Key("", example="…"), "detectors": Key("", True, example="…")})
        if parts is None:
            return ()
        for name, spans in self._named(parts.get("schedules", {}), ("schedules",)):
            self.schedules[name] = self._spans(spans, ("schedules", name))
        if "detectors" not in parts:
            return ()
        named = self._named(parts["detectors"], ("detectors",))
        if isinstance(parts["detectors"], dict) and not 1 <= len(named) <= vocabulary.MOST_DETECTORS:
            self.fault(("detectors",), "how_many", least=1, most=vocabulary.MOST_DETECTORS)
        found = [self._detector(name, one, ("detectors", name), version) for name, one in named]
        return tuple(one for one in found if one is not None)

    def _named(self, value: Any, path: Path) -> list[tuple[str, Any]]:
        if not isinstance(value, dict):
            self.fault(path, "named", value=short(value))
            return []
        for name in value:
            if not vocabulary.WORD.fullmatch(name):
                self.fault((*path, name), "id", value=short(name))
        return list(value.items())  # what stands under a wrong name is read too, so that all faults are told at once

    def _spans(self, value: Any, path: Path) -> Schedule | None:
        spans: list[Span] = []
        items = self.list_of(value, path)
        for number, item in enumerate(items or ()):
            parts = self.parts(item, (*path, number), vocabulary.SPAN)
            if parts is not None:
                spans.append(Span(parts["from"], parts["to"], parts["weekdays"] or frozenset(range(7)), parts["days"]))
        return Schedule(tuple(spans), self.calendar) if items and len(spans) == len(items) else None

    def _detector(self, name: str, value: Any, path: Path, version: int) -> Detector | None:
        self._conditions, self._kinds_named = 0, set()
        parts = self.parts(value, path, vocabulary.DETECTOR)
        if self._conditions > vocabulary.MOST_PARTS:
            self.fault(path, "too_many_parts", most=vocabulary.MOST_PARTS)
        if parts is None:
            return None
        when = parts["when"]
        if holds_at_first(when):
            self.fault((*path, "when"), "always")
            return None
        for number, step in enumerate(parts["steps"] or ()):
            if step.severity <= house_severity(parts["severity"]):
                self.fault((*path, "steps", number, "severity"), "step", severity=parts["severity"])
        severity = house_severity(parts["severity"])
        return Detector(name, version, when, parts["by"], severity, tuple(parts["steps"] or ()), parts["quiet"] or 0, self._totals())

    def _totals(self) -> tuple[Total, ...]:
        """Of the kinds the detector names."""
        return tuple(total for use, total in meters(self.kinds) if use in self._kinds_named)

    def _steps(self, value: Any, path: Path, key: Key) -> list[Step] | None:
        items = self.list_of(value, path, vocabulary.MOST_STEPS)
        steps = [self.parts(item, (*path, number), vocabulary.STEP) for number, item in enumerate(items or ())]
        if not items or None in steps:
            return None
        return [Step(house_severity(step["severity"]), step["when"]) for step in steps if step is not None]

    # --- conditions -------------------------------------------------------------------------------------------------------

    def _condition(self, value: Any, path: Path, key: Key) -> Condition | None:
        self._conditions += 1
        if sum(1 for part in path if part in ("all", "any", "not")) > vocabulary.DEEPEST:
            self.fault(path, "too_deep", most=vocabulary.DEEPEST)
            return None
        if not isinstance(value, dict):
            self.fault(path, "condition", value=short(value), allowed=", ".join(OPERATORS))
            return None
        known = [name for name in value if self.known(name, path, (*OPERATORS, *vocabulary.MODIFIERS))]
        operators = [name for name in known if name in OPERATORS]
        if len(operators) != 1:
            if len(known) == len(value):
                self.fault(path, "one_operator", found=", ".join(operators) or "-", allowed=", ".join(OPERATORS))
            return None
        name = operators[0]
        inner = self._operator(name, value[name], (*path, name))
        for modifier in vocabulary.MODIFIERS:
            if modifier in value:
                inner = self._modified(modifier, value[modifier], (*path, modifier), inner)
        return inner

    def _operator(self, name: str, value: Any, path: Path) -> Condition | None:
        if name == "not":
            inner = self._condition(value, path, Key("condition"))
            return None if inner is None else rules.Not(inner)
        if name in ("all", "any"):
            return self._joined(name, value, path)
        parts = self.parts(value, path, OPERATORS[name])
        if parts is None:
            return None
        given = [option for option in ONE_OF.get(name, ()) if parts[option] is not None]
        if name in ONE_OF and len(given) != 1:
            self.fault(path, "one_of", options=", ".join(ONE_OF[name]), found=", ".join(given) or "-")
            return None
        made: Condition | None = getattr(self, f"_{name}")(parts, path)
        return made

    def _joined(self, name: str, value: Any, path: Path) -> Condition | None:
        items = self.list_of(value, path, vocabulary.MOST_JOINED)
        inner = [self._condition(item, (*path, number), Key("condition")) for number, item in enumerate(items or ())]
        whole = tuple(one for one in inner if one is not None)
        if not whole or len(whole) < len(inner):
            return None
        if len(whole) == 1:  # brackets, so that a modifier can stand around another one
            return whole[0]
        return rules.All(whole) if name == "all" else rules.Any_(whole)

    def _modified(self, name: str, value: Any, path: Path, inner: Condition | None) -> Condition | None:
        """The condition with what is said beside it. Read even when the condition is wrong, so that all faults are told at once."""
        made = getattr(self, f"_{name}")(value, path, inner)
        if made is None or inner is None:
            return None
        if name != "hold" and holds_at_first(inner):
            self.fault(path, "always_inside")
            return None
        condition: Condition = made
        return condition

    def _hold(self, value: Any, path: Path, inner: Condition) -> Condition | None:
        longer = self._duration(value, path, Key("duration"))
        return None if longer is None else rules.Hold(inner, longer)

    def _during(self, value: Any, path: Path, inner: Condition) -> Condition | None:
        schedule = self._schedule(value, path, Key("schedule"))
        return None if schedule is None else rules.During(inner, schedule)

    def _unless(self, value: Any, path: Path, inner: Condition) -> Condition | None:
        parts = self.parts(value, path, vocabulary.STRETCH)
        return None if parts is None else rules.Unless(inner, parts["since"], parts["till"])

    def _where(self, value: Any, path: Path, inner: Condition) -> Condition | None:
        if not isinstance(value, dict) or not value:
            self.fault(path, "facts", value=short(value), allowed=", ".join(FACTS))
            return None
        known = [self.known(fact, path, tuple(FACTS)) for fact in value]
        made: Condition | None = inner if all(known) else None
        for fact in FACTS:  # in an order of their own: that of the file says nothing
            if fact in value:
                bounds = self._fact(fact, value[fact], (*path, fact))
                made = None if bounds is None or made is None else rules.Where(made, fact, *bounds)
        return made

    def _fact(self, fact: str, wanted: Any, path: Path) -> tuple[float | None, float | None] | None:
        if wanted == "known":
            return None, None
        if FACTS[fact] == YES and isinstance(wanted, bool):
            return (1.0, None) if wanted else (None, 0.0)
        if FACTS[fact] in (YES, TIME):
            self.fault(path, f"fact_{FACTS[fact]}", value=short(wanted))
            return None
        plain = Key("number", least=-vocabulary.LARGEST, most=vocabulary.LARGEST, example="30")
        parts = self.parts(wanted, path, {"at_least": plain, "at_most": plain})
        return None if parts is None or not self.bounds(parts, path) else (parts["at_least"], parts["at_most"])

    # --- operators over readings ------------------------------------------------------------------------------------------

    def _threshold(self, parts: dict[str, Any], path: Path) -> Condition | None:
        up = parts["at_least"] is not None
        limit, clear = parts["at_least"] if up else parts["at_most"], parts["clear"]
        if clear is not None and (clear > limit if up else clear < limit):
            self.fault((*path, "clear"), "clear_up" if up else "clear_down", clear=f"{clear:g}", limit=f"{limit:g}")
            return None
        return rules.Threshold(parts["pick"], limit, clear, rules.UP if up else rules.DOWN)

    def _rate(self, parts: dict[str, Any], path: Path) -> Condition | None:
        directions = {"rises": rules.UP, "falls": rules.DOWN, "moves": rules.BOTH}
        name = next(name for name in directions if parts[name] is not None)
        if parts[name] <= 0:
            self.fault((*path, name), "over_zero", value=f"{parts[name]:g}")
            return None
        return rules.Rate(parts["pick"], parts[name], parts["per"], directions[name])

    def _absence(self, parts: dict[str, Any], path: Path) -> Condition:
        return rules.Absence(parts["pick"], parts["longer"])

    def _count(self, parts: dict[str, Any], path: Path) -> Condition:
        return rules.Count(parts["pick"], parts["least"], parts["within"], *self._windows(parts))

    def _distinct(self, parts: dict[str, Any], path: Path) -> Condition:
        return rules.Distinct(parts["pick"], parts["least"], parts["within"], parts["of"], *self._windows(parts))

    def _windows(self, parts: dict[str, Any]) -> tuple[bool, int]:
        if parts["windows_from"] is None:
            return False, 0
        return True, (_MONDAY + milliseconds(parts["windows_from"]) - self.offset) % parts["within"]

    def _days(self, parts: dict[str, Any], path: Path) -> Condition | None:
        if parts["of"] < parts["least"]:
            self.fault((*path, "least"), "days_never", least=parts["least"], of=parts["of"])
            return None
        return rules.Days(parts["pick"], parts["least"], parts["of"], self.offset - (milliseconds(parts["from"]) if parts["from"] else 0))

    def _dwell(self, parts: dict[str, Any], path: Path) -> Condition:
        zones = tuple(sorted(self.token(name) for name in parts["zones"])) if parts["zones"] else None
        return rules.Dwell(parts["pick"], parts["longer"], zones, parts["gap"])

    def _sequence(self, parts: dict[str, Any], path: Path) -> Condition:
        return rules.Sequence(parts["first"], parts["then"], parts["within"], parts["keep"])

    def _unanswered(self, parts: dict[str, Any], path: Path) -> Condition:
        return rules.Unanswered(parts["first"], parts["then"], parts["within"])

    def _routine(self, parts: dict[str, Any], path: Path) -> Condition:
        named = {name: parts[name] for name in ("of", "direction", "times", "least", "learn", "over", "week")}
        return rules.Routine(parts["pick"], offset=self.offset, **named)

    def _silence(self, parts: dict[str, Any], path: Path) -> Condition:
        return rules.Silence(parts["pick"], parts["rarity"], parts["learn"], parts["over"], parts["week"], self.offset)


def holds_at_first(condition: Condition) -> bool:
    """Whether it holds before anything was read."""
    match condition:
        case rules.Not():
            return not holds_at_first(condition.of)
        case rules.All():
            return all(holds_at_first(inner) for inner in condition.of)
        case rules.Any_():
            return any(holds_at_first(inner) for inner in condition.of)
        case rules.Hold() | rules.During() | rules.Where() | rules.Unless():
            return holds_at_first(condition.of)
        case _:
            return False
