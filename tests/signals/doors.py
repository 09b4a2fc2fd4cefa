"""The devices' door with its broker and its log, as tests of both sides hold it."""

from __future__ import annotations

from dataclasses import dataclass

import aiomqtt

from tests.signals.conftest import SECRET, logged
from tests.signals.servers import Program, run_async


@dataclass
class Doors:
    nats: Program
    ingest: Program
    mqtt: int
    owner: str

    def client(self, device: str = "cam-1", secret: str = SECRET) -> aiomqtt.Client:
        return aiomqtt.Client("127.0.0.1", self.mqtt, username=device, password=secret, protocol=aiomqtt.ProtocolVersion.V311, timeout=15)

    def publish(self, topic: str, payload: str | bytes, device: str = "cam-1", qos: int = 1, secret: str = SECRET) -> None:
        async def run() -> None:
            async with self.client(device, secret) as client:
                await client.publish(topic, payload, qos=qos)

        run_async(run())

    def values(self) -> dict[tuple[str, str], float | None]:
        return {(s.device, s.kind): s.value for s in logged(self.owner)}
