"""The devices' door: what a device may do, and what becomes of its messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiomqtt
import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from gridloop.doors.ingest import mqtt
from gridloop.doors.ingest.writer import Outcome
from gridloop.kernel import clock
from gridloop.sdk.signals import Signal
from tests.signals.conftest import CITIZEN, SECRET, TOKEN, logged
from tests.signals.doors import Doors
from tests.signals.servers import NATS_PASSWORD, nats_server, run_async, until


def test_bare_numbers_and_items_become_signals(doors: Doors) -> None:
    doors.publish("gridloop/v1/cam-1/water_level", "2.5")
    doors.publish("gridloop/v1/cam-1/smoke", '{"value": 1, "data": {"room": "厨房"}}')
    doors.publish("gridloop/v1/cam-2/rain", '[{"value": 3}]', device="cam-2")
    until(lambda: len(logged(doors.owner)) == 3)
    assert doors.values() == {("cam-1", "water_level"): 2.5, ("cam-1", "smoke"): 1.0, ("cam-2", "rain"): 3.0}
    assert {s.source for s in logged(doors.owner)} == {"device"}


def test_a_bad_item_of_an_array_loses_itself_only(doors: Doors) -> None:
    items = [
        {"kind": "rain", "value": 1},
        {"kind": "rain", "value": "much"},
        None,
        {"kind": "smoke", "value": 0},
        {"kind": "water_level", "value": 2},
    ]
    doors.publish("gridloop/v1/cam-1/rain", json.dumps(items))
    until(lambda: len(logged(doors.owner)) == 3)
    assert doors.values() == {("cam-1", "rain"): 1.0, ("cam-1", "smoke"): 0.0, ("cam-1", "water_level"): 2.0}


def test_a_device_reaches_only_its_own_topics(doors: Doors) -> None:
    """MQTT 3.1.1 has no word for "refused": the message is dropped, acknowledged or not."""
    for topic in ("gridloop/v1/cam-2/smoke", "gridloop/v1/x", "other", "$SYS/REQ/USER/AUTH", "$MQTT/msgs/gridloop/v1/cam-2/smoke"):
        with contextlib.suppress(aiomqtt.MqttError):
            doors.publish(topic, "1")
    doors.publish("gridloop/v1/cam-1/smoke", "0")
    until(lambda: len(logged(doors.owner)) >= 1)
    assert doors.values() == {("cam-1", "smoke"): 0.0}


def test_a_device_hears_only_its_own_topics(doors: Doors) -> None:
    async def run() -> list[str]:
        heard: list[str] = []
        async with doors.client("cam-2") as client:
            for topic in ("gridloop/v1/#", "gridloop/v1/cam-1/#", "#", "$MQTT/#"):
                with contextlib.suppress(aiomqtt.MqttError):
                    await client.subscribe(topic, qos=1)
            await asyncio.to_thread(doors.publish, "gridloop/v1/cam-1/smoke", "1")
            with contextlib.suppress(TimeoutError, aiomqtt.MqttError):
                async with asyncio.timeout(1):
                    async for message in client.messages:
                        heard.append(str(message.topic))
        return heard

    assert run_async(run()) == []


@pytest.mark.parametrize(
    ("device", "secret"), [("cam-1", "wrong"), ("nobody", SECRET), ("*", SECRET), ("token", CITIZEN), ("gridloop", "guess")]
)
def test_wrong_credentials_are_refused(doors: Doors, device: str, secret: str) -> None:
    with pytest.raises(aiomqtt.MqttError):
        doors.publish("gridloop/v1/cam-1/smoke", "1", device=device, secret=secret)


def test_a_gateway_sends_for_many_with_a_token(doors: Doors) -> None:
    doors.publish("gridloop/v1/cam-1/smoke", "1", device="token", secret=TOKEN)
    doors.publish("gridloop/v1/cam-2/smoke", "0", device="token", secret=TOKEN)
    until(lambda: doors.values() == {("cam-1", "smoke"): 1.0, ("cam-2", "smoke"): 0.0})
    assert len(logged(doors.owner)) == 2


def test_what_is_wrong_is_dropped_and_told_and_the_rest_goes_on(doors: Doors, tmp_path: Path) -> None:
    for payload in ("", "{", "\x00", '{"value": "x"}', '{"device": "cam-2", "value": 1}', '{"at": "1970-01-01T00:00:00Z"}'):
        doors.publish("gridloop/v1/cam-1/smoke", payload)
    doors.publish("gridloop/v1/cam-1/smoke", "1")
    until(lambda: doors.values() == {("cam-1", "smoke"): 1.0})
    assert (tmp_path / "ingest.log").read_text().count("mqtt message refused") == 6


def test_odd_bytes_lose_themselves_only_and_rare_characters_stay(doors: Doors, tmp_path: Path) -> None:
    items = [
        {"kind": "rain", "value": 1, "data": {"text": "𠮷野家😀"}},
        {"kind": "rain", "value": 2, "place": {"lon": 29.2, "lat": 121.6}},
        {"kind": "rain", "value": 3, "at": "2200-01-01T00:00:00Z"},
        {"kind": "rain", "value": 4, "data": {"text": "a\x00"}},
        {"kind": "smoke", "value": 5},
    ]
    wrong = json.dumps({"kind": "rain", "value": 6, "data": {"text": "@"}}).encode().replace(b"@", "水表".encode("gbk"))
    whole = json.dumps(items, ensure_ascii=False).encode()[:-1] + b"," + wrong + b"]"
    for payload in (whole, "水".encode("utf-16"), b"\xff" * 100, b"[" * 50_000):
        doors.publish("gridloop/v1/cam-1/rain", payload)
    until(lambda: len(logged(doors.owner)) == 2)
    assert doors.values() == {("cam-1", "rain"): 1.0, ("cam-1", "smoke"): 5.0}
    assert [s.data for s in logged(doors.owner) if s.kind == "rain"] == [{"text": "𠮷野家😀"}]
    told = tmp_path / "ingest.log"
    until(lambda: told.read_text().count("mqtt message refused") == 7)


def test_a_repeat_is_stored_once(doors: Doors) -> None:
    same = json.dumps({"id": "r1", "value": 1, "at": clock.now().isoformat()})
    for _ in range(3):
        doors.publish("gridloop/v1/cam-1/smoke", same)
    doors.publish("gridloop/v1/cam-1/rain", "1")
    until(lambda: ("cam-1", "rain") in doors.values())
    assert len(logged(doors.owner)) == 2


def test_quality_of_service_nothing_comes_through(doors: Doors) -> None:
    async def run() -> None:
        async with doors.client() as client:
            await client.publish("gridloop/v1/cam-1/rain", "4", qos=0)
            await client.publish("gridloop/v1/cam-1/smoke", "0", qos=1)

    run_async(run())
    until(lambda: len(logged(doors.owner)) == 2)
    assert doors.values() == {("cam-1", "rain"): 4.0, ("cam-1", "smoke"): 0.0}


@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="mosquitto_pub is not installed")
def test_another_client_program(doors: Doors) -> None:
    command = [
        "mosquitto_pub",
        "-h",
        "127.0.0.1",
        "-p",
        str(doors.mqtt),
        "-u",
        "cam-1",
        "-q",
        "1",
        "-t",
        "gridloop/v1/cam-1/rain",
        "-m",
        "7",
    ]
    subprocess.run([*command, "-P", SECRET], check=True, timeout=20)
    until(lambda: doors.values() == {("cam-1", "rain"): 7.0})
    assert subprocess.run([*command, "-P", "wrong"], check=False, timeout=20, capture_output=True).returncode != 0


@dataclass
class SlowLog:
    """A writer whose database takes its time."""

    seconds: float
    taken: list[str] = field(default_factory=list)

    async def append(self, signals: list[Signal]) -> Outcome:
        self.taken += [s.device for s in signals]
        await asyncio.sleep(self.seconds)
        return Outcome(len(signals), 0)


def test_what_one_door_still_appends_comes_to_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "_ACK_WAIT", 1.0)
    monkeypatch.setattr(mqtt, "_STILL", 0.3)
    program, _ = nats_server(tmp_path)
    url = f"nats://gridloop:{NATS_PASSWORD}@127.0.0.1:{program.port}"
    log = SlowLog(3.0)

    async def made(client: Client) -> bool:
        """The doors make the stream and their consumer."""
        with contextlib.suppress(NatsError):
            return bool(await client.jetstream().consumer_info(mqtt.STREAM, mqtt.DURABLE))
        return False

    async def run() -> None:
        doors = [asyncio.create_task(mqtt.MqttDoor(url, cast(Any, log), cast(Any, None)).run()) for _ in range(2)]
        client = await nats.connect(url)
        while not await made(client):
            await asyncio.sleep(0.05)
        await client.jetstream().publish("$MQTT.msgs.gridloop.v1.cam-1.rain", b"1")
        await asyncio.sleep(log.seconds + 0.5)
        for door in doors:
            door.cancel()
        await client.close()

    program.start()
    try:
        run_async(run())
    finally:
        program.stop()
    assert log.taken == ["cam-1"]
