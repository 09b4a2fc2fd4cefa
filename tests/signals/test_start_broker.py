"""NATS of a start is its own: what answers on a port may belong to a copy of the same data folder, and would take our devices' readings."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gridloop.doors import broker
from gridloop.doors.cli import up
from gridloop.doors.cli.deployment import Deployment, free_port
from gridloop.doors.cli.services import PROGRAMS
from tests.signals.servers import NATS_PASSWORD, Program, nats_server

pytestmark = pytest.mark.server


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Program]:
    """NATS of another deployment on this machine, running."""
    folder = tmp_path / "neighbour"
    folder.mkdir()
    server, _ = nats_server(folder)
    server.start()
    yield server
    server.stop()


@contextmanager
def started(folder: Path) -> Iterator[up.Start]:
    """A start as far as its NATS, ended afterwards."""
    deployment = Deployment(folder)
    deployment.make_folders()
    start = up.Start(deployment, up.Options(port=free_port(), host="127.0.0.1", lan=False, empty=True, simulate=0))
    start._nats()
    try:
        yield start
    finally:
        start.supervisor.end()


def test_who_is_let_in_and_who_is_not(neighbour: Program) -> None:
    server = f"127.0.0.1:{neighbour.port}"
    assert broker.fault(f"nats://gridloop:{NATS_PASSWORD}@{server}") == ""
    assert broker.fault(f"nats://gridloop:{NATS_PASSWORD}@{server},nats://127.0.0.1:1") == "", "the first of several"
    assert "Authorization Violation" in broker.fault(f"nats://gridloop:other@{server}")
    neighbour.kill()
    assert broker.fault(f"nats://gridloop:{NATS_PASSWORD}@{server}") == "ConnectionRefusedError"


def test_a_server_that_wants_a_token(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "nats.conf").write_text(f'listen: "127.0.0.1:{port}"\nauthorization {{ token: "s=1/x" }}\n')
    server = Program([str(PROGRAMS / "nats-server"), "-c", str(tmp_path / "nats.conf")], port, tmp_path / "nats.log")
    server.start()
    try:
        assert broker.fault(f"nats://s%3D1%2Fx@127.0.0.1:{port}") == ""
        for other in ("nats://other@", "nats://"):
            assert "Authorization Violation" in broker.fault(f"{other}127.0.0.1:{port}")
    finally:
        server.stop()


def test_what_listens_but_is_no_broker(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert broker.fault(f"nats://127.0.0.1:{silent.getsockname()[1]}", 0.2) == "TimeoutError"


def test_a_port_another_deployment_took_meanwhile_is_left_to_it(
    tmp_path: Path, neighbour: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = iter([neighbour.port])  # it was free a moment ago
    monkeypatch.setattr(up, "free_port", lambda wanted=0: next(taken, None) or free_port(wanted))
    with started(tmp_path / "ours") as start:
        assert start.nats_port == neighbour.port
        assert start._door_open()
        assert start.nats_port != neighbour.port
        assert broker.fault(start.nats_url) == ""
        assert "address already in use" in (tmp_path / "ours" / "logs" / "nats.log").read_text(encoding="utf-8")


def test_a_copy_of_the_folder_is_not_let_in(tmp_path: Path) -> None:
    """Both are the same deployment to the letter, as a restore is that is tried out beside the original."""
    with started(tmp_path / "ours") as first:
        assert first._door_open()
        copy = Deployment(tmp_path / "copy")
        copy.make_folders()
        copy.write("secrets.json", first.deployment.secrets())
        copy.write("ports.json", first.deployment.read("ports.json"))
        with started(copy.folder) as second:
            assert second._door_open()
            assert second.mqtt != first.mqtt
            password = second.nats_url.partition("//")[2].partition("@")[0]
            assert "Authorization Violation" in broker.fault(f"nats://{password}@127.0.0.1:{first.nats_port}")


def test_a_server_that_outlived_its_supervisor_ends_before_another_opens_its_store(tmp_path: Path) -> None:
    with started(tmp_path / "ours") as first:
        assert first._door_open()
        old = first.supervisor.children["nats"].process
        assert old
        with started(tmp_path / "ours") as second:  # as after a kill -9 of the first, which did not reach its child
            assert old.poll() is not None, "two on one store"
            assert second._door_open()
