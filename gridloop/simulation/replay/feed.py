"""Sends recorded rows to a running deployment by its public HTTP, at the data's pace or as fast as the deployment takes them."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from gridloop.kernel import clock
from gridloop.kernel.hashing import sha256_hex
from gridloop.kernel.ids import secret_key
from gridloop.simulation.replay.mapping import BadRow, Mapping, Record

SENDERS = 4
QUEUE = 64
RATE_MOST = 2_000_000.0  # data seconds per real second: three years in a minute, the most the clock is ever pushed
RATE_LEAST = 1.0
RETRIES = 8


@dataclass
class Result:
    """What became of the rows."""

    sent: int = 0
    merged: int = 0
    repeated: int = 0
    accepted: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    units: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def cases(self) -> int:
        return self.sent - self.merged - self.repeated

    @property
    def per_second(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0

    def fail(self, line: int, why: str) -> None:
        with self._lock:
            self.failed.append((line, why))


class OwnTime:
    """The deployment clock lives the data's time: as fast as rows are taken, never ahead of a row that is still to be sent."""

    def __init__(self, first: datetime, most: float) -> None:
        self.most = min(most, RATE_MOST)
        self.rate = min(self.most, 3_600.0)
        self.changed = time.monotonic()
        clock.set_clock(first - timedelta(seconds=60), self.rate)

    def wait(self, at: datetime) -> None:
        """Return when the deployment clock has come to the row's time; speeds the clock up or down on the way."""
        behind = (clock.now() - at).total_seconds()
        if behind > self.rate * 0.5:
            self._turn(self.rate * 0.7)
        while (left := (at - clock.now()).total_seconds()) > 0:
            if left > self.rate * 0.2:
                self._turn(self.rate * 1.5)
            time.sleep(min(0.02, left / self.rate))

    def _turn(self, rate: float) -> None:
        """At most every 0.25 s, so that every process has lived by the last change for a while."""
        rate = max(RATE_LEAST, min(self.most, rate))
        if rate == self.rate or time.monotonic() - self.changed < 0.25:
            return
        clock.set_clock(clock.now(), rate)
        self.rate, self.changed = rate, time.monotonic()

    def end(self) -> None:
        """From the last row on the clock runs at its normal rate."""
        clock.set_clock(clock.now(), 1.0)


class Shifted:
    """The file starts now; gaps are divided by the speed. The deployment clock is left alone."""

    def __init__(self, first: datetime, speed: float) -> None:
        self.first, self.speed, self.began = first, speed, time.monotonic()

    def wait(self, at: datetime) -> None:
        due = self.began + (at - self.first).total_seconds() / self.speed
        time.sleep(max(0.0, due - time.monotonic()))

    def end(self) -> None:
        return


class Feed:
    """Reports rows with the reporter's token and, as the desk, takes the proposals."""

    def __init__(self, url: str, reporter: str, desk: str | None, mapping: Mapping, stop: threading.Event | None = None) -> None:
        self.mapping = mapping
        self.stop = stop or threading.Event()
        self.result = Result()
        self.secret = secret_key(16)
        self.reporter = {"Authorization": f"Bearer {reporter}"}
        self.desk = {"Authorization": f"Bearer {desk}"} if desk else None
        limits = httpx.Limits(max_connections=SENDERS * 2, max_keepalive_connections=SENDERS * 2)
        self.http = httpx.Client(base_url=url, timeout=30, limits=limits, trust_env=False)

    def run(self, rows: Iterable[Record | BadRow], pace: OwnTime | Shifted, tick: Callable[[Result], None]) -> Result:
        """Send every row; ``tick`` is called after each for progress. A row that fails is kept with its reason, the rest goes on."""
        waiting: queue.Queue[Record | None] = queue.Queue(QUEUE)
        senders = [threading.Thread(target=self._send_all, args=(waiting, tick), daemon=True) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for row in rows:
            if self.stop.is_set():
                break
            if isinstance(row, BadRow):
                self.result.fail(row.line, row.why)
                continue
            pace.wait(row.at)
            waiting.put(row)
        for _ in senders:
            waiting.put(None)
        for sender in senders:
            sender.join()
        pace.end()
        self.result.seconds = time.monotonic() - self.result.started
        self.http.close()
        return self.result

    def _send_all(self, waiting: queue.Queue[Record | None], tick: Callable[[Result], None]) -> None:
        while (row := waiting.get()) is not None:
            try:
                self._send(row)
            except (httpx.HTTPError, ValueError) as error:
                self.result.fail(row.line, f"{type(error).__name__}: {error}")
            tick(self.result)

    def _send(self, row: Record) -> None:
        answer = self._post("/api/v1/reports", self._report(row), self.reporter, row.id)
        body = answer.json()
        if answer.status_code != 201:
            self.result.fail(row.line, str(body.get("detail") or answer.status_code))
            return
        with self.result._lock:
            self.result.sent += 1
            self.result.merged += 1 if body["merged"] and not body["repeated"] else 0
            self.result.repeated += 1 if body["repeated"] else 0
        if self.desk is not None and not body["merged"]:
            self._accept(row, body["case"])

    def _accept(self, row: Record, code: str) -> None:
        answer = self._post(f"/api/v1/cases/{code}/accept", {}, self.desk or {}, f"{row.id}:accept")
        if answer.status_code != 200:
            self.result.fail(row.line, str(answer.json().get("detail") or answer.status_code))
            return
        case = answer.json()
        with self.result._lock:
            self.result.accepted += 1
            self.result.units[(case["lead_unit"] or {}).get("name", "-")] += 1
            self.result.types[case["type_name"]] += 1

    def _report(self, row: Record) -> dict[str, Any]:
        body: dict[str, Any] = {
            "text": row.text[:5000],
            "address": row.address,
            "kind": row.kind,
            "source": self.mapping.report.source,
            "contact": row.contact,
            "name": row.name,
            "origin": self.mapping.id,
            "origin_id": row.id,
        }
        if row.lon is not None and row.lat is not None:
            body["place"] = {"lon": row.lon, "lat": row.lat}
        elif self.mapping.territory is not None:
            body["region"] = self.mapping.territory.county.code
        return body

    def _key(self, what: str) -> str:
        """A digest, because a row's id may be Chinese and a header is not."""
        return sha256_hex(f"{self.secret}:{what}".encode())

    def _post(self, path: str, body: dict[str, Any], headers: dict[str, str], key: str) -> httpx.Response:
        """Post once in effect: the same Idempotency-Key on every try of this run (another run is told what was there by the row's
        origin); overload and restarts are waited out."""
        for attempt in range(RETRIES):
            try:
                answer = self.http.post(path, json=body, headers={**headers, "Idempotency-Key": self._key(key)})
            except httpx.TransportError:
                if attempt == RETRIES - 1:
                    raise
                time.sleep(0.25 * 2**attempt)
                continue
            if answer.status_code not in (429, 502, 503, 504):
                return answer
            time.sleep(float(answer.headers.get("Retry-After") or 0.25 * 2**attempt))
        return answer
