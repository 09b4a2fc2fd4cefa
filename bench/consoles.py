"""200 consoles of different territories while 1,000 signals a second come in, 20 of which open or end cases.

Every console is an account of its own with a role over its own territory, ten of them over the whole county. An alarm is timed from the
answer that accepted it to the frame that names its case and to the moment its case stands in the console's list, read again as the front
end reads it. In the end each console's list must equal a fresh read.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from kit import screens
from kit.record import percentile, record
from kit.running import Callers, processor_seconds, product, settled

A_SECOND, CHANGES = 1_000, 20
BATCHES = 4  # a second
STAY = 20  # batches until a car that stood is gone again
_REGIONS = "SELECT code FROM orgs_region WHERE code LIKE %s AND length(code) > 6 AND valid_to IS NULL ORDER BY length(code), code LIMIT %s"
_CASES = "SELECT s.signal_id, c.code, c.region FROM cases_source s JOIN cases_case c ON c.id = s.case_id WHERE s.source = 'bench'"


@dataclass
class Traffic:
    """Batches at a steady rate; ``accepted`` has the moment each alarm was answered for (monotonic seconds)."""

    port: int
    token: str
    places: list[dict[str, float]]
    accepted: dict[str, float] = field(default_factory=dict)
    late: float = 0.0

    def batch(self, number: int) -> tuple[list[dict[str, Any]], list[str]]:
        at = datetime.now(UTC).isoformat()
        half = CHANGES // BATCHES // 2
        more = number % 2  # five a batch: two and three in turns
        standing = [self.car(number, n, at, 200.0) for n in range(half + more)]
        before = number - STAY
        gone = [self.car(before, n, at, 0.0) for n in range(half + before % 2)] if before >= 0 else []
        readings = [
            {"id": f"r{number}-{n}", "source": "bench", "device": f"m{n}", "kind": "rain", "at": at, "value": n / 7}
            for n in range(A_SECOND // BATCHES - len(standing) - len(gone))
        ]
        return readings + standing + gone, [one["id"] for one in standing]

    def car(self, number: int, n: int, at: str, value: float) -> dict[str, Any]:
        place = self.places[(3 * number + n) % len(self.places)]
        data = {"plate": f"浙B{(3 * number + n) % 100_000:05d}"}
        one = {"id": f"a{number}-{n}-{value:.0f}", "source": "bench", "device": f"cam{n}", "kind": "vehicle_stopped", "at": at}
        return one | {"value": value, "place": place, "data": data}

    def run(self, seconds: float) -> float:
        """Returns how many signals a second were accepted."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        began, count = time.monotonic(), 0
        for number in range(int(seconds * BATCHES)):
            items, alarms = self.batch(number)
            body = json.dumps(items).encode()
            due = began + number / BATCHES
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request("POST", "/api/v1/signals", body, headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            if answer.status != 202 or told["accepted"] != len(items):
                raise SystemExit(f"{answer.status} {told}")
            now = time.monotonic()
            self.late = max(self.late, now - due)
            self.accepted |= dict.fromkeys(alarms, now)
            count += len(items)
        return count / max(seconds, time.monotonic() - began)


def territories(callers: Callers, count: int, wide: int) -> list[str]:
    """``wide`` times the county, then towns, villages and grids, each another one."""
    county = callers.get("/api/v1/me", "operator")["region"]["code"]
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as owner:
        below = [code for (code,) in owner.execute(_REGIONS, [f"{county}%", count - wide])]
    if len(below) < count - wide:
        raise SystemExit(f"the county has {len(below)} territories, {count - wide} are wanted: a larger --scale")
    return [county] * wide + below


def accounts(callers: Callers, regions: list[str]) -> list[str]:
    """A machine's account (others have no tokens given to them) with a role over each territory; returns their tokens."""

    def one(number: int) -> str:
        account = {"username": f"console{number}", "name": f"控制台{number}", "machine": True}
        user = callers.post("/api/v1/users", "admin", account, 201)["id"]
        callers.post(f"/api/v1/users/{user}/grants", "security", {"role": "supervisor", "region": regions[number]}, 201)
        return str(callers.post(f"/api/v1/users/{user}/tokens", "security", {"name": "bench"}, 201)["token"])

    callers.token("security")
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(len(regions))))


