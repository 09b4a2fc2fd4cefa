"""Detectors over the readings of files: names become numbers, pieces go through the engine, alarms get their names back."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gridloop.detection.columns import Ints, Readings
from gridloop.detection.engine import Engine, compiled_asked
from gridloop.detection.explaining import Explained, Explanation
from gridloop.detection.language import house_severity, kind_number
from gridloop.detection.messages import Alarm, alarm_id
from gridloop.detection.rules import DEVICE, Detector, Total
from gridloop.detection.vocabulary import FACTS, GROUPINGS, TIME, YES
from gridloop.doors.cli.readings import Coded, Piece, moment
from gridloop.doors.cli.sheets import opened_text
from gridloop.kernel.errors import Invalid
from gridloop.kernel.texts import Words as Text

_YES = {"yes": 1.0, "true": 1.0, "1": 1.0, "是": 1.0, "no": 0.0, "false": 0.0, "0": 0.0, "否": 0.0}
_GRID = 1_000


@dataclass(slots=True)
class Facts:
    """What is on record: ``all`` of every key, ``of`` single ones by grouping and key. Numbers, 1 and 0, or times in ms."""

    all: dict[str, float] = field(default_factory=dict)
    of: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def known(self, by: str, key: str) -> dict[str, float]:
        return self.all | self.of.get(by, {}).get(key, {})

    def note_all(self, text: str, zone: str) -> None:
        """``lives_alone=yes``."""
        name, value = pair("--fact", text)
        self.all[name] = _fact(name, value, zone)

    def read(self, path: Path, zone: str) -> None:
        """A CSV: the first column is a grouping and holds its keys, the others are facts; an empty cell is not known."""
        with opened_text(path) as file:
            rows = csv.DictReader(file)
            by = (rows.fieldnames or [""])[0]
            if by not in GROUPINGS:
                raise Invalid("doors.detect_facts_key", file=path.name, column=by, allowed=", ".join(GROUPINGS))
            for row in rows:
                known = {name: _fact(name, value, zone) for name, value in row.items() if name != by and value and value.strip()}
                self.of.setdefault(by, {}).setdefault(row[by].strip(), {}).update(known)


def read_devices(path: Path) -> dict[str, dict[str, str]]:
    """By grouping: device → whose it is. A CSV with the columns ``device`` and groupings."""
    with opened_text(path) as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or []
        wrong = [name for name in columns if name != DEVICE and name not in GROUPINGS]
        if DEVICE not in columns or wrong or len(columns) < 2:
            raise Invalid("doors.detect_devices_columns", file=path.name, there=", ".join(columns), allowed=", ".join(GROUPINGS))
        found: dict[str, dict[str, str]] = {by: {} for by in columns if by != DEVICE}
        for row in rows:
            for by, known in found.items():
                known[(row[DEVICE] or "").strip()] = (row[by] or "").strip()
    return found


def pair(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise Invalid("doors.detect_option", option=option, value=text)
    return name.strip(), value.strip()


def _fact(name: str, value: str, zone: str) -> float:
    what = FACTS.get(name)
    found: float | None = None
    if what is None:
        raise Invalid("doors.detect_fact", name=name, allowed=", ".join(FACTS))
    if what == YES:
        found = _YES.get(value.strip().lower())
    elif what == TIME:
        at = moment(value.strip(), ZoneInfo(zone))
        found = None if at < 0 else float(at)
    else:
        try:
            found = float(value)
        except ValueError:
            found = None
    if found is None or found != found:
        raise Invalid("doors.detect_fact_value", name=name, value=value, wanted=Text(f"doors.detect_wanted_{what}"))
    return found


class Run:
    """The detectors at work on one stream. ``explain``: the name of a key whose every condition is to be told at the end. ``meters``: see

    ``Engine``.
    """

    def __init__(
        self, detectors: Sequence[Detector], facts: Facts, lateness: int, explain: str = "", *, meters: Iterable[Total] = ()
    ) -> None:
        self.detectors = {detector.id: detector for detector in detectors}
        compiled = compiled_asked(os.environ.get("GRIDLOOP_DETECTION", ""))
        self.engine = Engine(detectors, lateness, _GRID, compiled=compiled, meters=meters)
        self.facts, self.explain = facts, explain
        self._used = {detector.by for detector in detectors}
        self.groupings = sorted(self._used - {DEVICE})
        self._words = {by: Words() for by in (DEVICE, *self.groupings)}
        self._named: list[str] = []  # devices by number
        used = self._used if explain else set()
        self.explained = {by: Explained([d for d in detectors if d.by == by], lateness, _GRID) for by in used}
        self._devices: dict[tuple[int, ...], int] = {}  # by its name and whose it is
        self._enrolled: dict[str, Ints] = {by: np.zeros(0, np.int64) for by in self._used}
        self._told: dict[tuple[str, str], list[float]] = {}  # by grouping and fact: of each key
        self.kinds: set[int] = set()

    def step(self, piece: Piece) -> list[dict[str, Any]]:
        devices = self._numbered(piece)
        kind = np.array([kind_number(name) for name in piece.kind.names], np.int64)
        self.kinds |= {int(kind[code]) for code in np.unique(piece.kind.codes)}
        readings = Readings.of(piece.time, devices, kind[piece.kind.codes], piece.value, piece.token, piece.id)
        for explained in self.explained.values():
            explained.step(readings, piece.received)
        return [self._row(alarm) for alarm in self.engine.step(readings, piece.received)]

    def passed(self) -> dict[str, int]:
        """How many readings took no part, by why."""
        passed = self.engine.passed
        meters = {"fell_back": sum(self.engine.fell_back.values()), "too_much": sum(self.engine.too_much.values())}
        return {"late": passed.late, "ahead": passed.ahead, "again": passed.again, **meters}

    def finish(self, to: int | None) -> list[dict[str, Any]]:
        return [self._row(alarm) for alarm in self.engine.finish(to)]

    def explanations(self, to: int | None) -> Iterator[tuple[str, Explanation]]:
        """By grouping that knows the key."""
        for by, explained in self.explained.items():
            if self.explain in self.names(by):
                yield from ((by, one) for one in explained.finish(to))

    def _row(self, alarm: Alarm) -> dict[str, Any]:
        detector = self.detectors[alarm.detector]
        key = self.names(detector.by)[alarm.key]
        return {
            "at": told_time(alarm.at),
            "what": alarm.what,
            "detector": alarm.detector,
            "version": alarm.version,
            "by": detector.by,
            "key": key,
            "severity": house_severity(alarm.severity),
            "start": told_time(alarm.start),
            "id": alarm_id(alarm.detector, alarm.version, key, alarm.start),
        }

    # --- names and numbers ------------------------------------------------------------------------------------------------

    def _numbered(self, piece: Piece) -> Ints:
        """The number of each row's device. One that belongs elsewhere than before is another device: its name is no one's own."""
        columns = [self._words[DEVICE].numbers(piece.device), *(self._words[by].numbers(piece.words[by]) for by in self.groupings)]
        if not len(piece):
            return columns[0]
        if not self.groupings:  # a word is a device
            return self._new_words(columns[0], piece)
        mixed = columns[0]
        for column in columns[1:]:
            mixed = mixed * (int(column.max()) + 2) + column + 1
        _, first, which = np.unique(mixed, return_index=True, return_inverse=True)
        belongs = np.stack(columns, axis=1)[first]
        found = np.array([self._devices.get(one, -1) for one in map(tuple, belongs.tolist())], np.int64)
        new = np.flatnonzero(found < 0)
        new = new[np.argsort(first[new])]  # numbered in the order of the file
        if len(new):
            found[new] = np.arange(len(self._devices), len(self._devices) + len(new))
            self._devices.update(zip(map(tuple, belongs[new].tolist()), found[new].tolist(), strict=True))
            self._introduce(found[new], belongs[new], piece.time[first[new]])
        return found[which]

    def _new_words(self, numbers: Ints, piece: Piece) -> Ints:
        fresh = np.flatnonzero(numbers >= len(self._named))
        if len(fresh):
            new, first = np.unique(numbers[fresh], return_index=True)
            self._introduce(new, new[:, None], piece.time[fresh[first]])
        return numbers

    def _introduce(self, devices: Ints, belongs: Ints, since: Ints) -> None:
        """Devices read for the first time: whose they are, and from when on more is expected of each home or place.

        Not of each device: of which kinds one never sends, nobody knows.
        """
        for place, by in enumerate((DEVICE, *self.groupings)):
            keys = devices if by == DEVICE else belongs[:, place]
            if by == DEVICE:
                self._named += [self._words[DEVICE].names[word] for word in belongs[:, 0].tolist()]
            else:
                self.engine.group(by, devices, keys)
            if by in self._used:
                known, first = np.unique(keys, return_index=True)
                fresh = (known >= 0) & ~np.isin(known, self._enrolled[by])
                self._enrolled[by] = np.union1d(self._enrolled[by], known[fresh])
                if by != DEVICE:
                    self.engine.enroll(by, known[fresh], since[first[fresh]])
                self._tell_facts(by)
            if by in self.explained:
                self._explain(by, devices, keys, since)

    def _tell_facts(self, by: str) -> None:
        names = self.names(by)
        for fact in {*self.facts.all, *(fact for known in self.facts.of.get(by, {}).values() for fact in known)}:
            told = self._told.setdefault((by, fact), [])
            told += [self.facts.known(by, key).get(fact, np.nan) for key in names[len(told) :]]
            self.engine.facts(by, fact, told)

    def _explain(self, by: str, devices: Ints, keys: Ints, since: Ints) -> None:
        names = self.names(by)
        mine = np.array([key >= 0 and names[key] == self.explain for key in keys.tolist()], np.bool_)
        if mine.any():
            self.explained[by].facts(self.facts.known(by, self.explain))
            self.explained[by].devices(devices[mine], None if by == DEVICE else int(since[mine][0]))

    def names(self, by: str) -> list[str]:
        """By key."""
        return self._named if by == DEVICE else self._words[by].names


class Words:
    """Numbers for the words of a column, in the order in which they are read; -1 for an empty one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._index: dict[str, int] = {"": -1}

    def numbers(self, column: Coded) -> Ints:
        known = np.full(len(column.names), -1, np.int64)
        for code in np.unique(column.codes).tolist():  # words are numbered as they come up
            name = column.names[code]
            number = self._index.get(name)
            if number is None:
                number = self._index[name] = len(self.names)
                self.names.append(name)
            known[code] = number
        return known[column.codes]


