"""The same product on a database server and a NATS server of the administrator: Debian's PostgreSQL 15 and a plain nats-server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import psycopg
import pytest

from gridloop.doors.cli.database import DatabaseFault, refuse_old
from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.postgres import EmbeddedPostgres, new_password
from tests.house.product import Product, command, running, until
from tests.live.conftest import Live
from tests.live.test_life import test_from_report_to_five_stars as live_a_case
from tests.signals.servers import NATS_PASSWORD, nats_server, run_async

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SCALE = "0.1"  # of the sample county


@pytest.fixture(scope="module")
def postgres15() -> Iterator[EmbeddedPostgres]:
    if not DEBIAN:
        pytest.fail("Debian's PostgreSQL is missing: apt install postgresql")
    with tempfile.TemporaryDirectory(prefix="gl-pg15-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", new_password(), bin=DEBIAN[0], fast=True)
        server.prepare()
        server.start()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE boss LOGIN PASSWORD 'b' CREATEROLE CREATEDB")
            connection.execute("CREATE ROLE clerk LOGIN PASSWORD 'c'")
            connection.execute("CREATE DATABASE clerks OWNER clerk")
        yield server
        server.stop()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    program = Path(sys.executable).parent / "nats-server"
    arguments = ["-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(tmp_path / "nats")]
    process = subprocess.Popen([str(program), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"nats://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One deployment on those servers for the tests of this file: whichever comes first makes its county."""
    above = Path(tempfile.mkdtemp(prefix="gl-server-"))
    yield above / "d"
    shutil.rmtree(above, ignore_errors=True)


@pytest.mark.server
def test_runs_on_outside_servers(folder: Path, postgres15: EmbeddedPostgres, nats: str) -> None:
    address = postgres15.url("boss", "b", "gridloop_here")
    with running(folder, DATABASE_URL=address, NATS_URL=nats, GRIDLOOP_SAMPLE_SCALE=SCALE) as product:
        assert set(product.pids()) == {"web", "push", "ingest", "worker", "edge"}
        with psycopg.connect(postgres15.url(database="gridloop_here")) as connection:
            assert connection.info.server_version // 10000 == int(DEBIAN[0].parent.name)
            rows: dict[str, int] = dict(
                connection.execute("SELECT usename, count(*) FROM pg_stat_activity WHERE datname = 'gridloop_here' GROUP BY 1").fetchall()
            )
        assert "gridloop_app" in rows
        assert "boss" not in rows
        postgres15.stop()
        assert until(lambda: not product.ready())
        postgres15.start()
        assert until(product.ready, 60), product.text


async def publish(port: int, device: str, secret: str, payload: str) -> None:
    async with aiomqtt.Client("127.0.0.1", port, username=device, password=secret, timeout=20) as client:
        await client.publish(f"gridloop/v1/{device}/water_level", payload, qos=1, timeout=20)


@pytest.mark.server
@pytest.mark.timeout(600)
def test_a_case_lives_and_a_device_speaks_on_outside_servers(folder: Path, tmp_path: Path, postgres15: EmbeddedPostgres) -> None:
    """NATS as the reference says: JetStream, MQTT and the lines that let it ask us who may connect."""
    server, mqtt = nats_server(tmp_path)
    server.start()
    product = Product(
        folder,
        DATABASE_URL=postgres15.url("boss", "b", "gridloop_here"),
        NATS_URL=f"nats://gridloop:{NATS_PASSWORD}@127.0.0.1:{server.port}",
        GRIDLOOP_SAMPLE_SCALE=SCALE,
    )
    try:
        product.wait_ready(300)
        assert not {"postgres", "nats"} & set(product.pids())
        live = Live(product, folder)
        live_a_case(live)
        device = live.get("/api/v1/devices", "admin", kind="water_level", limit=1)["items"][0]["code"]
        secret = live.post(f"/api/v1/devices/{device}/secret", "admin")["secret"]
        run_async(publish(mqtt, device, secret, "2.75"))
        assert until(lambda: live.get(f"/api/v1/devices/{device}", "admin")["last_value"] == 2.75), product.text
        with pytest.raises(aiomqtt.MqttError):
            run_async(publish(mqtt, device, "wrong", "9.9"))
        done = command("verify", "--data-dir", str(product.folder))
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        product.stop()
        server.stop()


@pytest.mark.server
def test_role_without_the_right_is_one_clear_line(tmp_path: Path, postgres15: EmbeddedPostgres) -> None:
    product = Product(tmp_path / "d", "--empty", DATABASE_URL=postgres15.url("clerk", "c", "clerks"), NATS_URL="nats://127.0.0.1:1")
    assert product.process.wait(60) == 1
    assert product.text.strip().splitlines()[-1].startswith("Error: DATABASE_URL's role may not create role")


@pytest.mark.server
def test_unreachable_database_is_one_clear_line(tmp_path: Path) -> None:
    address = f"postgresql://boss:b@127.0.0.1:{free_port()}/x"
    done = command(
        "up", "--empty", "--data-dir", str(tmp_path / "d"), "--port", str(free_port()), DATABASE_URL=address, NATS_URL="nats://x"
    )
    assert done.returncode == 1
    assert "Error: the database does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_old_servers_are_refused() -> None:
    with pytest.raises(DatabaseFault, match=r"14\.11 is too old"):
        refuse_old(140011, "14.11")
    refuse_old(150000, "15.0")


def test_embedded_server_runs_as_an_ordinary_account() -> None:
    if os.geteuid() == 0:
        assert pwd.getpwnam("embedded_postgres").pw_uid != 0
