"""A case's life by HTTP on the whole product: cycles a second, each verb's time and processor time, report → open console, signals."""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from kit.record import percentile, record
from kit.running import Callers, product, spent

VERBS = ("report", "accept", "task_accept", "submit_with_photo", "check_approve", "search")


class Life:
    """One case from the report to the end; every step is timed under its verb's name."""

    def __init__(self, callers: Callers, handler_unit: int) -> None:
        self.callers, self.unit = callers, handler_unit
        self.times: dict[str, list[float]] = defaultdict(list)
        self.code = ""
        self.task = ""

    def report(self) -> None:
        body = {"text": "路灯不亮，请派人看看", "kind": "28002", "place": self.callers.place()}
        self.code = self.callers.post("/api/v1/reports", "citizen", body, 201)["case"]

    def accept(self) -> None:
        case = self.callers.post(f"/api/v1/cases/{self.code}/accept", "operator", {"unit": self.unit})
        self.task = next(t["id"] for t in case["tasks"] if t["stage"] == "handle" and t["status"] == "open")

    def task_accept(self) -> None:
        self.callers.post(f"/api/v1/tasks/{self.task}/accept", "handler", {})

    def submit_with_photo(self) -> None:
        photo = self.callers.photo("handler")
        self.callers.post(f"/api/v1/tasks/{self.task}/submit", "handler", {"evidence": [photo], "note": "已处理"})

    def check_approve(self) -> None:
        tasks = self.callers.get(f"/api/v1/cases/{self.code}/tasks", "supervisor")["items"]
        task = next(t["id"] for t in tasks if t["stage"] == "check" and t["status"] == "open")
        self.callers.post(f"/api/v1/tasks/{task}/approve", "supervisor", {})

    def search(self) -> None:
        self.callers.get("/api/v1/cases", "operator", q=self.code[-5:], limit=20)

    def step(self, verb: str) -> None:
        began = time.perf_counter()
        getattr(self, verb)()
        self.times[verb].append((time.perf_counter() - began) * 1000)

    def run(self) -> None:
        for verb in VERBS:
            self.step(verb)


def verbs_one_by_one(callers: Callers, unit: int, count: int) -> None:
    """Each verb over many cases in a row, so that its processor time can be read."""
    lives = [Life(callers, unit) for _ in range(count)]

    def each(verb: str) -> Callable[[], None]:
        return lambda: [life.step(verb) for life in lives] and None

    for verb in VERBS:
        used = spent(callers.product, each(verb))
        times = [t for life in lives for t in life.times[verb]]
        record(f"{verb}_p50", percentile(times, 0.5), "ms", count)
        record(f"{verb}_p95", percentile(times, 0.95), "ms", count)
        record(f"{verb}_processor", sum(used.values()) * 1000 / count, "ms", count)
        record(f"{verb}_processor_web", used.get("web", 0.0) * 1000 / count, "ms", count)


def lives_a_second(callers: Callers, unit: int, count: int, clients: int) -> None:
    lives = [Life(callers, unit) for _ in range(count)]
    began = time.perf_counter()

    def all_of_them() -> None:
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(Life.run, lives))

    used = spent(callers.product, all_of_them)
    record("life_cycles", count / (time.perf_counter() - began), "cases/s", count)
    record("life_cycle_processor", sum(used.values()) * 1000 / count, "ms", count)


class Console:
    """An open console: when each case appeared."""

    def __init__(self, callers: Callers) -> None:
        self.seen: dict[str, float] = {}
        self.news = threading.Condition()
        headers = {"Authorization": f"Bearer {callers.token('operator')}"}
        self.lines = self._lines(f"{callers.url}/api/v1/live", headers)
        threading.Thread(target=self._read, daemon=True).start()

    def _lines(self, url: str, headers: dict[str, str]) -> Iterator[str]:
        with httpx.stream("GET", url, headers=headers, timeout=httpx.Timeout(10, read=60), trust_env=False) as stream:
            yield from stream.iter_lines()

    def _read(self) -> None:
        with contextlib.suppress(httpx.HTTPError):  # the product ends before its consoles do
            for line in self.lines:
                if line.startswith("data: {"):
                    data: dict[str, Any] = json.loads(line[6:])
                    with self.news:
                        self.seen.setdefault(str(data.get("code")), time.perf_counter())
                        self.news.notify_all()

    def wait(self, code: str) -> float:
        with self.news:
            if not self.news.wait_for(lambda: code in self.seen, 10):
                raise SystemExit(f"{code} did not appear on the open console")
            return self.seen[code]


def report_to_console(callers: Callers, count: int) -> None:
    console = Console(callers)
    time.sleep(1)
    times = []
    for _ in range(count):
        life = Life(callers, 0)
        began = time.perf_counter()
        life.report()
        times.append((console.wait(life.code) - began) * 1000)
    record("report_to_open_console_p50", percentile(times, 0.5), "ms", count)
    record("report_to_open_console_p99", percentile(times, 0.99), "ms", count)


def signals_by_http(callers: Callers, batches: int, size: int = 500) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    bodies = [
        [{"id": f"b{b}-{n}", "source": "bench", "device": f"m{n}", "kind": "rain", "at": at, "value": n} for n in range(size)]
        for b in range(batches)
    ]
    began = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda body: callers.post("/api/v1/signals", "admin", body, 202), bodies))
    record("signals_by_http_batches_of_500", batches * size / (time.perf_counter() - began), "signals/s", batches * size)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=100)
    options.add_argument("--clients", type=int, default=4)
    options.add_argument("--scale", type=float, default=0.5)
    chosen, _ = options.parse_known_args()
    with product(chosen.scale) as callers:
        for user in ("citizen", "operator", "handler", "supervisor", "admin"):
            callers.token(user)
        callers.place()
        unit = callers.get("/api/v1/me", "handler")["unit"]["id"]
        for _ in range(5):
            Life(callers, unit).run()  # everything warm
        verbs_one_by_one(callers, unit, chosen.count)
        lives_a_second(callers, unit, chosen.count, chosen.clients)
        report_to_console(callers, chosen.count)
        signals_by_http(callers, 100)


if __name__ == "__main__":
    main()
