"""Starts every process, restarts what dies, shows one readable log, ends all of it in order, leaves no orphan."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import psutil

from gridloop.doors.logs import as_json

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_PR_SET_PDEATHSIG = 1
_FIRST_PAUSE, _LONGEST_PAUSE, _HEALTHY_AFTER = 0.2, 30.0, 10.0
_GIVEN_TIME = 5.0  # seconds a process has before it is taken at its hopeless word


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask Linux to signal this process when its parent dies, even by kill -9; elsewhere the next start clears up."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number))


def end_left_behind(file: Path, name: str, mark: str, *numbers: int, patience: float = 20.0) -> None:
    """End the server a killed supervisor left behind, and wait for it: two on one folder would spoil it.

    Its id stands first in ``file``; it is one of that name with ``mark`` among its arguments. ``numbers``: signals, one after another when
    ``patience`` (seconds) is over.
    """
    try:
        process = psutil.Process(int(file.read_text(encoding="utf-8").split()[0]))
        if process.name() != name or mark not in process.cmdline():
            return
        for number in numbers:
            process.send_signal(number)
            end = time.monotonic() + patience
            while time.monotonic() < end:
                if process.status() == psutil.STATUS_ZOMBIE:  # whoever took it in does not ask after it
                    return
                time.sleep(0.05)
    except (FileNotFoundError, psutil.NoSuchProcess, psutil.AccessDenied, IndexError, ValueError):  # gone, or not ours
        return


def told_through_make(parent: int) -> bool | None:
    """Whether ``make``, which runs us, was told to end: SIGTERM it passes on, SIGINT it only notes (catches no further one) and waits.

    None: the parent is no ``make`` that catches SIGINT, or nothing tells.
    """
    try:
        status = Path(f"/proc/{parent}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if told.get("Name") not in ("make", "gmake"):
        return None
    return not int(told["SigCgt"], 16) & 1 << signal.SIGINT - 1


def end_with_make(stop: Callable[[], object], every: float = 0.3) -> None:
    """Call ``stop`` once when the ``make`` that runs us gets SIGINT alone, as scripts send it, or is gone."""
    parent = os.getppid()
    if told_through_make(parent) is not False:
        return

    def watch() -> None:
        while os.getppid() == parent and not told_through_make(parent):
            time.sleep(every)
        stop()

    threading.Thread(target=watch, daemon=True, name="make").start()


@dataclass(frozen=True)
class Service:
    """One child. ``ready`` is asked after each start; ``before`` runs before each start; ``loud`` picks lines for the terminal;

    ``hopeless`` picks lines after which only a new process helps, though the old one lives on. ``port``: TCP, where it must itself
    listen: who answers there may be another deployment's, that took it a moment sooner.
    """

    name: str
    command: Sequence[str]
    env: dict[str, str]
    ready: Callable[[], bool] = lambda: True
    before: Callable[[], None] = lambda: None
    loud: Callable[[str], bool] = lambda line: True
    hopeless: Callable[[str], bool] = lambda line: False
    user: str | None = None
    stop_signal: int = signal.SIGTERM
    grace: float = 10.0
    port: int = 0
    once: bool = False  # ended well = done, not to be restarted
    together: bool = False  # ended at the same time as its neighbours that say so too: none needs another one in order to end


@dataclass
class Child:
    service: Service
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    pause: float = _FIRST_PAUSE
    retry_at: float = 0.0
    hopeless: bool = False
    failures: list[int] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def ready(self) -> bool:
        return self.alive and self.service.ready() and (not self.service.port or self._listens())

    def _listens(self) -> bool:
        assert self.process is not None
        try:
            sockets = psutil.Process(self.process.pid).net_connections("tcp")
        except psutil.AccessDenied:  # one with capabilities of its own (ports below 1024) shows nobody its sockets: the answer must do
            return True
        except psutil.NoSuchProcess:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == self.service.port for one in sockets)


class Log:
    """Every line goes to ``<name>.log`` (rotated); the chosen ones to the terminal with a coloured prefix."""

    def __init__(self, folder: Path, width: int = 9) -> None:
        self.folder = folder
        self.width = width
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.json = as_json()
        self._files: dict[str, logging.Handler] = {}
        self._lock = threading.Lock()

    def write(self, name: str, line: str, *, loud: bool = True) -> None:
        with self._lock:
            file = self._files.get(name)
            if file is None:
                path = self.folder / f"{name}.log"
                file = logging.handlers.RotatingFileHandler(path, maxBytes=10 * 2**20, backupCount=5, encoding="utf-8")
                self._files[name] = file
            file.emit(logging.LogRecord(name, logging.INFO, "", 0, self._stamped(name, line), None, None))
            if loud:
                self._show(name, line)

    def _stamped(self, name: str, line: str) -> str:
        """Lines that are JSON already stay as they are; others (PostgreSQL, NATS) get a coat when JSON is wanted."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        if not self.json:
            return f"{stamp} {line}"
        return line if line.startswith("{") else json.dumps({"event": line, "process": name, "timestamp": stamp}, ensure_ascii=False)

    def _show(self, name: str, line: str) -> None:
        prefix = f"{name:<{self.width}}│"
        if self.colour:
            prefix = f"\033[{_COLOURS[sum(name.encode()) % len(_COLOURS)]}m{prefix}\033[0m"
        with contextlib.suppress(OSError, ValueError):  # a closed terminal must not end the service
            sys.stdout.write(f"{prefix} {line}\n")
            sys.stdout.flush()

    def pump(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        """Copy a child's output until it closes; runs in its own thread."""
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            if line:
                child.hopeless |= child.process is process and child.service.hopeless(line)
                self.write(child.service.name, line, loud=child.service.loud(line))


class Supervisor:
    """Children in start order; ended in the reverse of it. All starting happens in the main thread: Linux ties the
    parent-death signal to the thread that forked."""

    def __init__(self, log: Log, note: Callable[[dict[str, tuple[int, float]]], None]) -> None:
        self.log = log
        self.children: dict[str, Child] = {}
        self._note = note
        self._stopping = False  # a plain flag: the signal's handler may interrupt whatever holds a lock

    def stopping(self) -> bool:
        return self._stopping

    def stop_gently(self) -> None:
        """As the first Ctrl-C, whoever else has asked already."""
        self._stopping = True

    def request_stop(self, *_: object) -> None:
        if self._stopping:  # a second Ctrl-C: no more patience
            for child in self.children.values():
                _kill_group(child)
        self._stopping = True

    def add(self, service: Service) -> None:
        self.children[service.name] = Child(service)
        self._start(self.children[service.name])

    def _start(self, child: Child) -> None:
        service = child.service
        service.before()
        child.process = subprocess.Popen(
            list(service.command),
            env=service.env,
            cwd="/",
            user=service.user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends children in order
            preexec_fn=lambda: die_with_parent(service.stop_signal),
        )
        child.started, child.hopeless = time.monotonic(), False
        threading.Thread(target=self.log.pump, args=(child, child.process), daemon=True).start()
        self._write_down(self.pids())

    def _write_down(self, pids: dict[str, tuple[int, float]]) -> None:
        """A full disk must not end what still runs: the note is written again at the next start of a child."""
        try:
            self._note(pids)
        except OSError as fault:
            self.log.write("gridloop", f"the processes could not be written down: {fault}")

    def pids(self) -> dict[str, tuple[int, float]]:
        """Process id and start time of each child that lives, to find leftovers after a kill -9 of ourselves."""
        known = {}
        for name, child in self.children.items():
            if child.process is not None and child.alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    known[name] = (child.process.pid, psutil.Process(child.process.pid).create_time())
        return known

    def wait_ready(self, *names: str, seconds: float = 60) -> bool:
        """Tend the children until these answer; False when one does not in time or we were told to stop."""
        end = time.monotonic() + seconds
        waiting = list(names)
        while waiting and not self._stopping and time.monotonic() < end:
            self.tend()
            waiting = [n for n in waiting if not self.children[n].ready]
            if waiting:
                time.sleep(0.05)
        for name in waiting:
            if not self._stopping:
                self.log.write("gridloop", f"{name} is not ready after {seconds:.0f} s: see {self.log.folder / (name + '.log')}")
        return not waiting

    def tend(self) -> None:
        """Restart whatever has died, later each time it dies young, and what lives on to no use."""
        now = time.monotonic()
        for child in self.children.values():
            if child.hopeless and child.process is not None and child.alive and now - child.started > _GIVEN_TIME:
                self.log.write("gridloop", f"{child.service.name} says that it can not go on: ended")
                child.process.kill()
                child.process.wait()
            if child.process is None or child.alive or self._stopping or (child.service.once and child.process.returncode == 0):
                continue
            if not child.retry_at:
                self._plan_restart(child, now)
            elif now >= child.retry_at:
                child.retry_at = 0.0
                child.restarts += 1
                self._start(child)

    def _plan_restart(self, child: Child, now: float) -> None:
        assert child.process is not None
        if now - child.started > _HEALTHY_AFTER:
            child.pause = _FIRST_PAUSE
        code = child.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
        self.log.write("gridloop", f"{child.service.name} ended ({how}); restarting in {child.pause:.1f} s")
        _kill_group(child)
        child.retry_at = now + child.pause
        child.pause = min(child.pause * 2, _LONGEST_PAUSE)

    def run(self) -> None:
        """Tend until Ctrl-C or SIGTERM."""
        while not self._stopping:
            self.tend()
            time.sleep(0.2)

    def end(self) -> None:
        """Children end in the reverse of their start order, each with its grace; then whatever is left of their groups."""
        self._stopping = True
        for _, alike in groupby(reversed(self.children.values()), lambda child: child.service.together or child.service.name):
            ending = [child for child in alike if child.process is not None]
            for child in ending:
                if child.alive and child.process:
                    child.process.send_signal(child.service.stop_signal)
            for child in ending:
                self._see_out(child)
        self._write_down({})

    def _see_out(self, child: Child) -> None:
        try:
            if child.process:
                child.process.wait(child.service.grace)
        except subprocess.TimeoutExpired:
            self.log.write("gridloop", f"{child.service.name} did not end in {child.service.grace:.0f} s: killed")
        _kill_group(child)


def _kill_group(child: Child) -> None:
    """End what a child left in its process group (workers of a killed web server still hold its socket)."""
    if child.process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(5)
