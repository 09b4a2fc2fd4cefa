"""The platform's own Parquet history (``signals.history``) as files of ``gridloop detect``: what took part at work takes part here.

Rows of an hour lie by kind and device, in a file for each partition and further ones for what came later: an hour is put in order as a
whole, which takes the memory of the busiest. What a reading names lies in its data. No readings of devices, and left out: the platform's
own signals, those without a device, and what is left of a person who was erased.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gridloop.detection.columns import Ints
from gridloop.signals.rules import ERASED_TEXT, OWN_SOURCE, named, token_in

COLUMNS = ("id", "source", "device", "kind", "at", "value", "data", "arrived")


class Taken(NamedTuple):
    """Rows that take part. ``which``: their places among all; ``late``: readings that were received too late."""

    table: pa.Table
    which: Ints
    token: Ints
    number: Ints
    late: int


def is_own(schema: pa.Schema) -> bool:
    kinds: Mapping[str, pa.DataType] = dict(zip(schema.names, schema.types, strict=True))
    return all(name in kinds for name in COLUMNS) and all(
        pa.types.is_timestamp(kinds[name]) and kinds[name].tz is not None for name in ("at", "arrived")
    )


def hours(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Files of one folder together where they are ours, all others by themselves."""
    for _, those in groupby(files, lambda file: file.parent):
        part = list(those)
        if part[0].name.endswith(".parquet") and len(part) > 1 and _readable_and_own(part[0]):
            yield part
        else:
            yield from ([file] for file in part)


def _readable_and_own(file: Path) -> bool:
    try:
        return is_own(pq.read_schema(file))
    except (pa.ArrowException, OSError):  # who reads it says what is wrong with it
        return False


def hour(files: Sequence[Path]) -> pa.Table:
    """The rows of an hour's files in the order of their time, equal ones as they lie."""
    table = pa.concat_tables([pq.read_table(file, columns=list(COLUMNS)) for file in files])
    at = table["at"].cast(pa.int64()).to_numpy()
    return table.take(pa.array(np.argsort(at, kind="stable")))


def sql(lateness: int) -> str:
    """Of rows that take part, as ``taken`` has it."""
    mine = f"device != '' AND coalesce(source, '') != '{OWN_SOURCE}' AND NOT coalesce(rlike(data, r'{ERASED_TEXT}'), false)"
    return f"{mine} AND unix_millis(at) >= unix_millis(arrived) - {lateness}"


def taken(table: pa.Table, lateness: int) -> Taken:
    """``lateness``: how long after its time a reading may have been received, ms, as at work."""
    text = {name: table[name].combine_chunks().cast(pa.string()) for name in ("id", "source", "device", "data")}
    reading = pc.and_(
        pc.fill_null(pc.not_equal(text["device"], ""), False), pc.invert(pc.fill_null(pc.equal(text["source"], OWN_SOURCE), False))
    )
    reading = pc.and_not(reading, pc.fill_null(pc.match_substring_regex(text["data"], ERASED_TEXT), False))
    usual = reading.to_numpy(zero_copy_only=False)
    micro, arrived = (
        pc.fill_null(table[name].combine_chunks().cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()), 0).to_numpy()
        for name in ("at", "arrived")
    )
    late = usual & (micro // 1000 < arrived // 1000 - lateness)
    which = np.flatnonzero(usual & ~late)
    token, number = np.zeros(len(which), np.int64), micro[which] % 1000
    told = text["data"].take(pa.array(which))
    valued = table["value"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)[which]
    other = np.flatnonzero(told.is_valid().to_numpy(zero_copy_only=False) | ~valued)
    if len(other):
        rows = which[other]
        columns = (text[name].take(pa.array(rows)).to_pylist() for name in ("id", "source", "data"))
        for row, own, source, data in zip(other.tolist(), *columns, strict=True):
            token[row], number[row] = token_in(orjson.loads(data)) if data else 0, named(own or "", source or "")
    return Taken(table.take(pa.array(which)), which, token, number, int(late.sum()))
