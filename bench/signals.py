"""Signals per second into the log, through the door, and through the effects. Figures go to ``bench/results``."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
from kit.record import record
from psycopg_pool import ConnectionPool

from gridloop.doors.cli.database import APP, INGEST, OWNER, Urls, ensure_database, ensure_roles, migrate, setup_django, with_login
from gridloop.doors.cli.postgres import EmbeddedPostgres
from gridloop.doors.ingest.app import parse
from gridloop.doors.ingest.auth import Sender
from gridloop.doors.ingest.writer import Writer
from gridloop.kernel import clock
from gridloop.sdk.testing.signal_log import signal
from gridloop.signals.log import PostgresLog

BATCHES, SIZE = 200, 500


@contextmanager
def database() -> Iterator[Urls]:
    """A fresh database that keeps its promises (fsync on)."""
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as folder:
        os.environ["GRIDLOOP_DATA_DIR"] = folder
        server = EmbeddedPostgres(Path(folder) / "pg", "bench")
        server.prepare()
        server.start()
        try:
            with psycopg.connect(server.url()) as connection:
                ensure_roles(connection, dict.fromkeys((OWNER, APP, INGEST), "bench"))
                ensure_database(connection, "gridloop")
            urls = Urls(*(with_login(server.url(), role, "bench", "gridloop") for role in (OWNER, APP, INGEST)))
            setup_django(urls)
            migrate()
            yield urls
        finally:
            server.stop()


def log_append(log: PostgresLog) -> float:
    """Four writers, one partition a batch."""
    batches = [[signal(k * SIZE + n, device=f"d{k % 64}") for n in range(SIZE)] for k in range(BATCHES)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(log.append, batches))
    return BATCHES * SIZE / (time.perf_counter() - begin)


def door(log: PostgresLog) -> float:
    """Bodies parsed, checked and committed as the HTTP door does it, without the HTTP."""
    now = clock.now().isoformat()
    rows = [
        {"id": f"b{n}", "source": "bench", "device": f"m{n % 997}", "kind": "rain", "at": now, "value": n} for n in range(BATCHES * SIZE)
    ]
    for n, row in enumerate(rows):
        row["id"], row["device"] = f"b{n}", f"m{n}"
    bodies = [json.dumps(rows[start : start + SIZE]).encode() for start in range(0, len(rows), SIZE)]

    async def run() -> float:
        writer = Writer(log)
        running = asyncio.create_task(writer.run())
        places = asyncio.Semaphore(16)

        async def one(body: bytes) -> None:
            async with places:
                found, _ = await parse(body, False, Sender(), "zh")
                await writer.append(found, 30)

        begin = time.perf_counter()
        await asyncio.gather(*(one(b) for b in bodies))
        running.cancel()
        return len(rows) / (time.perf_counter() - begin)

    return asyncio.run(run())


def effects() -> float:
    """Readings of known and unknown devices through the worker's effects, and the devices heard."""
    from gridloop.signals import handlers, positions

    with psycopg.connect(os.environ["GRIDLOOP_OWNER_URL"]) as owner:
        row = owner.execute("SELECT sum(count) FROM signals_batch").fetchone()
    begin = time.perf_counter()
    while positions.waiting(handlers.EFFECTS) or positions.waiting(handlers.HEARD):
        handlers.run_heard()
        handlers.run_effects()
    return float(row[0] if row else 0) / (time.perf_counter() - begin)


def main() -> None:
    with database() as urls:
        with ConnectionPool(urls.ingest, min_size=4, max_size=4, open=True) as pool:
            log = PostgresLog(pool.connection)
            rows = [("signals_log_append", log_append(log)), ("signals_door", door(log))]
        rows.append(("signals_effects", effects()))
    for name, value in rows:
        record(name, round(value), "signals/s", BATCHES * SIZE)


if __name__ == "__main__":
    main()
