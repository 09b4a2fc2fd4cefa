"""The real product in a folder of its own, started the way people start it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from gridloop.doors.cli.common import embedded, urls_on
from gridloop.doors.cli.deployment import Deployment, free_port
from gridloop.doors.cli.prepare import fingerprint

COMMAND = [sys.executable, "-P", "-m", "gridloop.doors.cli.main"]  # -P: the interpreter's own program, whatever folder we stand in
_OURS = ("GRIDLOOP_", "DJANGO_", "DATABASE_URL", "NATS_URL")


def clean_environment(**more: str) -> dict[str, str]:
    """Without anything the test run itself has set."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_OURS)} | more


def command(*arguments: str, seconds: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
    """One gridloop command to its end."""
    environment = clean_environment(**env)
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=seconds, check=False)


STAFF = ("admin", "citizen", "operator", "handler", "supervisor", "commander", "worker", "security")  # sample log-ins that tests act as


def tokens(folder: Path, *users: str) -> dict[str, str]:
    """API tokens of log-ins of a running deployment, by one command."""
    done = command("token", *users, "--data-dir", str(folder))
    assert done.returncode == 0, done.stderr
    given = done.stdout.split()
    assert all(one.startswith("gl_") for one in given), done.stdout
    return dict(zip(users, given, strict=True))


def tokens_about(folder: Path, user: str) -> dict[str, str]:
    """Those of all the sample's staff at once when this log-in is one of theirs."""
    sample = json.loads((folder / "deployment.json").read_text(encoding="utf-8"))["sample"]
    return tokens(folder, *(STAFF if sample and user in STAFF else (user,)))


def crowd() -> float:
    """How many processes share one processor now: as many times longer than on a quiet machine may things take."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Product:
    def __init__(self, folder: Path, *arguments: str, **env: str) -> None:
        self.folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.output = folder.with_suffix(".out")
        self.began = time.monotonic()
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [*COMMAND, "up", "--data-dir", str(folder), "--port", str(self.port), *arguments],
                env=clean_environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def run(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return content

    def pids(self) -> dict[str, int]:
        return {name: pid for name, (pid, _) in self.run()["children"].items()}

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def wait_ready(self, seconds: float = 240) -> float:
        """Seconds since the start (or the call's beginning) until the welcome line stands there and /readyz answers 200."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            assert self.process.poll() is None, self.text
            if "Ctrl-C" in self.text.rpartition("Gridloop 网格闭环:")[2] and self.ready():
                return time.monotonic() - self.began
            time.sleep(0.1)
        raise AssertionError(f"not ready after {seconds} s:\n{self.text}")

    def family(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **env: str) -> Iterator[Product]:
    product = Product(folder, *arguments, **env)
    try:
        product.wait_ready()
        yield product
    finally:
        product.stop()


def _prepared(folder: Path) -> None:
    """The mark of a preparation names the database's address, which has moved."""
    copy = Deployment(folder)
    copy.make_folders()
    mark = fingerprint(urls_on(embedded(copy).url(), "gridloop", copy))
    copy.write("deployment.json", copy.read("deployment.json") | {"prepared": mark})


def first_start_done(folder: Path, *arguments: str, **env: str) -> None:
    """Puts a deployment into ``folder`` that was started once and ended in order: for tests of what comes after the first start.

    Each kind is made once a run and copied, passwords and all, with the mark that says what it was prepared from.
    """
    kind = hashlib.sha256(repr((arguments, sorted(env.items()))).encode()).hexdigest()[:8]
    above = Path(os.environ["GRIDLOOP_TEST_MADE"])
    made = above / kind
    with (above / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (above / f"{kind}.done").exists():
            shutil.rmtree(made, ignore_errors=True)
            product = Product(made, *arguments, **env)
            try:
                product.wait_ready(300)
            finally:
                assert product.stop() == 0, product.text
            (above / f"{kind}.done").touch()
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(made), str(folder)], check=True)
    for name in ("logs", "run"):
        shutil.rmtree(folder / name)
    _prepared(folder)


def until(condition: Any, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
