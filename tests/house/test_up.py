"""``gridloop up`` for real: starts, heals, ends, starts again, beside another one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from gridloop.doors.cli.deployment import free_port
from tests.house.product import Product, command, crowd, first_start_done, running, until

pytestmark = pytest.mark.server
CHILDREN = ("nats", "postgres", "web", "push", "ingest", "worker", "edge")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Product, Product]]:
    """Two deployments started at once; the second one for the first time, with a clock of its own, too deep for a Unix socket."""
    above = Path(tempfile.mkdtemp(prefix="gl-up-"))
    first_start_done(above / "first", "--empty")
    first = Product(above / "first", "--empty")  # at once: both want the same MQTT port
    second = Product(above / ("a" * 60) / ("b" * 60) / "second", "--empty", "--clock", "2026-03-01T08:00:00+08:00", "--rate", "60")
    try:
        first.wait_ready()
        second.wait_ready()
        yield first, second
    finally:
        first.stop()
        second.stop()
        shutil.rmtree(above, ignore_errors=True)


def test_heals_after_kill_of_each_child_and_ends_clean(tmp_path: Path) -> None:
    first_start_done(tmp_path / "d", "--empty")
    product = Product(tmp_path / "d", "--empty")
    try:
        product.wait_ready()
        assert set(product.pids()) == set(CHILDREN)
        for name in CHILDREN:
            pid = product.pids()[name]
            os.kill(pid, signal.SIGKILL)
            assert until(lambda name=name, pid=pid: product.pids().get(name, pid) != pid), f"{name} was not restarted: {product.text}"
            assert until(product.ready), f"not ready after {name} was killed: {product.text}"
        family = product.family()
    finally:
        assert product.stop() == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_second_start_is_quick_and_survives_kill_of_supervisor(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    first_start_done(folder, "--empty")
    with running(folder, "--empty") as first:
        secrets = (folder / "secrets.json").read_text()
        family = first.family()
        first.process.kill()
    _, alive = psutil.wait_procs(family, timeout=40)
    assert [p.cmdline() for p in alive] == []
    for last in (False, True):  # the better of two, where the first is slow: other tests share the machine
        product = Product(folder)
        try:
            took = product.wait_ready()
        finally:
            product.stop()
        assert "stays without the sample county" in product.text
        if last or took < 10:
            break
    assert (folder / "secrets.json").read_text() == secrets
    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert took < 10 * crowd()


def test_two_deployments_side_by_side(pair: tuple[Product, Product], tmp_path: Path) -> None:
    first, second = pair
    assert first.run()["mqtt"] != second.run()["mqtt"]
    refused = command("up", "--data-dir", str(first.folder), "--port", str(second.port + 1))
    assert refused.returncode == 1
    assert "already running" in refused.stderr
    taken = command("up", "--data-dir", str(tmp_path / "third"), "--port", str(first.port), "--empty")
    assert taken.returncode == 1
    assert "is in use" in taken.stderr


def test_front_door_headers_limits_and_commands(pair: tuple[Product, Product], tmp_path: Path) -> None:
    product = pair[1]
    folder = str(product.folder)
    policy = httpx.get(f"{product.url}/healthz").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
    assert httpx.get(f"{product.url}/api/v1/nothing").status_code in (401, 404)
    token = command("token", "admin", "--data-dir", folder).stdout.strip()
    assert token.startswith("gl_")
    login = {"Authorization": f"Bearer {token}"}
    assert httpx.post(f"{product.url}/api/v1/signals", headers=login, content=b"x" * (17 << 20)).status_code == 413
    assert command("token", "nobody", "--data-dir", folder).returncode == 1
    assert command("verify", "--data-dir", folder).stdout.startswith("ok:")
    doctor = command("doctor", "--data-dir", folder)
    assert doctor.returncode == 0, doctor.stdout
    assert "worker" in doctor.stdout
    known = product.folder / "deployment.json"
    assert json.loads(known.read_text())["test"] is True
    ended = tmp_path / "d"  # one of the same kind that does not run
    ended.mkdir()
    shutil.copy(known, ended)
    real = {"GRIDLOOP_CHANNEL_SMS": "apprise:json://localhost"}
    refused = command("up", "--data-dir", str(ended), "--port", str(free_port()), "--rate", "2", **real)
    assert refused.returncode == 1
    assert "never moved" in refused.stderr


def test_backup_of_a_running_deployment_restores_elsewhere(pair: tuple[Product, Product], tmp_path: Path) -> None:
    file, product = tmp_path / "all.backup", pair[0]
    (product.folder / "evidence" / "x").write_bytes(b"photo")
    lost = command("backup", str(tmp_path / "nowhere" / "all.backup"), "--data-dir", str(product.folder))
    assert lost.returncode == 1
    assert "no such folder" in lost.stderr
    assert "Traceback" not in lost.stderr
    owner = json.loads((product.folder / "run.json").read_text())["urls"]["owner"]
    with psycopg.connect(owner) as connection:  # as another deployment's key would have sealed it
        connection.execute(
            "INSERT INTO mfa_authenticator (user_id, type, data, created_at)"
            """ SELECT id, 'totp', '{"secret": "f1:x"}', now() FROM access_user WHERE username = 'auditor'"""
        )
    done = command("backup", str(file), "--data-dir", str(product.folder))
    assert done.returncode == 0, done.stderr
    counted = command("verify", "--data-dir", str(product.folder)).stdout
    assert file.stat().st_mode & 0o777 == 0o600
    target = tmp_path / "e"
    restored = command("restore", str(file), "--data-dir", str(target))
    assert restored.returncode == 0, restored.stderr
    assert (target / "evidence" / "x").read_bytes() == b"photo"
    assert command("verify", "--data-dir", str(target)).stdout == counted
    assert "second factors of 1 accounts" in restored.stdout
    off = command("end-factors", "--unreadable", "--reason", "密钥遗失", "--data-dir", str(target))
    assert off.stdout.startswith("1 account(s)"), off.stderr
    none = command("end-factors", "auditor", "--reason", "密钥遗失", "--data-dir", str(target))
    assert (none.returncode, "neither a second factor nor a passkey" in none.stderr) == (1, True)
    again = command("restore", str(file), "--data-dir", str(target))
    assert again.returncode == 1
    assert "not empty" in again.stderr
    with running(target, "--empty") as second:
        assert second.ready()
