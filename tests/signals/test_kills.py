"""No acknowledged signal is lost: NATS, ingest and PostgreSQL are killed while devices publish and a platform posts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import httpx
import psycopg
import pytest

from gridloop.doors.cli.database import APP, INGEST, OWNER, Urls, ensure_database, ensure_roles, with_login
from gridloop.doors.cli.postgres import EmbeddedPostgres
from gridloop.kernel import clock
from tests.signals.conftest import SECRET, TOKEN, item, logged
from tests.signals.doors import opened
from tests.signals.servers import Program, run_async, until

DEVICES = ("cam-1", "cam-2")
ROUNDS = 2
BETWEEN = 10  # signals of each way in acknowledged before the next kill


@dataclass
class Product:
    """The way in, with everything that can be killed."""

    postgres: EmbeddedPostgres
    nats: Program
    ingest: Program
    mqtt: int
    urls: Urls
    acknowledged: set[str] = field(default_factory=set)
    sent: int = 0

    def kill(self, name: str) -> None:
        if name == "postgres":
            assert self.postgres.process is not None
            self.postgres.process.kill()
            self.postgres.process.wait()
            until(self._database_again, 60, "PostgreSQL")
        else:
            program: Program = getattr(self, name)
            program.kill()
            time.sleep(0.5)
            program.start(wait=False)

    def _database_again(self) -> bool:
        """Like the supervisor, again and again: what the killed server has forked holds its memory for a moment."""
        try:
            self.postgres.start()
        except RuntimeError:
            return False
        return True


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A database of its own with fsync on: this test is about what survives."""
    postgres = EmbeddedPostgres(tmp_path / "pg", "secret")
    postgres.prepare()
    postgres.start()
    with psycopg.connect(postgres.url()) as connection:
        ensure_roles(connection, dict.fromkeys((OWNER, APP, INGEST), "secret"))
        ensure_database(connection, "gridloop")
    urls = Urls(*(with_login(postgres.url(), role, "secret", "gridloop") for role in (OWNER, APP, INGEST)))
    code = "from gridloop.doors.cli.database import *; setup_django(); migrate()"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | urls.environment(), timeout=120)
    with opened(tmp_path, urls) as doors:
        yield Product(postgres, doors.nats, doors.ingest, doors.mqtt, urls)
    postgres.stop()


async def publish(product: Product, device: str, stop: asyncio.Event) -> None:
    """A device that sends one signal after the other and repeats the one that was not acknowledged."""
    number = 0
    while not stop.is_set():
        try:
            async with aiomqtt.Client("127.0.0.1", product.mqtt, username=device, password=SECRET, timeout=3) as client:
                while not stop.is_set():
                    payload = f'{{"id": "{device}-{number}", "value": {number}, "at": "{clock.now().isoformat()}"}}'
                    product.sent += 1
                    await client.publish(f"gridloop/v1/{device}/water_level", payload, qos=1, timeout=2)
                    product.acknowledged.add(f"{device}-{number}")
                    number += 1
        except (aiomqtt.MqttError, OSError):
            await asyncio.sleep(0.1)


async def post(product: Product, stop: asyncio.Event) -> None:
    """A platform that posts and repeats what was not answered 202."""
    number = 0
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}, timeout=3) as client:
        while not stop.is_set():
            items = [item(number * 10 + n, id=f"http-{number}-{n}", device="") for n in range(10)]
            try:
                answer = await client.post(f"http://127.0.0.1:{product.ingest.port}/api/v1/signals", json=items)
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 202:
                product.acknowledged |= {i["id"] for i in items}
                number += 1
            else:
                assert answer.status_code == 503
                await asyncio.sleep(0.05)


async def goes_on(product: Product, after: str, seconds: float = 90) -> None:
    """Both ways in acknowledge again: however slow the machine is, the next kill comes in the middle of traffic."""
    before = Counter(a.partition("-")[0] for a in product.acknowledged)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = Counter(a.partition("-")[0] for a in product.acknowledged)
        if all(now[way] - before[way] >= BETWEEN for way in ("cam", "http")):
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"no acknowledgement {seconds} s after {after}")


async def storm(product: Product) -> None:
    stop = asyncio.Event()
    senders = [asyncio.create_task(publish(product, d, stop)) for d in DEVICES] + [asyncio.create_task(post(product, stop))]
    await goes_on(product, "the start")
    for name in ("nats", "ingest", "postgres") * ROUNDS:
        await asyncio.to_thread(product.kill, name)
        await goes_on(product, f"kill -9 of {name}")
    stop.set()
    await asyncio.gather(*senders)


@pytest.mark.server
@pytest.mark.timeout(900)
def test_no_acknowledged_signal_is_lost(product: Product) -> None:
    run_async(storm(product))
    until(lambda: not product.acknowledged - {s.id for s in logged(product.urls.owner)}, 40, "every acknowledged signal in the log")
    with psycopg.connect(product.urls.owner) as owner:
        gaps = owner.execute("SELECT partition FROM signals_batch GROUP BY partition HAVING max(seq) <> count(*)").fetchall()
    assert gaps == []
