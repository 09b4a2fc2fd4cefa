"""Whole lives of cases over HTTP: eight requests each, by the tokens of different people, driven from a process of its own.

A life is: report (a citizen) · accept (the desk: verified, filed and dispatched in one) · assign (the handler signs for the task, which
makes it theirs) · handle (checks in on the spot) · submit · check (the checker reads the case's tasks) · close (approves) · search (the
desk finds the case by the end of its code).
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import queue
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

CALLS = ("report", "accept", "assign", "handle", "submit", "check", "close", "search")
PEOPLE = ("citizen", "operator", "handler", "supervisor")
TEXT = "小区门口有人占道堆放杂物，影响通行"


@dataclass
class Figures:
    """What one run of the lives gave. Times in milliseconds by call; ``refused`` counts answers of 429 by call."""

    lives: int = 0
    seconds: float = 0.0
    client_cpu: float = 0.0
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    faults: list[str] = field(default_factory=list)
    finished: list[tuple[float, float]] = field(default_factory=list)  # (seconds since the start, ms of the whole life)

    def add(self, other: Figures) -> None:
        self.lives += other.lives
        self.seconds = max(self.seconds, other.seconds)
        self.client_cpu += other.client_cpu
        self.faults += other.faults
        self.finished += other.finished
        for call, times in other.times.items():
            self.times[call] += times
        for call, count in other.refused.items():
            self.refused[call] += count


class Refused(Exception):
    """The product is busy and says so (429)."""


class Caller:
    """One kept connection, as a browser or another system has; the plainest client there is, so that its own cost is small."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=60)
        self.headers = {u: {"Authorization": f"Bearer {t}", "Content-Type": "application/json"} for u, t in tokens.items()}

    def call(self, method: str, path: str, user: str, body: Any = None, wanted: int = 200) -> Any:
        self.connection.request(method, path, json.dumps(body) if body is not None else None, self.headers[user])
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status == 429:
            raise Refused(answer.headers.get("Retry-After", ""))
        if answer.status != wanted:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content)


class Life:
    """One case from its report to its end."""

    def __init__(self, caller: Caller, unit: int, place: dict[str, Any]) -> None:
        self.caller, self.unit, self.place = caller, unit, place
        self.code = self.task = self.checking = ""

    def report(self) -> None:
        place = {"lon": self.place["lon"], "lat": self.place["lat"]}
        body = {"text": TEXT, "kind": self.place["kind"], "place": place, "contact": "13900000000"}
        self.code = self.caller.call("POST", "/api/v1/reports", "citizen", body, 201)["case"]

    def accept(self) -> None:
        case = self.caller.call("POST", f"/api/v1/cases/{self.code}/accept", "operator", {"unit": self.unit})
        self.task = next(t["id"] for t in case["tasks"] if t["stage"] == "handle" and t["status"] == "open")

    def assign(self) -> None:
        self.caller.call("POST", f"/api/v1/tasks/{self.task}/accept", "handler", {})

    def handle(self) -> None:
        self.caller.call("POST", f"/api/v1/tasks/{self.task}/check_in", "handler", {})  # one person can't be everywhere: the guard would say so

    def submit(self) -> None:
        self.caller.call("POST", f"/api/v1/tasks/{self.task}/submit", "handler", {"note": "已清理"})

    def check(self) -> None:
        tasks = self.caller.call("GET", f"/api/v1/cases/{self.code}/tasks", "supervisor")["items"]
        self.checking = next(t["id"] for t in tasks if t["stage"] == "check" and t["status"] == "open")

    def close(self) -> None:
        self.caller.call("POST", f"/api/v1/tasks/{self.checking}/approve", "supervisor", {})

    def search(self) -> None:
        found = self.caller.call("GET", f"/api/v1/cases?q={self.code[-7:]}&limit=20", "operator")["items"]
        if self.code not in [case["code"] for case in found]:
            raise RuntimeError(f"{self.code} was not found again")


def _feed(waiting: queue.SimpleQueue[dict[str, Any] | None], places: list[dict[str, Any]], seconds: float, rate: float) -> None:
    """A place for a new life ``rate`` times a second, whether or not anybody is free to take it."""
    began = time.perf_counter()
    for turn, place in enumerate(places[: int(seconds * rate)]):
        time.sleep(max(0.0, began + turn / rate - time.perf_counter()))
        waiting.put(place)


def _run(
    url: str, tokens: dict[str, str], unit: int, places: list[dict[str, Any]], threads: int, seconds: float, rate: float, out: Any
) -> None:
    """The client process: lives for so many seconds, as fast as they go or ``rate`` a second begun whatever the others do."""
    figures, lock = Figures(), threading.Lock()
    began = time.perf_counter()
    waiting: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    turns = iter(places)

    def next_place() -> dict[str, Any] | None:
        if rate:
            return waiting.get()
        with lock:
            return next(turns, None) if time.perf_counter() - began < seconds else None

    def live() -> None:
        caller = Caller(url, tokens)
        while (place := next_place()) is not None:
            life, start = Life(caller, unit, place), time.perf_counter()
            call = ""
            try:
                for call in CALLS:
                    at = time.perf_counter()
                    getattr(life, call)()
                    with lock:
                        figures.times[call].append((time.perf_counter() - at) * 1000)
            except Refused:
                with lock:
                    figures.refused[call] += 1
                continue
            except Exception as fault:
                with lock:
                    figures.faults.append(f"{call}: {type(fault).__name__}: {fault}"[:300])
                caller = Caller(url, tokens)
                continue
            now = time.perf_counter()
            with lock:
                figures.lives += 1
                figures.finished.append((now - began, (now - start) * 1000))

    at_work = [threading.Thread(target=live) for _ in range(threads)]
    for one in at_work:
        one.start()
    if rate:
        _feed(waiting, places, seconds, rate)
        for _ in at_work:
            waiting.put(None)
    for one in at_work:
        one.join()
    figures.seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures.client_cpu = used.ru_utime + used.ru_stime
    out.put(
        (figures.lives, figures.seconds, figures.client_cpu, dict(figures.times), dict(figures.refused), figures.faults, figures.finished)
    )


def lives(
    url: str,
    tokens: dict[str, str],
    unit: int,
    places: list[dict[str, Any]],
    *,
    seconds: float,
    threads: int = 4,
    rate: float = 0.0,
    meanwhile: Callable[[], None] | None = None,
) -> Figures:
    """Lives for so many seconds from a client process of ``threads`` connections; ``meanwhile`` runs here beside it."""
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    client = context.Process(target=_run, args=(url, tokens, unit, places, threads, seconds, rate, out))
    client.start()
    if meanwhile is not None:
        meanwhile()
    count, took, cpu, times, refused, faults, finished = out.get()
    client.join()
    figures = Figures(count, took, cpu)
    figures.times.update(times)
    figures.refused.update(refused)
    figures.faults, figures.finished = faults, finished
    return figures
