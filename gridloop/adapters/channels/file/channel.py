"""JSON lines, one file per kind, one line per message."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from gridloop.sdk.channels import Message, Receipt


class FileChannel:
    """Appends durably; several processes may write to one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: Message) -> Receipt:
        line = json.dumps(asdict(message) | {"at": message.at.isoformat()}, ensure_ascii=False) + "\n"
        with self._open(self._folder / f"{message.kind}.jsonl") as file:
            if message.attempt > 1 and any(json.loads(known)["id"] == message.id for known in file):
                return Receipt()  # written by a sender that died before it could say so
            file.seek(0, os.SEEK_END)
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        return Receipt()

    def forget(self, ids: Collection[str]) -> int:
        gone = frozenset(ids)
        return self._keep(lambda row: row["id"] not in gone)

    def forget_before(self, at: datetime) -> int:
        return self._keep(lambda row: datetime.fromisoformat(row["at"]) >= at)

    def _keep(self, wanted: Callable[[dict[str, Any]], bool]) -> int:
        """Rewrite every file with the wanted lines, in place, so that a waiting writer still holds the right file."""
        dropped = 0
        for path in sorted(self._folder.glob("*.jsonl")):
            with self._open(path) as file:
                lines = file.read().splitlines(keepends=True)
                kept = [line for line in lines if wanted(json.loads(line))]
                if len(kept) < len(lines):
                    file.seek(0)
                    file.truncate()
                    file.write(b"".join(kept))
                    file.flush()
                    os.fsync(file.fileno())
                dropped += len(lines) - len(kept)
        return dropped

    @contextmanager
    def _open(self, path: Path) -> Iterator[IO[bytes]]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def build(address: str, data_dir: Path) -> FileChannel:
    """``address`` is what follows ``file:``; empty = the outbox of the data folder."""
    return FileChannel(Path(address) if address else data_dir / "outbox")
