"""``gridloop detect --engine spark://…``: the same engine over Parquet files, on as many machines as a cluster of Apache Spark has.

For each grouping detectors go by, the rows of a key come together in one partition, in the order of their time, and go through an engine
of their own: what a detector finds for a key depends on that key's readings and on how far time has come, which is the same for all.
Executors need the program (the same version, with ``requirements/base.txt``) and the files under the same path.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from gridloop.detection.rules import DEVICE, Detector, Total
from gridloop.doors.cli import own_history
from gridloop.doors.cli.detecting import Facts, Run
from gridloop.doors.cli.readings import ROWS, Names, Piece, Plan, columns_of, latest_of, piece_of
from gridloop.kernel.errors import Invalid

_SHOWN = 20  # of the rows that cannot be used
_PARTITIONS = 3  # for each core: keys are not equally busy
_AHEAD = "60 seconds"  # as ``detection.reorder``
_LISTED_HERE = 10_000_000  # files: each a task of its own otherwise, and history lies in thousands of small ones
_ROW, _COUNTS = "row", "#"


@dataclass(frozen=True, slots=True)
class Task:
    """What every executor is told; ``to``: up to which time, ms; ``columns``: by what they are; ``meters``: of all detectors there are."""

    detectors: Sequence[Detector]
    meters: Sequence[Total]
    facts: Facts
    lateness: int
    names: Names
    plan: Plan
    columns: Mapping[str, str]
    to: int


@dataclass(slots=True)
class Counts:
    """Rows read, used and passed over; kinds that were read, by number and by name where the catalogue has none of it."""

    numbers: Counter[str] = field(default_factory=Counter)
    kinds: set[int] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    shown: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def take(self, piece: Piece) -> None:
        self.numbers.update(rows=piece.rows, used=len(piece) + piece.late, wrong=len(piece.wrong), late=piece.late)
        self.shown += [(fault.key, dict(fault.params)) for _, fault in piece.wrong][: _SHOWN - len(self.shown)]

    def dumped(self) -> dict[str, Any]:
        return {_COUNTS: dict(self.numbers), "kinds": sorted(self.kinds), "unknown": sorted(self.unknown), "shown": self.shown}

    def add(self, told: Mapping[str, Any]) -> None:
        self.numbers.update(told[_COUNTS])
        self.kinds |= set(told["kinds"])
        self.unknown |= set(told["unknown"])
        self.shown += [(key, params) for key, params in told["shown"]][: _SHOWN - len(self.shown)]


def over(task: Task) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """One partition's rows through an engine; alarms as JSON, and at the end what was counted."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        engine, counts = Run(task.detectors, task.facts, task.lateness, meters=task.meters), Counts()
        for batch in batches:
            piece = piece_of(pa.Table.from_batches([batch]), task.columns, task.plan)
            counts.take(piece)
            yield _encoded(engine.step(task.names.given(piece, counts.unknown)))
        found = engine.finish(task.to)
        counts.numbers.update(engine.passed())
        counts.kinds = engine.kinds
        yield _encoded([*found, counts.dumped()])

    return run


def _encoded(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    return pa.record_batch({_ROW: pa.array([orjson.dumps(row).decode() for row in rows], pa.string())})


def detected(
    master: str, files: Sequence[Path], detectors: Sequence[Detector], facts: Facts, lateness: int, names: Names, plan: Plan, to: int | None
) -> tuple[list[dict[str, Any]], Counts]:
    """Every alarm in the order of time, detector and key. Invalid when Spark cannot do it."""
    session = _session(master)
    try:
        return _detected(session, files, detectors, facts, lateness, names, plan, to)
    except Exception as fault:
        if type(fault).__module__.startswith(("pyspark", "py4j")):
            raise Invalid("doors.detect_spark_failed", error=" ".join(str(fault).split())[:300]) from fault
        raise
    finally:
        session.stop()


def _session(master: str) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as fault:
        raise Invalid("doors.detect_spark_missing") from fault
    if not os.environ.get("JAVA_HOME") and which("java") is None:
        raise Invalid("doors.detect_spark_java")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        return (
            SparkSession.builder.master(master)
            .appName("gridloop detect")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", ROWS)
            .config("spark.sql.sources.parallelPartitionDiscovery.threshold", _LISTED_HERE)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
    except Exception as fault:  # no Java, no such master: pyspark says it in many ways
        raise Invalid("doors.detect_spark_failed", error=" ".join(str(fault).split())[:300]) from fault


def _detected(
    session: Any,
    files: Sequence[Path],
    detectors: Sequence[Detector],
    facts: Facts,
    lateness: int,
    names: Names,
    plan: Plan,
    to: int | None,
) -> tuple[list[dict[str, Any]], Counts]:
    from pyspark import StorageLevel
    from pyspark.sql import functions as f

    rows = session.read.parquet(*(file.resolve().as_uri() for file in files))
    columns = columns_of(files[0], rows.columns, plan)
    own = own_history.is_own(pq.read_schema(files[0]))
    asked = {*columns.values(), *plan.words.values(), *(own_history.COLUMNS if own else ())}
    wanted = [name for name in rows.columns if name in asked]
    rows = rows.select(*(f.col(f"`{name}`") for name in wanted)).withColumn("_order", f.monotonically_increasing_id())
    rows = rows.persist(StorageLevel.DISK_ONLY)  # each grouping reads them again, and history lies in thousands of small files
    time = f.col(f"`{columns['time']}`")
    if to is None:
        arrived = columns.get("arrived")
        usable = rows if arrived is None else rows.where(time <= f.col(f"`{arrived}`") + f.expr(f"interval {_AHEAD}"))
        usable = usable.where(own_history.sql(plan.lateness)) if own else usable
        to = latest_of(usable.agg(f.max(time).alias(columns["time"])).toArrow(), columns["time"], plan)
    found: list[dict[str, Any]] = []
    counts = Counts()
    meters = [total for one in detectors for total in one.totals]
    for n, by in enumerate(dict.fromkeys(detector.by for detector in detectors)):
        task = Task([one for one in detectors if one.by == by], meters, facts, lateness, names, plan, columns, to)
        keyed, key = _keyed(session, rows, by, columns, names, plan)
        pieces = session.sparkContext.defaultParallelism * _PARTITIONS
        sorted_rows = keyed.repartition(pieces, key).sortWithinPartitions(time, "_order").select(*(f.col(f"`{name}`") for name in wanted))
        for (told,) in sorted_rows.mapInArrow(over(task), f"{_ROW} string").collect():
            row = orjson.loads(told)
            if _COUNTS not in row:
                found.append(row)
            else:
                counts.kinds |= set(row["kinds"])
                if n == 0:  # each pass reads every row
                    counts.add(row)
    order = {detector.id: number for number, detector in enumerate(detectors)}
    return sorted(found, key=lambda row: (row["at"], order[row["detector"]], row["key"])), counts


def _keyed(session: Any, rows: Any, by: str, columns: Mapping[str, str], names: Names, plan: Plan) -> tuple[Any, Any]:
    """Rows, and the column by which they come together."""
    from pyspark.sql import functions as f

    device = f.col(f"`{columns['device']}`")
    if by == DEVICE:
        return rows, device
    if by in plan.words:
        return rows, f.col(f"`{plan.words[by]}`")
    homes = session.createDataFrame(pa.table({"_device": list(names.homes[by]), "_key": list(names.homes[by].values())}))
    return rows.join(f.broadcast(homes), f.trim(device.cast("string")) == homes["_device"], "left"), f.col("_key")
