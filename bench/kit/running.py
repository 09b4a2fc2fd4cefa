"""A whole product started for a benchmark, with its callers and the processor time of all its processes."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # the tests' way to start the product is ours, too

from tests.house.product import Product
from tests.live.conftest import Live

_local = threading.local()


class Callers(Live):
    """Like the tests' callers, but with a kept connection per thread, as a browser or another system has."""

    def call(self, method: str, path: str, user: str | None = None, **more: object) -> httpx.Response:
        kept: dict[str, httpx.Client] = _local.__dict__.setdefault("http", {})
        http = kept.get(self.url) or kept.setdefault(self.url, httpx.Client(base_url=self.url, timeout=60, trust_env=False))
        headers = dict(more.pop("headers", {}))  # type: ignore[call-overload]
        if user:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        answer: httpx.Response = http.request(method, path, headers=headers, **more)
        return answer


def forget_connection() -> None:
    """The product answers elsewhere from now on."""
    _local.__dict__.pop("http", None)


@contextlib.contextmanager
def product(scale: float, kept: Path | None = None) -> Iterator[Callers]:
    """The product with the sample county at this scale, in a folder that goes with it, or in one that is ``kept``."""
    folder = kept or Path(tempfile.mkdtemp(prefix="gl-bench-"))
    running = Product(folder / "data", GRIDLOOP_SAMPLE_SCALE=str(scale))
    try:
        running.wait_ready(400)
        yield Callers(running, folder / "data")
    finally:
        running.stop()
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


_LEFT = """SELECT count(*) FROM signals_partition p LEFT JOIN signals_position c ON c.partition = p.partition AND c.consumer = 'effects'
WHERE p.seq > COALESCE(c.seq, 0)"""


def settled(running: Product, seconds: float = 120) -> float:
    """Wait until the worker has given every signal its effect; the seconds it took. Told on standard error when it does not get there."""
    began = time.monotonic()
    with psycopg.connect(running.run()["urls"]["owner"], autocommit=True) as owner:
        while owner.execute(_LEFT).fetchone() != (0,):
            if time.monotonic() - began > seconds:
                sys.stderr.write(f"signals still wait for their effects after {seconds:.0f} s\n")
                break
            time.sleep(0.1)
    return time.monotonic() - began


def processor_seconds(running: Product) -> dict[str, float]:
    """User and system time used so far, by process name (its workers with it)."""
    used: dict[str, float] = {}
    for name, pid in running.pids().items():
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            total = 0.0
            for one in [parent, *parent.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    total += times.user + times.system + times.children_user + times.children_system
            used[name] = total
    return used


def spent(running: Product, act: Callable[[], None]) -> dict[str, float]:
    """Processor seconds by process name while something is done."""
    before = processor_seconds(running)
    act()
    after = processor_seconds(running)
    return {name: after[name] - before.get(name, 0.0) for name in after}
