"""What a mapping file says, and how a row of the file becomes a report."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gridloop.kernel import plain_yaml
from gridloop.kernel.errors import Invalid
from gridloop.kernel.texts import say

FOLDER = Path(__file__).resolve().parents[3] / "mappings"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Columns(_Strict):
    """Names of the file's columns; ``kind`` may join several."""

    id: str
    at: str
    text: str = ""
    address: str = ""
    lon: str = ""
    lat: str = ""
    district: str = ""
    kind: list[str] = Field(default_factory=list)
    contact: str = ""
    name: str = ""


class TimeFormat(_Strict):
    format: str
    zone: str = "UTC"


class ReportMap(_Strict):
    """How rows become reports."""

    source: str
    columns: Columns
    time: TimeFormat
    kinds: dict[str, str] = Field(default_factory=dict)


class Named(_Strict):
    code: str
    name: str


class UnitMap(_Strict):
    """A unit and the case types (first digits) it is competent for."""

    code: str
    name: str
    types: list[str]


class TerritoryMap(_Strict):
    """A territory made from the data: towns from the district column, grids = H3 cells."""

    city: Named
    county: Named
    h3_resolution: int = Field(8, ge=5, le=10)
    desk: str
    units: list[UnitMap]


class Mapping(_Strict):
    """A whole mapping file."""

    id: str
    title: dict[str, str]
    report: ReportMap
    territory: TerritoryMap | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file, read."""

    line: int
    id: str
    at: datetime
    text: str
    address: str
    lon: float | None
    lat: float | None
    district: str
    kind: str
    contact: str
    name: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read, and why."""

    line: int
    why: str


def load_mapping(name: str) -> Mapping:
    """A mapping by file or by name from ``mappings/``; Invalid says what is wrong where."""
    path = Path(name)
    if not path.suffix:
        path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise Invalid("simulation.no_mapping", file=str(path), known=known)
    try:
        return Mapping.model_validate(plain_yaml.read(path))
    except yaml.YAMLError as error:
        raise Invalid("simulation.bad_mapping", file=path.name, where="", what=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise Invalid("simulation.bad_mapping", file=path.name, where=where, what=first["msg"]) from error


def open_text(path: Path) -> IO[str]:
    """A CSV file, packed with gzip or not; UTF-8 with or without a byte order mark."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def count_rows(path: Path) -> int:
    """Rows below the header. Invalid when the file is no CSV in UTF-8, before anything is sent."""
    try:
        with open_text(path) as file:
            return max(0, sum(1 for _ in csv.reader(file)) - 1)
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Invalid("simulation.unreadable", file=path.name, what=str(error)) from error


def read_records(path: Path, mapping: Mapping) -> Iterator[Record | BadRow]:
    """Rows in the order of the file; a row that can't be read is handed out as such and loses nothing else."""
    columns = mapping.report.columns
    with open_text(path) as file:
        reader = csv.DictReader(file)
        wanted = {v for v in columns.model_dump().values() if isinstance(v, str) and v} | set(columns.kind)
        missing = sorted(wanted - set(reader.fieldnames or ()))
        if missing:
            raise Invalid("simulation.no_column", file=path.name, column=missing[0], there=", ".join(reader.fieldnames or ()))
        try:
            zone = ZoneInfo(mapping.report.time.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise Invalid("simulation.bad_mapping", file=mapping.id, where="report.time.zone", what=str(error)) from error
        for row in reader:
            try:
                yield _record(row, reader.line_num, mapping, zone)
            except (ValueError, KeyError, OverflowError) as error:  # the last: a day before the year 1 in another zone
                yield BadRow(reader.line_num, str(error))


def _record(row: dict[str, str], line: int, mapping: Mapping, zone: ZoneInfo) -> Record:
    c = mapping.report.columns
    at = datetime.strptime(_text(row, c.at), mapping.report.time.format).replace(tzinfo=zone).astimezone(UTC)
    return Record(
        line=line,
        id=_text(row, c.id),
        at=at,
        text=_text(row, c.text),
        address=_text(row, c.address)[:300],
        lon=_number(row, c.lon, 180),
        lat=_number(row, c.lat, 90),
        district=_text(row, c.district),
        kind=_kind([_text(row, k) for k in c.kind], mapping.report.kinds),
        contact=_text(row, c.contact)[:100],
        name=_text(row, c.name)[:60],
    )


def _text(row: dict[str, Any], column: str) -> str:
    return (row.get(column) or "").strip().replace("\x00", "") if column else ""


def _number(row: dict[str, Any], column: str, most: float) -> float | None:
    text = _text(row, column)
    if not text:
        return None
    value = float(text)
    if not -most <= value <= most:
        raise ValueError(say("simulation.bad_coordinate", "zh", value=text))
    return value


def _kind(parts: list[str], kinds: dict[str, str]) -> str:
    """The pair first, then the finer part, then the coarser one."""
    for key in ("/".join(parts), *reversed(parts)):
        if key in kinds:
            return kinds[key]
    return ""
