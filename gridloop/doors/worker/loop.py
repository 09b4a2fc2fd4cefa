"""The worker: every background job in a thread of its own with its own database connection, so that one never holds up another."""

from __future__ import annotations

import importlib
import json
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from structlog.contextvars import bind_contextvars, clear_contextvars

from gridloop.doors import figures

log = logging.getLogger("gridloop.worker")

_LONGEST_PAUSE = 60.0
_BEAT = 2.0
_STOP_PATIENCE = 10.0
# Seconds a thread may compute before another has its turn. A job asks the database a hundred times and after each answer waits for its
# turn: with the usual 5 ms one learning job beside it made an alarm's way to the loudspeaker half a second longer.
_SWITCH = 0.0005
_SOONEST = 0.1  # seconds from one turn to the next that is only hinted at: under many hints a job still gathers


@dataclass(frozen=True)
class Job:
    """Work done again and again. ``run`` returns True when more may be waiting: then it is called again at once.

    ``end``: what is to be done when the worker ends, such as giving back what the job holds between its turns.
    """

    name: str
    every_seconds: float
    run: Callable[[], bool]
    end: Callable[[], None] | None = None


@dataclass
class State:
    """What the heartbeat tells ``gridloop doctor`` about one job."""

    runs: int = 0
    failures: int = 0
    in_a_row: int = 0
    last_error: str = ""
    last_ok: float = 0.0
    busy_since: float = 0.0


def load(table: Iterable[tuple[str, float, str]]) -> list[Job]:
    """Jobs from the wiring's ``(name, every seconds, "module:function")``; a name that cannot be imported stops the start.

    A function may carry its ``end`` as an attribute.
    """
    jobs = []
    for name, every, target in table:
        module, _, function = target.partition(":")
        run = getattr(importlib.import_module(module), function)
        jobs.append(Job(name, every, run, getattr(run, "end", None)))
    return jobs


@dataclass
class Loop:
    jobs: list[Job]
    states: dict[str, State] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    _wake: dict[str, threading.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.states = {job.name: State() for job in self.jobs}
        self._wake = {job.name: threading.Event() for job in self.jobs}

    def wake(self, name: str = "") -> None:
        """Run a job (or all) now instead of at its next turn."""
        for key, event in self._wake.items():
            if not name or key == name:
                event.set()

    def end(self) -> None:
        self.stop.set()
        self.wake()

    def turn(self, job: Job) -> float:
        """Run the job once; returns the seconds until its next turn. An error is logged and tried again, later each time."""
        from django.db import close_old_connections

        state = self.states[job.name]
        state.busy_since = time.time()
        began, computed = time.perf_counter(), time.thread_time()
        clear_contextvars()
        bind_contextvars(job=job.name)
        try:
            more = job.run()
        except Exception as fault:
            # no job may end the worker: whatever it was is logged with its traceback, shown by doctor and tried again
            state.failures += 1
            state.in_a_row += 1
            figures.JOB_RUNS.labels(job.name, "failed").inc()
            state.last_error = f"{type(fault).__name__}: {fault}"[:300]
            log.exception("job %s failed (%d in a row)", job.name, state.in_a_row)
            pause: float = min(max(job.every_seconds, 0.5) * 2 ** min(state.in_a_row, 10), _LONGEST_PAUSE)
            return pause * random.uniform(0.8, 1.2)
        else:
            state.in_a_row = 0
            state.last_ok = time.time()
            figures.JOB_RUNS.labels(job.name, "ok").inc()
            figures.JOB_LAST.labels(job.name).set(state.last_ok)
            return 0.0 if more else job.every_seconds
        finally:
            state.runs += 1
            figures.JOB_SECONDS.labels(job.name).observe(time.perf_counter() - began)
            figures.JOB_PROCESSOR.labels(job.name).inc(time.thread_time() - computed)
            state.busy_since = 0.0
            close_old_connections()

    def keep(self, job: Job) -> None:
        """One job's thread."""
        wake = self._wake[job.name]
        while not self.stop.is_set():
            pause = self.turn(job)
            ended = time.monotonic()
            if pause and wake.wait(pause):
                self.stop.wait(max(0.0, ended + min(pause, _SOONEST) - time.monotonic()))
            wake.clear()
        from django.db import connections

        try:
            if job.end:
                job.end()
        except Exception:
            log.exception("job %s could not end well", job.name)  # what it held is free when its time is over
        connections.close_all()

    def beat(self, path: Path) -> None:
        """Write the heartbeat file whole."""
        content = {"pid": os.getpid(), "at": time.time(), "jobs": {name: vars(state) for name, state in self.states.items()}}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)

    def listen(self, ports: str) -> None:
        """The hints' thread: each datagram to one of these UDP ports (the first that is free) names a job that has something to do."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.settimeout(0.5)
            if not any(_bound(ear, int(port)) for port in ports.split(",") if port):
                return  # other workers listen there: polling alone costs little
            while not self.stop.is_set():
                try:
                    name = ear.recv(100).decode("ascii", "replace")
                except TimeoutError:
                    continue
                if name in self._wake and not self.states[name].in_a_row:  # one that fails waits out its pause
                    self._wake[name].set()

    def pulse(self, path: Path) -> None:
        """The heartbeat's thread."""
        while not self.stop.is_set():
            self.beat(path)
            self.stop.wait(_BEAT)


def _bound(ear: socket.socket, port: int) -> bool:
    try:
        ear.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def run(jobs: list[Job], heartbeat: Path) -> None:
    """Run the jobs until SIGTERM or SIGINT; jobs get a while to end their transaction. SIGUSR1 wakes them.

    Signals are waited for, not handled: a handler runs in the middle of whatever holds an event's lock and would wait for it for ever,
    as it did when two SIGTERM came at once (the supervisor's death and somebody's hand).
    """
    numbers = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # before the threads, which inherit it
    sys.setswitchinterval(_SWITCH)
    loop = Loop(jobs)
    heartbeat.parent.mkdir(parents=True, exist_ok=True)
    threads = [threading.Thread(target=loop.keep, args=(job,), name=job.name, daemon=True) for job in jobs]
    threads.append(threading.Thread(target=loop.pulse, args=(heartbeat,), name="heartbeat", daemon=True))
    hints = os.environ.get("GRIDLOOP_WORKER_HINT", "")
    threads.append(threading.Thread(target=loop.listen, args=(hints,), name="hints", daemon=True))
    for thread in threads:
        thread.start()
    log.info("%d jobs at work", len(jobs))
    while signal.sigwait(numbers) == signal.SIGUSR1:
        loop.wake()
    loop.end()
    end = time.monotonic() + _STOP_PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    heartbeat.unlink(missing_ok=True)
