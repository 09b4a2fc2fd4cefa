"""A notice is said by a loudspeaker: through our own broker, as the device hears it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gridloop.adapters.channels.mqtt.channel import MqttChannel, build
from gridloop.doors.cli.deployment import free_port
from gridloop.sdk.channels import ChannelError, Receipt
from gridloop.sdk.testing.channel import ChannelConformance, message
from tests.signals.conftest import SECRET, TOKEN, logged, make_device
from tests.signals.doors import Doors
from tests.signals.servers import until

SPEAKER = "speaker-1"


@pytest.fixture(autouse=True)
def speaker(doors: Doors) -> None:
    with psycopg.connect(doors.owner, autocommit=True) as owner:
        make_device(owner, 900, SPEAKER, "loudspeaker")


def _channel(doors: Doors, token: str = TOKEN) -> MqttChannel:
    return build(f"mqtt://token:{token}@127.0.0.1:{doors.mqtt}", Path())


class TestMqttChannel(ChannelConformance):
    """Conformance."""

    @pytest.fixture
    def channel(self, doors: Doors) -> MqttChannel:
        return _channel(doors)


def _hear(doors: Doors, device: str, count: int, ready: threading.Event, heard: list[tuple[str, dict[str, Any]]]) -> None:
    async def listen() -> None:
        async with doors.client(device, SECRET) as client:
            await client.subscribe(f"gridloop/v1/{device}/down/#", qos=1)
            ready.set()
            async for said in client.messages:
                heard.append((str(said.topic), json.loads(said.payload)))  # type: ignore[arg-type]
                if len(heard) == count:
                    return

    asyncio.run(asyncio.wait_for(listen(), 20))


def test_the_loudspeaker_hears_what_is_to_be_said_and_it_is_no_signal(doors: Doors) -> None:
    ready, heard = threading.Event(), list[tuple[str, dict[str, Any]]]()
    listener = threading.Thread(target=_hear, args=(doors, SPEAKER, 2, ready, heard))
    listener.start()
    assert ready.wait(10)
    channel = _channel(doors)
    assert channel.send(message(1, kind="speaker", to=SPEAKER, text="水深危险，请立即离开")) == Receipt(f"gridloop/v1/{SPEAKER}/down/say")
    channel.send(message(2, kind="speaker", to=SPEAKER))
    listener.join(20)
    assert [(topic, said["id"]) for topic, said in heard] == [(f"gridloop/v1/{SPEAKER}/down/say", f"m{n}") for n in (1, 2)]
    assert (heard[0][1]["say"], heard[0][1]["case"]) == ("水深危险，请立即离开", "9901012605010000001")
    doors.publish(f"gridloop/v1/{SPEAKER}/smoke", "1", device=SPEAKER)
    until(lambda: len(logged(doors.owner)) == 1)
    assert {s.kind for s in logged(doors.owner)} == {"smoke"}


def test_a_device_is_told_what_to_do(doors: Doors) -> None:
    ready, heard = threading.Event(), list[tuple[str, dict[str, Any]]]()
    listener = threading.Thread(target=_hear, args=(doors, SPEAKER, 1, ready, heard))
    listener.start()
    assert ready.wait(10)
    _channel(doors).send(message(1, kind="control", to=SPEAKER, text="hold"))
    listener.join(20)
    assert [(topic, said["do"], "say" in said) for topic, said in heard] == [(f"gridloop/v1/{SPEAKER}/down/do", "hold", False)]


def test_a_connection_that_broke_is_made_anew(doors: Doors) -> None:
    channel = _channel(doors)
    channel.send(message(1, to=SPEAKER))
    doors.nats.kill()
    with pytest.raises(ChannelError):
        channel.send(message(2, to=SPEAKER))
    doors.nats.start()

    def sent() -> bool:
        try:
            return isinstance(channel.send(message(3, to=SPEAKER)), Receipt)
        except ChannelError:
            return False

    until(sent, seconds=40)


def test_what_cannot_be_sent_says_why(doors: Doors) -> None:
    with pytest.raises(ChannelError, match=r"127\.0\.0\.1"):
        build(f"mqtt://token:{TOKEN}@127.0.0.1:{free_port()}", Path()).send(message(1, to=SPEAKER))
    with pytest.raises(ChannelError):
        _channel(doors, token="x" * 40).send(message(1, to=SPEAKER))
    with pytest.raises(ChannelError) as wrong:
        _channel(doors).send(message(1, to="a/#"))
    assert wrong.value.permanent


@pytest.mark.parametrize("address", ["", "http://x", "mqtt://", "mqtt://x?topic=all/say"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="GRIDLOOP_CHANNEL_SPEAKER"):
        build(address, Path())
