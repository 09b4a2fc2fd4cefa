"""Detectors at work: readings a second from the durable log to alarms in rows, and what a worker with a million devices takes.

The speed: the ten detectors of ``bench/detection.py`` over 100,000 devices. The memory: its nine simple operators and a routine over a
million (``--devices N``). The log holds full batches in 8 partitions, whose lanes are all one worker's; each part is a process of its
own, whose peak of resident memory is told.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import psycopg
from detection import NINE, POWER, TEN
from kit.record import percentile, record
from signals import database

from gridloop.detection import rules
from gridloop.detection.hours import Hourly
from gridloop.detection.language import kind_number
from gridloop.detection.rules import Condition, Detector
from gridloop.doors.cli.database import Urls, setup_django
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal

MANY = int(sys.argv[sys.argv.index("--devices") + 1]) if "--devices" in sys.argv else 1_000_000
KINDS = ("temperature", "water_level", "door_open", "position", "electricity_use")  # in the place of kinds 0 to 4
NUMBERS = {number: kind_number(kind) for number, kind in enumerate(KINDS)}
START = datetime(2026, 11, 2, tzinfo=UTC)
MIB = 1 << 20


def over_kinds(part: Any) -> Any:
    """The condition over the kinds' real numbers."""
    if isinstance(part, rules.Pick):
        return replace(part, kinds=tuple(NUMBERS[kind] for kind in part.kinds))
    if isinstance(part, Condition):
        return replace(part, **{name: over_kinds(getattr(part, name)) for name in ("pick", "of", "first", "then") if hasattr(part, name)})  # type: ignore[type-var]
    return part


class Course(NamedTuple):
    """So many devices send so many readings in so many hours; ``tag`` stands in the names of the figures."""

    tag: str
    conditions: list[Condition]
    devices: int
    readings: int
    hours: float

    @property
    def detectors(self) -> list[Detector]:
        return [Detector(f"bench.{type(one).__name__}{n}", 1, over_kinds(one)) for n, one in enumerate(self.conditions)]

    @property
    def end(self) -> datetime:
        return START + timedelta(hours=self.hours + 1)


COURSES = {
    "speed": Course("speed", TEN, 100_000, 1_000_000, 24),
    "memory": Course("memory", [*NINE, rules.Routine(POWER)], MANY, 200_000, 0.2),
}


def register(urls: Urls, devices: int) -> None:
    with psycopg.connect(urls.owner) as connection:
        connection.execute(
            "INSERT INTO registry_device (code, kind, name, region_code, interval_seconds, status) "
            "SELECT 'device-' || n, 'meter', '', '99010110020000100' || n %% 9, 3600, 'online' FROM generate_series(0, %s) n",
            [devices - 1],
        )


def fill(course: Course) -> None:
    """Readings in random device order, received within the minute."""
    from gridloop.signals.actions import _log

    draw, step = np.random.default_rng(7), 4_000
    for start in range(0, course.readings, step):
        at = START + timedelta(hours=start / course.readings * course.hours)
        device, kind = draw.integers(0, course.devices, step).tolist(), draw.choice(5, step, p=(0.4, 0.2, 0.2, 0.1, 0.1)).tolist()
        value, back = draw.normal(2, 0.7, step).tolist(), draw.uniform(0, 50, step).tolist()
        with clock.fixed(at):
            _log().append(
                [
                    Signal(f"{start + n}", "bench", f"device-{device[n]}", KINDS[kind[n]], at - timedelta(seconds=back[n]), value[n])
                    for n in range(step)
                ]
            )


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def beside(run: Callable[[], None], end: threading.Event) -> Iterator[None]:
    """Runs until ``end`` is set, in a thread of its own."""
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def neighbour(name: str) -> Iterator[None]:
    """Another job of the worker, in its thread: how long a small read and write of its take while the detectors catch up."""
    from gridloop.signals.actions import forget_seen
    from gridloop.signals.selectors import lags

    took: list[float] = []
    end = threading.Event()

    def run() -> None:
        while not end.wait(0.05):
            begun = time.perf_counter()
            lags(SYSTEM)
            forget_seen()
            took.append(time.perf_counter() - begun)

    with beside(run, end):
        yield
    record(f"{name}_p50", 1000 * percentile(took, 0.5), "ms", len(took))
    record(f"{name}_p95", 1000 * percentile(took, 0.95), "ms", len(took))


