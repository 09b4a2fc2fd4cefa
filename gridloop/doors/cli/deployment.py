"""One deployment = one data folder: its secrets, its lock, what runs where, and the environment its processes get."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import psutil

from gridloop.doors.cli.database import APP, INGEST, OWNER, Urls

ROOT = Path(__file__).resolve().parents[3]
_SOCKET_LIMIT = 90
# of the supervisor's environment: what only it may know, and a wish that would let every process compile every module at each start
_NOT_HANDED_ON = ("DATABASE_URL", "NATS_URL", "GRIDLOOP_OWNER_URL", "PYTHONDONTWRITEBYTECODE")
_MARKS = ("deployment.json", "secrets.json", "run.json")
_NOT_THEIRS = {"lost+found", "logs", "run", "postgres", "nats", "caddy", "evidence", "static", "history"}


class Deployment:
    """Paths and small files of one deployment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"
        self.postgres = self.folder / "postgres"
        self.nats = self.folder / "nats"
        self.caddy = self.folder / "caddy"
        self.evidence = self.folder / "evidence"
        self.static = self.folder / "static"

    def refuse_a_strangers_folder(self) -> None:
        """A home or project folder named by mistake must not become a deployment; hidden files and ``lost+found`` are no content."""
        if not self.folder.is_dir() or any((self.folder / name).exists() for name in _MARKS):
            return
        theirs = sorted(p.name for p in self.folder.iterdir() if not p.name.startswith(".") and p.name not in _NOT_THEIRS)
        if theirs:
            some = ", ".join(theirs[:3]) + (" …" if len(theirs) > 3 else "")
            raise click.ClickException(
                f"{self.folder} holds other files ({some}): name an empty folder with --data-dir"
                " / 目录中有其他文件，请用 --data-dir 指定一个空文件夹"
            )

    def make_folders(self) -> None:
        try:
            self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            for folder in (self.logs, self.run, self.nats, self.caddy, self.evidence, self.static):
                folder.mkdir(mode=0o711 if folder == self.run else 0o700, exist_ok=True)
            self.sockets.mkdir(mode=0o700, exist_ok=True)
        except OSError as fault:
            raise click.ClickException(f"{self.folder} cannot hold a deployment: {fault.strerror} / 数据目录不可用") from fault
        if self.sockets.is_symlink() or self.sockets.stat().st_uid != os.geteuid():
            raise click.ClickException(
                f"{self.sockets} belongs to someone else: remove it or use a shorter --data-dir / 属于其他用户，请删除"
            )

    @property
    def sockets(self) -> Path:
        """Folder of our inner sockets; Unix sockets allow about 100 bytes, so a deep data folder gets a short stand-in."""
        near = self.run / "inner"
        if len(os.fsencode(str(near))) <= _SOCKET_LIMIT:
            return near
        mark = hashlib.sha256(os.fsencode(str(self.folder))).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"gridloop-in-{mark}"

    # small JSON files -------------------------------------------------------------------------------------------

    def read(self, name: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
            return content
        except FileNotFoundError:
            return {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Replace the file whole, readable by us only."""
        path = self.folder / name
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, ensure_ascii=False)
        temporary.replace(path)

    def secrets(self) -> dict[str, str]:
        """Passwords and keys, made at the first look and kept in ``secrets.json`` (mode 600)."""
        known = self.read("secrets.json")
        missing = [k for k in ("postgres", OWNER, APP, INGEST, "secret_key", "factor_key") if k not in known]
        if missing:
            known |= {key: secrets.token_urlsafe(48 if key.endswith("_key") else 24) for key in missing}
            self.write("secrets.json", known)
        return known

    # one supervisor at a time --------------------------------------------------------------------------------------

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while the deployment runs; refused in one line when another process holds it."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                where = self.read("run.json").get("url", "?")
                raise click.ClickException(f"{self.folder} is already running at {where} / 该数据目录已在运行") from None
            yield

    def running(self) -> bool:
        """Whether a supervisor holds the lock."""
        try:
            with (self.folder / "lock").open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True

    def end_leftovers(self) -> None:
        """End children that outlived a killed supervisor: same process id and same start time as we wrote down."""
        found = []
        for name, (pid, started) in self.read("run.json").get("children", {}).items():
            try:
                process = psutil.Process(pid)
                if abs(process.create_time() - started) < 1:
                    process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(found, timeout=10)
        for process in alive:
            process.kill()

    # environment ---------------------------------------------------------------------------------------------------

    def environment(self, urls: Urls, nats_url: str, *, public_url: str, hosts: list[str], sample: bool) -> dict[str, str]:
        """What every child gets. The owner's URL is not among it: only ``prepare`` and administrators' commands get that one."""
        kept = {k: v for k, v in os.environ.items() if k not in _NOT_HANDED_ON}
        return kept | {
            "GRIDLOOP_DATA_DIR": str(self.folder),
            "GRIDLOOP_APP_URL": urls.app,
            "GRIDLOOP_INGEST_URL": urls.ingest,
            "GRIDLOOP_NATS_URL": nats_url,
            "GRIDLOOP_SECRET_KEY": self.secrets()["secret_key"],
            "GRIDLOOP_FACTOR_KEY": kept.get("GRIDLOOP_FACTOR_KEY") or self.secrets()["factor_key"],
            "GRIDLOOP_SAMPLE": "1" if sample else "",
            "GRIDLOOP_HOSTS": ",".join(hosts),
            "GRIDLOOP_ORIGINS": ",".join(_origins(public_url, hosts)),
            "GRIDLOOP_PUBLIC_URL": public_url,
            "DJANGO_SETTINGS_MODULE": "gridloop.project.settings",
            "PYTHONUNBUFFERED": "1",
        }


def _origins(public_url: str, hosts: list[str]) -> list[str]:
    parts = urlsplit(public_url)
    port = f":{parts.port}" if parts.port else ""
    return [f"{parts.scheme}://{host}{port}" for host in hosts if host not in ("*", "0.0.0.0")]


def default_folder() -> Path:
    return Path(os.environ.get("GRIDLOOP_DATA_DIR") or ROOT / "var" / "data")


def outgoing_from() -> int:
    """The lowest port Linux gives to outgoing connections; whoever listens above it may find his port taken after a restart."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def free_port(wanted: int = 0) -> int:
    """``wanted`` when it is free on 127.0.0.1, else one below those of outgoing connections, else any that is free."""
    apart = range(20_000, outgoing_from())
    for port in (*([wanted] if wanted else []), *random.sample(apart, min(len(apart), 20)), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise click.ClickException("no free port on 127.0.0.1 / 127.0.0.1 上没有空闲端口")


def lan_address() -> str:
    """This machine's address in the local network (no packet is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
