"""Lines of recorded loggers, sent over a real connection. On into the signal log: ``tests/signals/test_gateway.py``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gridloop.adapters.devices.tcp_lines.reader import LineReader, build
from gridloop.sdk.testing.reader import recorded, taken

LOGGERS = recorded(Path(__file__).parents[1] / "fixtures")


async def _send(reader: LineReader, text: str) -> None:
    while not reader.port:
        await asyncio.sleep(0.02)
    _, out = await asyncio.open_connection("127.0.0.1", reader.port)
    out.write(text.encode())
    await out.drain()
    out.close()


def said(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in item.items() if name != "id"} for item in items]


@pytest.mark.parametrize("logger", LOGGERS)
def test_the_lines_of_a_recorded_logger_become_its_items(logger: Any) -> None:
    async def read() -> list[Any]:
        reader = build(logger["settings"])
        found, _ = await asyncio.gather(taken(reader, len(logger["items"])), _send(reader, logger["sent"]))
        return found

    found = asyncio.run(read())
    assert said(found) == logger["items"]
    assert len({item["id"] for item in found}) == len(found)


def test_who_comes_from_elsewhere_is_not_heard() -> None:
    async def read() -> None:
        reader = build(LOGGERS[0]["settings"] | {"networks": ["10.0.0.0/8"]})
        await asyncio.gather(taken(reader, 1, seconds=1), _send(reader, LOGGERS[0]["sent"]))

    with pytest.raises(TimeoutError, match="0 of 1"):
        asyncio.run(read())


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="pattern"):
        build(LOGGERS[0]["settings"] | {"pattern": "("})
