"""Variables of an OPC UA server, read at a steady pace with the server's own times."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from asyncua.client.client import Client
from asyncua.ua import NodeId
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from gridloop.sdk.readers import Item, ReadFault, Take


class Variable(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One reading of the node with this id, such as ``ns=2;s=Tank.Level``."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    kind: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    node: str
    factor: float = 1.0


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``every``: seconds. ``security``: as the library has it, e.g. ``Basic256Sha256,SignAndEncrypt,certificate.der,key.pem``."""

    url: Annotated[str, msgspec.Meta(pattern=r"^opc\.tcp://")]
    readings: Annotated[list[Variable], msgspec.Meta(min_length=1)]
    every: Annotated[float, msgspec.Meta(ge=1)] = 60.0
    timeout: Annotated[float, msgspec.Meta(gt=0, le=60)] = 4.0
    user: str = ""
    password: str = ""
    security: str = ""


def build(settings: Mapping[str, Any]) -> OpcReader:
    """Raises ``ValueError``."""
    found = msgspec.convert(settings, Settings)
    for one in found.readings:
        try:
            NodeId.from_string(one.node)
        except (UaError, ValueError) as fault:
            raise ValueError(f"{one.node!r} is no node id such as ns=2;s=Tank.Level") from fault
    return OpcReader(found)


class OpcReader:
    """Implements ``sdk.readers.Reader``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self, take: Take) -> None:
        settings = self._settings
        client = Client(settings.url, timeout=settings.timeout)
        if settings.user:
            client.set_user(settings.user)
            client.set_password(settings.password)
        try:
            if settings.security:
                await client.set_security_string(settings.security)
            async with client:
                loop = asyncio.get_running_loop()
                due = loop.time()
                while True:
                    take([item for one in settings.readings if (item := await self._read(client, one))])
                    due = max(due + settings.every, loop.time())
                    await asyncio.sleep(due - loop.time())
        except (UaError, OSError, TimeoutError) as fault:
            raise ReadFault(f"{settings.url}: {fault or type(fault).__name__}") from fault

    async def _read(self, client: Client, one: Variable) -> Item | None:
        try:
            told = await client.get_node(one.node).read_data_value(raise_on_bad_status=False)
        except UaStatusCodeError as fault:
            raise ReadFault(f"{self._settings.url}: {one.node}: {fault}") from fault
        if told.StatusCode is None or not told.StatusCode.is_good():
            return None  # the server says itself that the value is not to be trusted: the device falls silent with us
        value = told.Value.Value if told.Value else None
        if not isinstance(value, bool | int | float):
            raise ReadFault(f"{self._settings.url}: {one.node} holds {type(value).__name__}, not a number")
        stamped = told.SourceTimestamp or told.ServerTimestamp
        at = stamped.replace(tzinfo=stamped.tzinfo or UTC) if stamped else datetime.now(UTC)
        return {"source": "opc_ua", "device": one.device, "kind": one.kind, "at": at.isoformat(), "value": value * one.factor}
