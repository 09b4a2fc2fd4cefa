"""Readings of the past in the order of their own time: from the files of history and, where those do not reach yet, from the log.

In pieces that fit into memory, and of the kinds somebody asks for: rows lie by kind in the files, so that others are not even read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from gridloop.detection import rules
from gridloop.detection.columns import NOTHING, Bools, Ints, Readings, joined
from gridloop.detection.language import kind_number
from gridloop.detection.rules import HOUR, Condition, Pick, Total
from gridloop.detection.totals import Backwards
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import history
from gridloop.signals.positions import reached
from gridloop.signals.rules import ERASED_TEXT, OWN_SOURCE, named, token_in
from gridloop.signals.stream import Mark, Stream, milliseconds, read_next
from gridloop.signals.taking import LATENESS, in_time

if TYPE_CHECKING:
    import pyarrow as pa

Numbers = Callable[[Sequence[str]], Ints]  # of devices by their codes, -1 for a stranger
Kinds = frozenset[int] | None  # None for all
_ROWS = 200_000  # of a piece, about
_COLUMNS = ["id", "source", "device", "kind", "at", "value", "data", "arrived"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Past:
    """``at``: everything before it was handed on, ms. ``frontier``: the log is durable up to there. ``lane``: as for ``files``."""

    def __init__(
        self, since: int, frontier: int, partitions: Sequence[int], numbers: Numbers, kinds: Kinds, lane: int | None = None
    ) -> None:
        self._numbers, self._kinds = numbers, kinds
        with scoped(SYSTEM):
            archived = reached(history.HISTORY)
            begins = [at for _, _, at, *_ in read_next({p: archived.get(p, 0) for p in partitions}, 1)]
        self._log = Stream({p: Mark(archived.get(p, 0), 0) for p in partitions})
        self._log_begins = min(begins, default=frontier)
        self._waiting = NOTHING  # of the log, of a later time than was asked for
        self.at = min(since, self._log_begins - LATENESS)
        self._hour, self._step = -1, HOUR
        self._files = _Files(lane)

    def next(self, until: int) -> Readings:
        """The next piece, up to before ``until``; none in it where nothing was read."""
        hour = self.at // HOUR
        if hour != self._hour:
            rows = sum(_size(path, self._kinds) for path in self._files.of(hour))
            self._hour, self._step = hour, HOUR // (1 + rows // _ROWS)
        end = min(until, (hour + 1) * HOUR, self.at + self._step)
        parts = [read(path, self._numbers, self._kinds, self.at, end) for path in self._files.of(hour)]
        found = joined([*parts, self._of_log(end)])
        self.at = end
        return found.take(np.argsort(found.time, kind="stable"))

    def _of_log(self, end: int) -> Readings:
        """What is in time lies within the lateness of its receipt: the log is read so far and no further."""
        horizon, reached = end + LATENESS, -1
        parts = [self._waiting]
        while self._log_begins <= horizon and reached < horizon:
            with scoped(SYSTEM):
                batches, reached = self._log.take(horizon, _ROWS)
            for found in (batch.found for batch in batches):
                device = self._numbers(found.device)
                which = (device >= 0) & in_time(found.time, found.received) & _among(found.kind, self._kinds)
                parts.append(Readings(found.time, device, found.kind, found.value, found.token, found.id).take(which))
        whole = joined(parts)
        due = whole.time < end
        self._waiting = whole.take(~due)
        return whole.take(due & (whole.time >= self.at))


@dataclass(frozen=True, slots=True)
class Decisive:
    """Readings that a condition goes by until the next of them, whatever else is read: the last ``least`` of each device tell its state.

    Those the pick takes whose value does not lie from ``low`` up to before ``high`` (``down``: from over ``low`` up to ``high``).
    """

    pick: Pick
    least: int = 1
    low: float = np.inf
    high: float = -np.inf
    down: bool = False

    def among(self, found: Readings) -> Bools:
        pick, value = self.pick, found.value
        out = np.isin(found.kind, pick.kinds) if pick.kinds else np.ones(len(found.time), np.bool_)
        if pick.at_least is not None:
            out &= value >= pick.at_least
        if pick.at_most is not None:
            out &= value <= pick.at_most
        if pick.during is not None and out.any():
            out &= pick.during.is_open(found.time)
        if self.low <= self.high:
            out &= (value <= self.low) | (value > self.high) if self.down else (value < self.low) | (value >= self.high)
        return out


def decisive(conditions: Iterable[Condition]) -> list[Decisive]:
    """Of all conditions, one in another; what counts or learns does so over a stretch of time and needs none."""
    found: dict[Decisive, None] = {}
    for part in conditions:
        match part:
            case rules.Threshold():
                low, high = sorted((part.limit, part.limit if part.clear is None else part.clear))
                found[Decisive(part.pick, 1, low, high, part.direction == rules.DOWN)] = None
            case rules.Rate():
                found[Decisive(part.pick, 2, 0.0, 0.0)] = None  # with a value
            case rules.Absence() | rules.Dwell():
                found[Decisive(part.pick)] = None
            case rules.Unanswered():
                found[Decisive(part.first)] = found[Decisive(part.then)] = None
    return list(found)


def earlier(
    before: int,
    since: int,
    numbers: Numbers,
    kinds: Kinds,
    lane: int | None = None,
    asked: Sequence[Decisive] = (),
    meters: Iterable[Total] = (),
) -> Iterator[Readings]:
    """Hour by hour backwards from the archive: of every device and kind the readings of the last hour in which there were any, and those

    of the last hours in which there were decisive ones (``asked``). Of ``meters`` what was used, and the last state.
    """
    meters = tuple(meters)
    states, known = Backwards(meters), _Known(asked, [meter.kind for meter in meters])
    last, there = since // HOUR, _Files(lane)
    for hour in range((before - 1) // HOUR, last - 1, -1):
        parts = [read(path, numbers, kinds, hour * HOUR, min(before, (hour + 1) * HOUR)) for path in there.of(hour)]
        # most hours of a young deployment have none
        found = known.wanted(states.turned(joined(parts))) if parts else NOTHING
        yield found if hour > last else joined([found, known.wanted(states.rest())])


class _Known:
    """How many readings of each device were found, by kind and by what decides. ``meters``: kinds of states, of which all are wanted."""

    def __init__(self, asked: Sequence[Decisive], meters: Sequence[int]) -> None:
        self._asked, self._meters = asked, meters
        self._counts: dict[int | Decisive, Ints] = {}

    def wanted(self, found: Readings) -> Readings:
        """Those of which too few were known before."""
        looks: list[tuple[int | Decisive, Bools, int]] = [(kind, found.kind == kind, 1) for kind in np.unique(found.kind).tolist()]
        looks += [(one, one.among(found), one.least) for one in self._asked]
        new = np.isin(found.kind, self._meters) & ~np.isnan(found.value)
        for what, which, least in looks:
            rows = np.flatnonzero(which)
            if len(rows):
                counts = np.bincount(found.device[rows])
                seen = self._counts.get(what, np.zeros(0, np.int64))
                seen = np.append(seen, np.zeros(max(0, len(counts) - len(seen)), np.int64))
                new[rows[seen[found.device[rows]] < least]] = True
                seen[: len(counts)] += counts
                self._counts[what] = seen
        return found.take(new)


def files(hour: int, lane: int | None = None) -> list[Path]:
    """``lane``: of that partition alone."""
    at, begins = _EPOCH + timedelta(hours=hour), "" if lane is None else f"p{lane:03d}-"
    above = _day(hour // 24) / f"{at:%H}"
    try:
        names = os.listdir(above)
    except FileNotFoundError:
        return []
    return [above / name for name in sorted(names) if name.startswith(begins) and name.endswith(".parquet")]


def _day(day: int) -> Path:
    return history.folder() / f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"


class _Files:
    """For who goes through hour after hour of weeks: in a young deployment most days have none at all."""

    def __init__(self, lane: int | None) -> None:
        self._lane, self._day, self._there = lane, -1, False

    def of(self, hour: int) -> list[Path]:
        if hour // 24 != self._day:
            self._day, self._there = hour // 24, _day(hour // 24).is_dir()
        return files(hour, self._lane) if self._there else []


def read(path: Path, numbers: Numbers, kinds: Kinds, since: int, until: int) -> Readings:
    """What took part of a file's readings of a stretch of time, as it stands."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            groups = [n for n in range(file.num_row_groups) if _may_hold(file.metadata.row_group(n), kinds, since, until)]
            return _decoded(file.read_row_groups(groups, columns=_COLUMNS), numbers, kinds, since, until) if groups else NOTHING
    except FileNotFoundError:  # retention was there first
        return NOTHING


