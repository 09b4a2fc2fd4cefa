"""Real processes for the kill tests: PostgreSQL with its disk's promises kept, NATS, ingest; each can be killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.services import mqtt_door
from gridloop.doors.ingest.callout import authorization

T = TypeVar("T")
NATS_PASSWORD = "test-password"
_PROGRAMS = Path(sys.executable).parent


def wait_for_port(port: int, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


@dataclass
class Program:
    """A command that is started, killed without warning, and started again."""

    command: list[str]
    port: int
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=os.environ | self.env, stdout=log, stderr=log)
        if wait:
            wait_for_port(self.port)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


def nats_server(folder: Path, certificate: tuple[Path, Path] | None = None) -> tuple[Program, int]:
    """NATS configured as the product configures it; the second value is the MQTT port."""
    port, mqtt = free_port(), free_port()
    (folder / "auth.conf").write_text(authorization(NATS_PASSWORD))
    (folder / "nats.conf").write_text(
        f'server_name: test\nlisten: "127.0.0.1:{port}"\n'
        f'jetstream {{ store_dir: "{folder}/store", sync_interval: always }}\n'
        f'{mqtt_door(f"127.0.0.1:{mqtt}", certificate)}\ninclude "./auth.conf"\n'
    )
    return Program([str(_PROGRAMS / "nats-server"), "-c", str(folder / "nats.conf")], port, folder / "nats.log"), mqtt


def ingest(folder: Path, ingest_url: str, nats_port: int) -> Program:
    """The ingest process as the supervisor starts it."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "gridloop.doors.ingest.app:app", "--port", str(port), "--no-access-log"]
    env = {
        "GRIDLOOP_INGEST_URL": ingest_url,
        "GRIDLOOP_NATS_URL": f"nats://gridloop:{NATS_PASSWORD}@127.0.0.1:{nats_port}",
        "GRIDLOOP_DATA_DIR": str(folder),
    }
    return Program(command, port, folder / "ingest.log", env)


def until(condition: object, seconds: float = 20, what: str = "it") -> None:
    """Wait until the callable answers true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)


def figure(port: int, name: str) -> float:
    """One figure of the ingest process."""
    for line in httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines():
        if line.startswith(name):
            return float(line.rpartition(" ")[2])
    return 0.0


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop in a thread of its own: browser tests in the same process keep a loop running in the main thread."""
    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, work).result()
