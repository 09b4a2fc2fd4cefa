"""The whole way of a reading, by the product's own processes: over HTTP to an alarm's row, and from Parquet to alarms on disk.

``http``: batches of 500 posted over kept connections to the whole product when their readings are due, ten detectors of a pack that is on:
readings a second until all are durable, how far the sender fell behind, and how long after its moment an alarm stands in its row: the
lateness, a bucket and the settling of the log are 66 s of it, and what is more grows when the product does not keep pace. ``--rows`` sets
the pace: all of them are of one and a half minutes.
``parquet``: ``gridloop detect`` over a file of readings. Both compare every alarm with one plain run of the engine over sorted readings.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg
from kit.record import percentile, record
from kit.running import Callers, processor_seconds, product, settled

from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.language import detectors as detectors_of
from gridloop.detection.language import kind_number, token_of
from gridloop.detection.rules import Detector
from gridloop.scenes.loading import PACKS, Known, check_detect, load
from gridloop.scenes.strict_yaml import read

KINDS, SHARES = ("temperature", "water_level", "door_open", "position", "electricity_use"), (0.4, 0.2, 0.2, 0.1, 0.1)
SIZE, CONNECTIONS, NAME, DAY = 500, 4, "whole_way", 86_400_000
LIVE_SECONDS = 90  # the readings' own times span so much
Alarms = list[tuple[str, str, str, int]]  # detector, device, what, at

CONDITIONS = {  # with the spans of ``SPANS``
    "hot": "all: [{{threshold: {{kind: temperature, at_least: {hot}, clear: 2.5}}}}], hold: {hold}",
    "high": "all: [{{threshold: {{kind: water_level, at_least: {high} m, clear: 2.5 m}}}}], hold: {hold}",
    "none": "all: [{gone_door}, {gone_power}]",
    "still": "all: [{gone_hot}, {gone_high}]",
    "doors": "count: {{kind: door_open, least: 5, within: {window}}}",
    "waves": "count: {{kind: water_level, least: 5, within: {window}}}",
    "stays": "dwell: {{kind: position, longer: {stay}}}",
    "lane": "dwell: {{kind: position, zones: [z1, z2], longer: {stay}}}",
    "power": "routine: {{kind: electricity_use, of: count, direction: up, times: 3, least: 2, learn: 1}}",
    "visits": "routine: {{kind: door_open, of: count, direction: up, times: 3, least: 2, learn: 1}}",
}
SPANS = {
    "http": {"hot": 4.2, "high": 4.2, "hold": "3s", "longer": "10m", "window": "2s", "stay": "60s"},
    "parquet": {"hot": 3.6, "high": 3.6, "hold": "2h", "longer": "60h", "window": "20m", "stay": "70h"},
}


def document(spans: dict[str, Any]) -> str:
    gone = {f"gone_{name}": f"{{absence: {{kind: {kind}, longer: {spans['longer']}}}}}" for name, kind in zip(
        ("door", "power", "hot", "high"), ("door_open", "electricity_use", "temperature", "water_level"), strict=True)}  # fmt: skip
    conditions = {name: one.format(**spans, **gone) for name, one in CONDITIONS.items()}
    lines = [f"  {name}: {{title: {{zh: {name}, en: {name}}}, severity: 2, when: {{{one}}}}}" for name, one in conditions.items()]
    return "detectors:\n" + "\n".join(lines) + "\n"


def made(text: str) -> list[Detector]:
    """The detectors as the pack has them."""
    found = read(text, f"{NAME}/detect.yaml")
    check_detect(found, Known.of())
    if found.wrongs:
        raise SystemExit("\n".join(str(wrong) for wrong in found.wrongs))
    return [replace(one, id=f"{NAME}.{one.id}") for one in detectors_of(found.data, Known.of().kinds, 1)]


class Drawn:
    """Readings of ``devices`` over ``span`` ms, in random device order, times up to ``disorder`` ms behind each other."""

    def __init__(self, rows: int, devices: int, span: int, disorder: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.device, self.kind = draw.integers(0, devices, rows), draw.choice(5, rows, p=SHARES)
        self.value = np.round(np.abs(draw.normal(2, 0.7, rows)), 3)
        self.after = np.sort(draw.integers(0, span, rows)) - draw.integers(0, disorder, rows)
        self.zone = np.where(self.device % 50 == 0, 1, draw.integers(0, 5, rows))

    def alarms(self, detectors: list[Detector], start: int, until: int, number: Any = None) -> Alarms:
        """By one plain run over sorted readings, up to before ``until``. ``number``: what tells readings of one moment apart."""
        numbers = np.array([kind_number(kind) for kind in KINDS])
        zones = np.array([token_of(f"z{n}") for n in range(5)])
        order = np.argsort(self.after, kind="stable")
        token = np.where(self.kind == 3, zones[self.zone], 0)
        own = np.arange(len(order)) if number is None else number
        columns = (start + self.after, self.device, numbers[self.kind], self.value, token, own)
        engine = Engine(detectors, 0)
        told = [*engine.step(Readings.of(*(column[order] for column in columns))), *engine.finish(until - 1)]
        return sorted((one.detector, f"device-{one.key}", one.what, one.at) for one in told if one.at < until)


def compared(name: str, found: Alarms, wanted: Alarms) -> None:
    unlike = set(found) ^ set(wanted)
    record(f"{name}_alarms_unlike_a_plain_run", len(unlike) + abs(len(found) - len(wanted)), "alarms", len(wanted))
    for one in sorted(unlike)[:5]:
        sys.stderr.write(f"{'not wanted' if one in found else 'missing'}: {one}\n")
    if not wanted:
        raise SystemExit("nothing was raised: the comparison says nothing")


# --- from Parquet ----------------------------------------------------------------------------------------------------------


def parquet(rows: int, devices: int, seed: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    start, spans = 20_000 * DAY, SPANS["parquet"]
    drawn = Drawn(rows, devices, 3 * DAY, 50_000, seed)
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as name:
        folder = Path(name)
        (folder / NAME).mkdir()
        (folder / NAME / "detect.yaml").write_text(document(spans), encoding="utf-8")
        zone = [f"z{z}" if k == 3 else None for z, k in zip(drawn.zone.tolist(), drawn.kind.tolist(), strict=True)]
        columns = {
            "id": pa.array([f"r{n}" for n in range(rows)]),
            "source": pa.array(["bench"] * rows),
            "device": pa.array([f"device-{n}" for n in drawn.device.tolist()]),
            "kind": pa.array([KINDS[k] for k in drawn.kind.tolist()]),
            "at": pa.array((start + drawn.after) * 1000, pa.timestamp("us", tz="UTC")),
            "value": pa.array(drawn.value),
            "zone": pa.array(zone, pa.string()),
        }
        pq.write_table(pa.table(columns), folder / "readings.parquet", compression="zstd", row_group_size=16_384)
        wanted = {(d, k, w, a) for d, k, w, a in drawn.alarms(made(document(spans)), start, start + int(drawn.after.max()) + 1)}
        for kernel in ("numpy", "numba"):
            out = folder / f"{kernel}.jsonl"
            command = [sys.executable, "-m", "gridloop.doors.cli.main", "detect", str(folder / NAME), str(folder / "readings.parquet")]
            began, used = time.perf_counter(), processor()
            subprocess.run([*command, "--out", str(out)], check=True, env=os.environ | {"GRIDLOOP_DETECTION": kernel}, capture_output=True)
            record(f"{NAME}_parquet_{kernel}", rows / (time.perf_counter() - began), "readings/s", rows)
            record(f"{NAME}_parquet_{kernel}_processor", (processor() - used) * 1e6 / rows, "µs/reading", rows)
            lines = [orjson.loads(line) for line in out.read_bytes().splitlines()]
            found = sorted((one["detector"], one["key"], one["what"], _ms(one["at"])) for one in lines)
            compared(f"{NAME}_parquet_{kernel}", found, sorted(wanted))


def processor() -> float:
    """Seconds of it that ended children have used: others at work beside them change it little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


