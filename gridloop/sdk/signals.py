"""Signals and the log that keeps them: what adapters send in and what detectors and stores read."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec
import orjson
import zstandard

BATCH_SIGNALS = 500  # most signals in one batch of one partition
_NOTHING: dict[str, Any] = {}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVEL = 3  # zstandard: 1.3 times smaller than level 1 on readings, still under 1 ms for a full batch


class Signal(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One raw input: a reading, an alarm of another platform or something a person sent.

    ``at`` is aware, in UTC, when it happened; ``value`` has the unit of its kind; ``device`` is '' for signals without one.
    A struct and no dataclass, because a busy door makes tens of thousands a second; change one with ``msgspec.structs.replace``.
    """

    id: str
    source: str
    device: str
    kind: str
    at: datetime
    value: float | None = None
    lon: float | None = None
    lat: float | None = None
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    trace: str = ""  # not compared; W3C traceparent of the request that brought it, when traces are collected

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Signal) and self._told() == other._told()

    def _told(self) -> tuple[object, ...]:
        return (self.id, self.source, self.device, self.kind, self.at, self.value, self.lon, self.lat, self.data)

    @property
    def identity(self) -> tuple[str, str]:
        """Alarms and person-made signals are unique by this."""
        return (self.source, self.id)

    @property
    def is_reading(self) -> bool:
        """A bare figure of a device; everything else is known by its ``(source, id)``."""
        return bool(self.device) and self.value is not None and not self.data

    @property
    def reading_key(self) -> tuple[str, str, datetime]:
        """Readings are unique by this, whatever id they carry."""
        return (self.device, self.kind, self.at)


@dataclass(frozen=True, slots=True)
class Batch:
    """Signals of one partition, appended together. ``seq`` counts from 1 without gaps within the partition."""

    partition: int
    seq: int
    at: datetime
    signals: tuple[Signal, ...]


@runtime_checkable
class SignalLog(Protocol):
    """A durable, partitioned, ordered log. ``sdk.testing.signal_log`` holds the tests every implementation passes."""

    @property
    def partitions(self) -> int:
        """How many partitions new signals are spread over."""
        ...

    def append(self, signals: Sequence[Signal]) -> None:
        """Return when all are durable. Raises ``kernel.errors.Unavailable`` when none is known to be: then send them again."""
        ...

    def read(self, partition: int, after_seq: int, limit: int) -> list[Batch]:
        """At most ``limit`` batches in order, starting with ``after_seq + 1`` (or the first one still kept)."""
        ...

    def positions(self) -> dict[int, int]:
        """The last sequence of every partition, 0 for an empty one."""
        ...


class Packed(NamedTuple):
    """A batch as it is kept: ``data`` is what ``pack`` made. ``elsewhere``: taken over from a town's log; its own worker detects on it."""

    partition: int
    seq: int
    at: datetime
    data: bytes
    elsewhere: bool = False


@runtime_checkable
class ServedLog(SignalLog, Protocol):
    """What the platform asks of a log that keeps its batches outside of the database."""

    def packed(self, after: Mapping[int, int], limit: int) -> list[Packed]:
        """Per partition the next batches after a sequence, at most ``limit`` each; one that was removed comes without data.

        Those removed at the beginning of what is kept may be left out; where nothing else follows, at least the last of them comes.
        """
        ...

    def spans(self) -> dict[int, tuple[int, int]]:
        """First and last sequence kept, per partition; the first is beyond the last when nothing is."""
        ...

    def trim(self, upto: Mapping[int, int]) -> None:
        """Drop batches up to and with a sequence."""
        ...

    def remove(self, partition: int, seq: int) -> None:
        """Take one batch out, so that its bytes are nowhere any more."""
        ...


def partition_of(signal: Signal, partitions: int) -> int:
    """All signals of one device (or of one source without devices) share a partition, so their order holds."""
    return partition_of_name(signal.device or signal.source, partitions)


def partition_of_name(name: str, partitions: int) -> int:
    """The same by the name of a device (or of a source without devices)."""
    return zlib.crc32(name.encode()) % partitions


def pack(signals: Sequence[Signal]) -> bytes:
    """Signals as compressed JSON rows; times are whole microseconds since 1970."""
    return _compressor().compress(orjson.dumps(_rows(signals)))


def pack_all(parts: Sequence[Sequence[Signal]]) -> list[bytes]:
    """Each as ``pack`` makes it. The interpreter's lock is let go once for all of them: a busy process gives it back late."""
    packed = _compressor().multi_compress_to_buffer([orjson.dumps(_rows(part)) for part in parts])
    return [packed[n].tobytes() for n in range(len(packed))]


def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_LEVEL)


def _rows(signals: Sequence[Signal]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for s in signals:
        row = s.id, s.source, s.device, s.kind, microseconds(s.at), s.value, s.lon, s.lat, dict(s.data) if s.data else _NOTHING
        rows.append((*row, s.trace) if s.trace else row)
    return rows


def unpack(data: bytes, kinds: Collection[str] | None = None) -> tuple[Signal, ...]:
    """The signals that ``pack`` packed. ``kinds``: only those of some."""
    rows = unpack_rows(data)
    if kinds is not None:
        rows = [row for row in rows if row[3] in kinds]
    return tuple(Signal(r[0], r[1], r[2], r[3], moment_of(r[4]), r[5], r[6], r[7], *r[8:10]) for r in rows)


def unpack_rows(data: bytes) -> list[list[Any]]:
    """Rows as ``pack`` wrote them: id, source, device, kind, microseconds, value, longitude, latitude, data, and the trace if there is one.

    For readers of whole columns, to whom a struct for every signal costs more than all the rest.
    """
    rows: list[list[Any]] = orjson.loads(zstandard.ZstdDecompressor().decompress(data))
    return rows


def unpack_rows_of(data: bytes, device: str) -> list[list[Any]]:
    """Those of one device. A batch that does not name it is not parsed."""
    plain = zstandard.ZstdDecompressor().decompress(data)
    return [row for row in orjson.loads(plain) if row[2] == device] if orjson.dumps(device) in plain else []


def microseconds(at: datetime) -> int:
    """Since 1970, as rows keep a moment; ``moment_of`` is the way back."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment_of(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)
