"""Registers of a Modbus/TCP device, asked at a steady pace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from gridloop.sdk.readers import Faults, Item, ReadFault, Take

Types = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


class Register(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One reading. ``at``: address counted from 0; ``words``: which of several registers is the high one."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    kind: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    at: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    table: Literal["holding", "input"] = "holding"
    type: Types = "uint16"
    words: Literal["big", "little"] = "big"
    factor: float = 1.0
    offset: float = 0.0


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``every``: seconds."""

    host: str
    readings: Annotated[list[Register], msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502
    unit: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    every: Annotated[float, msgspec.Meta(ge=1)] = 60.0
    timeout: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0


def build(settings: Mapping[str, Any]) -> ModbusReader:
    """Raises ``ValueError``."""
    return ModbusReader(msgspec.convert(settings, Settings))


class ModbusReader:
    """Implements ``sdk.readers.Reader``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._faults = Faults("modbus_tcp")

    async def run(self, take: Take) -> None:
        settings = self._settings
        client = AsyncModbusTcpClient(settings.host, port=settings.port, timeout=settings.timeout, retries=1)
        try:
            if not await client.connect():
                raise ReadFault(f"{settings.host}:{settings.port} does not answer")
            loop = asyncio.get_running_loop()
            due = loop.time()
            while True:
                take(await self._round(client))
                due = max(due + settings.every, loop.time())  # a slow device is asked less often, never twice at once
                await asyncio.sleep(due - loop.time())
        finally:
            client.close()

    async def _round(self, client: AsyncModbusTcpClient) -> list[Item]:
        """Each register by itself: one that gives nothing is told, and the others are read. ReadFault when nothing can be."""
        found = []
        for one in self._settings.readings:
            place = f"{one.table} register {one.at} of unit {self._settings.unit}"
            try:
                found.append(await self._read(client, one))
            except ModbusException as fault:
                self._faults.tell(place, str(fault))
                if not client.connected:
                    break
            else:
                self._faults.well(place)
        if found:
            return found
        raise ReadFault(f"{self._settings.host}:{self._settings.port}: {self._faults}")

    async def _read(self, client: AsyncModbusTcpClient, one: Register) -> Item:
        kind = client.DATATYPE[one.type.upper()]
        ask = client.read_holding_registers if one.table == "holding" else client.read_input_registers
        answer = await ask(one.at, count=kind.value[1], device_id=self._settings.unit)
        at = datetime.now(UTC).isoformat()
        if answer.isError():
            raise ModbusException(f"the device answers exception {answer.exception_code}")
        value = client.convert_from_registers(answer.registers, kind, word_order=one.words)
        if not isinstance(value, int | float):
            raise ModbusException("it holds no number")
        value = value * one.factor + one.offset
        if not isfinite(value):
            raise ModbusException(f"it holds {value}, not a number")
        return {"source": "modbus_tcp", "device": one.device, "kind": one.kind, "at": at, "value": value}
