"""What the detectors at work know, as rows: in parts, compressed, replaced as a whole within the transaction that moves the position."""

from __future__ import annotations

from collections.abc import Mapping

import zstandard
from django.db import connection

_PART = 8 << 20  # bytes of a row


def store(pieces: Mapping[str, bytes]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM signals_detectorstate")
        for name, data in pieces.items():
            packed = zstandard.ZstdCompressor(level=1).compress(data)
            for part, start in enumerate(range(0, len(packed), _PART)):
                cursor.execute(
                    "INSERT INTO signals_detectorstate (name, part, data) VALUES (%s, %s, %s)", [name, part, packed[start : start + _PART]]
                )


def load() -> dict[str, bytes]:
    """As they were stored; empty when nothing was."""
    pieces: dict[str, list[bytes]] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, data FROM signals_detectorstate ORDER BY name, part")
        for name, data in cursor.fetchall():
            pieces.setdefault(name, []).append(bytes(data))
    return {name: zstandard.ZstdDecompressor().decompress(b"".join(parts)) for name, parts in pieces.items()}


def load_one(name: str) -> bytes | None:
    """One piece, without those that may be large."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM signals_detectorstate WHERE name = %s ORDER BY part", [name])
        parts = [bytes(row[0]) for row in cursor.fetchall()]
    return zstandard.ZstdDecompressor().decompress(b"".join(parts)) if parts else None


def drop() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM signals_detectorstate")
