"""The ingest door on a free port in front of the test database, with one token and two devices."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from psycopg_pool import ConnectionPool

from gridloop.doors.cli.database import Urls
from gridloop.doors.cli.deployment import free_port
from gridloop.doors.ingest.app import TURN_SECONDS, SignalsApp
from gridloop.doors.ingest.auth import Senders
from gridloop.doors.ingest.writer import Writer
from gridloop.kernel import clock
from gridloop.project.devices import pushes
from gridloop.sdk.signals import Signal, unpack
from gridloop.signals.connection import KeptConnection
from gridloop.signals.log import PostgresLog

TOKEN, CITIZEN, NARROW = "machine-token", "citizen-token", "narrow-token"
PARTITIONS = 4
READ_SECONDS = 2.0  # for a whole body; a minute in the product
SECRET = "0123456789abcdef0123456789abcdef"


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_senders(owner: psycopg.Connection[Any]) -> None:
    """One machine, one citizen, one token of another scope, two devices with the same secret."""
    now = clock.now()
    for number, (name, role, token, scopes) in enumerate(
        [("machine", "integrator", TOKEN, "signals"), ("citizen", "citizen", CITIZEN, "all"), ("narrow", "integrator", NARROW, "cases")],
        900,
    ):
        owner.execute(
            "INSERT INTO access_user (id, password, username, name, lang, machine, is_active, created_at) "
            "VALUES (%s, '', %s, %s, 'zh', true, true, %s)",
            [number, name, name, now],
        )
        owner.execute("INSERT INTO access_rolegrant (user_id, role, region) VALUES (%s, %s, '')", [number, role])
        owner.execute(
            "INSERT INTO allauth_idp_oidc_token (type, hash, user_id, created_at, scopes) VALUES ('at', %s, %s, %s, %s)",
            [hashed(token), number, now, scopes],
        )
    for number, code in ((901, "cam-1"), (902, "cam-2")):
        make_device(owner, number, code)


def make_device(owner: psycopg.Connection[Any], number: int, code: str, kind: str = "water_level") -> None:
    owner.execute(
        "INSERT INTO registry_device (id, code, kind, name, region_code, interval_seconds, status) "
        "VALUES (%s, %s, %s, '', '990101', 60, 'online')",
        [number, code, kind],
    )
    owner.execute(
        "INSERT INTO registry_devicecredential (device_id, secret_hash, created_at) VALUES (%s, %s, %s)",
        [number, hashed(SECRET), clock.now()],
    )


def logged(url: str) -> list[Signal]:
    """Everything in the log, read as the owner."""
    with psycopg.connect(url) as owner:
        return [s for (data,) in owner.execute("SELECT data FROM signals_batch ORDER BY partition, seq") for s in unpack(bytes(data))]


def item(number: int, **changes: Any) -> dict[str, Any]:
    """A plausible item, its time ``number`` milliseconds ago."""
    at = (clock.now() - timedelta(milliseconds=number)).isoformat()
    return {
        "id": f"i{number}",
        "source": "meters",
        "device": f"m{number % 50}",
        "kind": "water_level",
        "at": at,
        "value": number / 3,
    } | changes


class Door:
    """The ASGI door served by uvicorn in a thread of this process, so that tests can reach its writer."""

    def __init__(self, url: str) -> None:
        self.port = free_port()
        self.url = url
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self.writer = Writer(PostgresLog(KeptConnection(self.url, "test", TURN_SECONDS), PARTITIONS))
        senders = Senders(KeptConnection(self.url, "test-auth"))
        app = SignalsApp(self.writer, senders, READ_SECONDS, pushes()[0])
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self.port, lifespan="off", log_level="warning"))
        running = asyncio.create_task(self.writer.run())
        self.ready.set()
        await self.server.serve()
        running.cancel()

    def start(self) -> None:
        self.thread.start()
        self.ready.wait(5)
        end = time.monotonic() + 5
        while not self.server.started and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(5)


@dataclass
class Client:
    """Posts to the door as the machine, unless told otherwise."""

    http: httpx.Client
    door: Door
    owner: str

    def post(
        self, content: bytes | list[Any] | dict[str, Any], *, token: str = TOKEN, query: dict[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        import orjson

        raw = content if isinstance(content, bytes) else orjson.dumps(content)
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        return self.http.post("/api/v1/signals", params=query, content=raw, headers=sent)

    def logged(self) -> list[Signal]:
        return logged(self.owner)


@pytest.fixture
def client(database_urls: Urls, transactional_db: None) -> Iterator[Client]:
    with psycopg.connect(database_urls.owner) as owner:
        make_senders(owner)
    door = Door(database_urls.ingest)
    door.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{door.port}", timeout=10) as http:
        yield Client(http, door, database_urls.owner)
    door.stop()


@pytest.fixture
def pool(database_urls: Urls) -> Iterator[ConnectionPool]:
    with ConnectionPool(database_urls.ingest, min_size=1, max_size=4, open=True) as opened:
        yield opened


@pytest.fixture
def doors(database_urls: Urls, transactional_db: None, tmp_path: Path) -> Iterator[Any]:
    from tests.signals.doors import opened

    with opened(tmp_path, database_urls) as doors:
        yield doors
