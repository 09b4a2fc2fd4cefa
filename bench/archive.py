"""A month of the platform's own history: ``gridloop detect`` in one process, and on a Spark master with two workers of one core each.

A hundred thousand devices (``--devices``), a fifth of them by themselves, the rest four to a home; twenty million readings (``--rows``) of
thirty days (``--days``) in the files the platform writes: by hour and partition, rows by kind and device, and one file more for what was
written last. The detectors are those of the packs silent_home, water_level and smoke as they are, a dwell, a count by home and a routine.
Both runs must give the same alarms, compared line by line. What is told: readings a second by the clock, processor time, the most memory
(PSS) of the command and of the executors, and how long Spark's tasks read rows and sent them to each other, and how long they sorted and
detected. Spark is left out where it is not installed (``make cluster`` does it).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from kit.record import record
from kit.running import Callers  # noqa: F401  # makes the tests' helpers importable

from gridloop.doors.cli.database import setup_django
from gridloop.scenes.loading import PACKS
from gridloop.sdk.signals import partition_of_name

PARTITIONS, SEED = 8, 7
HOUR = 3_600_000_000  # µs
START = datetime(2026, 10, 1, tzinfo=UTC)
HOME = ("door_open", "water_use", "electricity_use", "motion")
ALONE = ("water_level", "water_level", "smoke", "position")
KINDS = sorted({*HOME, *ALONE})
OWN = """
  stays: {title: {zh: 停留, en: Stays}, severity: 4, when: {dwell: {kind: position, longer: 20h}}}
  busy: {title: {zh: 频繁, en: Busy}, by: household, severity: 4, when: {count: {kind: door_open, least: 3, within: 30m}}}
  power:
    title: {zh: 用电, en: Power}
    severity: 4
    when: {routine: {kind: electricity_use, of: count, direction: up, times: 3, least: 3, learn: 2}}
