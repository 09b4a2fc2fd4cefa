"""Readings from files people have (CSV, JSON Lines, Parquet) as columns, a piece at a time. A row that cannot be used is told, not lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gridloop.detection.columns import LATEST, Bools, Floats, Ints
from gridloop.doors.cli import own_history
from gridloop.doors.cli.json_lines import WRONG, Told, json_lines, need_objects
from gridloop.doors.cli.sheets import Block, Line, read_blocks, unread
from gridloop.kernel.errors import FieldFault, Invalid
from gridloop.kernel.hashing import token_of

ROWS = 65_536  # of a piece
USUAL = {  # the columns looked for when none is named
    "time": ("at", "time", "timestamp", "start", "时间", "采集时间"),
    "device": ("device", "device_id", "sensor", "设备", "设备编号", "传感器"),
    "kind": ("kind", "type", "种类", "类型"),
    "value": ("value", "数值", "值", "读数"),
    "token": ("token", "zone", "凭证"),
    "id": ("id", "编号"),
    "arrived": ("arrived", "到达时间"),
}
NEEDED = ("time", "device")
_JSON, _PARQUET = (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")
_SECONDS_UP_TO = 10_000_000_000  # a bare number below it is seconds since 1970, above it milliseconds
_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y%m%d%H%M%S")


class Coded(NamedTuple):
    """A column of words: for each row a number, and the word behind each number."""

    codes: Ints
    names: list[str]


@dataclass(slots=True)
class Piece:
    """Rows in the order of the file; ``words``: the columns asked for by name."""

    time: Ints
    device: Coded
    kind: Coded
    value: Floats
    token: Ints
    id: Ints
    received: Ints | None
    words: dict[str, Coded]
    wrong: list[tuple[Line, FieldFault]] = field(default_factory=list)
    rows: int = 0  # of the file, right and wrong
    late: int = 0  # received too late, where the platform's own history says when

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which column is what. ``columns``: by the names in ``USUAL``; ``words``: further ones; ``kind``: of all rows; ``lateness``: ms."""

    columns: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    zone: str = "Asia/Shanghai"
    lateness: int = 60_000


@dataclass(frozen=True, slots=True)
class Names:
    """What the files' words mean. ``kinds``: kind of the catalogue by the file's word, ``*`` for all else; ``known``: the catalogue's;

    ``homes``: by grouping, whose a device is where the file does not say.
    """

    kinds: Mapping[str, str]
    known: frozenset[str]
    homes: Mapping[str, Mapping[str, str]]

    def given(self, piece: Piece, unknown: set[str]) -> Piece:
        """The piece with the catalogue's kinds and everybody's homes; kinds that are in no catalogue are added to ``unknown``."""
        otherwise = self.kinds.get("*", "")
        names = [self.kinds.get(name, name if name in self.known else otherwise or name) for name in piece.kind.names]
        unknown |= {name for name in names if name and name not in self.known}
        homes = {by: Coded(piece.device.codes, [known.get(name, "") for name in piece.device.names]) for by, known in self.homes.items()}
        return replace(piece, kind=Coded(piece.kind.codes, names), words={**homes, **piece.words})


def pieces(files: Sequence[Path], plan: Plan) -> Iterator[Piece]:
    """The rows of a file, or of an hour of ``own_history``. SheetFault when it cannot be read, Invalid when it lacks a column."""
    path = files[0]
    found: dict[str, str] = {}
    there: list[str] = []
    for table, line in _tables(path, plan) if len(files) == 1 else _hour(files):
        if not found or not set(table.column_names) <= set(there):  # JSON may have more later on
            there = list(dict.fromkeys([*there, *table.column_names]))
            need_objects(path, table, line)
            found = columns_of(path, [name for name in there if name != WRONG], plan)
        yield _piece(table, line, found, plan)


def columns_of(path: Path, there: Sequence[str], plan: Plan) -> dict[str, str]:
    """Column by what it is."""
    found = {what: next((name for name in names if name in there), "") for what, names in USUAL.items()}
    found = {what: name for what, name in found.items() if name} | dict(plan.columns)
    if plan.kind is not None:
        found.pop("kind", None)
    for what, name in [*found.items(), *plan.words.items()]:
        if name not in there:
            raise Invalid("doors.detect_no_column", file=path.name, what=what, column=name, there=", ".join(there))
    for what in (*NEEDED, *(() if plan.kind is not None else ("kind",))):
        if what not in found:
            raise Invalid("doors.detect_which_column", file=path.name, what=what, there=", ".join(there))
    return found


