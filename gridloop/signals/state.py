"""What the detectors at work know, as rows: in parts, compressed, written and read part by part, so that it is never in memory twice.

Every lane has its own, named by its tag. There are two places. The parts go into the one that is not in use, each in a transaction of its
own: what follows the trace stops at the oldest open transaction. The transaction that moves the position then says that they are what is
known from now on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from typing import Any, BinaryIO

import zstandard
from django.db import connection

from gridloop.detection.snapshots import Sink
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import alarms, positions
from gridloop.signals.source import source

PIECES = ("meta", "heard", "engine")  # what is stored of a lane
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


def write(pieces: Mapping[str, Write], hold: Hold, tag: str = "") -> int:
    """Into the place that is not in use, outside of any transaction. Returns the place, for ``use``."""
    if connection.in_atomic_block:
        raise RuntimeError("what the detectors know is written in transactions of its own")
    with scoped(SYSTEM):
        place = _PLACE - _in_use(tag)
    _clear(place, hold, tag)
    for name, piece in pieces.items():
        parts = _Parts(f"{name}{tag}", place, hold)
        piece(parts)
        parts.end()
    return place


def use(place: int, tag: str = "") -> None:
    """Within the transaction that moves the position: what was written there is what is known from now on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO signals_detectorstate (name, part, data) VALUES (%s, 0, %s) "
            "ON CONFLICT (name, part) DO UPDATE SET data = excluded.data",
            [f"{_IN_USE}{tag}", str(place).encode()],
        )


def tidy(hold: Hold, tag: str = "") -> None:
    """What was known before goes, part by part."""
    with scoped(SYSTEM):
        place = _PLACE - _in_use(tag)
    _clear(place, hold, tag)


def _in_use(tag: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM signals_detectorstate WHERE name = %s", [f"{_IN_USE}{tag}"])
        row = cursor.fetchone()
    return int(bytes(row[0])) if row else 0


def _clear(place: int, hold: Hold, tag: str) -> None:
    gone = True
    while gone:
        with scoped(SYSTEM), connection.cursor() as cursor:
            hold()
            cursor.execute(
                "DELETE FROM signals_detectorstate WHERE (name, part) IN ("
                "SELECT name, part FROM signals_detectorstate WHERE name = ANY(%s) AND part >= %s AND part < %s LIMIT 1)",
                [[f"{name}{tag}" for name in PIECES], place, place + _PLACE],
            )
            gone = cursor.rowcount > 0


def load(name: str, tag: str = "") -> BinaryIO | None:
    """A piece as a file, None when nothing was stored."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # the reader's
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    first = part = _in_use(tag)
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT data FROM signals_detectorstate WHERE name = %s AND part = %s", [f"{name}{tag}", part])
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


def tags() -> list[str]:
    """Of the lanes of which something is stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT substr(name, 5) FROM signals_detectorstate WHERE name LIKE 'meta%%' ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def drop(tags: Collection[str]) -> None:
    with connection.cursor() as cursor:
        names = [f"{name}{tag}" for name in (*PIECES, _IN_USE) for tag in tags]
        cursor.execute("DELETE FROM signals_detectorstate WHERE name = ANY(%s)", [names])


def give_up(consumer: str, owner: str, seconds: int, partitions: Collection[int], tag: str) -> None:
    """What is known of a lane that nobody holds goes; where it stands stays."""
    if (leases := positions.claim_all(consumer, owner, seconds, partitions)) is None:
        return
    with scoped(SYSTEM):
        drop((tag,))
        positions.hold_all(leases, {}, seconds)
    for lease in leases.values():
        positions.release(lease)


def pass_by(
    consumer: str, owner: str, seconds: int, partitions: Collection[int], tags: Collection[str], wanted: Collection[str] = ()
) -> bool:
    """Nobody detects anything: the position goes along, so that the log can be trimmed; what was known is forgotten, alarms are over but

    for those of detectors that are wanted.
    """
    end_gone(wanted)
    go_by(consumer, owner, seconds, partitions, tags)
    return alarms.send_due() == alarms.AT_ONCE


def go_by(consumer: str, owner: str, seconds: int, partitions: Collection[int], tags: Collection[str]) -> None:
    """The position of a consumer without work, and nothing of it is known any more."""
    if not positions.waiting(consumer):
        return
    leases = positions.claim_all(consumer, owner, seconds, partitions)
    if leases is None:
        return
    with scoped(SYSTEM):
        drop(tags)
        ends = source().ends()
        positions.hold_all(leases, {p: ends[p] for p in leases.keys() & ends.keys()}, seconds)
    for lease in leases.values():
        positions.release(lease)


def end_gone(wanted: Collection[str], gone: Collection[str] | None = None) -> set[str]:
    """Detectors that have alarms and are not wanted; theirs are over. ``gone``: but of no others than these."""
    with scoped(SYSTEM):
        found = alarms.remembered() - {*wanted}
        over = found if gone is None else found & {*gone}
        if over:
            with connection.cursor() as cursor:  # one worker at a time: an alarm is over once
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('gridloop.gone'))")
            alarms.end_detectors(over, round(clock.now().timestamp() * 1000), clock.now())
    return found
