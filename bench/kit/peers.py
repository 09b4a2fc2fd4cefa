"""The detectors of ``bench/detection.py`` written twice more: as a loop a programmer would write first, and as SQL that works all out anew,

by DuckDB, Apache DataFusion or Apache Spark.

Both are given the readings in the order of time and say (detector, key, start) of every alarm raised up to the last moment. They know the
conditions of that file only: thresholds held, absence, counts of three, dwell, and hourly counts above a routine that has settled.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.rules import HOUR, Condition, Pick

Raised = list[tuple[str, int, int]]
Names = dict[str, Condition]


class _Held:
    """Threshold with hold and clear."""

    def __init__(self, rule: Any, start: int, devices: int) -> None:
        self.pick, self.limit, self.clear, self.longer = rule.of.pick, rule.of.limit, rule.of.clear, rule.longer
        self.since: dict[int, int] = {}

    def read(self, key: int, time: int, value: float, token: int, found: list[tuple[int, int]]) -> None:
        if value >= self.limit:
            self.since.setdefault(key, time)
        elif value < self.clear:
            since = self.since.pop(key, None)
            if since is not None and since + self.longer < time:
                found.append((key, since + self.longer))

    def end(self, time: int, found: list[tuple[int, int]]) -> None:
        found.extend((key, since + self.longer) for key, since in self.since.items() if since + self.longer <= time)


class _Absence:
    def __init__(self, rule: Any, start: int, devices: int) -> None:
        self.pick, self.longer = rule.pick, rule.longer
        self.last = dict.fromkeys(range(devices), start)

    def read(self, key: int, time: int, value: float, token: int, found: list[tuple[int, int]]) -> None:
        due = self.last[key] + self.longer
        if due < time:
            found.append((key, due))
        self.last[key] = time

    def end(self, time: int, found: list[tuple[int, int]]) -> None:
        found.extend((key, last + self.longer) for key, last in self.last.items() if last + self.longer <= time)


class _Count:
    """Three in a window."""

    def __init__(self, rule: Any, start: int, devices: int) -> None:
        self.pick, self.within = rule.pick, rule.within
        self.times: dict[int, tuple[int, int]] = {}
        self.until: dict[int, int] = {}

    def read(self, key: int, time: int, value: float, token: int, found: list[tuple[int, int]]) -> None:
        last, before = self.times.get(key, (-(2**60), -(2**60)))
        if before + self.within > time:
            if self.until.get(key, -1) < time:
                found.append((key, time))
            self.until[key] = before + self.within
        self.times[key] = time, last

    def end(self, time: int, found: list[tuple[int, int]]) -> None:
        pass


class _Dwell:
    def __init__(self, rule: Any, start: int, devices: int) -> None:
        self.pick, self.longer, self.zones = rule.pick, rule.longer, rule.zones
        self.stay: dict[int, tuple[int, int]] = {}

    def read(self, key: int, time: int, value: float, token: int, found: list[tuple[int, int]]) -> None:
        here = token if self.zones is None or token in self.zones else 0
        zone, since = self.stay.get(key, (0, 0))
        if here != zone:
            if zone and since + self.longer < time:
                found.append((key, since + self.longer))
            self.stay[key] = here, time

    def end(self, time: int, found: list[tuple[int, int]]) -> None:
        found.extend((key, since + self.longer) for key, (zone, since) in self.stay.items() if zone and since + self.longer <= time)


class _Routine:
    """Counts of an hour above what is usual; every hour of the week was seen often before."""

    def __init__(self, rule: Any, start: int, devices: int, usual: float, calm: float) -> None:
        self.pick, self.rule, self.devices = rule.pick, rule, devices
        self.hour = (start + rule.offset) // HOUR
        self.mean = [array("f", [usual]) * devices for _ in range(168)]
        self.calm = array("f", [calm]) * devices
        self.amount, self.on = [0] * devices, bytearray(devices)

    def read(self, key: int, time: int, value: float, token: int, found: list[tuple[int, int]]) -> None:
        self.amount[key] += 1

    def close(self, found: list[tuple[int, int]]) -> None:
        rule, mean, calm = self.rule, self.mean[self.hour % 168], self.calm
        at = (self.hour + 1) * HOUR - rule.offset
        for key, amount in enumerate(self.amount):
            usual, still = mean[key], calm[key]
            off = amount - usual
            limit = still * rule.times + rule.least
            now = off >= limit
            if now and not self.on[key]:
                found.append((key, at))
            self.on[key] = now
            mean[key] = usual + min(max(off, -limit), limit) / 8
            calm[key] = still + (min(abs(off), limit) - still) / 32
        self.amount = [0] * self.devices
        self.hour += 1


_KINDS: dict[type[Condition], Any] = {rules.Hold: _Held, rules.Absence: _Absence, rules.Count: _Count, rules.Dwell: _Dwell}


def loop(conditions: Names, readings: Readings, start: int, devices: int, usual: float, calm: float) -> Raised:
    """One reading after the other, dictionaries by key."""
    at_work = {name: _KINDS[type(c)](c, start, devices) for name, c in conditions.items() if type(c) in _KINDS}
    hourly = {name: _Routine(c, start, devices, usual, calm) for name, c in conditions.items() if isinstance(c, rules.Routine)}
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in conditions}
    by_kind: dict[int, list[Any]] = {}
    for name, work in (at_work | hourly).items():
        for kind in work.pick.kinds:
            by_kind.setdefault(kind, []).append((work.read, found[name]))
    order = np.argsort(readings.time, kind="stable")
    columns = (column[order].tolist() for column in (readings.time, readings.device, readings.kind, readings.value, readings.token))
    ends = {name: (work.hour + 1) * HOUR - work.rule.offset for name, work in hourly.items()}
    next_end, time = min(ends.values(), default=2**62), start
    for time, key, kind, value, token in zip(*columns, strict=True):
        while time >= next_end:
            _close(hourly, ends, found)
            next_end = min(ends.values())
        for read, own in by_kind[kind]:
            read(key, time, value, token, own)
    while time >= next_end:
        _close(hourly, ends, found)
        next_end = min(ends.values())
    for name, work in at_work.items():
        work.end(time, found[name])
    return sorted((name, key, at) for name, own in found.items() for key, at in own)


def _close(hourly: dict[str, _Routine], ends: dict[str, int], found: dict[str, list[tuple[int, int]]]) -> None:
    name = min(ends, key=lambda one: ends[one])
    hourly[name].close(found[name])
    ends[name] += HOUR


def recomputed(conditions: Names, readings: Readings, start: int, devices: int) -> Raised:
    """DuckDB over all readings, one thread. Routines are left out: each hour needs the one before, which SQL says by recursion only."""
    db = duckdb.connect(config={"threads": 1})
    given: Any = _columns(readings)  # noqa: F841  # named in the SQL
    db.execute("CREATE TABLE reading AS SELECT * FROM given")
    db.execute(f"CREATE TABLE everybody AS SELECT range AS device FROM range({devices})")
    return _asked(conditions, readings, start, lambda sql: db.execute(sql).fetchall())


def recomputed_by_datafusion(conditions: Names, readings: Readings, start: int, devices: int) -> Raised:
    """As DuckDB, by Apache DataFusion."""
    from datafusion import SessionConfig, SessionContext

    session = SessionContext(SessionConfig().with_target_partitions(1))
    session.from_arrow(pa.table(_columns(readings)), name="reading")
    session.from_arrow(pa.table({"device": np.arange(devices)}), name="everybody")

    def ask(sql: str) -> Iterable[Any]:
        for batch in session.sql(sql).collect():
            yield from zip(*(column.tolist() for column in batch.columns), strict=True)

    return _asked(conditions, readings, start, ask)


class Spark:
    """As DuckDB, by Apache Spark with one thread, readings bucketed by device once for all detectors. The session lives on from run to run.

    It needs Java.
    """

    def __init__(self) -> None:
        from pyspark.sql import SparkSession

        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        quiet = {"ui.enabled": False, "ui.showConsoleProgress": False, "sql.shuffle.partitions": 1, "driver.memory": "2g"}
        builder = SparkSession.builder.master("local[1]")
        for name, value in quiet.items():
            builder = builder.config(f"spark.{name}", value)
        self._session: Any = builder.getOrCreate()
        self._session.sparkContext.setLogLevel("ERROR")

    def recomputed(self, conditions: Names, readings: Readings, start: int, devices: int) -> Raised:
        rows = self._session.createDataFrame(pa.table(_columns(readings)))
        rows.repartition("device").sortWithinPartitions("device", "time").cache().createOrReplaceTempView("reading")
        self._session.range(devices).withColumnRenamed("id", "device").createOrReplaceTempView("everybody")
        try:
            return _asked(
                conditions, readings, start, lambda sql: self._session.sql(sql.replace(" IGNORE NULLS)", ") IGNORE NULLS")).collect()
            )
        finally:
            self._session.catalog.clearCache()

    def processor_time(self) -> float:
        """Seconds of the Java process, its compiler and its collector with it."""
        words = Path(f"/proc/{self._session.sparkContext._gateway.proc.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._session.stop()


def _columns(readings: Readings) -> dict[str, Any]:
    return {name: getattr(readings, name) for name in ("time", "device", "kind", "value", "token")}


def _asked(conditions: Names, readings: Readings, start: int, ask: Callable[[str], Iterable[Any]]) -> Raised:
    to = int(readings.time.max())
    asked = {name: _sql(one, start, to) for name, one in conditions.items() if type(one) in _KINDS}
    return sorted((name, int(key), int(at)) for name, sql in asked.items() for key, at in ask(sql))


def _kinds(pick: Pick) -> str:
    return f"kind IN ({', '.join(map(str, pick.kinds))})"


def _sql(condition: Any, start: int, to: int) -> str:
    by = "OVER (PARTITION BY device ORDER BY time)"
    if isinstance(condition, rules.Count):
        nth, before, last = f"lag(time, 2) {by}", f"lag(time, 3) {by}", f"lag(time) {by}"
        return f"""SELECT device, time FROM (SELECT device, time, {nth} AS nth, {before} AS before, {last} AS last FROM reading
            WHERE {_kinds(condition.pick)}) WHERE nth + {condition.within} > time
            AND NOT coalesce(before + {condition.within} > last AND before + {condition.within} >= time, false)"""
    if isinstance(condition, rules.Absence):
        rows = f"""SELECT device, time FROM reading WHERE {_kinds(condition.pick)}
            UNION ALL SELECT device, {start} AS time FROM everybody"""
        stretches = f"SELECT device, time, lead(time) {by} AS till FROM ({rows})"
    elif isinstance(condition, rules.Dwell):
        here = f"CASE WHEN token IN ({', '.join(map(str, condition.zones))}) THEN token ELSE 0 END" if condition.zones else "token"
        rows = f"SELECT device, time, {here} AS here FROM reading WHERE {_kinds(condition.pick)}"
        rows = f"SELECT *, lag(here, 1, 0) {by} AS gone FROM ({rows})"
        stretches = f"SELECT * FROM (SELECT device, time, here, lead(time) {by} AS till FROM ({rows}) WHERE here != gone) WHERE here != 0"
    else:
        rule = condition.of
        said = f"CASE WHEN value >= {rule.limit} THEN 1 WHEN value < {rule.clear} THEN 0 END"
        rows = f"SELECT device, time, coalesce(last_value({said} IGNORE NULLS) {by}, 0) AS up FROM reading WHERE {_kinds(rule.pick)}"
        rows = f"SELECT *, lag(up, 1, 0) {by} AS was FROM ({rows})"
        stretches = f"SELECT * FROM (SELECT device, time, up, lead(time) {by} AS till FROM ({rows}) WHERE up != was) WHERE up = 1"
    return f"""SELECT device, time + {condition.longer} FROM ({stretches})
        WHERE CASE WHEN till IS NULL THEN time + {condition.longer} <= {to} ELSE time + {condition.longer} < till END"""
