"""Variables of an OPC UA server, read at a steady pace with the server's own times."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any

import msgspec
from asyncua.client.client import Client
from asyncua.ua import NodeId
from asyncua.ua.uaerrors import UaError

from gridloop.sdk.readers import Faults, Item, ReadFault, Take

MOST_UNANSWERED = 3  # in a row; then it is the server that does not answer


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


class _Unusable(Exception):
    """Why a variable's value is no reading."""


class OpcReader:
    """Implements ``sdk.readers.Reader``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._faults = Faults("opc_ua")

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
                    take(await self._round(client))
                    due = max(due + settings.every, loop.time())
                    await asyncio.sleep(due - loop.time())
        except (UaError, OSError, TimeoutError) as fault:
            raise ReadFault(f"{settings.url}: {fault or type(fault).__name__}") from fault

    async def _round(self, client: Client) -> list[Item]:
        """Each variable by itself: one that gives nothing is told, and the others are read. ReadFault when nothing can be."""
        found, unanswered = [], 0
        for one in self._settings.readings:
            try:
                found.append(await self._read(client, one))
            except TimeoutError:
                self._faults.tell(one.node, "no answer")
                unanswered += 1
                if unanswered >= MOST_UNANSWERED:
                    break
                continue
            except (UaError, _Unusable) as fault:
                self._faults.tell(one.node, str(fault))
            else:
                self._faults.well(one.node)
            unanswered = 0
        if found:
            return found
        raise ReadFault(f"{self._settings.url}: {self._faults}")

    async def _read(self, client: Client, one: Variable) -> Item:
        told = await client.get_node(one.node).read_data_value(raise_on_bad_status=False)
        if told.StatusCode is None or not told.StatusCode.is_good():  # the server says itself that the value is not to be trusted
            raise _Unusable(told.StatusCode.name if told.StatusCode else "no status")
        value = told.Value.Value if told.Value else None
        if not isinstance(value, bool | int | float) or not isfinite(value):
            raise _Unusable(f"it holds {type(value).__name__} {str(value)[:20]}, not a number")
        stamped = told.SourceTimestamp or told.ServerTimestamp
        at = stamped.replace(tzinfo=stamped.tzinfo or UTC) if stamped else datetime.now(UTC)
        return {"source": "opc_ua", "device": one.device, "kind": one.kind, "at": at.isoformat(), "value": value * one.factor}
