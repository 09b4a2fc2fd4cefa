"""Memory of each process at rest and under load, and how long a first and a second start take.

PSS counts a page that several processes share once in all, RSS once for each: the sum of PSS is what the product takes of the machine.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
from kit.record import record
from kit.running import Callers

from tests.house.product import Product

CONSOLES = 20
MIB = 1024 * 1024


def memory(running: Product) -> dict[str, tuple[float, float]]:
    """(PSS, RSS) in MiB by process name, its workers with it; the supervisor is ``up``."""
    owners = {pid: name for name, pid in running.pids().items()}
    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for process in running.family():
        name = "up"
        try:
            for one in [process, *process.parents()]:
                if one.pid in owners:
                    name = owners[one.pid]
                    break
            full = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        found[name][0] += full.pss / MIB
        found[name][1] += full.rss / MIB
    return {name: (pss, rss) for name, (pss, rss) in sorted(found.items())}


def told(when: str, most: dict[str, tuple[float, float]]) -> None:
    for name, (pss, rss) in most.items():
        record(f"memory_{when}_{name}_pss", pss, "MiB")
        record(f"memory_{when}_{name}_rss", rss, "MiB")
    record(f"memory_{when}_pss", sum(pss for pss, _ in most.values()), "MiB")
    record(f"memory_{when}_rss", sum(rss for _, rss in most.values()), "MiB")


class Load:
    """Reports, signals and open consoles until the end is told."""

    def __init__(self, callers: Callers) -> None:
        self.callers, self.end = callers, threading.Event()
        self.reports = self.signals = self.lines = 0
        for user in ("citizen", "operator", "admin"):
            callers.token(user)
        self.places = [callers.place() for _ in range(200)]

    def report(self) -> None:
        while not self.end.is_set():
            body = {"text": "路灯不亮，请派人看看", "kind": "28002", "place": self.places[self.reports % len(self.places)]}
            self.callers.post("/api/v1/reports", "citizen", body, 201)
            self.reports += 1
            self.end.wait(0.1)

    def send(self) -> None:
        while not self.end.is_set():
            at = datetime.now(UTC).isoformat()
            batch = [
                {"id": f"m{self.signals + n}", "source": "bench", "device": f"d{n}", "kind": "rain", "at": at, "value": n}
                for n in range(500)
            ]
            self.callers.post("/api/v1/signals", "admin", batch, 202)
            self.signals += 500
            self.end.wait(0.25)

    def watch(self) -> None:
        headers = {"Authorization": f"Bearer {self.callers.token('operator')}"}
        url = f"{self.callers.url}/api/v1/live"
        with httpx.stream("GET", url, headers=headers, timeout=httpx.Timeout(10, read=60), trust_env=False) as stream:
            for _ in stream.iter_lines():
                self.lines += 1
                if self.end.is_set():
                    return


def under_load(callers: Callers, seconds: float) -> dict[str, tuple[float, float]]:
    """The most of each process, looked at every second."""
    load, most = Load(callers), dict[str, tuple[float, float]]()
    with ThreadPoolExecutor(CONSOLES + 2) as pool:
        work = [pool.submit(act) for act in (load.report, load.send, *[load.watch] * CONSOLES)]
        stop = time.monotonic() + seconds
        try:
            while time.monotonic() < stop:
                time.sleep(1)
                for name, now in memory(callers.product).items():
                    before = most.get(name, (0.0, 0.0))
                    most[name] = (max(before[0], now[0]), max(before[1], now[1]))
                for one in work:
                    if one.done():
                        one.result()
                        raise SystemExit("a part of the load ended")
        finally:
            load.end.set()
            callers.post(
                "/api/v1/reports", "citizen", {"text": "完", "kind": "28002", "place": load.places[0]}, 201
            )  # the consoles wake up
        for one in work:
            one.result(70)
    record("memory_load_reports", load.reports / seconds, "reports/s")
    record("memory_load_signals", load.signals / seconds, "signals/s")
    return most


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=30, help="of load; as long at rest before")
    options.add_argument("--scale", type=float, default=1.0, help="of the sample county")
    chosen, _ = options.parse_known_args()
    folder = Path(tempfile.mkdtemp(prefix="gl-bench-"))
    try:
        for name in ("start_first", "start_second"):
            running = Product(folder / "data", GRIDLOOP_SAMPLE_SCALE=str(chosen.scale))
            try:
                record(name, running.wait_ready(400), "s")
                if name == "start_second":
                    time.sleep(chosen.seconds)
                    told("rest", memory(running))
                    told("load", under_load(Callers(running, folder / "data"), chosen.seconds))
            finally:
                running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