def lived(crew: Any) -> None:
    """Routines as they are after months: what they know of each hour is a figure of its own and packs as badly as such figures do."""
    draw = np.random.default_rng(5)
    running = [one for work in crew.held.values() for one in work.engine._running]
    for part in (part for one in running for _, part in one.tree() if isinstance(part, Hourly)):
        for hour in part.cells["mean"]:
            hour[:] = draw.gamma(2, 1, len(hour))


@contextmanager
def longest_write(name: str) -> Iterator[None]:
    """The oldest transaction that has written something: whoever follows the trace waits for it."""
    ages = [0.0]
    end = threading.Event()

    def look() -> None:
        oldest, since = 0, 0.0
        with psycopg.connect(os.environ["BENCH_URLS"].split()[0], autocommit=True) as connection:
            while not end.wait(0.005):
                row = connection.execute(
                    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_current_xact_id()::text::bigint"
                ).fetchone()
                low, own = row or (0, 0)
                if low != oldest or low == own:  # another, or none is open
                    oldest, since = low, time.perf_counter()
                ages.append(time.perf_counter() - since)

    with beside(look, end):
        yield
    record(name, 1000 * max(ages), "ms", len(ages))


def first(course: Course) -> None:
    from gridloop.signals.models import Alarm
    from gridloop.signals.sharing import Crew

    name, crew = f"detecting_{course.tag}", Crew("bench", lambda: course.detectors)
    begun = time.perf_counter()
    with clock.fixed(START - timedelta(minutes=1)):
        while crew.turn():
            pass
    record(f"{name}_begin", time.perf_counter() - begun, "s", course.devices)
    with neighbour(f"{name}_neighbour_alone"):
        time.sleep(3)
    begun, cpu = time.perf_counter(), time.process_time()
    with clock.fixed(course.end), neighbour(f"{name}_neighbour"):
        while crew.turn():
            pass
    record(f"{name}_rate", course.readings / (time.perf_counter() - begun), "readings/s", course.readings)
    record(f"{name}_cpu", (time.process_time() - cpu) / course.readings * 1e6, "µs/reading", course.readings)
    with scoped(SYSTEM):
        record(f"{name}_alarms", 1000 * Alarm.objects.count() / course.readings, "alarms/1000", course.readings)
    state = sum(size for work in crew.held.values() for size in work.engine.state_bytes().values())
    record(f"{name}_state", state / course.devices, "bytes/device", course.devices)
    lived(crew)
    begun = time.perf_counter()
    with longest_write(f"{name}_store_longest_write"):
        crew.end()
    record(f"{name}_store", time.perf_counter() - begun, "s", course.devices)
    record(f"{name}_peak", peak(), "MiB", course.devices)


def again(course: Course) -> None:
    from gridloop.signals.sharing import Crew

    crew = Crew("bench", lambda: course.detectors)
    begun = time.perf_counter()
    with clock.fixed(course.end):
        while crew.turn():
            pass
    record(f"detecting_{course.tag}_begin_again", time.perf_counter() - begun, "s", course.devices)
    record(f"detecting_{course.tag}_begin_again_peak", peak(), "MiB", course.devices)


def main() -> None:
    if "--part" in sys.argv:
        setup_django(Urls(*os.environ["BENCH_URLS"].split()))
        tag, part = sys.argv[sys.argv.index("--part") + 1].split(".")
        {"fill": fill, "first": first, "again": again}[part](COURSES[tag])
        return
    if "--course" not in sys.argv:
        for tag in COURSES:
            subprocess.run([sys.executable, __file__, "--devices", str(MANY), "--course", tag], check=True)
        return
    tag = sys.argv[sys.argv.index("--course") + 1]
    course = COURSES[tag]
    with database() as urls:
        register(urls, course.devices)
        environment = os.environ | {"BENCH_URLS": f"{urls.owner} {urls.app} {urls.ingest}"}
        for part in ("fill", "first", "again"):
            subprocess.run([sys.executable, __file__, "--devices", str(MANY), "--part", f"{tag}.{part}"], env=environment, check=True)
        with psycopg.connect(urls.owner) as connection:
            size = connection.execute("SELECT sum(length(data)) FROM signals_detectorstate").fetchone()
        record(f"detecting_{tag}_stored", float(size[0]) / MIB if size else 0.0, "MiB", course.devices)


if __name__ == "__main__":
    main()