# --- over HTTP -------------------------------------------------------------------------------------------------------------


def pack(folder: Path) -> Path:
    """A scene of the ten detectors, from which no case is made."""
    own = folder / NAME
    own.mkdir()
    text = (PACKS / "damaged_facility" / "pack.yaml").read_text(encoding="utf-8")
    (own / "pack.yaml").write_text(text.replace("id: damaged_facility", f"id: {NAME}"), encoding="utf-8")
    (own / "limits.yaml").write_text((PACKS / "damaged_facility" / "limits.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (own / "signals.yaml").write_text("rules: []\n", encoding="utf-8")
    (own / "detect.yaml").write_text(document(SPANS["http"]), encoding="utf-8")
    return own


def installed(urls: dict[str, str], devices: int) -> None:
    """A process of its own: the scene and its devices."""
    from gridloop.doors.cli.database import Urls, setup_django

    setup_django(Urls(urls["owner"], urls["app"], urls["ingest"]))
    from gridloop.kernel.viewer import SYSTEM
    from gridloop.scenes.actions import install

    with tempfile.TemporaryDirectory(prefix="gl-bench-") as folder:
        loaded = load(pack(Path(folder)), Known.of())
        if loaded.wrongs:
            raise SystemExit("\n".join(str(wrong) for wrong in loaded.wrongs))
        install(SYSTEM, loaded)
    with psycopg.connect(urls["owner"]) as owner:
        owner.execute(
            "INSERT INTO registry_device (code, kind, name, region_code, interval_seconds, status) "
            "SELECT 'device-' || n, 'meter', '', '99010110020000100' || n %% 9, 86400, 'online' FROM generate_series(0, %s) n",
            [devices - 1],
        )


def bodies(drawn: Drawn, start: int) -> list[bytes]:
    def item(n: int) -> dict[str, Any]:
        kind = int(drawn.kind[n])
        at = datetime.fromtimestamp((start + int(drawn.after[n])) / 1000, UTC).isoformat(timespec="milliseconds")
        data = {"data": {"zone": f"z{drawn.zone[n]}"}} if kind == 3 else {}
        device, value = f"device-{drawn.device[n]}", float(drawn.value[n])
        return {"id": f"w{n}", "source": "bench", "device": device, "kind": KINDS[kind], "at": at, "value": value, **data}

    rows = len(drawn.device)
    return [orjson.dumps([item(n) for n in range(first, min(first + SIZE, rows))]) for first in range(0, rows, SIZE)]


def send(port: int, token: str, start: float, work: list[tuple[float, bytes]], pipe: Any) -> None:
    """Each after its seconds from ``start``, over kept connections; tells the seconds all took, and by how many the latest was late."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    free = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(CONNECTIONS)]

    def post(one: tuple[float, bytes]) -> float:
        after, body = one
        connection = free.pop()
        time.sleep(max(0.0, start + after - time.time()))
        while True:
            connection.request("POST", "/api/v1/signals", body, headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != 429:
                break
            time.sleep(float(answer.headers.get("Retry-After") or 1))
        if answer.status != 202 or json.loads(told)["rejected"]:
            raise RuntimeError(f"{answer.status} {told[:300]!r}")
        free.append(connection)
        return time.time() - start - after

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        late = max(pool.map(post, work))
    pipe.send((time.time() - start, late, time.process_time()))


def elsewhere(act: Any, *arguments: Any) -> Iterator[Any]:
    child = get_context("spawn").Process(target=act, args=arguments)
    child.start()
    yield child
    child.join()
    if child.exitcode:
        raise SystemExit(f"{act.__name__} failed")


_CHANGES = """SELECT a.detector, a.key, c.what, c.at, a.noticed FROM signals_alarmchange c JOIN signals_alarm a ON a.id = c.alarm_id
WHERE a.detector LIKE %s"""
_BEHIND = """SELECT count(*) FROM signals_partition p CROSS JOIN unnest(ARRAY['detectors', 'devices', 'effects', 'heard']) AS n(consumer)
LEFT JOIN signals_position c ON c.partition = p.partition AND c.consumer = n.consumer WHERE p.seq > COALESCE(c.seq, 0)"""


def over_http(rows: int, devices: int, seed: int) -> None:
    drawn = Drawn(rows, devices, 1000 * LIVE_SECONDS, 5_000, seed)
    detectors = made(document(SPANS["http"]))
    with product(0.1) as callers:
        urls = callers.product.run()["urls"]
        for _ in elsewhere(installed, urls, devices):
            pass
        at_work(callers)
        settled(callers.product)
        _measure(callers, urls["owner"], drawn, detectors, rows)


def at_work(callers: Callers) -> None:
    """Switched on. The worker has its detectors within seconds; were it late, alarms would be missing in the comparison."""
    callers.post(f"/api/v1/packs/{NAME}/switch", "admin", {"on": True})
    time.sleep(60)


def _measure(callers: Callers, url: str, drawn: Drawn, detectors: list[Detector], rows: int) -> None:
    start = round((time.time() + 5 + rows / 60_000) * 1000)  # what has to be written first takes its time
    due = [*np.maximum.accumulate(drawn.after)[SIZE - 1 :: SIZE].tolist(), LIVE_SECONDS * 1000]
    work = [(after / 1000, body) for after, body in zip(due, bodies(drawn, start), strict=False)]
    ours, theirs = get_context("spawn").Pipe()
    before = processor_seconds(callers.product)
    for _ in elsewhere(send, callers.product.port, callers.token("admin"), start / 1000, work, theirs):
        taken, late, used = ours.recv()
    record(f"{NAME}_http_durable", rows / taken, "readings/s", rows)
    record(f"{NAME}_http_sent_late", late, "s", rows)
    after = processor_seconds(callers.product) | {"sender": used}
    for name in sorted(after):
        if (cost := after[name] - before.get(name, 0.0)) > 0.5:
            record(f"{NAME}_http_processor_{name}", cost * 1e6 / rows, "µs/reading", rows)
    end = start + int(drawn.after.max()) + 1
    with psycopg.connect(url, autocommit=True) as owner:
        last = datetime.fromtimestamp(end / 1000, UTC) + timedelta(seconds=75)
        _until(owner, lambda: datetime.now(UTC) > last, 240)
        _until(owner, lambda: owner.execute(_BEHIND).fetchone() == (0,), 240)  # told when the state is stored, every half minute
        changes = owner.execute(_CHANGES, [f"{NAME}.%"]).fetchall()
    waits = [(noticed - at).total_seconds() for _, _, what, at, noticed in changes if what == "raised"]
    for share in (0.5, 0.95, 1.0) if waits else ():
        record(f"{NAME}_http_moment_to_row_p{round(100 * share)}", percentile(waits, share), "s", len(waits))
    found = sorted((d, k, w, round(at.timestamp() * 1000)) for d, k, w, at, _ in changes)
    # a bare reading is known by its device, kind and moment: sent with another id it is the same one
    number = np.where(drawn.kind == KINDS.index("position"), np.arange(rows), 0)
    compared(f"{NAME}_http", [one for one in found if one[3] < end], drawn.alarms(detectors, start, end, number))


def _until(owner: Any, so: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not so():
        if time.monotonic() > end:
            raise SystemExit("the detectors do not get through")
        time.sleep(0.2)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--part", choices=("http", "parquet"))
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--rows", type=int)
    options.add_argument("--devices", type=int, default=100_000)
    chosen, _ = options.parse_known_args()
    if chosen.part != "http":
        parquet(chosen.rows or 2_000_000, chosen.devices, chosen.seed)
    if chosen.part != "parquet":
        over_http(chosen.rows or 25_000 * LIVE_SECONDS, min(chosen.devices, 40_000), chosen.seed)


if __name__ == "__main__":
    main()
