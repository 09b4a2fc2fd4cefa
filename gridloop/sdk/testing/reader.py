"""What a reader hands on, for the tests of adapters; a recorded device is a YAML file in ``fixtures``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

from gridloop.kernel import plain_yaml
from gridloop.sdk.readers import Item, Reader


def recorded(folder: Path) -> list[Any]:
    """The devices of ``fixtures``: ``settings`` of the reader, what the device holds or sends, and the ``items`` it becomes."""
    found = [plain_yaml.read(file) for file in sorted(folder.glob("*.yaml"))]
    assert found, f"no fixtures in {folder}"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def taken(reader: Reader, count: int, seconds: float = 20) -> list[Item]:
    """The first items it hands on; TimeoutError when they do not come."""
    items: list[Item] = []
    enough = asyncio.Event()

    def take(more: list[Item]) -> None:
        items.extend(more)
        if len(items) >= count:
            enough.set()

    running = asyncio.create_task(reader.run(take))
    waiting = asyncio.create_task(enough.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()  # why it stopped
        if not enough.is_set():
            raise TimeoutError(f"{len(items)} of {count} items came")
    finally:
        for task in (running, waiting):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
    return items
