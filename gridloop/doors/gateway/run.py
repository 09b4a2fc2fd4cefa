"""Readers that fill the buffer, and one sender that empties it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import structlog

from gridloop.doors.gateway.buffer import Buffer
from gridloop.sdk.readers import Item, Reader, ReadFault

log = structlog.get_logger("gridloop.gateway")
BATCH = 500
PAUSES = (1.0, 5.0, 15.0, 60.0)  # seconds before the next try, the last again and again
IDLE = 0.5  # seconds between two looks into an empty buffer


class Gateway:
    """Runs until cancelled. ``send`` is an HTTP client whose base address and token are the platform's."""

    def __init__(self, readers: Mapping[str, Reader], buffer: Buffer, send: httpx.AsyncClient) -> None:
        self._readers, self._buffer, self._send = readers, buffer, send

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, reader in self._readers.items():
                group.create_task(self._read(name, reader))
            group.create_task(self._empty())

    async def _read(self, name: str, reader: Reader) -> None:
        tries = 0

        def take(items: list[Item]) -> None:
            nonlocal tries
            tries = 0
            if gone := self._buffer.put(items):
                log.warning("buffer full: the oldest readings went", gone=gone)

        while True:
            try:
                await reader.run(take)
            except ReadFault as fault:
                log.warning("reader does not get through", reader=name, error=str(fault))
            except Exception:  # a reader is foreign code: its fault must not end the others
                log.exception("reader failed", reader=name)
            await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1

    async def _empty(self) -> None:
        tries = 0
        while True:
            last, items = self._buffer.oldest(BATCH)
            if not items:
                await asyncio.sleep(IDLE)
                continue
            pause = await self._post(items)
            if pause is None:
                self._buffer.drop(last)
                tries = 0
                continue
            await asyncio.sleep(max(pause, PAUSES[min(tries, len(PAUSES) - 1)]))
            tries += 1

    async def _post(self, items: list[dict[str, Any]]) -> float | None:
        """None when the platform has them, or the least seconds to wait; what it refuses is told and not sent again."""
        try:
            answer = await self._send.post("/api/v1/signals", json=items)
        except httpx.HTTPError as fault:
            log.warning("platform does not answer", error=str(fault) or type(fault).__name__, waiting=len(self._buffer))
            return 0.0
        if answer.status_code != 202:
            log.warning("platform did not take them", status=answer.status_code, answer=answer.text[:300], waiting=len(self._buffer))
            wait = answer.headers.get("Retry-After", "")
            return float(wait) if wait.isdigit() else 0.0
        for refused in answer.json()["rejected"]:
            log.error("reading refused", item=items[refused["index"]], why=refused["error"])
        return None
