"""Registers of recorded devices, held by a real Modbus server. On into the signal log: ``tests/signals/test_gateway.py``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gridloop.adapters.devices.modbus_tcp.reader import build
from gridloop.sdk.readers import ReadFault
from gridloop.sdk.testing.reader import free_port, recorded, taken

DEVICES = recorded(Path(__file__).parents[1] / "fixtures")


def blocks(table: dict[int, list[int]]) -> list[SimData]:
    return [SimData(at, values=words, datatype=DataType.REGISTERS) for at, words in table.items()]


@pytest.mark.parametrize("device", DEVICES)
def test_a_recorded_device_becomes_its_items(device: Any) -> None:
    async def read() -> list[Any]:
        port = free_port()
        unused = [SimData(0, values=[False] * 8, datatype=DataType.BITS)]
        held = SimDevice(device["settings"]["unit"], simdata=(unused, unused, blocks(device["holding"]), blocks(device["input"])))
        server = ModbusTcpServer(held, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        try:
            reader = build({"host": "127.0.0.1", "port": port} | device["settings"])
            return await taken(reader, len(device["items"]))
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]

    found = [{name: value for name, value in item.items() if name != "at"} for item in asyncio.run(read())]
    assert found == [item | {"value": pytest.approx(item["value"])} for item in device["items"]]


def test_a_device_that_does_not_answer_is_told() -> None:
    reader = build({"host": "127.0.0.1", "port": free_port(), "readings": DEVICES[0]["settings"]["readings"], "timeout": 0.2})
    with pytest.raises(ReadFault, match="does not answer"):
        asyncio.run(taken(reader, 1))


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="word"):
        build({"host": "h", "readings": [{"device": "d", "kind": "k", "at": 0, "words": "middle"}]})
