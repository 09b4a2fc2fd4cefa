"""Readings and changes as columns, and the two sorts everything rests on.

Times are whole milliseconds since 1970 in UTC, from 0 up to ``LATEST`` (the year 2109).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = 2**62  # half of the range: sums with a duration do not wrap
LONG_AGO = -NEVER
LATEST = 2**42
MOST_DEVICES = 2**27  # state is as long as the highest number
_LAST = 2**63 - 1
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
    """Several parts as one, sorted, as each of them is."""
    parts = [part for part in parts if len(part.key)]
    if len(parts) < 2:
        return parts[0] if parts else NO_EDGES
    key, time, on = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((time, key))
    return Edges(key[order], time[order], on[order])


def begins(column: Ints) -> Bools:
    """Rows at which a sorted column has something new."""
    out = np.ones(len(column), np.bool_)
    np.not_equal(column[1:], column[:-1], out=out[1:])
    return out


def stable_order(by: Ints) -> NDArray[np.intp]:
    """Rows in the order of a column from 0 up, equal ones as they stood. Sorting the packed numbers is far faster than an argsort."""
    size = len(by)
    if size > 1 << _PACKED or (size and int(by.max()) >= 1 << (63 - _PACKED)):
        return np.argsort(by, kind="stable")
    packed = (by << _PACKED) | np.arange(size)
    packed.sort()
    return packed & ((1 << _PACKED) - 1)


Order = tuple[NDArray[np.intp], Ints, Ints]


def order_by(key: Ints, time: Ints, before: int = NEVER, kernels: Any = None) -> Order:
    """Rows in the order of key, then time, equal ones as they stood, and both columns in that order: one sort where all fits 63 bits.

    ``before``: of rows with an earlier time only.
    """
    size = len(key)
    if not size:
        return np.zeros(0, np.intp), key, time
    begin, end = int(time.min()), int(time.max())
    place, clock = (size - 1).bit_length(), (end - begin).bit_length()
    fits = int(key.max()).bit_length() + clock + place <= 63
    if fits and kernels is not None:
        return _compiled_order(key, time, before, (begin, clock, place), kernels)
    if not fits:
        which = (time < before).nonzero()[0]
        order = which[stable_order(time[which])]
        order = order[stable_order(key[order])]
        return order, key[order], time[order]
    packed = time - begin
    packed |= key << clock
    packed <<= place
    packed |= np.arange(size)
    if before <= end:
        wait = time >= before
        packed[wait] = _LAST
        size -= int(np.count_nonzero(wait))
    packed.sort()
    packed = packed[:size]
    order = packed & ((1 << place) - 1)
    packed >>= place
    key = packed >> clock
    packed &= (1 << clock) - 1
    packed += begin
    return order, key, packed


def _compiled_order(key: Ints, time: Ints, before: int, bits: tuple[int, int, int], kernels: Any) -> Order:
    packed = np.empty(len(key), np.int64)
    packed = packed[: kernels.pack(key, time, before, *bits, packed)]
    packed.sort()
    order, key, time = (np.empty(len(packed), np.int64) for _ in range(3))
    kernels.unpack(packed, *bits, order, key, time)
    return order, key, time


def by_device(readings: Readings, before: int = NEVER, kernels: Any = None) -> tuple[Sorted, int]:
    """Readings of an earlier time by (device, time, kind, id), each once, and how many were there again."""
    order, device, time = order_by(readings.device, readings.time, before, kernels)
    if kernels is not None and not kernels.repeats(device, time):
        return Sorted(readings, order, device, time), 0
    same = device[1:] == device[:-1]
    same &= time[1:] == time[:-1]
    if not same.any():
        return Sorted(readings, order, device, time), 0
    tied = np.zeros(len(time), np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    at = np.flatnonzero(tied)
    few = readings.take(order[at])
    order[at] = order[at][np.lexsort((few.token, few.value, few.id, few.kind, few.time, few.device))]
    kind, id_ = readings.kind[order], readings.id[order]
    once = np.ones(len(time), np.bool_)
    once[1:] = ~(same & (kind[1:] == kind[:-1]) & (id_[1:] == id_[:-1]))
    return Sorted(readings, order[once], device[once], time[once]), int(len(once) - once.sum())


class Sorted:
    """Readings in an order; other columns than device and time are fetched when they are asked for."""

    def __init__(self, whole: Readings, order: NDArray[np.intp], device: Ints, time: Ints) -> None:
        self.whole, self.order, self.device, self.time = whole, order, device, time

    def __len__(self) -> int:
        return len(self.order)

    @cached_property
    def kind(self) -> Ints:
        return self.whole.kind[self.order]

    @cached_property
    def value(self) -> Floats:
        return self.whole.value[self.order]

    @cached_property
    def token(self) -> Ints:
        return self.whole.token[self.order]

    def take(self, rows: NDArray[np.intp]) -> Sorted:
        return Sorted(self.whole, self.order[rows], self.device[rows], self.time[rows])

    def values(self, rows: NDArray[np.intp]) -> Floats:
        """Of some rows only."""
        return self.whole.value[self.order[rows]]

    def tokens(self, rows: NDArray[np.intp]) -> Ints:
        return self.whole.token[self.order[rows]]
