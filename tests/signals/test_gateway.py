"""Field buses through the gateway into the signal log: real Modbus, OPC UA and TCP beside a real door."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from asyncua.server.server import Server
from asyncua.ua import DataValue, StatusCode, Variant, VariantType
from asyncua.ua.status_codes import StatusCodes
from click.testing import CliRunner
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from structlog.testing import capture_logs

from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.main import cli
from gridloop.doors.gateway import run as gateway
from gridloop.doors.gateway.buffer import Buffer
from gridloop.doors.gateway.run import Gateway
from gridloop.project.devices import reader
from gridloop.sdk.readers import Reader, ReadFault
from tests.signals.conftest import TOKEN, Client

LINES = {
    "port": 0,
    "host": "127.0.0.1",
    "pattern": r"(?P<station>\w+),(?P<level>-?[\d.]+|x),(?P<volt>[\d.]+)",
    "push": {"device": "$.station", "data": {"battery_v": "$.volt"}, "readings": [{"kind": "water_level", "value": "$.level"}]},
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "PAUSES", (0.05, 0.1))
    monkeypatch.setattr(gateway, "IDLE", 0.02)


async def _until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        await asyncio.sleep(0.02)


async def _with_gateway(readers: Mapping[str, Reader], file: Path, port: int, then: Callable[[Buffer], Awaitable[None]]) -> None:
    buffer = Buffer(file)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as send:
        task = asyncio.create_task(Gateway(readers, buffer, send).run())
        try:
            await then(buffer)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            buffer.close()


@contextlib.asynccontextmanager
async def _modbus(port: int) -> Any:
    blocks = [
        SimData(0, values=3.25, datatype=DataType.FLOAT32),
        SimData(10, values=123_456, datatype=DataType.UINT32),
        SimData(20, values=-5, datatype=DataType.INT16),
    ]
    server = ModbusTcpServer(SimDevice(1, simdata=blocks), address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


def _meter(port: int, **more: Any) -> Reader:
    readings = [
        {"device": "WL-03", "kind": "water_level", "at": 0, "type": "float32"},
        {"device": "PUMP-1", "kind": "electricity_total", "at": 10, "type": "uint32", "factor": 0.01},
        {"device": "T-1", "kind": "temperature", "at": 20, "type": "int16", "offset": 0.5},
    ]
    return reader("modbus_tcp", {"host": "127.0.0.1", "port": port, "every": 1, "readings": readings} | more)


def test_registers_become_signals(client: Client, tmp_path: Path) -> None:
    async def tell() -> None:
        port = free_port()
        async with _modbus(port):
            await _with_gateway(
                {"a": _meter(port)}, tmp_path / "b.db", client.door.port, lambda _: _until(lambda: len(client.logged()) >= 3)
            )

    asyncio.run(tell())
    found = {(s.source, s.device, s.kind): s.value for s in client.logged()}
    assert found == {
        ("modbus_tcp", "WL-03", "water_level"): 3.25,
        ("modbus_tcp", "PUMP-1", "electricity_total"): pytest.approx(1234.56),
        ("modbus_tcp", "T-1", "temperature"): -4.5,
    }


def test_variables_become_signals_with_the_servers_times_and_bad_ones_do_not(client: Client, tmp_path: Path) -> None:
    async def tell() -> None:
        url = f"opc.tcp://127.0.0.1:{free_port()}"
        server = Server()
        await server.init()
        server.set_endpoint(url)
        space = await server.register_namespace("tanks")
        tank = await server.nodes.objects.add_object(space, "Tank")
        level = await tank.add_variable(f"ns={space};s=Tank.Level", "Level", 4.5)
        broken = await tank.add_variable(f"ns={space};s=Tank.Rain", "Rain", 1.0)
        bad = DataValue(Variant(7.0, VariantType.Double), StatusCode(StatusCodes.BadSensorFailure))
        await server.iserver.write_attribute_value(broken.nodeid, bad)
        readings = [
            {"device": "TANK-1", "kind": "water_level", "node": level.nodeid.to_string(), "factor": 0.5},
            {"device": "TANK-1", "kind": "rain", "node": broken.nodeid.to_string()},
        ]
        async with server:
            one = reader("opc_ua", {"url": url, "every": 1, "readings": readings})
            await _with_gateway({"o": one}, tmp_path / "b.db", client.door.port, lambda _: _until(lambda: bool(client.logged())))

    asyncio.run(tell())
    assert {(s.device, s.kind, s.value) for s in client.logged()} == {("TANK-1", "water_level", 2.25)}


def test_a_register_that_gives_nothing_keeps_no_other_from_being_read() -> None:
    async def tell() -> None:
        port = free_port()
        bad = [{"device": "X", "kind": "rain", "at": 900}, {"device": "Y", "kind": "rain", "at": 0, "type": "float64"}]
        good = {"device": "T-1", "kind": "temperature", "at": 20, "type": "int16"}
        taken: list[list[dict[str, Any]]] = []
        async with _modbus(port):
            task = asyncio.create_task(_meter(port, readings=[*bad, good]).run(taken.append))
            await _until(lambda: len(taken) >= 3)
            task.cancel()
        assert [[(item["device"], item["value"]) for item in items] for items in taken[:3]] == [[("T-1", -5.0)]] * 3

    with capture_logs() as lines:
        asyncio.run(tell())
    assert str(lines).count("holding register 900 of unit 1") == 1, "told once, not at every round"


def test_a_variable_that_holds_no_number_keeps_no_other_from_being_read() -> None:
    async def tell() -> None:
        url = f"opc.tcp://127.0.0.1:{free_port()}"
        server = Server()
        await server.init()
        server.set_endpoint(url)
        space = await server.register_namespace("tanks")
        name = await server.nodes.objects.add_variable(f"ns={space};s=Name", "Name", "Tank 1")
        level = await server.nodes.objects.add_variable(f"ns={space};s=Level", "Level", 4.5)
        nodes = [name.nodeid.to_string(), f"ns={space};s=Nowhere", level.nodeid.to_string()]
        readings = [{"device": f"T-{n}", "kind": "water_level", "node": node} for n, node in enumerate(nodes)]
        taken: list[list[dict[str, Any]]] = []
        async with server:
            task = asyncio.create_task(reader("opc_ua", {"url": url, "every": 1, "readings": readings}).run(taken.append))
            await _until(lambda: len(taken) >= 2)
            await level.write_value(float("nan"))
            with pytest.raises(ReadFault, match="BadNodeIdUnknown"):
                await asyncio.wait_for(task, 10)
        assert [[(item["device"], item["value"]) for item in items] for items in taken[:2]] == [[("T-2", 4.5)]] * 2

    with capture_logs() as lines:
        asyncio.run(tell())
    assert str(lines).count("Tank 1, not a number") == 1


def test_lines_become_signals_and_what_is_none_disturbs_nobody(client: Client, tmp_path: Path) -> None:
    lines = reader("tcp_lines", LINES)

    async def send(_: Buffer) -> None:
        await _until(lambda: bool(lines.port))  # type: ignore[attr-defined]
        for said in (b"S1,3.2,12.6\r\nnonsense\nS1,x,12.6\n\xff\xfe\nS2,-0.4,11.9\n", b"S3,1.0,12.0\n" + b"9" * 9_000 + b"\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", lines.port)  # type: ignore[attr-defined]
            writer.write(said)
            with contextlib.suppress(OSError):
                await writer.drain()
                writer.close()
        await _until(lambda: len(client.logged()) >= 3)

    asyncio.run(_with_gateway({"l": lines}, tmp_path / "b.db", client.door.port, send))
    assert {(s.device, s.value, s.data["battery_v"]) for s in client.logged()} == {
        ("S1", 3.2, "12.6"),
        ("S2", -0.4, "11.9"),
        ("S3", 1.0, "12.0"),
    }


def test_lines_that_say_the_same_again_all_count(client: Client, tmp_path: Path) -> None:
    timed = LINES | {
        "pattern": r"(?P<at>\d+),(?P<station>\w+),(?P<level>-?[\d.]+)",
        "push": LINES["push"] | {"at": {"path": "$.at", "form": "seconds"}, "data": {}},
    }
    lines, others = reader("tcp_lines", LINES), reader("tcp_lines", timed)
    at = int(time.time())

    async def send(_: Buffer) -> None:
        await _until(lambda: bool(lines.port and others.port))  # type: ignore[attr-defined]
        for port, said in ((lines.port, b"S1,3.2,12.6\n" * 3), (others.port, b"%d,S2,3.2\n" % at * 3)):  # type: ignore[attr-defined]
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            await writer.drain()
            writer.close()
        await _until(lambda: len(client.logged()) >= 4)

    asyncio.run(_with_gateway({"l": lines, "o": others}, tmp_path / "b.db", client.door.port, send))
    found = [s.device for s in client.logged()]
    assert (found.count("S1"), found.count("S2")) == (3, 1), "a line with its own time sent again is the same reading"


def test_a_logger_from_elsewhere_is_turned_away(client: Client, tmp_path: Path) -> None:
    lines = reader("tcp_lines", LINES | {"networks": ["10.0.0.0/8"]})

    async def send(buffer: Buffer) -> None:
        await _until(lambda: bool(lines.port))  # type: ignore[attr-defined]
        inward, writer = await asyncio.open_connection("127.0.0.1", lines.port)  # type: ignore[attr-defined]
        writer.write(b"S1,3.2,12.6\n")
        with contextlib.suppress(OSError):
            assert await asyncio.wait_for(inward.read(), 5) == b""
        writer.close()
        assert len(buffer) == 0

    asyncio.run(_with_gateway({"l": lines}, tmp_path / "b.db", client.door.port, send))
    assert client.logged() == []


def test_without_the_platform_readings_wait_on_disk_and_come_once(client: Client, tmp_path: Path) -> None:
    async def tell() -> None:
        port = free_port()
        async with _modbus(port):
            await _with_gateway({"a": _meter(port)}, tmp_path / "b.db", free_port(), lambda b: _until(lambda: len(b) >= 6))
        kept: list[int] = []

        async def sent(buffer: Buffer) -> None:
            kept.append(len(buffer))
            await _until(lambda: len(buffer) == 0)

        await _with_gateway({}, tmp_path / "b.db", client.door.port, sent)
        assert kept == [len(client.logged())]

    asyncio.run(tell())
    names = [s.id for s in client.logged()]
    assert len(set(names)) == len(names) >= 6


def test_a_device_that_is_away_stops_nobody_and_is_tried_again(client: Client, tmp_path: Path) -> None:
    async def tell() -> None:
        away, there = free_port(), free_port()

        async def comes(_: Buffer) -> None:
            await _until(lambda: len(client.logged()) >= 3)
            async with _modbus(away):
                await _until(lambda: len({s.at for s in client.logged() if s.device == "WL-03"}) >= 3)

        async with _modbus(there):
            readers = {"away": _meter(away, timeout=0.5), "there": _meter(there, every=30)}
            await _with_gateway(readers, tmp_path / "b.db", client.door.port, comes)

    asyncio.run(tell())


def test_a_register_that_is_not_there_is_told_with_its_place() -> None:
    async def tell() -> None:
        port = free_port()
        wrong = [{"device": "WL-03", "kind": "water_level", "at": 900}]
        async with _modbus(port):
            with pytest.raises(ReadFault, match="holding register 900 of unit 1"):
                await reader("modbus_tcp", {"host": "127.0.0.1", "port": port, "readings": wrong}).run(lambda _: None)

    asyncio.run(tell())


def test_a_refused_reading_is_not_sent_for_ever(client: Client, tmp_path: Path) -> None:
    async def tell(buffer: Buffer) -> None:
        good = {"source": "x", "device": "a", "kind": "rain", "at": "2020-01-01T00:00:00Z", "value": 1}
        buffer.put([good, good | {"at": "never"}])
        await _until(lambda: len(buffer) == 0)

    asyncio.run(_with_gateway({}, tmp_path / "b.db", client.door.port, tell))
    assert client.logged() == [], "both were refused: too old, and no time"


def test_a_full_buffer_forgets_the_oldest(tmp_path: Path) -> None:
    buffer = Buffer(tmp_path / "b.db", most=10)
    assert sum(buffer.put([{"n": n}]) for n in range(25)) == 15
    assert [item["n"] for item in buffer.oldest(100)[1]] == list(range(15, 25))
    buffer.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("to: ftp://x\nreaders: [{reader: opc_ua}]", "$.to"),
        ("to: http://x\nreaders: [{reader: modbus}]", "modbus_tcp, opc_ua, tcp_lines"),
        ("to: http://x\nreaders: [{reader: modbus_tcp, host: a, readings: [{device: a, kind: rain, at: 70000}]}]", "$.readings[0].at"),
        ("to: http://x\nreaders: [{reader: opc_ua, url: 'opc.tcp://a', readings: [{device: a, kind: rain, node: 'x=y'}]}]", "no node id"),
        ("to: http://x\nreaders: [{reader: tcp_lines, port: 1, pattern: '(', push: {device: $.d, readings: [{kind: rain}]}}]", "pattern"),
        ("to: http://x\nreaders: [{reader: modbus_tcp, host: a, readings: [{device: a, kind: rain, at: 0}]}]", "GRIDLOOP_TOKEN"),
        ("to: [", "gateway.yaml"),
        ("", "没有内容，请写“键: 值”"),
        ("platform: {url: http://x}", "不认识的键“platform”，请更正或删去"),
        ("to: http://x", "缺少“readers”，请加一行"),
        ("to: http://x\nreaders: {a: 1}", "类型不对：须是 array，现在是 object ($.readers)"),
        (
            "to: http://x\nreaders: [{reader: modbus_tcp, host: a, readings: [{device: a, kind: rain, at: 70000}]}]",
            "须是 int，<= 65535",
        ),
    ],
)
def test_wrong_settings_say_what_and_where(tmp_path: Path, settings: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRIDLOOP_TOKEN", raising=False)
    file = tmp_path / "gateway.yaml"
    file.write_text(settings, encoding="utf-8")
    done = CliRunner().invoke(cli, ["gateway", "--check", str(file)])
    assert done.exit_code == 1, done.output
    assert said in done.output


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("    port: 70000", 4),
        ("    readings: [{device: a, kind: rain, at: 0}, {device: a,\n      kind: rain, at: 70000}]", 5),
        ("    prot: 502", 4),
        ("    readings: {", 4),
        ("    readings: [{device: a, kind: rain\n    unit: 1", 4),
        ("    readings: [{device: a,\n      kind: rain}\n    unit: 1", 4),
        ("    readings: [{device: a},\n      {kind: rain at: 1: 2}]", 5),
        ("    readings: 'a", 4),
        ("    readings: 1: 2", 4),
        ("    readings:\n    - a\n   - b", 6),
    ],
    ids=["value", "deep", "unknown", "open bracket", "two open", "outer open", "colon within", "open quote", "no yaml", "indent"],
)
def test_wrong_settings_name_their_line(tmp_path: Path, wrong: str, line: int) -> None:
    file = tmp_path / "gateway.yaml"
    rest = "" if "readings" in wrong else "\n    readings: [{device: a, kind: rain, at: 0}]"
    file.write_text(f"to: http://x\nreaders:\n  - reader: modbus_tcp\n{wrong}{rest}\n    host: a\n", encoding="utf-8")
    done = CliRunner().invoke(cli, ["gateway", "--check", str(file)])
    assert done.exit_code == 1, done.output
    assert f"{file}:{line}: " in done.output


def test_wrong_settings_of_a_second_reader_name_its_line(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    good = "reader: modbus_tcp, host: a, readings: [{device: a, kind: rain, at: 0}]"
    file.write_text(f"to: http://x\nreaders:\n  - {{{good}}}\n  - {{reader: modbus}}\n", encoding="utf-8")
    assert f"{file}:4: readers[1]: " in CliRunner().invoke(cli, ["gateway", "--check", str(file)]).output