def _size(path: Path, kinds: Kinds) -> int:
    import pyarrow.parquet as pq

    try:
        whole = pq.read_metadata(path)
    except FileNotFoundError:
        return 0
    groups = [whole.row_group(n) for n in range(whole.num_row_groups)]
    return sum(group.num_rows for group in groups if _may_hold(group, kinds, 0, 2**62))


def _may_hold(group: Any, kinds: Kinds, since: int, until: int) -> bool:
    """By what the file says of a row group. Rows lie by kind: most groups have one only."""
    for number in range(group.num_columns):
        column = group.column(number)
        known = column.statistics
        if known is None or not known.has_min_max:
            continue
        if column.path_in_schema == "kind" and kinds is not None and known.min == known.max and kind_number(known.min) not in kinds:
            return False
        if column.path_in_schema == "at" and (milliseconds(known.max) < since or milliseconds(known.min) >= until):
            return False
    return True


def _decoded(table: pa.Table, numbers: Numbers, kinds: Kinds, since: int, until: int) -> Readings:
    import pyarrow.compute as pc

    micro, received = (table[name].cast("int64").to_numpy() for name in ("at", "arrived"))
    time, received = micro // 1000, received // 1000
    device, kind = (
        _coded(table["device"], numbers),
        _coded(table["kind"], lambda names: np.array([kind_number(n) for n in names], np.int64)),
    )
    source = _coded(table["source"], lambda names: np.array([name == OWN_SOURCE for name in names], np.int64))
    which = (device >= 0) & (source != 1) & _among(kind, kinds) & (time >= since) & (time < until) & in_time(time, received)
    value, data = table["value"], table["data"]
    which &= ~pc.fill_null(pc.match_substring_regex(data, ERASED_TEXT), False).to_numpy()
    token, number = np.zeros(len(time), np.int64), micro % 1000
    other = np.flatnonzero(which & (value.is_null().to_numpy() | data.is_valid().to_numpy()))
    if len(other):
        rows = table.take(other)
        for row, i, name, text in zip(other.tolist(), *(rows[c].to_pylist() for c in ("id", "source", "data")), strict=True):
            token[row], number[row] = token_in(orjson.loads(text)) if text else 0, named(i, name)
    return Readings(time, device, kind, value.to_numpy().astype(np.float64), token, number).take(which)


def _coded(column: pa.ChunkedArray, of: Numbers) -> Ints:
    """A number for every row by its word; -1 where there is none."""
    words = column.combine_chunks().dictionary_encode()
    found = of(words.dictionary.to_pylist())
    coded: Ints = np.append(found, -1)[words.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)]
    return coded


def _among(kind: Ints, kinds: Kinds) -> Bools:
    return np.ones(len(kind), np.bool_) if kinds is None else np.isin(kind, list(kinds))