def piece_of(table: pa.Table, columns: Mapping[str, str], plan: Plan) -> Piece:
    """A table of a file's columns, wherever it was read."""
    return _piece(table, _table_line(table, 1), columns, plan)


def latest_of(table: pa.Table, column: str, plan: Plan) -> int:
    """The latest time in a column, ms; 0 when there is none."""
    wrong = _Wrong(table.num_rows)
    return int(_times(_plain(table.column(column).combine_chunks()), plan.zone, wrong, table.num_rows)[~wrong.rows].max(initial=0))


# --- files ---------------------------------------------------------------------------------------------------------------------


def _tables(path: Path, plan: Plan) -> Iterator[tuple[pa.Table, Told]]:
    """Pieces of a file, each with how to tell one of its rows."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".xz")
    if name.endswith(_PARQUET):
        yield from _parquet(path, plan)
    elif name.endswith(_JSON):
        yield from json_lines(path, ROWS)
    else:
        yield from _csv(path)


def _csv(path: Path) -> Iterator[tuple[pa.Table, Told]]:
    for block in read_blocks(path, ROWS):
        if isinstance(block, Block):
            yield block.cells, _block_line(block)
        elif block:
            names = list(dict.fromkeys(name for line in block for name in line.cells))
            columns = {name: pa.array([_text(line.cells.get(name)) for line in block], pa.string()) for name in names}
            yield pa.table(columns), block.__getitem__


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _block_line(block: Block) -> Told:
    def told(row: int) -> Line:
        return Line(block.number + row, {name: str(block.cells.column(name)[row].as_py() or "") for name in block.cells.column_names})

    return told


def _parquet(path: Path, plan: Plan) -> Iterator[tuple[pa.Table, Told]]:
    try:
        file = pq.ParquetFile(path)
        there = file.schema_arrow.names
        wanted = {name for names in USUAL.values() for name in names} | set(plan.columns.values()) | set(plan.words.values())
        wanted |= set(own_history.COLUMNS) if own_history.is_own(file.schema_arrow) else set()
        number = 1
        columns = [name for name in there if name in wanted]
        if not columns:
            yield file.schema_arrow.empty_table(), lambda row: Line(row, {})
            return
        for batch in file.iter_batches(ROWS, columns=columns):
            table = pa.Table.from_batches([batch])
            yield table, _table_line(table, number)
            number += table.num_rows
    except (pa.ArrowException, OSError) as error:
        raise unread(path, "parquet", error) from error


def _hour(files: Sequence[Path]) -> Iterator[tuple[pa.Table, Told]]:
    try:
        whole = own_history.hour(files)
    except (pa.ArrowException, OSError) as error:
        raise unread(files[0].parent, "parquet", error) from error
    for start in range(0, whole.num_rows, ROWS):
        part = whole.slice(start, ROWS)
        yield part, _table_line(part, start + 1)


def _table_line(table: pa.Table, first: int) -> Told:
    return lambda row: Line(first + row, table.slice(row, 1).to_pylist()[0])


# --- columns -------------------------------------------------------------------------------------------------------------------


def _piece(table: pa.Table, line: Told, found: Mapping[str, str], plan: Plan) -> Piece:
    def column(what: str) -> pa.Array | None:
        name = found.get(what, plan.words.get(what, ""))
        return _plain(table.column(name).combine_chunks()) if name in table.column_names else None

    rows, told = table.num_rows, line
    own = own_history.taken(table, plan.lateness) if own_history.is_own(table.schema) else None
    if own is not None:
        which = own.which
        table, line = own.table, lambda row: told(int(which[row]))
    size, wrong = table.num_rows, _Wrong(table.num_rows)
    if WRONG in table.column_names:
        wrong.note(table.column(WRONG).is_valid(), "doors.detect_no_object", None)
    time = _times(column("time"), plan.zone, wrong, size)
    device, kind = _words(column("device"), size), _words(column("kind"), size, plan.kind or "")
    value = _figures(column("value"), wrong, size)
    for what, coded in (("device", device), ("kind", kind)):
        empty = np.array([not name for name in coded.names], np.bool_)
        wrong.note(empty[coded.codes] if size else np.zeros(0, np.bool_), "doors.detect_empty", None, name=found.get(what, what))
    arrived = column("arrived")
    received = None if arrived is None else _times(arrived, plan.zone, wrong, size)
    words = {name: _words(column(name), size) for name in plan.words}
    tokens, ids = (own.token, own.number) if own else (_numbers(column("token"), size), _numbers(column("id"), size))
    keep = ~wrong.rows
    piece = Piece(
        time[keep],
        Coded(device.codes[keep], device.names),
        Coded(kind.codes[keep], kind.names),
        value[keep],
        tokens[keep],
        ids[keep],
        None if received is None else received[keep],
        {name: Coded(coded.codes[keep], coded.names) for name, coded in words.items()},
    )
    piece.wrong = [(line(row), fault) for row, fault in sorted(wrong.faults.items())]
    piece.rows, piece.late = rows, own.late if own else 0
    return piece


def _plain(column: pa.Array) -> pa.Array:
    """Of the few types that are read: text, numbers and moments."""
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind) or pa.types.is_date(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    return column.cast(pa.int8()) if pa.types.is_boolean(kind) else column


class _Wrong:
    """Which rows cannot be used, each with its first reason."""

    def __init__(self, size: int) -> None:
        self.rows: Bools = np.zeros(size, np.bool_)
        self.faults: dict[int, FieldFault] = {}

    def note(self, rows: Any, key: str, column: pa.Array | None, **params: Any) -> None:
        for row in np.flatnonzero(np.asarray(rows)).tolist():
            if not self.rows[row]:
                shown = "-" if column is None else str(column[row].as_py() or "-")[:40]
                self.faults[row] = FieldFault("", key, {"value": shown, **params})
                self.rows[row] = True


def _words(column: pa.Array | None, size: int, otherwise: str = "") -> Coded:
    if column is None:
        return Coded(np.zeros(size, np.int64), [otherwise])
    text = pc.fill_null(column.cast(pa.string()), "")
    coded = text.dictionary_encode()
    names = [str(name).strip() for name in coded.dictionary.to_pylist()]
    return Coded(coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), names)


def _numbers(column: pa.Array | None, size: int) -> Ints:
    """A number of 63 bits for each word."""
    coded = _words(column, size)
    return np.array([token_of(name) for name in coded.names], np.int64)[coded.codes] if size else coded.codes


def _figures(column: pa.Array | None, wrong: _Wrong, size: int) -> Floats:
    if column is None:
        return np.full(size, np.nan)
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        text = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
        try:
            out = text.cast(pa.float64())
        except pa.ArrowInvalid:
            parsed = [_figure(one) for one in text.to_pylist()]
            wrong.note([one is None for one in parsed], "doors.detect_figure", column)
            out = pa.array([np.nan if one is None else one for one in parsed], pa.float64())
    else:
        out = column.cast(pa.float64(), safe=False)
    values: Floats = out.to_numpy(zero_copy_only=False).astype(np.float64)
    wrong.note(np.isinf(values), "doors.detect_figure", column)
    return values


def _figure(text: str | None) -> float | None:
    """NaN for nothing, None for what is no number."""
    try:
        return np.nan if text is None else float(text)
    except ValueError:
        return None


def _times(column: pa.Array | None, zone: str, wrong: _Wrong, size: int) -> Ints:
    if column is None:
        moments = np.full(size, -1)
    elif pa.types.is_string(column.type):
        moments = _text_times(column, zone)
    elif pa.types.is_timestamp(column.type):
        moments = _milliseconds(column, zone)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        figures = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        moments = np.array([_of_number(one) for one in figures.tolist()], np.int64)
    else:
        moments = _text_times(column.cast(pa.string()), zone)
    out = (moments < 0) | (moments >= LATEST)
    wrong.note(out, "doors.detect_time", column)
    return np.where(out, 0, moments)


def _milliseconds(column: pa.Array, zone: str) -> Ints:
    if column.type.tz is None:
        column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="earliest")
    whole = column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    moments: NDArray[np.int64] = pc.fill_null(whole, -1).to_numpy(zero_copy_only=False)
    return moments // 1000


def _text_times(column: pa.Array, zone: str) -> Ints:
    text = pc.utf8_trim_whitespace(column)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _milliseconds(text.cast(kind), zone)
        except pa.ArrowInvalid:
            continue
    there = ZoneInfo(zone)
    return np.array([moment(one, there) for one in text.to_pylist()], np.int64)


def moment(text: str | None, zone: ZoneInfo) -> int:
    """Milliseconds, -1 for what is no time."""
    if not text:
        return -1
    if (number := _of_number(_figure(text) or -1)) >= 0:
        return number
    for read in (datetime.fromisoformat, *(lambda t, f=form: datetime.strptime(t, f) for form in _FORMATS)):  # noqa: DTZ007
        try:
            at: datetime = read(text)
        except ValueError:
            continue
        return round((at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).timestamp() * 1000)
    return -1


def _of_number(number: float) -> int:
    if not 0 <= number < LATEST:
        return -1
    return round(number * 1000) if number < _SECONDS_UP_TO else round(number)
