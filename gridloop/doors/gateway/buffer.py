"""What was read and is not yet at the platform: one SQLite file, so that neither a power cut nor a day without network loses anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from gridloop.kernel.ids import uuid7

MOST_KEPT = 5_000_000  # readings, about 1 GB; beyond it the oldest go


class Buffer:
    """A queue of items in the order they were read. For one process."""

    def __init__(self, file: Path, most: int = MOST_KEPT) -> None:
        self._most = most
        self._store = sqlite3.connect(file, isolation_level=None)
        self._store.execute("PRAGMA journal_mode = WAL")
        self._store.execute("PRAGMA synchronous = FULL")
        self._store.execute("CREATE TABLE IF NOT EXISTS item (number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)")

    def put(self, items: Sequence[dict[str, Any]]) -> int:
        """Keep them, each with a name of its own so that it counts once however often it is sent. Returns how many old ones went."""
        rows = [(orjson.dumps({"id": str(uuid7())} | item),) for item in items]
        with self._store:
            self._store.execute("BEGIN")
            self._store.executemany("INSERT INTO item (body) VALUES (?)", rows)
            newest = self._store.execute("SELECT max(number) FROM item").fetchone()[0] or 0
            gone = self._store.execute("DELETE FROM item WHERE number <= ?", [newest - self._most]).rowcount
        return gone

    def oldest(self, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """The number of the last of them, and the items."""
        rows = self._store.execute("SELECT number, body FROM item ORDER BY number LIMIT ?", [limit]).fetchall()
        return (rows[-1][0] if rows else 0), [orjson.loads(body) for _, body in rows]

    def drop(self, up_to: int) -> None:
        """These are at the platform."""
        self._store.execute("DELETE FROM item WHERE number <= ?", [up_to])

    def __len__(self) -> int:
        return int(self._store.execute("SELECT count(*) FROM item").fetchone()[0])

    def close(self) -> None:
        self._store.close()
