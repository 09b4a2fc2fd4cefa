"""Who sends signals in the benchmarks, in a process of its own: the same batches by every way, made before the time runs.

Every function returns signals a second, counted when the other side has said that it has them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any

SIZE, CONNECTIONS, DEVICES = 500, 4, 997
PATIENCE = 120  # seconds: a way that takes longer has failed
INFLIGHT = 20  # unacknowledged MQTT messages of one connection
Items = list[dict[str, Any]]


def a_process() -> ProcessPoolExecutor:
    """One process for all senders, so that each way has the same client beside it and not the bench's own interpreter."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def batches(first: int, count: int) -> list[Items]:
    """``count`` batches of 500 readings of 997 devices, no two alike; ``first`` keeps those of other calls apart."""
    now = datetime.now(UTC) - timedelta(seconds=30)
    begin = first * SIZE

    def item(n: int) -> dict[str, Any]:
        at = (now + timedelta(microseconds=n)).isoformat()
        return {"id": f"b{begin + n}", "source": "bench", "device": f"m{n % DEVICES}", "kind": "rain", "at": at, "value": n / 7}

    return [[item(n) for n in range(start, start + SIZE)] for start in range(0, count * SIZE, SIZE)]


def _timed(work: Sequence[Any], act: Callable[[Any], None], threads: int, size: int = SIZE) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(act, work):
            pass
    return len(work) * size / (time.perf_counter() - began)


def body_of(items: Items, ndjson: bool) -> bytes:
    return b"\n".join(json.dumps(i).encode() for i in items) if ndjson else json.dumps(items).encode()


def http_posts(port: int, token: str, first: int, count: int, ndjson: bool, zipped: bool, single: bool, threads: int) -> float:
    """Posts over kept connections; each answer must say that every item of it was new."""
    size = 1 if single else SIZE
    made = batches(first, -(-count * size // SIZE))
    parts = [items[n : n + size] for items in made for n in range(0, SIZE, size)][:count]
    bodies = [gzip.compress(body_of(p, ndjson), 6) if zipped else body_of(p, ndjson) for p in parts]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson" if ndjson else "application/json"}
    if zipped:
        headers["Content-Encoding"] = "gzip"
    free = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(threads)]

    def post(body: bytes) -> None:
        connection = free.pop()
        while True:
            connection.request("POST", "/api/v1/signals", body, headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != 429:
                break
            time.sleep(float(answer.headers.get("Retry-After") or 1))  # the product is full and says so: that, too, is its speed
        if answer.status != 202 or json.loads(told)["accepted"] != size:
            raise RuntimeError(f"{answer.status} {told[:300]!r}")
        free.append(connection)

    return _timed(bodies, post, threads, size)


def append(url: str, first: int, count: int) -> float:
    """The bare append of the product's own log: signals ready made, to durable rows, nothing of HTTP, parsing or repeats."""
    from psycopg_pool import ConnectionPool

    from gridloop.kernel import clock
    from gridloop.signals.log import PostgresLog
    from gridloop.signals.rules import parse_item

    now = clock.now()
    ready = [[parse_item(i, now) for i in items] for items in batches(first, count)]
    with ConnectionPool(url, min_size=CONNECTIONS, max_size=CONNECTIONS, open=True) as pool:
        pool.wait()
        return _timed(ready, PostgresLog(pool.connection).append, CONNECTIONS)


def copy(url: str, first: int, count: int) -> float:
    """``COPY`` of the same readings into a plain table, one transaction a batch."""
    from psycopg_pool import ConnectionPool

    rows = [[(i["id"], i["source"], i["device"], i["kind"], i["at"], i["value"]) for i in items] for items in batches(first, count)]
    with ConnectionPool(url, min_size=CONNECTIONS, max_size=CONNECTIONS, open=True) as pool:
        pool.wait()
        with pool.connection() as one:
            one.execute("DROP TABLE IF EXISTS bench_raw")
            one.execute("CREATE TABLE bench_raw (id text, source text, device text, kind text, at timestamptz, value float8)")

        def write(batch: list[tuple[Any, ...]]) -> None:
            with pool.connection() as connection, connection.cursor().copy("COPY bench_raw FROM STDIN") as into:
                for row in batch:
                    into.write_row(row)

        speed = _timed(rows, write, CONNECTIONS)
        with pool.connection() as one:
            one.execute("DROP TABLE bench_raw")
    return speed


def jetstream(port: int, first: int, count: int) -> float:
    """One message a batch into a file stream that syncs before it acknowledges; four on their way at a time."""
    import nats

    bodies = [body_of(items, False) for items in batches(first, count)]

    async def run() -> float:
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream()
        with contextlib.suppress(Exception):  # it is there from the round before
            await stream.add_stream(name="bench", subjects=["bench"])
        places = asyncio.Semaphore(CONNECTIONS)

        async def one(body: bytes) -> None:
            async with places:
                await stream.publish("bench", body, timeout=30)

        began = time.perf_counter()
        await asyncio.gather(*(one(b) for b in bodies))
        took = time.perf_counter() - began
        await client.close()
        return count * SIZE / took

    return asyncio.run(run())


def mqtt(port: int, people: list[tuple[str, str]], first: int, count: int) -> float:
    """QoS 1 messages of several devices at once, each with 20 unacknowledged at most; done when the last PUBACK has come."""
    import aiomqtt

    share, went = count // len(people), time.perf_counter()
    together = asyncio.Barrier(len(people) + 1)

    async def device(name: str, secret: str) -> None:
        login = {"username": name, "password": secret} if secret else {}
        bodies = [json.dumps({"id": f"{name}-{first + n}", "value": (first + n) / 7}) for n in range(share)]
        v311 = aiomqtt.ProtocolVersion.V311
        async with aiomqtt.Client("127.0.0.1", port, protocol=v311, timeout=30, max_inflight_messages=INFLIGHT, **login) as client:
            client.pending_calls_threshold = 2 * INFLIGHT
            places = asyncio.Semaphore(INFLIGHT)

            async def one(body: str) -> None:
                async with places:
                    await client.publish(f"gridloop/v1/{name}/water_level", body, qos=1, timeout=30)

            await together.wait()
            await asyncio.gather(*(one(b) for b in bodies))

    async def run() -> float:
        nonlocal went
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for name, secret in people:
                group.create_task(device(name, secret))
            await together.wait()
            went = time.perf_counter()
        return share * len(people) / (time.perf_counter() - went)

    return asyncio.run(run())
