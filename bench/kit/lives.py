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


class Refused(Exception):
    """The product is busy and says so (429)."""


class Merged(Exception):
    """Another case of the type was open at that place."""


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
        answer = self.caller.call("POST", "/api/v1/reports", "citizen", body, 201)
        if answer["merged"]:
            raise Merged
        self.code = answer["case"]

    def accept(self) -> None:
        case = self.caller.call("POST", f"/api/v1/cases/{self.code}/accept", "operator", {"unit": self.unit})
        self.task = next(t["id"] for t in case["tasks"] if t["stage"] == "handle" and t["status"] == "open")

    def assign(self) -> None:
        self.caller.call("POST", f"/api/v1/tasks/{self.task}/accept", "handler", {})

    def handle(self) -> None:
        self.caller.call(
            "POST", f"/api/v1/tasks/{self.task}/check_in", "handler", {}
        )  # one person can't be everywhere: the guard would say so

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


Place = dict[str, Any]
Phase = tuple[float, float]  # seconds, lives begun a second


def _feed(waiting: queue.SimpleQueue[tuple[Place, float] | None], places: list[Place], phases: list[Phase]) -> None:
    """A place for each new life when its time has come, whether or not anybody is free to take it."""
    turns, due = iter(places), time.perf_counter()
    for seconds, rate in phases:
        for _ in range(int(seconds * rate)):
            time.sleep(max(0.0, due - time.perf_counter()))
            waiting.put((next(turns), due))
            due += 1 / rate


class _Client:
    """The client process: connections that live lives, as fast as they go or when their time has come."""

    def __init__(self, url: str, tokens: dict[str, str], unit: int) -> None:
        self.url, self.tokens, self.unit = url, tokens, unit
        self.figures, self.lock = Figures(), threading.Lock()
        self.began = time.perf_counter()
        self.waiting: queue.SimpleQueue[tuple[Place, float] | None] = queue.SimpleQueue()

    def run(self, places: list[Place], threads: int, seconds: float, phases: list[Phase]) -> Figures:
        turns = iter(places)

        def at_once() -> tuple[Place, float] | None:
            with self.lock:
                now = time.perf_counter()
                place = next(turns, None) if now - self.began < seconds else None
            return (place, now) if place is not None else None

        at_work = [threading.Thread(target=self._work, args=(self.waiting.get if phases else at_once,)) for _ in range(threads)]
        for one in at_work:
            one.start()
        if phases:
            _feed(self.waiting, places, phases)
            for _ in at_work:
                self.waiting.put(None)
        for one in at_work:
            one.join()
        self.figures.seconds = time.perf_counter() - self.began
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.figures.client_cpu = used.ru_utime + used.ru_stime
        return self.figures

    def _work(self, following: Callable[[], tuple[Place, float] | None]) -> None:
        caller = Caller(self.url, self.tokens)
        while (turn := following()) is not None:
            if not self._live(Life(caller, self.unit, turn[0]), turn[1]):
                caller = Caller(self.url, self.tokens)

    def _live(self, life: Life, due: float) -> bool:
        """False when the connection may be spoilt."""
        call = ""
        try:
            for call in CALLS:
                at = time.perf_counter()
                getattr(life, call)()
                with self.lock:
                    self.figures.times[call].append((time.perf_counter() - at) * 1000)
        except Merged:
            return True  # the place was taken: no life of its own
        except Refused:
            with self.lock:
                self.figures.refused[call] += 1
                self.figures.times["refused"].append((time.perf_counter() - at) * 1000)
            return True
        except Exception as fault:
            with self.lock:
                self.figures.faults.append(f"{call}: {type(fault).__name__}: {fault}"[:300])
            return False
        now = time.perf_counter()
        with self.lock:
            self.figures.lives += 1
            self.figures.finished.append((now - self.began, (now - due) * 1000))
        return True


def _run(out: Any, url: str, tokens: dict[str, str], unit: int, *how: Any) -> None:
    figures = _Client(url, tokens, unit).run(*how)
    figures.times, figures.refused = dict(figures.times), dict(figures.refused)
    out.put(figures)


def lives(
    url: str,
    tokens: dict[str, str],
    unit: int,
    places: list[Place],
    *,
    seconds: float = 0.0,
    threads: int = 4,
    phases: list[Phase] | None = None,
) -> Figures:
    """Lives from a client process of ``threads`` connections: for so many seconds as fast as they go, or begun in ``phases``."""
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    client = context.Process(target=_run, args=(out, url, tokens, unit, places, threads, seconds, phases or []))
    client.start()
    figures: Figures = out.get()
    client.join()
    return figures
