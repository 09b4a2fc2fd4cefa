"""Devices, homes and places as whole numbers: what detectors go by. A number once given stays, over restarts and whoever is at work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import numpy as np
from django.db import connection
from django.db.models import Count, Exists, OuterRef
from numpy.typing import NDArray

from gridloop.detection.columns import Ints
from gridloop.detection.engine import Engine
from gridloop.detection.rules import DEVICE, HARMLESS, Detector
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.briefs import DeviceKeys
from gridloop.registry.selectors import device_keys, key_facts
from gridloop.signals.holding import fact_names, waits_for_silence
from gridloop.signals.judging import FALSE, KNOWN, LOOKED_AT, NORMAL, TRUE
from gridloop.signals.models import Witness
from gridloop.signals.rules import silent_after

# Whose a device is. A region's code says by its length what it is.
VILLAGE_DIGITS = 12
GROUPINGS: Mapping[str, Callable[[DeviceKeys], str | None]] = {
    "subject": lambda row: row.household or row.place or row.building,
    "household": lambda row: row.household,
    "place": lambda row: row.place,
    "building": lambda row: row.building,
    "town": lambda row: _region(row, 9),
    "village": lambda row: _region(row, VILLAGE_DIGITS),
    "grid": lambda row: _region(row, 15),
    "micro_grid": lambda row: _region(row, 18),
}
_PAGE = 20_000
_STRANGERS = 100_000  # codes nobody has registered that are remembered, so that they are not looked up each time


@dataclass(slots=True)
class Keys:
    """``numbers``: by space (``device`` or a grouping) name → number. ``regions``, ``allowed``: by device number, where it is and how long

    it may be unheard (ms). ``homes``: by grouping, device number → key number. ``fresh``: numbers given since they were last stored.
    ``tag``: of the lane whose numbers they are.
    """

    tag: str = ""
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    regions: list[str] = field(default_factory=list)
    allowed: list[int] = field(default_factory=list)
    homes: dict[str, dict[int, int]] = field(default_factory=dict)
    first: dict[str, dict[int, int]] = field(default_factory=dict)  # key number → one of its devices; none once the last has gone
    village_numbers: dict[str, int] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    fresh: list[tuple[str, str, int]] = field(default_factory=list)
    deserted: bool = True  # keys may have lost their last device since somebody looked
    _village: list[int] = field(default_factory=list)

    @classmethod
    def load(cls, tag: str = "") -> Keys:
        """As they were stored, inside the caller's transaction."""
        names: dict[str, list[str]] = {}
        spaces = _spaces(tag)
        with connection.cursor() as cursor:
            cursor.execute("SELECT space, name FROM signals_name WHERE space = ANY(%s) ORDER BY space, number", [list(spaces)])
            for stored, name in cursor.fetchall():
                names.setdefault(spaces[stored], []).append(name)
        return cls.named(names, tag)

    @classmethod
    def named(cls, names: dict[str, list[str]], tag: str = "") -> Keys:
        """By space, names in the order of their numbers."""
        numbers = {space: {name: number for number, name in enumerate(known)} for space, known in names.items()}
        found = cls(tag, numbers=numbers, names=names)
        found.regions = [""] * len(found.names.get(DEVICE, ()))
        found.allowed = [_allowed(3600)] * len(found.regions)
        found._village = [-1] * len(found.regions)
        return found

    @classmethod
    def anew(cls, tag: str = "") -> Keys:
        """Without any number: what was stored goes, inside the caller's transaction."""
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM signals_name WHERE space = ANY(%s)", [list(_spaces(tag))])
        return cls(tag)

    def store(self) -> None:
        """Numbers given since the last time, inside the caller's transaction."""
        if self.fresh:
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO signals_name (space, name, number) SELECT * FROM unnest(%s::text[], %s::text[], %s::int[])",
                    [list(column) for column in zip(*self.fresh, strict=True)],
                )
            self.fresh = []

    def unknown(self, codes: Collection[str]) -> list[DeviceKeys]:
        """Registered ones among devices that have no number yet."""
        known = self.numbers.get(DEVICE, {})
        wanted = {code for code in codes if code not in known and code not in self.strangers}
        if not wanted:
            return []
        rows = device_keys(SYSTEM, wanted)
        if len(self.strangers) < _STRANGERS:
            self.strangers |= wanted - {row.code for row in rows}
        return rows

    def learn(self, rows: Sequence[DeviceKeys], groupings: Collection[str]) -> dict[str, dict[int, int]]:
        """Gives numbers; answers, by grouping, whose key has changed: device number → key number, -1 for none."""
        changed: dict[str, dict[int, int]] = {by: {} for by in groupings}
        left: dict[str, set[int]] = {by: set() for by in groupings}  # keys whose first device has gone
        for row in rows:
            device = self._number(DEVICE, row.code)
            if device == len(self.regions):
                self.regions.append("")
                self.allowed.append(0)
                self._village.append(-1)
            self.regions[device], self.allowed[device] = sys.intern(row.region), _allowed(row.interval_seconds)
            self._village[device] = self._village_of(row.region)
            for by in groupings:
                name = GROUPINGS[by](row)
                key = self._number(by, name) if name else -1
                homes = self.homes.setdefault(by, {})
                before = homes.get(device, -1)
                if before != key and self.first.get(by, {}).get(before) == device:
                    left[by].add(before)
                if homes.get(device) != key:
                    homes[device] = changed[by][device] = key
                if key >= 0:
                    self.first.setdefault(by, {}).setdefault(key, device)
        for by, keys in left.items():
            self._succeed(by, keys)
        return changed

    def tell(self, engine: Engine, groupings: Collection[str]) -> None:
        """Whose every device is."""
        for by in sorted({*groupings} - {DEVICE}):
            homes = self.homes.get(by, {})
            engine.group(by, list(homes), list(homes.values()))

    def _succeed(self, by: str, keys: set[int]) -> None:
        """Another device of a key takes the place of the one that has gone, if there is one."""
        first = self.first.get(by, {})
        for key in keys:
            del first[key]
        for device, key in self.homes.get(by, {}).items() if keys else ():
            if key in keys:
                first.setdefault(key, device)
        self.deserted = self.deserted or any(key not in first for key in keys)

    def _number(self, space: str, name: str) -> int:
        numbers = self.numbers.setdefault(space, {})
        number = numbers.get(name)
        if number is None:
            number = numbers[name] = len(numbers)
            self.names.setdefault(space, []).append(name)
            self.fresh.append((f"{space}{self.tag}", name, number))
        return number

    def devices(self, codes: Sequence[str]) -> Ints:
        """The number of each device, -1 of one that is not registered."""
        known = self.numbers.get(DEVICE, {})
        return np.array([known.get(code, -1) for code in codes], np.int64)

    def villages(self) -> Ints:
        """By device number, a number of its village; only for as long as this worker lives. -1 where there is none."""
        return np.array(self._village, np.int64)

    def _village_of(self, region: str) -> int:
        village = region[:VILLAGE_DIGITS]
        return self.village_numbers.setdefault(village, len(self.village_numbers)) if len(village) == VILLAGE_DIGITS else -1

    def name(self, by: str, key: int) -> str:
        return self.names[by][key]

    def device_of(self, by: str, key: int) -> int | None:
        """One of the devices of a key; None when all have gone elsewhere."""
        return key if by == DEVICE else self.first.get(by, {}).get(key)

    def has_device(self, by: str, name: str) -> bool:
        key = self.numbers.get(by, {}).get(name)
        return key is not None and self.device_of(by, key) is not None

    def facts(self, by: str, detectors: Iterable[Detector], at: datetime) -> dict[str, NDArray[np.float64]]:
        """What those of the detectors that go by a grouping ask of every key at a moment, NaN where it is not known."""
        numbers, mine = self.numbers.get(by, {}), [detector for detector in detectors if detector.by == by]
        columns = {name: np.full(len(numbers), np.nan) for name in {name for detector in mine for name in fact_names(detector)}}
        known = key_facts(SYSTEM, by, at) if columns.keys() - {HARMLESS} else {}
        if HARMLESS in columns:
            for code, count in harmless_silences([d.id for d in mine if waits_for_silence(d)], at).items():
                known.setdefault(code, {})[HARMLESS] = count
        for code, facts in known.items():
            number = numbers.get(code)
            for name in facts.keys() & columns.keys() if number is not None else ():
                columns[name][number] = facts[name]
        return columns


