"""Other people's servers beside ours, each in a folder of its own: a plain NATS, Debian's mosquitto, Debian's PostgreSQL with PostGIS."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kit.record import ROOT

sys.path.insert(0, str(ROOT))

from gridloop.doors.cli.postgres import EmbeddedPostgres, new_password
from tests.signals.servers import Program, free_port

MOSQUITTO = "/usr/sbin/mosquitto"
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def installed(*packages: str) -> bool:
    """Whether the system packages are there, installed by apt where that is allowed; says so when a part has to be left out."""
    done = subprocess.run([str(ROOT / "tools" / "system_packages"), "bench", *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"left out: {done.stderr.strip()}\n")
    return done.returncode == 0


@contextlib.contextmanager
def _running(program: Program, folder: Path) -> Iterator[Program]:
    try:
        program.start()
        yield program
    finally:
        program.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def bare_nats() -> Iterator[int]:
    """JetStream on disk that syncs each message before it acknowledges, as the product sets it; yields the port."""
    folder, port = Path(tempfile.mkdtemp(prefix="gl-bench-")), free_port()
    (folder / "nats.conf").write_text(
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\njetstream {{ store_dir: "{folder}/store", sync_interval: always }}\n'
    )
    command = [str(Path(sys.executable).parent / "nats-server"), "-c", str(folder / "nats.conf")]
    with _running(Program(command, port, folder / "log"), folder):
        yield port


@contextlib.contextmanager
def mosquitto() -> Iterator[int]:
    """With persistence, for a subscriber that is away and wants everything kept; yields the port.

    Its PUBACK means "taken into memory and queued": the file is written every ``autosave_interval`` and at a clean end, not before it.
    """
    folder, port = Path(tempfile.mkdtemp(prefix="gl-bench-")), free_port()
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {folder}/\n"
        "autosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 0\n"
    )
    with _running(Program([MOSQUITTO, "-c", str(folder / "mosquitto.conf")], port, folder / "log"), folder):
        subscribe = ["mosquitto_sub", "-p", str(port), "-t", "gridloop/v1/#", "-q", "1", "-i", "keeper", "-c", "-E"]
        subprocess.run(subscribe, check=True, timeout=20)
        yield port


@contextlib.contextmanager
def postgis() -> Iterator[str]:
    """A cluster with PostGIS on a Unix socket; yields its URL."""
    folder = Path(tempfile.mkdtemp(prefix="gl-bench-"))
    server = EmbeddedPostgres(folder / "pg", new_password(), bin=DEBIAN[-1])
    try:
        server.prepare()
        server.start()
        yield server.url()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
