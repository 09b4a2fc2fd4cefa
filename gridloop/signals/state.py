"""What the detectors at work know, as rows: in parts, compressed, replaced as a whole within the transaction that moves the position.

Written and read part by part, so that it is never in memory a second time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, BinaryIO

import zstandard
from django.db import connection

from gridloop.detection.snapshots import Sink
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import positions
from gridloop.signals.source import source

PIECES = ("meta", "heard", "engine")  # what is stored of a lane
_PART = 8 << 20  # bytes of a row

Write = Callable[[Sink], None]


class _Parts:
    """A file that becomes rows."""

    def __init__(self, name: str) -> None:
        self._name, self._part, self._out = name, 0, bytearray()
        self._compressor = zstandard.ZstdCompressor(level=1).compressobj()

    def write(self, data: Any) -> int:
        self._out += self._compressor.compress(data)
        while len(self._out) >= _PART:
            self._row(_PART)
        return memoryview(data).nbytes

    def flush(self) -> None:
        """What is whole is written as it comes."""

    def end(self) -> None:
        self._out += self._compressor.flush()
        self._row(len(self._out))

    def _row(self, size: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO signals_detectorstate (name, part, data) VALUES (%s, %s, %s)",
                [self._name, self._part, bytes(self._out[:size])],
            )
        del self._out[:size]
        self._part += 1


def store(pieces: Mapping[str, Write]) -> None:
    """Each piece in the place of what was stored under its name."""
    drop(pieces)
    for name, write in pieces.items():
        parts = _Parts(name)
        write(parts)
        parts.end()


def load(name: str) -> BinaryIO | None:
    """A piece as a file, None when nothing was stored."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # the reader's
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    part = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT data FROM signals_detectorstate WHERE name = %s AND part = %s", [name, part])
            row = cursor.fetchone()
            if row is None:
                break
            file.write(decompressor.decompress(bytes(row[0])))
            part += 1
    if not part:
        file.close()
        return None
    file.seek(0)
    return file


def drop(names: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM signals_detectorstate WHERE name = ANY(%s)", [list(names)])


def pass_by(consumer: str, owner: str, seconds: int, partitions: Collection[int], tags: Collection[str]) -> bool:
    """Nobody detects anything: the position goes along, so that the log can be trimmed; what was known is forgotten."""
    if not positions.waiting(consumer):
        return False
    leases = positions.claim_all(consumer, owner, seconds, partitions)
    if leases is None:
        return False
    with scoped(SYSTEM):
        drop(f"{name}{tag}" for name in PIECES for tag in tags)
        positions.hold_all(leases, source().ends(), seconds)
    for lease in leases.values():
        positions.release(lease)
    return False
