"""Variables of recorded servers, held by a real OPC UA server. On into the signal log: ``tests/signals/test_gateway.py``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asyncua.server.server import Server
from asyncua.ua import DataValue, DateTime, StatusCode, Variant
from asyncua.ua.status_codes import StatusCodes

from gridloop.adapters.devices.opc_ua.reader import build
from gridloop.sdk.readers import ReadFault
from gridloop.sdk.testing.reader import free_port, recorded, taken

SERVERS = recorded(Path(__file__).parents[1] / "fixtures")


async def _hold(server: Server, space: int, told: dict[str, Any]) -> None:
    node = await server.nodes.objects.add_variable(f"ns={space};s={told['name']}", told["name"], told["value"])
    at = DateTime.fromisoformat(told["at"])
    status = StatusCode(getattr(StatusCodes, told.get("status", "Good")))
    await server.iserver.write_attribute_value(node.nodeid, DataValue(Variant(told["value"]), status, SourceTimestamp=at))


@pytest.mark.parametrize("one", SERVERS)
def test_a_recorded_server_becomes_its_items(one: Any) -> None:
    async def read() -> list[Any]:
        url = f"opc.tcp://127.0.0.1:{free_port()}"
        server = Server()
        await server.init()
        server.set_endpoint(url)
        space = await server.register_namespace("tanks")
        for told in one["variables"]:
            await _hold(server, space, told)
        async with server:
            return await taken(build({"url": url} | one["settings"]), len(one["items"]))

    assert asyncio.run(read()) == one["items"]


def test_a_server_that_does_not_answer_is_told() -> None:
    settings = {"url": f"opc.tcp://127.0.0.1:{free_port()}", "timeout": 0.5} | SERVERS[0]["settings"]
    with pytest.raises(ReadFault, match=r"opc\.tcp"):
        asyncio.run(taken(build(settings), 1))


def test_what_is_no_node_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"Tank\.Level' is no node id"):
        build({"url": "opc.tcp://h", "readings": [{"device": "d", "kind": "k", "node": "Tank.Level"}]})
