"""Plain values of a document read strictly: durations, figures with units, kinds, words. What is wrong is noted with where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import time
from typing import Any, NamedTuple

from gridloop.detection import vocabulary
from gridloop.detection.rules import DAY, SUM, Pick
from gridloop.detection.schedules import Schedule
from gridloop.detection.vocabulary import FACTS, TIME, Key
from gridloop.kernel.texts import say

Path = tuple[str | int, ...]
ANY_KIND = "any"


class Kind(NamedTuple):
    """A kind of readings: the number it has in columns, its unit, its names, and how one such reading is called."""

    number: int
    unit: str = ""
    zh: str = ""
    en: str = ""
    seen_zh: str = ""
    seen_en: str = ""
    unit_en: str = ""
    keeps: tuple[str, ...] | None = None  # of a signal's data nothing else is taken: what must not be kept is refused at the door
    most: float = 0.0  # that a home's connection gives of it in an hour; 0: it is no use
    counts: str = ""  # the kind of use whose sum it is: the state of a meter

    def called(self, lang: str) -> str:
        """One such reading, else the kind, without what its values mean."""
        return (self.seen_en or self.en.partition(" (")[0]) if lang == "en" else self.seen_zh or self.zh.partition("（")[0]


class Fault(NamedTuple):
    """What is wrong at a path of the document: a text key with its placeholders."""

    path: Path
    key: str
    params: dict[str, Any]

    def said(self, lang: str = "zh") -> str:
        return say(self.key, lang, **self.params)


class Values:
    """``kinds``: by name. A value that is wrong is read as None and its fault noted."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds
        self.faults: list[Fault] = []
        self.schedules: dict[str, Schedule | None] = {}
        self._kinds_named: set[str] = set()  # kinds a detector has named so far
        # of the kinds being spoken of: unit and its English; None when they differ, empty when the kinds themselves are wrong
        self._units: list[tuple[str, ...] | None] = [None]

    def fault(self, path: Path, key: str, **params: Any) -> None:
        name = str(path[-1]) if path else "detect.yaml"
        if path and isinstance(path[-1], int):
            name = f"{path[-2] if len(path) > 1 else '-'}[{path[-1] + 1}]"
        self.faults.append(Fault(path, f"detection.{key}", {"name": name, **params}))

    def parts(self, value: Any, path: Path, table: Mapping[str, Key]) -> dict[str, Any] | None:
        """The value as a mapping with the keys of a table, each read in its way; keys not given have their default. None with faults."""
        before = len(self.faults)
        given = self.keys(value, path, table)
        if given is None:
            return None
        out: dict[str, Any] = {}
        if "kind" in table:
            out["kinds"] = self._kinds(given.get("kind"), (*path, "kind")) if "kind" in given else None
            self._units.append(self._unit(out["kinds"]))
        for name, key in table.items():
            if name == "kind":
                continue
            out[name] = key.default
            if name in given and key.reads != "amount":
                out[name] = self._reader(key)(given[name], (*path, name), key)
        if table.get("least", Key("")).reads == "amount" and "least" in given:
            out["least"] = self._amount(given["least"], (*path, "least"), out.get("of"))
        if "kind" in table:
            self._units.pop()
        if len(self.faults) > before:
            return None
        if "kind" in table:
            out["pick"] = Pick(out.pop("kinds"), *(out.pop("only") or (None, None, None)))
        return out

    def keys(self, value: Any, path: Path, table: Mapping[str, Key]) -> dict[str, Any] | None:
        """The value if it is a mapping; unknown and missing keys are noted."""
        if not isinstance(value, dict):
            self.fault(path, "mapping", value=short(value), allowed=", ".join(table))
            return None
        for name in value:
            self.known(name, path, table)
        for name, key in table.items():
            if key.needed and name not in value:
                self.fault(path, "missing", lacks=name, example=f"{name}: {key.example}")
        return {name: value[name] for name in table if name in value}

    def known(self, name: Any, path: Path, allowed: Iterable[str]) -> bool:
        allowed = list(allowed)
        if name in allowed:
            return True
        near = difflib.get_close_matches(str(name), allowed, 1)
        self.fault((*path, str(name)), "unknown_nearly" if near else "unknown", allowed=", ".join(allowed), near="".join(near))
        return False

    def list_of(self, value: Any, path: Path, most: int = 100) -> list[Any] | None:
        if isinstance(value, list) and 1 <= len(value) <= most:
            return value
        self.fault(path, "list", most=most, value=short(value))
        return None

    # --- kinds and what is read of them -----------------------------------------------------------------------------------

    def _kinds(self, value: Any, path: Path) -> tuple[int, ...] | None:
        if value == ANY_KIND:
            self._kinds_named |= set(self.kinds)
            return ()
        names = value if isinstance(value, list) else [value]
        if not names or len({str(name) for name in names}) < len(names):
            self.fault(path, "kinds", value=short(value))
            return None
        for number, name in enumerate(names):
            if not isinstance(name, str) or name not in self.kinds:
                near = difflib.get_close_matches(str(name), list(self.kinds), 3) or list(self.kinds)[:3]
                self.fault((*path, number) if isinstance(value, list) else path, "no_kind", kind=short(name), near=", ".join(near))
                return None
            if counts := self.kinds[name].counts:
                self.fault((*path, number) if isinstance(value, list) else path, "total", kind=name, counts=counts)
                return None
        self._kinds_named |= set(names)
        return tuple(sorted(self.kinds[name].number for name in names))

    def _unit(self, numbers: tuple[int, ...] | None) -> tuple[str, ...] | None:
        if not numbers:
            return () if numbers is None else None
        units = {(kind.unit, kind.unit_en or kind.unit) for kind in self.kinds.values() if kind.number in numbers}
        return units.pop() if len(units) == 1 else None

    def _only(self, value: Any, path: Path, key: Key) -> tuple[float | None, float | None, Schedule | None] | None:
        given = self.parts(value, path, vocabulary.ONLY)
        if given is None:
            return None
        if given["above_zero"] and given["at_least"] is not None:
            self.fault(path, "one_of", options="above_zero, at_least", found="above_zero, at_least")
            return None
        given["at_least"] = vocabulary.ABOVE_ZERO if given["above_zero"] else given["at_least"]
        return (given["at_least"], given["at_most"], given["during"]) if self.bounds(given, path, ("during",)) else None

    def bounds(self, given: Mapping[str, Any], path: Path, others: tuple[str, ...] = ()) -> bool:
        """Whether there is any of ``at_least``, ``at_most`` and the others, and the two bounds are in order."""
        low, high = given["at_least"], given["at_most"]
        if low is None and high is None and not any(given[name] is not None for name in others):
            self.fault(path, "nothing", allowed=", ".join((*others, "at_least", "at_most")))
            return False
        if low is not None and high is not None and low > high:
            self.fault(path, "bounds", low=f"{low:g}", high=f"{high:g}")
            return False
        return True

    def _pick(self, value: Any, path: Path, key: Key) -> Pick | None:
        given = self.parts(value, path, vocabulary.PICK)
        return None if given is None else given["pick"]

    def _figure(self, value: Any, path: Path, key: Key) -> float | None:
        """In the unit of the kinds, which may stand behind it."""
        units = self._units[-1]
        if not units:
            if units is None:
                self.fault(path, "units_differ")
            return None
        if isinstance(value, str) and (match := vocabulary.FIGURE.fullmatch(value.strip())):
            if match[2] not in units:
                self.fault(path, "unit" if units[0] else "no_unit", unit=units[0], value=short(value))
                return None
            value = float(match[1])
        return self._number(value, path, Key("number", least=-vocabulary.LARGEST, most=vocabulary.LARGEST, example="3.2"))

    def _amount(self, value: Any, path: Path, of: Any) -> float | None:
        """Of a routine: readings, or the unit of the kinds when their values are summed up."""
        if of == SUM:
            found = self._figure(value, path, Key("figure"))
            if found is not None and not found > 0:
                self.fault(path, "over_zero", value=short(value))
            return found
        return self._number(value, path, Key("number", least=0.001, most=vocabulary.LARGEST, example="1"))

    # --- plain values -----------------------------------------------------------------------------------------------------

    def _reader(self, key: Key) -> Callable[[Any, Path, Key], Any]:
        reader: Callable[[Any, Path, Key], Any] = getattr(self, f"_{key.reads}")
        return reader

    def _number(self, value: Any, path: Path, key: Key) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(path, "number", value=short(value), example=key.example)
            return None
        if not key.least <= value <= key.most:  # what is no number at all neither
            self.fault(path, "range", value=short(value), least=f"{key.least:g}", most=f"{key.most:g}")
            return None
        return float(value) + 0.0  # -0.0 is 0.0

    def _whole(self, value: Any, path: Path, key: Key) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(path, "whole", value=short(value), example=key.example)
            return None
        if not key.least <= value <= key.most:
            self.fault(path, "range", value=short(value), least=key.least, most=key.most)
            return None
        return value

    def _word(self, value: Any, path: Path, key: Key) -> str | None:
        if isinstance(value, str) and value in key.words:
            return value
        self.fault(path, "word", value=short(value), allowed=", ".join(key.words))
        return None

    def _true(self, value: Any, path: Path, key: Key) -> bool | None:
        if value is True:
            return True
        self.fault(path, "word", value=short(value), allowed="true")
        return None

    def _duration(self, value: Any, path: Path, key: Key) -> int | None:
        """Milliseconds."""
        text = value.strip() if isinstance(value, str) else ""
        match = vocabulary.DURATION.fullmatch(text)
        if match is None:
            working = text.endswith(("wh", "wd"))
            self.fault(path, "working_time" if working else "duration", value=short(value))
            return None
        length = int(match[1]) * vocabulary.UNITS[match[2]]
        if length > vocabulary.LONGEST_DAYS * DAY:
            self.fault(path, "too_long", value=short(value), most=f"{vocabulary.LONGEST_DAYS}d")
            return None
        return length

    def _clock(self, value: Any, path: Path, key: Key) -> time | None:
        match = vocabulary.CLOCK.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self.fault(path, "clock", value=short(value))
            return None
        return time(int(match[1]), int(match[2]))

    def _weekdays(self, value: Any, path: Path, key: Key) -> frozenset[int] | None:
        days = self.list_of(value, path, 7)
        for number, day in enumerate(days or ()):
            self._word(day, (*path, number), Key("word", words=vocabulary.WEEK))
        if days is None or not all(isinstance(day, str) and day in vocabulary.WEEK for day in days):
            return None
        return frozenset(vocabulary.WEEK.index(day) for day in days)

    def _names(self, value: Any, path: Path, key: Key) -> tuple[str, ...] | None:
        names = self.list_of(value, path)
        for number, name in enumerate(names or ()):
            if not isinstance(name, str) or not 1 <= len(name) <= 64 or not name.strip():
                self.fault((*path, number), "zone", value=short(name))
                return None
        return None if names is None else tuple(dict.fromkeys(names))

    def _both(self, value: Any, path: Path, key: Key) -> tuple[str, str] | None:
        """A text in Chinese and English."""
        given = self.keys(value, path, {"zh": Key("", True, example="…"), "en": Key("", True, example="…")})
        if given is None:
            return None
        for lang, text in given.items():
            if not isinstance(text, str) or not text.strip() or len(text) > 60:
                self.fault((*path, lang), "text", value=short(text), most=60)
        return given.get("zh"), given.get("en")  # type: ignore[return-value]

    def _schedule(self, value: Any, path: Path, key: Key) -> Schedule | None:
        if isinstance(value, str) and value in self.schedules:
            return self.schedules[value]
        self.fault(path, "no_schedule", value=short(value), allowed=", ".join(self.schedules) or "-")
        return None

    def _time_fact(self, value: Any, path: Path, key: Key) -> str | None:
        return self._word(value, path, Key("word", words=tuple(name for name, what in FACTS.items() if what == TIME)))


def short(value: Any) -> str:
    """For a message: at most 40 characters of what was written."""
    text = {None: "-", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    try:
        text = text or str(value)
    except ValueError:  # a whole number of thousands of digits
        text = "…"
    return text if len(text) <= 40 else text[:39] + "…"


def milliseconds(at: time) -> int:
    """Since midnight."""
    return (at.hour * 60 + at.minute) * 60_000
