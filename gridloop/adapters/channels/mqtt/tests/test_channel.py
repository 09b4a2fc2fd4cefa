"""The channel's conformance, on a real broker. What a loudspeaker of ours hears: ``tests/signals/test_speak.py``."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridloop.adapters.channels.mqtt.channel import MqttChannel, build
from gridloop.sdk.testing.channel import ChannelConformance


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """NATS as an MQTT broker without log-ins; yields its port."""
    folder, port = tmp_path_factory.mktemp("broker"), _free_port()
    server = f'server_name: b\nlisten: "127.0.0.1:{_free_port()}"\njetstream {{ store_dir: "{folder}/store" }}\n'
    (folder / "nats.conf").write_text(server + f'mqtt {{ listen: "127.0.0.1:{port}" }}\n')
    with (folder / "log").open("wb") as out:
        running = subprocess.Popen([Path(sys.executable).parent / "nats-server", "-c", folder / "nats.conf"], stdout=out, stderr=out)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    running.kill()
    running.wait(10)


class TestMqttChannel(ChannelConformance):
    """Conformance."""

    @pytest.fixture
    def channel(self, broker: int) -> MqttChannel:
        return build(f"mqtt://127.0.0.1:{broker}?topic=village/{{to}}/say", Path())