def harmless_silences(detectors: Collection[str], at: datetime) -> dict[str, float]:
    """By key: how often their alarms turned out harmless – somebody was at home as usual, or away as somebody knew – since one was true."""
    decided = Witness.objects.filter(detector__in=detectors, decided_at__gt=at - LOOKED_AT, decided_at__lte=at)
    true_later = decided.filter(key=OuterRef("key"), outcome=TRUE, decided_at__gte=OuterRef("decided_at"))
    harmless = decided.filter(~Exists(true_later), outcome=FALSE, reason__in=(NORMAL, KNOWN))
    with scoped(SYSTEM):
        return {key: float(count) for key, count in harmless.values_list("key").annotate(Count("case_code", distinct=True))}


def everybody() -> Iterator[list[DeviceKeys]]:
    """All registered devices, some at a time."""
    after = 0
    while rows := device_keys(SYSTEM, after=after, limit=_PAGE):
        yield rows
        after = rows[-1].id


def _spaces(tag: str) -> dict[str, str]:
    """As they are stored, and what they are of."""
    return {f"{space}{tag}": space for space in (DEVICE, *GROUPINGS)}


def _region(row: DeviceKeys, digits: int) -> str | None:
    return row.region[:digits] if len(row.region) >= digits else None


@cache
def _allowed(interval_seconds: int) -> int:
    return round(silent_after(interval_seconds).total_seconds() * 1000)
