"""The devices' door with its broker and its log, as tests of both sides hold it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import psycopg

from gridloop.doors.cli.database import Urls
from tests.signals.conftest import SECRET, logged, make_senders
from tests.signals.servers import Program, ingest, nats_server, run_async, until


@dataclass
class Doors:
    nats: Program
    ingest: Program
    mqtt: int
    owner: str
    trusted: ssl.SSLContext | None = None

    def client(self, device: str = "cam-1", secret: str = SECRET) -> aiomqtt.Client:
        return aiomqtt.Client(
            "127.0.0.1",
            self.mqtt,
            username=device,
            password=secret,
            protocol=aiomqtt.ProtocolVersion.V311,
            timeout=15,
            tls_context=self.trusted,
        )

    def publish(self, topic: str, payload: str | bytes, device: str = "cam-1", qos: int = 1, secret: str = SECRET) -> None:
        async def run() -> None:
            async with self.client(device, secret) as client:
                await client.publish(topic, payload, qos=qos)

        run_async(run())

    def values(self) -> dict[tuple[str, str], float | None]:
        return {(s.device, s.kind): s.value for s in logged(self.owner)}


@contextmanager
def opened(folder: Path, urls: Urls, certificate: tuple[Path, Path] | None = None) -> Iterator[Doors]:
    """The door and its broker at work on a database whose senders are known; with a certificate over TLS."""
    with psycopg.connect(urls.owner) as owner:
        make_senders(owner)
    nats, mqtt = nats_server(folder, certificate)
    door = ingest(folder, urls.ingest, nats.port)
    nats.start()
    door.start()
    until(lambda: "mqtt door open" in (folder / "ingest.log").read_text(), what="the door")
    yield Doors(nats, door, mqtt, urls.owner, ssl.create_default_context(cafile=certificate[0]) if certificate else None)
    door.stop()
    nats.stop()
