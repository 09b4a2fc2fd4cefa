"""Readings and changes as columns, and the two sorts everything rests on.

Times are whole milliseconds since 1970 in UTC, from 0 up to ``LATEST`` (the year 2109).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = 2**62  # half of the range: sums with a duration do not wrap
LONG_AGO = -NEVER
LATEST = 2**42
MOST_DEVICES = 2**27  # state is as long as the highest number
_PACKED = 20  # bits of a position in a packed sort


class Readings(NamedTuple):
    """Columns of one length. ``device``: a number from 0 up, dense; ``token``: whom or what a reading names (0 = none); ``id``: tells

    readings of one device, kind and time apart: with all four equal it is the same reading sent again.
    """

    time: Ints
    device: Ints
    kind: Ints
    value: Floats
    token: Ints
    id: Ints

    @classmethod
    def of(
        cls,
        time: ArrayLike,
        device: ArrayLike,
        kind: ArrayLike,
        value: ArrayLike | None = None,
        token: ArrayLike | None = None,
        id: ArrayLike | None = None,
    ) -> Readings:
        """Columns from anything array-like; without a value NaN, without token or id 0. ValueError when they do not fit."""
        at = np.asarray(time, np.int64)
        size = len(at)
        zero = np.zeros(size, np.int64)
        columns = cls(
            at,
            np.asarray(device, np.int64),
            np.asarray(kind, np.int64),
            np.full(size, np.nan) if value is None else np.asarray(value, np.float64),
            zero if token is None else np.asarray(token, np.int64),
            zero if id is None else np.asarray(id, np.int64),
        )
        if any(column.shape != (size,) for column in columns):
            raise ValueError("columns of one dimension and the same length are needed")
        if size and (at.min() < 0 or at.max() >= LATEST):
            raise ValueError(f"times from 0 to {LATEST} ms since 1970 are needed")
        if size and (columns.device.min() < 0 or columns.device.max() >= MOST_DEVICES or columns.kind.min() < 0):
            raise ValueError(f"devices and kinds are numbers from 0 up, devices dense and below {MOST_DEVICES}")
        return columns

    def take(self, rows: NDArray[np.intp] | Bools | slice) -> Readings:
        return Readings(self.time[rows], self.device[rows], self.kind[rows], self.value[rows], self.token[rows], self.id[rows])


def joined(parts: list[Readings]) -> Readings:
    if len(parts) == 1:
        return parts[0]
    return Readings(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else NOTHING


NOTHING = Readings.of([], [], [])


class Edges(NamedTuple):
    """When a condition begins or ends to hold for a key: sorted by (key, time), at most one a key and time, on and off in turn."""

    key: Ints
    time: Ints
    on: Bools


NO_EDGES = Edges(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))


def edges_of(parts: list[Edges]) -> Edges:
    """Several parts as one, sorted."""
    parts = [part for part in parts if len(part.key)]
    if not parts:
        return NO_EDGES
    key, time, on = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((time, key))
    return Edges(key[order], time[order], on[order])


def stable_order(by: Ints) -> NDArray[np.intp]:
    """Rows in the order of a column from 0 up, equal ones as they stood. Sorting the packed numbers is far faster than an argsort."""
    size = len(by)
    if size > 1 << _PACKED or (size and int(by.max()) >= 1 << (63 - _PACKED)):
        return np.argsort(by, kind="stable")
    packed = (by << _PACKED) | np.arange(size)
    packed.sort()
    return packed & ((1 << _PACKED) - 1)


def by_device(readings: Readings) -> tuple[Readings, int]:
    """Sorted by (device, time, kind, id), each reading once, and how many were there again."""
    by_time = stable_order(readings.time)
    rows = readings.take(by_time[stable_order(readings.device[by_time])])
    same = (rows.device[1:] == rows.device[:-1]) & (rows.time[1:] == rows.time[:-1])
    if not same.any():
        return rows, 0
    tied = np.zeros(len(rows.time), np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    at = np.flatnonzero(tied)
    few = rows.take(at)
    order = at[np.lexsort((few.token, few.value, few.id, few.kind, few.time, few.device))]
    whole = np.arange(len(rows.time))
    whole[at] = order
    rows = rows.take(whole)
    again = np.zeros(len(rows.time), np.bool_)
    again[1:] = same & (rows.kind[1:] == rows.kind[:-1]) & (rows.id[1:] == rows.id[:-1])
    return rows.take(~again), int(again.sum())
