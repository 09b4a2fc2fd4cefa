"""Files of one JSON object a line, as columns of words. A line that is no object stays a row: it is told with its number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from gridloop.doors.cli.sheets import Line, open_packed, unread
from gridloop.kernel.errors import Invalid

WRONG = "_wrong"  # the column of lines that are no objects
Told = Callable[[int], Line]


def json_lines(path: Path, rows: int) -> Iterator[tuple[pa.Table, Told]]:
    """Pieces of so many lines, each with how to tell one of its rows."""
    try:
        with open_packed(path) as raw:
            number, some = 1, []
            for text in raw:
                some.append((number, text))
                number += 1
                if len(some) == rows:
                    yield _parsed(some)
                    some = []
            if some:
                yield _parsed(some)
    except (OSError, EOFError) as error:
        raise unread(path, "JSON Lines", error) from error


def _parsed(lines: list[tuple[int, bytes]]) -> tuple[pa.Table, Told]:
    """A line that is no object becomes a row of which only ``_wrong`` is known."""
    numbers: list[int] = []
    rows: list[dict[str, Any]] = []
    for number, text in lines:
        if not text.strip():
            continue
        try:
            row = orjson.loads(text)
        except orjson.JSONDecodeError:
            row = None
        rows.append(_flat(row) if isinstance(row, dict) else {WRONG: text.decode("utf-8", "replace").rstrip()[:200]})
        numbers.append(number)
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    return table, lambda at: Line(numbers[at], rows[at])


def _flat(row: Mapping[str, Any], before: str = "") -> dict[str, str | None]:
    """Objects inside as ``outer.inner``; true is 1, false 0."""
    out: dict[str, str | None] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{before}{name}.")
        elif isinstance(value, bool):
            out[before + name] = str(int(value))
        else:
            out[before + name] = None if value is None else str(value)
    return out


def need_objects(path: Path, table: pa.Table, told: Told) -> None:
    """Invalid when there are lines and none is an object: what is wrong with the first, and where."""
    if table.column_names != [WRONG] or not table.num_rows:
        return
    first = told(0)
    text = str(first.cells[WRONG])
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid("doors.detect_no_json", file=path.name, line=first.number, column=error.colno, text=text[:60]) from error
    raise Invalid("doors.detect_other_json", file=path.name, line=first.number, text=text[:60])
