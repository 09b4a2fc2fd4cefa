"""What ``gridloop detect`` writes: alarms as JSON Lines or CSV, and why there was an alarm or none as text."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import orjson

from gridloop.detection import rules
from gridloop.detection.explaining import Explanation, Told, inner_of, kinds_of
from gridloop.detection.language import house_severity
from gridloop.detection.rules import Condition, Detector
from gridloop.detection.sentences import Teller, number
from gridloop.detection.vocabulary import FACTS, TIME, YES
from gridloop.doors.cli.detecting import Run
from gridloop.kernel.formulas import quoted
from gridloop.kernel.texts import say

COLUMNS = ("at", "what", "detector", "version", "by", "key", "severity", "start", "id")


class Alarms:
    """Writes alarms as they come and counts them."""

    def __init__(self, file: TextIO | None, as_csv: bool, each: str) -> None:
        self._file, self._as_csv = file, as_csv
        self.counts = {"raised": 0, "stepped": 0, "cleared": 0}
        self._columns = (*([each] if each else []), *COLUMNS)
        if as_csv and file:
            csv.writer(file).writerow(self._columns)

    @classmethod
    @contextmanager
    def to(cls, path: Path | None, each: str, silent: bool) -> Iterator[Alarms]:
        """Into the file, else to the output unless something else is said there."""
        if path is None:
            yield cls(None if silent else sys.stdout, False, each)
            return
        as_csv = path.suffix == ".csv"
        with path.open("w", encoding="utf-8-sig" if as_csv else "utf-8", newline="") as file:
            yield cls(file, as_csv, each)

    def write(self, row: Mapping[str, Any]) -> None:
        self.counts[row["what"]] += 1
        if self._file is None:
            return
        if self._as_csv:
            csv.writer(self._file).writerow([quoted(str(row[name])) for name in self._columns])
        else:
            self._file.write(orjson.dumps(row).decode() + "\n")


def conditions_of(detector: Detector) -> Iterator[Condition]:
    """All of a detector's conditions, whatever they stand in."""
    waiting = [detector.when, *(step.when for step in detector.steps)]
    while waiting:
        condition = waiting.pop()
        yield condition
        waiting += inner_of(condition)


def kinds_asked_for(detector: Detector) -> set[int]:
    """Those it names, not the meters whose states stand for one."""
    return {kind for condition in conditions_of(detector) for kind in kinds_of(condition)}


class Telling:
    """``titles``: by the detector's name within its file."""

    def __init__(self, teller: Teller, titles: Mapping[str, str], lang: str, zone: str) -> None:
        self.teller, self.titles, self.lang, self.zone = teller, titles, lang, ZoneInfo(zone)

    def _say(self, key: str, **params: Any) -> str:
        return say(f"doors.detect_why_{key}", self.lang, **params)

    def _at(self, at: int) -> str:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def _severity(self, severity: int) -> str:
        return say(f"cases.severity_{house_severity(severity)}", self.lang)

    def lines(self, key: str, by: str, one: Explanation, run: Run) -> Iterator[str]:
        """A detector and the key: what happened, every condition, facts, what was read last."""
        detector = run.detectors[one.detector.id]
        name = detector.id.rpartition(".")[2]
        yield f"== {key} · {detector.id} {self.titles[name]} =="
        yield self.teller.sentence(detector)
        yield from (f"  {line}" for line in self._alarms(one))
        for told in one.parts:
            if told.depth == 0 and told.part > 0:
                yield f"  {self._say('steps', severity=self._severity(detector.steps[told.part - 1].severity))}"
            yield "    " + "  " * told.depth + self._condition(told)
        yield from (f"  {line}" for line in (*self._facts(by, detector, run), *self._read(by, detector, run)))
        yield f"  {self._say('now', to=self._at(run.engine.watermark - 1))}"

    def _alarms(self, one: Explanation) -> Iterator[str]:
        if not one.alarms:
            yield self._say("none")
        for alarm in one.alarms:
            yield self._say(alarm.what, at=self._at(alarm.at), severity=self._severity(alarm.severity))
        if one.quieted:
            yield self._say("quiet", count=one.quieted)

    def _condition(self, told: Told) -> str:
        said = [self._say("on" if told.on else "off") + self.teller.outline(told.condition), self._history(told)]
        if told.due is not None:
            said.append(self._say("due_off" if told.on else "due_on", due=self._at(told.due)))
        return (" — " if self.lang == "en" else "；").join(said)

    def _history(self, told: Told) -> str:
        if not told.count:
            return self._say("first" if told.on else "never")
        stretches = [
            self._say("since", since=self._at(since)) if till is None else self._say("stretch", since=self._at(since), till=self._at(till))
            for since, till in told.stretches
        ]
        return self._say("count", count=told.count, stretches=", ".join(stretches))

    def _facts(self, by: str, detector: Detector, run: Run) -> Iterator[str]:
        wanted = [
            name
            for condition in conditions_of(detector)
            if isinstance(condition, rules.Where | rules.Unless)
            for name in ([condition.fact] if isinstance(condition, rules.Where) else [condition.since, condition.till])
        ]
        known = run.facts.known(by, run.explain)
        if wanted:
            told = [
                f"{say(f'detection.say_fact_{name}', self.lang)} = {self._fact(name, known.get(name))}" for name in dict.fromkeys(wanted)
            ]
            yield self._say("fact", facts=", ".join(told))

    def _fact(self, name: str, value: float | None) -> str:
        if value is None:
            return self._say("unknown")
        if FACTS[name] == YES:
            return self._say("yes" if value else "no")
        return self._at(int(value)) if FACTS[name] == TIME else number(value)

    def _read(self, by: str, detector: Detector, run: Run) -> Iterator[str]:
        last = run.explained[by].last
        meters = {total.kind: total.use for total in detector.totals if total.kind in last}
        asked = kinds_asked_for(detector)
        wanted = asked | set(meters) if asked else set(last)
        names = {kind: f"{self.teller.kind(kind)}" for kind in wanted}
        read = [
            f"{names[kind]} {self._at(at)}" + ("" if value != value else f" ({number(value)})")
            for kind, (at, value) in last.items()
            if kind in wanted
        ]
        if read:
            yield self._say("read", readings=", ".join(read))
        for kind in sorted(wanted - set(last) - set(meters.values())):
            yield self._say("not_read", kind=names[kind])
        if late := run.explained[by].late:
            yield self._say("late", count=late)
