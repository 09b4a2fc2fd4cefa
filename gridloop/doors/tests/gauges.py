"""Two water gauges as files of every kind, and ``gridloop detect`` over them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from click.testing import CliRunner, Result

from gridloop.doors.cli.detect import detect

RULES = """
detectors:
  high:
    title: {zh: 水位高, en: High water}
    severity: 3
    when: {threshold: {kind: water_level, at_least: 3 m, clear: 2 m}}
  gone:
    title: {zh: 久无读数, en: Silent}
    severity: 4
    when: {absence: {kind: any, longer: 1h}}
"""
HEADER = "device,kind,at,value\n"
ROWS = [
    ("w1", "water_level", "2026-05-01T08:00:00", "1.0"),
    ("w2", "water_level", "2026-05-01T08:00:10", "1.5"),
    ("w1", "water_level", "2026-05-01T08:10:00", "3.5"),
    ("w2", "water_level", "2026-05-01T08:10:00", ""),
    ("w1", "water_level", "2026-05-01T08:20:00", "1.9"),
    ("w2", "water_level", "2026-05-01T09:30:00", "3.0"),
]
FOUND = [  # local 08:00 is 00:00 in UTC
    ("2026-05-01T00:10:00.000Z", "raised", "high", "w1"),
    ("2026-05-01T00:20:00.000Z", "cleared", "high", "w1"),
    ("2026-05-01T01:10:00.000Z", "raised", "gone", "w2"),
    ("2026-05-01T01:20:00.000Z", "raised", "gone", "w1"),
    ("2026-05-01T01:30:00.000Z", "raised", "high", "w2"),
    ("2026-05-01T01:30:00.000Z", "cleared", "gone", "w2"),
]


def run(*arguments: Any) -> Result:
    result = CliRunner().invoke(detect, [str(one) for one in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def alarms(result: Result) -> list[tuple[str, str, str, str]]:
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return [(row["at"], row["what"], row["detector"], row["key"]) for row in rows]


def csv_text(rows: Sequence[tuple[str, ...]] = ROWS) -> str:
    return HEADER + "".join(",".join(row) + "\n" for row in rows)


def json_lines(rows: Sequence[tuple[str, ...]] = ROWS) -> str:
    names = HEADER.strip().split(",")
    return "".join(
        json.dumps({name: (float(cell) if name == "value" and cell else cell or None) for name, cell in zip(names, row, strict=True)})
        + "\n"
        for row in rows
    )


def write(folder: Path, kind: str) -> Path:
    path = folder / f"readings.{kind}"
    text = json_lines() if "json" in kind else csv_text()
    if kind == "parquet":
        table = pa_csv.read_csv(
            pa.py_buffer(csv_text().encode()), convert_options=pa_csv.ConvertOptions(column_types={"at": pa.timestamp("us")})
        )
        pq.write_table(table, path)
    elif kind.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def homes(folder: Path) -> Path:
    path = folder / "homes.csv"
    rows = [
        ("h1", "hall", "motion", "2026-05-01T07:30"),
        ("h1", "door", "door_open", "2026-05-01T08:00"),
        ("h2", "door", "door_open", "2020-01-01T08:00"),
        ("h1", "hall", "motion", "2026-05-03T09:00"),
        ("h2", "hall", "motion", "2020-01-01T20:00"),
    ]
    path.write_text("home,sensor,type,start\n" + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    return path