def places(callers: Callers, count: int = 300) -> list[dict[str, float]]:
    return [callers.place() for _ in range(count)]


def measure(callers: Callers, traffic: Traffic, regions: list[str], tokens: list[str], seconds: float) -> list[dict[str, Any]]:
    context = multiprocessing.get_context("spawn")
    ours, other = context.Pipe()
    clients = context.Process(target=screens.run, args=(callers.product.port, tokens, other), daemon=True)
    clients.start()
    try:
        _hear(ours, 180)
        before = processor_seconds(callers.product)
        speed = traffic.run(seconds)
        after = processor_seconds(callers.product)
        behind = settled(callers.product)
        ours.send("end")
        results: list[dict[str, Any]] = _hear(ours, 180)
    finally:
        clients.kill()
    record("consoles_signals_taken", round(speed), "signals/s")
    record("consoles_worker_behind", behind, "s")
    record("consoles_batch_latest", traffic.late * 1000, "ms")
    for name in ("push", "web", "ingest", "worker", "postgres"):
        record(f"consoles_processor_{name}", 100 * (after[name] - before[name]) / seconds, "% of a core", len(regions))
    return results


def _hear(pipe: Any, seconds: float) -> Any:
    if not pipe.poll(seconds):
        raise SystemExit(f"the consoles said nothing for {seconds} s")
    found = pipe.recv()
    if isinstance(found, Exception):
        raise found
    return found


def car_of(signal: str) -> str:
    """A case remembers the last signal of a device only: that of the car when it stood, or when it was gone."""
    return signal.rpartition("-")[0]


def judge(callers: Callers, traffic: Traffic, regions: list[str], results: list[dict[str, Any]]) -> None:
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as owner:
        cases = {car_of(signal): (code, region) for signal, code, region in owner.execute(_CASES)}
    told, in_page, missed, gone = list[float](), list[float](), 0, 0
    for alarm, at in traffic.accepted.items():
        code, region = cases.get(car_of(alarm), ("", ""))
        for scope, screen in zip(regions, results, strict=True):
            if not region.startswith(scope):
                continue
            missed += code not in screen["told"]
            if code in screen["told"]:
                told.append((screen["told"][code] - at) * 1000)
            if code in screen["in_page"]:
                in_page.append((screen["in_page"][code] - at) * 1000)
            gone += code in screen["told"] and code not in screen["in_page"]
    opened = sum(car_of(alarm) in cases for alarm in traffic.accepted)
    record("consoles_alarms_without_case", len(traffic.accepted) - opened, "alarms", len(traffic.accepted))
    record("alarm_to_frame_p50", percentile(told, 0.5), "ms", len(told))
    record("alarm_to_frame_p99", percentile(told, 0.99), "ms", len(told))
    record("alarm_in_page_p50", percentile(in_page, 0.5), "ms", len(in_page))
    record("alarm_in_page_p99", percentile(in_page, 0.99), "ms", len(in_page))
    record("alarms_gone_before_the_list", gone, "alarms", len(told))
    record("consoles_frames_a_second_most", max(s["frames_a_second"] for s in results), "frames/s", len(results))
    record("consoles_lists_read_again", sum(s["reads"] for s in results), "reads", len(results))
    record("consoles_lists_turned_away", sum(s["turned_away"] for s in results), "reads", len(results))
    record("consoles_alarms_missed", missed, "alarms", len(told))
    unlike = [s for s in results if s["differ"]]
    record("consoles_unlike_a_fresh_read", len(unlike), "consoles", len(results))
    if unlike or missed or opened < len(traffic.accepted):
        raise SystemExit(f"not equal: {[s['unlike'] for s in unlike[:2]]}")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--consoles", type=int, default=200)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--scale", type=float, default=0.2)
    chosen, _ = options.parse_known_args()
    with product(chosen.scale) as callers:
        regions = territories(callers, chosen.consoles, max(1, chosen.consoles // 20))
        tokens = accounts(callers, regions)
        traffic = Traffic(callers.product.port, callers.token("admin"), places(callers))
        results = measure(callers, traffic, regions, tokens, chosen.seconds)
        judge(callers, traffic, regions, results)


if __name__ == "__main__":
    main()