"""


def rules() -> str:
    own = [
        re.split("^detectors:.*\n", (PACKS / name / "detect.yaml").read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[1]
        for name in ("silent_home", "water_level", "smoke")
    ]
    return "detectors:\n" + "\n".join(own) + OWN


class Devices:
    """By number: name, kind, home (-1 for none), partition, and from when to when it was away, µs after the start."""

    def __init__(self, count: int, days: int, draw: np.random.Generator) -> None:
        self.hours = days * 24
        number = np.arange(count)
        homes = count * 4 // 5 // 4
        at_home = number < homes * 4
        self.home = np.where(at_home, number // 4, -1)
        names = [HOME[n % 4] if n < homes * 4 else ALONE[n % 4] for n in range(count)]
        self.kind = np.array([KINDS.index(name) for name in names])
        self.names = [f"h{n // 4:06d}-{name}" if n < homes * 4 else f"d{n:07d}" for n, name in enumerate(names)]
        self.partition = np.array([partition_of_name(name, PARTITIONS) for name in self.names])
        gone = np.where(draw.random(homes) < 0.02, draw.integers(0, self.hours * HOUR, homes), 2**62)
        self.gone = np.where(at_home, gone[self.home], 2**62)
        self.back = self.gone + 40 * HOUR

    def write(self, path: Path) -> None:
        lines = [f"{name},h{home:06d}" for name, home in zip(self.names, self.home.tolist(), strict=True) if home >= 0]
        path.write_text("device,household\n" + "\n".join(lines), encoding="utf-8")


def values(kind: Any, draw: np.random.Generator) -> Any:
    """Door and motion 1, litres, kWh, metres, smoke now and then; a position has none."""
    size = len(kind)
    by_kind = {
        "water_use": np.abs(draw.normal(8, 4, size)),
        "electricity_use": np.abs(draw.normal(0.6, 0.2, size)),
        "water_level": draw.normal(1.6, 0.3, size),
        "smoke": (draw.random(size) < 0.003).astype(np.float64),
    }
    out = np.ones(size)
    for name, one in by_kind.items():
        mine = kind == KINDS.index(name)
        out[mine] = one[mine]
    return np.round(out, 3)


def written(folder: Path, rows: int, devices: Devices, draw: np.random.Generator) -> int:
    """The history's files; returns how many readings there are. What was written last of an hour has a file of its own."""
    from gridloop.signals.history import _GROUP_ROWS, _schema

    names, kinds, done = pa.array(devices.names), pa.array(KINDS), 0
    zones = pa.array([json.dumps({"zone": f"z{n}"}, separators=(",", ":")) for n in range(5)])
    base = int(START.timestamp() * 1_000_000)
    for hour in range(devices.hours):
        at = hour * HOUR + draw.integers(0, HOUR // 1000, rows // devices.hours) * 1000
        device = draw.integers(0, len(devices.names), len(at))
        there = (at < devices.gone[device]) | (at >= devices.back[device])
        at, device = at[there], device[there]
        at, device = at[order := np.lexsort((at, device, devices.kind[device]))], device[order]
        when = START + timedelta(hours=hour)
        where = folder / f"{when:%Y-%m-%d}" / f"{when:%H}"
        where.mkdir(parents=True)
        kind = devices.kind[device]
        arrived = at + draw.integers(0, 30_000, len(at)) * 1000
        columns = {
            "id": pc.binary_join_element_wise(names.take(pa.array(device)), pa.array(at).cast(pa.string()), ":"),
            "source": pa.array(["bench"]).take(pa.array(np.zeros(len(at), np.int64))),
            "device": names.take(pa.array(device)),
            "kind": kinds.take(pa.array(kind)),
            "at": pa.array(base + at, pa.timestamp("us", "UTC")),
            "value": pa.array(values(kind, draw), mask=kind == KINDS.index("position")),
            "lon": pa.nulls(len(at), pa.float64()),
            "lat": pa.nulls(len(at), pa.float64()),
            "data": zones.take(pa.array(draw.integers(0, 5, len(at)), mask=kind != KINDS.index("position"))),
            "arrived": pa.array(base + arrived, pa.timestamp("us", "UTC")),
        }
        table = pa.table(columns, schema=_schema())
        for partition in range(PARTITIONS):
            mine = np.flatnonzero(devices.partition[device] == partition)
            last = mine[-len(mine) // 100 :] if len(mine) > 100 else mine[:0]
            for seq, part in ((1, np.setdiff1d(mine, last)), (2, last)):
                if len(part):
                    name = f"p{partition:03d}-{hour * 2 + seq:012d}-{hour * 2 + seq:012d}.parquet"
                    pq.write_table(table.take(pa.array(part)), where / name, compression="zstd", row_group_size=_GROUP_ROWS)
        done += len(at)
    return done


class Watch:
    """The most memory of processes (by the names given to them), and processor time of all, looked at every second."""

    def __init__(self, roots: dict[str, Sequence[int]]) -> None:
        self.roots, self.most, self.spent = roots, Counter[str](), dict[int, float]()
        self._before, self._end = dict[int, float](), threading.Event()
        self._look()
        self._before, self.most = dict(self.spent), Counter()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(1):
            self._look()

    def _look(self) -> None:
        for name, roots in self.roots.items():
            size = 0
            for root in roots:
                try:
                    those = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
                except psutil.Error:
                    continue
                for one in those:
                    try:
                        size += one.memory_full_info().pss
                        self.spent[one.pid] = sum(one.cpu_times()[:2])
                    except psutil.Error:
                        continue
            self.most[name] = max(self.most[name], size)

    def stop(self) -> float:
        self._end.set()
        self._thread.join()
        return sum(seconds - self._before.get(pid, 0.0) for pid, seconds in self.spent.items())


def ran(name: str, command: list[str], rows: int, out: Path, environment: dict[str, str], executors: Sequence[int] = ()) -> list[str]:
    """The alarms' lines, sorted."""
    begun = time.perf_counter()
    with (out.with_suffix(".err")).open("wb") as err:
        running = subprocess.Popen([*command, "--out", str(out)], env=environment, stderr=err)
        watch = Watch({"command": [running.pid], **({"executors": executors} if executors else {})})
        code = running.wait()
    seconds, spent = time.perf_counter() - begun, watch.stop()
    said = out.with_suffix(".err").read_text(encoding="utf-8")
    sys.stderr.write("\n".join(said.splitlines()[-4:]) + "\n")
    if code:
        raise SystemExit(f"{name}: {code}")
    record(f"archive_{name}", rows / seconds, "readings/s", rows)
    record(f"archive_{name}_processor", spent * 1e6 / rows, "µs/reading", rows)
    for what, size in watch.most.items():
        record(f"archive_{name}_memory_{what}", size / (1 << 20), "MiB", rows)
    return sorted(out.read_text(encoding="utf-8").splitlines())


def where_time_went(log: Path) -> None:
    """Seconds that tasks ran: those that read files and keep them, those that send rows to their keys, and those that sort and detect."""
    spent, waited = Counter[str](), 0.0
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerTaskEnd" and (told := event.get("Task Metrics")):
            sends = told["Shuffle Write Metrics"]["Shuffle Bytes Written"] > 0
            takes = told["Shuffle Read Metrics"]["Total Records Read"] > 0
            spent["sending" if sends else "detecting" if takes else "reading"] += told["Executor Run Time"] / 1000
            waited += told["JVM GC Time"] / 1000
    for what, seconds in spent.items():
        record(f"archive_spark_time_{what}", seconds, "s")
    record("archive_spark_time_collecting", waited, "s")


def on_spark(command: list[str], rows: int, folder: Path) -> list[str]:
    from tests.cluster.servers import Master

    (folder / "events").mkdir()
    (folder / "spark").mkdir()
    settings = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": (folder / "events").as_uri(), "spark.eventLog.compress": "false"}
    settings["spark.eventLog.rolling.enabled"] = "false"
    (folder / "spark-defaults.conf").write_text("\n".join(f"{name} {value}" for name, value in settings.items()), encoding="utf-8")
    servers = Master(folder / "spark", memory="2g")
    try:
        environment = os.environ | {"SPARK_CONF_DIR": str(folder), "SPARK_LOCAL_IP": "127.0.0.1"}
        workers = [one.pid for one in servers.running[1:]]
        found = ran("spark", [*command, "--engine", servers.url], rows, folder / "spark.jsonl", environment, workers)
        where_time_went(next((folder / "events").iterdir()))
        return found
    finally:
        servers.stop()


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--rows", type=int, default=20_000_000)
    ask.add_argument("--devices", type=int, default=100_000)
    ask.add_argument("--days", type=int, default=30)
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as name:
        folder = Path(name)
        os.environ["GRIDLOOP_DATA_DIR"] = name
        setup_django()
        draw = np.random.default_rng(SEED)
        devices = Devices(asked.devices, asked.days, draw)
        begun = time.perf_counter()
        rows = written(folder / "history", asked.rows, devices, draw)
        files = list((folder / "history").rglob("*.parquet"))
        size = sum(file.stat().st_size for file in files) / (1 << 20)
        sys.stderr.write(f"{rows} readings in {len(files)} files, {size:.0f} MiB, {time.perf_counter() - begun:.0f} s\n")
        devices.write(folder / "devices.csv")
        (folder / "detect.yaml").write_text(rules(), encoding="utf-8")
        command = [sys.executable, "-m", "gridloop.doors.cli.main", "detect", str(folder / "detect.yaml"), str(folder / "history")]
        command += ["--devices", str(folder / "devices.csv"), "--fact", "lives_alone=yes"]
        one = ran("one", command, rows, folder / "one.jsonl", dict(os.environ))
        kinds = Counter(json.loads(line)["detector"] for line in one)
        sys.stderr.write(f"{dict(kinds)}\n")
        if len(kinds) < 8:
            raise SystemExit("too few detectors raised anything: the comparison says little")
        if find_spec("pyspark") is None or which("java") is None:
            sys.stderr.write("no Spark here: make cluster installs it\n")
            return
        many = on_spark(command, rows, folder)
        unlike = (Counter(one) - Counter(many)) + (Counter(many) - Counter(one))
        record("archive_spark_unlike_one_process", unlike.total(), "changes", len(one))
        for line in list(unlike)[:5]:
            sys.stderr.write(f"{'missing' if line in one else 'not wanted'}: {line}\n")


if __name__ == "__main__":
    main()
