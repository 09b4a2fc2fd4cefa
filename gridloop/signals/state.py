"""What the detectors at work know, as rows: in parts, compressed, written and read part by part, so that it is never in memory twice.

There are two places. The parts go into the one that is not in use, each in a transaction of its own: what follows the trace stops at the
oldest open transaction. The transaction that moves the position then says that they are what is known from now on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import zstandard
from django.db import connection

from gridloop.detection.snapshots import Sink
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import alarms, positions
from gridloop.signals.models import Forgotten

_PART = 8 << 20  # bytes of a row
_PLACE = 1_000_000  # parts of the second place are numbered from here
_IN_USE = "in_use"  # the row that says which; without it the first

Write = Callable[[Sink], None]
Hold = Callable[[], None]  # within a transaction: ``positions.Fenced`` when another worker has taken over


class _Parts:
    """A file that becomes rows from a number on."""

    def __init__(self, name: str, first: int, hold: Hold) -> None:
        self._name, self._part, self._hold, self._out = name, first, hold, bytearray()
        self._compressor = zstandard.ZstdCompressor(level=1).compressobj()

    def write(self, data: Any) -> int:
        self._put(self._compressor.compress(data))
        return memoryview(data).nbytes

    def flush(self) -> None:
        """What is whole is written as it comes."""

    def end(self) -> None:
        self._put(self._compressor.flush())
        self._row(len(self._out))

    def _put(self, packed: bytes) -> None:
        self._out += packed
        while len(self._out) > _PART:
            self._row(_PART)

    def _row(self, size: int) -> None:
        with scoped(SYSTEM), connection.cursor() as cursor:
            self._hold()
            cursor.execute(
                "INSERT INTO signals_detectorstate (name, part, data) VALUES (%s, %s, %s)",
                [self._name, self._part, bytes(self._out[:size])],
            )
        del self._out[:size]
        self._part += 1


def write(pieces: Mapping[str, Write], hold: Hold) -> int:
    """Into the place that is not in use, outside of any transaction. Returns the place, for ``use``."""
    if connection.in_atomic_block:
        raise RuntimeError("what the detectors know is written in transactions of its own")
    with scoped(SYSTEM):
        place = _PLACE - _in_use()
    _clear(place, hold)
    for name, piece in pieces.items():
        parts = _Parts(name, place, hold)
        piece(parts)
        parts.end()
    return place


def use(place: int) -> None:
    """Within the transaction that moves the position: what was written there is what is known from now on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO signals_detectorstate (name, part, data) VALUES (%s, 0, %s) "
            "ON CONFLICT (name, part) DO UPDATE SET data = excluded.data",
            [_IN_USE, str(place).encode()],
        )


def tidy(hold: Hold) -> None:
    """What was known before goes, part by part."""
    with scoped(SYSTEM):
        place = _PLACE - _in_use()
    _clear(place, hold)


def _in_use() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM signals_detectorstate WHERE name = %s", [_IN_USE])
        row = cursor.fetchone()
    return int(bytes(row[0])) if row else 0


def _clear(place: int, hold: Hold) -> None:
    gone = True
    while gone:
        with scoped(SYSTEM), connection.cursor() as cursor:
            hold()
            cursor.execute(
                "DELETE FROM signals_detectorstate WHERE (name, part) IN ("
                "SELECT name, part FROM signals_detectorstate WHERE name <> %s AND part >= %s AND part < %s LIMIT 1)",
                [_IN_USE, place, place + _PLACE],
            )
            gone = cursor.rowcount > 0


def load(name: str) -> BinaryIO | None:
    """A piece as a file, None when nothing was stored."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # the reader's
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    first = part = _in_use()
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT data FROM signals_detectorstate WHERE name = %s AND part = %s", [name, part])
            row = cursor.fetchone()
            if row is None:
                break
            file.write(decompressor.decompress(bytes(row[0])))
            part += 1
    if part == first:
        file.close()
        return None
    file.seek(0)
    return file


def drop() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM signals_detectorstate")


def pass_by(consumer: str, owner: str, seconds: int) -> bool:
    """Nobody detects anything: the position goes along, so that the log can be trimmed; what was known is forgotten, alarms are over."""
    with scoped(SYSTEM):
        gone = alarms.remembered()
    if not gone and not positions.waiting(consumer):
        return alarms.send_due()
    leases = positions.claim_all(consumer, owner, seconds)
    if leases is None:
        return False
    with scoped(SYSTEM):
        with connection.cursor() as cursor:
            cursor.execute("SELECT partition, seq FROM signals_partition")
            ends = dict(cursor.fetchall())
        drop()
        Forgotten.objects.all().delete()  # with what was known
        alarms.end_detectors(gone, round(clock.now().timestamp() * 1000), clock.now())
        positions.hold_all(leases, ends, seconds)
    for lease in leases.values():
        positions.release(lease)
    return alarms.send_due()