class Runs:
    """One run, or one for each value of a column: each with its own time."""

    def __init__(self, detectors: Sequence[Detector], facts: Facts, lateness: int, each: str = "", explain: str = "") -> None:
        self._asked = (detectors, facts, lateness, explain)
        self.each = each
        self.runs: dict[str, Run] = {} if each else {"": Run(*self._asked)}
        self.groupings = sorted({detector.by for detector in detectors} - {DEVICE})
        self.latest: dict[str, int] = {}

    def step(self, piece: Piece) -> Iterator[dict[str, Any]]:
        if not self.each:
            yield from self._step("", piece)
            return
        column = piece.words[self.each]
        for code in dict.fromkeys(column.codes.tolist()):
            rows = np.flatnonzero(column.codes == code)
            yield from ({self.each: column.names[code], **row} for row in self._step(column.names[code], _taken(piece, rows)))

    def _step(self, name: str, piece: Piece) -> list[dict[str, Any]]:
        run = self.runs.get(name)
        if run is None:
            run = self.runs[name] = Run(*self._asked)
        if len(piece):
            self.latest[name] = max(self.latest.get(name, 0), int(piece.time.max()))
        return run.step(piece)

    def finish(self, to: int | None) -> Iterator[dict[str, Any]]:
        for name, run in self.runs.items():
            yield from ({**({self.each: name} if self.each else {}), **row} for row in run.finish(to))


def _taken(piece: Piece, rows: Any) -> Piece:
    def some(column: Coded) -> Coded:
        return Coded(column.codes[rows], column.names)

    received = None if piece.received is None else piece.received[rows]
    words: Mapping[str, Coded] = {name: some(column) for name, column in piece.words.items()}
    return Piece(
        piece.time[rows], some(piece.device), some(piece.kind), piece.value[rows], piece.token[rows], piece.id[rows], received, dict(words)
    )


def told_time(at: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
