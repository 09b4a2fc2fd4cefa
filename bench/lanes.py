"""Detectors shared by workers: readings a second from the log to alarms in rows, for one worker and for two, the log in the database and on

three JetStream servers that keep every batch three times. All of it on this machine, servers included. The ten detectors of
``bench/detection.py`` over 20,000 devices: eight of them in the lanes of 8 partitions, the two that wait for silence in the lane of all,
so that each reading is decoded twice. The log is full before the clock goes on; alarms must be the same each time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from detecting import START, Course, fill, register
from detection import TEN
from kit.record import record
from signals import database

from gridloop.doors.cli.database import Urls, setup_django
from gridloop.kernel import clock

COURSE = Course("lanes", TEN, 20_000, 400_000, 24)
LANES = 9
LOGS = ("postgres", "jetstream")


def crew(name: str) -> None:
    """A worker. Says in how many lanes its detectors have learned what there is and are at work, and when all have come up to the end."""
    from gridloop.signals import detecting, sharing
    from gridloop.signals.sharing import Crew
    from gridloop.signals.stream import horizon_of

    detecting.RENEW_SECONDS, sharing.BALANCE_SECONDS = 2.0, 0.5
    detectors = COURSE.detectors
    work, told = Crew(name, lambda: detectors), ""
    while Path(os.environ["GRIDLOOP_DATA_DIR"], "go").exists():
        more = work.turn()
        end = horizon_of(COURSE.end)
        ended = bool(work.held) and all(one.frontier >= end for one in work.held.values())
        if told != (now := json.dumps({"lanes": sum(bool(one.detectors) for one in work.held.values()), "ended": ended})):
            sys.stdout.write(now + "\n")
            sys.stdout.flush()
            told = now
        if not more:
            time.sleep(0.02)
    work.end()


def part(name: str) -> None:
    setup_django(Urls(*os.environ["BENCH_URLS"].split()))
    if name != "fill":
        crew(name)
        return
    begun = time.perf_counter()
    fill(COURSE)
    record(
        f"lanes_{os.environ['GRIDLOOP_SIGNALS_LOG']}_filled", COURSE.readings / (time.perf_counter() - begun), "readings/s", COURSE.readings
    )


def said(path: Path) -> dict[str, Any]:
    lines = path.read_text().splitlines()
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {"lanes": 0, "ended": False}
    return found


def wait(holds: Any, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


def measured(kind: str, crews: int, servers: list[str]) -> list[Any]:
    """Alarms of a run."""
    with database() as urls, tempfile.TemporaryDirectory() as named:
        register(urls, COURSE.devices)
        folder = Path(named)
        environment = os.environ | {"BENCH_URLS": f"{urls.owner} {urls.app} {urls.ingest}", "GRIDLOOP_DATA_DIR": named}
        environment |= {"GRIDLOOP_SIGNALS_LOG": kind, "GRIDLOOP_SIGNALS_SERVERS": ",".join(servers)}
        environment |= {"GRIDLOOP_SIGNALS_PREFIX": f"bench{crews}"}
        (folder / "go").touch()
        clock.set_clock(START - timedelta(minutes=1), 0.0, folder)
        command = [sys.executable, __file__, "--part"]
        running = []
        for n in range(crews):
            with (folder / f"{n}.out").open("wb") as out:
                running.append(subprocess.Popen([*command, f"w{n}"], env=environment, stdout=out))
        outs = [folder / f"{n}.out" for n in range(crews)]
        wait(
            lambda: sum(said(out)["lanes"] for out in outs) == LANES and all(said(out)["lanes"] for out in outs), 120, "all lanes are held"
        )
        subprocess.run([*command, "fill"], env=environment, check=True)
        begun = time.perf_counter()
        clock.set_clock(COURSE.end, 0.0, folder)
        wait(lambda: all(said(out)["ended"] for out in outs), 300, "all lanes are through")
        record(f"lanes_{kind}_workers_{crews}", COURSE.readings / (time.perf_counter() - begun), "readings/s", COURSE.readings)
        (folder / "go").unlink()
        for process in running:
            process.wait(60)
        with psycopg.connect(urls.owner) as connection:
            return connection.execute(
                "SELECT a.detector, a.key, a.start, c.what, c.at FROM signals_alarm a JOIN signals_alarmchange c ON c.alarm_id = a.id"
            ).fetchall()


def main() -> None:
    if "--part" in sys.argv:
        part(sys.argv[-1])
        return
    if "--run" in sys.argv:
        kind, crews, servers, out = sys.argv[-4:]
        Path(out).write_text(json.dumps(sorted(measured(kind, int(crews), servers.split())), default=str), encoding="utf-8")
        return
    from gridloop.adapters.systems.jetstream.tests.servers import Servers

    first = ""
    for kind in LOGS:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            urls = []
            if kind == "jetstream":
                servers = Servers(3)
                stack.callback(servers.stop)
                servers.log("warm", partitions=1, replicas=3).close()
                urls = servers.urls
            for crews in (1, 2):  # each with a database of its own, and Django knows one only
                out = folder / f"{crews}.json"
                subprocess.run([sys.executable, __file__, "--run", kind, str(crews), " ".join(urls), str(out)], check=True)
                first = first or out.read_text(encoding="utf-8")
                mine, those = ({json.dumps(row) for row in json.loads(text)} for text in (out.read_text(encoding="utf-8"), first))
                record(f"lanes_{kind}_workers_{crews}_unlike_the_first", len(mine ^ those), "changes", len(those))


if __name__ == "__main__":
    main()
