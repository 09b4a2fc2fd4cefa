"""From v0.1.0 to this checkout with many cases while people work: how long the new schema takes, and how long a verb waits meanwhile.

``--old`` is a checkout of v0.1.0 with its own ``.venv`` (``git worktree add PATH v0.1.0``, then ``make install`` there). The old
product serves while the new program migrates its database; then it is ended and the new one started over the same folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg
from kit.record import percentile, record
from kit.running import Callers, forget_connection
from many_cases import fill

from tests.house.product import COMMAND, Product, clean_environment, command

NEW = COMMAND[0]


def speak_as(interpreter: str) -> None:
    """Whose commands are meant from now on, those of ``token`` too: each version speaks to its own schema."""
    COMMAND[0] = interpreter


class Work(threading.Thread):
    """Reports and their acceptance without end; (when, seconds, status) of each request."""

    def __init__(self, callers: Callers) -> None:
        super().__init__(daemon=True)
        self.callers = callers
        self.done: list[tuple[float, float, str]] = []
        self.faults: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            for what, act in (("report", self._report), ("accept", self._accept)):
                began = time.time()
                try:
                    act()
                except Exception as fault:  # counted: what people would have seen
                    if "verb_not_now" not in str(fault):  # the report had joined a case that was accepted before
                        self.faults.append(f"{what}: {fault}"[:300])
                self.done.append((began, time.time() - began, what))
            time.sleep(0.05)

    def _report(self) -> None:
        self.code = self.callers.report()[0]

    def _accept(self) -> None:
        self.callers.post(f"/api/v1/cases/{self.code}/accept", "operator")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--old", type=Path, required=True)
    options.add_argument("--cases", type=int, default=100_000)
    options.add_argument("--scale", default="0.2")
    chosen, _ = options.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="gl-upgrade-") as name:
        Path(name).chmod(0o711)
        folder = Path(name) / "data"
        old = str(chosen.old / ".venv" / "bin" / "python")
        speak_as(old)
        product = Product(folder, GRIDLOOP_SAMPLE_SCALE=chosen.scale)
        try:
            product.wait_ready(300)
            callers = Callers(product, folder)
            fill(callers, chosen.cases)
            upgrade(callers, chosen.cases, chosen.scale)
            go_back(old, callers, chosen.scale)
        finally:
            product.stop()


def migrations(callers: Callers) -> int:
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as connection:
        (count,) = connection.execute("SELECT count(*) FROM django_migrations").fetchone() or (0,)
    return int(count)


def upgrade(callers: Callers, count: int, scale: str) -> None:
    old = callers.product
    callers.get("/api/v1/cases", "operator")
    work = Work(callers)
    work.start()
    time.sleep(10)
    known = migrations(callers)
    began = time.time()
    environment = clean_environment(GRIDLOOP_DATA_DIR=str(callers.folder))
    migrated = subprocess.run(
        [NEW, *COMMAND[1:], "migrate", "--data-dir", str(callers.folder)], env=environment, capture_output=True, text=True, check=False
    )
    ended = time.time()
    assert migrated.returncode == 0, migrated.stderr
    assert migrations(callers) > known, "nothing was migrated: was that really the old version?"
    time.sleep(10)
    work.stopping.set()
    work.join(60)
    before = [seconds for at, seconds, _ in work.done if at < began]
    during = [seconds for at, seconds, _ in work.done if began - 3 <= at <= ended]
    after = [seconds for at, seconds, _ in work.done if at > ended]
    record("upgrade_migrate_seconds", ended - began, "s", count)
    for word, times in (("before", before), ("during", during), ("after", after)):
        record(f"upgrade_verb_{word}_p50", percentile(times, 0.5) * 1000, "ms", count)
        record(f"upgrade_verb_{word}_max", max(times) * 1000, "ms", count)
    record("upgrade_failed_requests", len(work.faults), "requests", count)
    sys.stdout.write("".join(f"  {fault}\n" for fault in work.faults[:5]))
    old.stop()
    stopped = time.time()
    speak_as(NEW)
    new = Product(callers.folder, GRIDLOOP_SAMPLE_SCALE=scale)
    try:
        new.wait_ready(300)
        record("upgrade_not_answering", time.time() - stopped, "s", count)
        prove(new, callers)
    finally:
        new.stop()


def prove(new: Product, callers: Callers) -> None:
    """Everything still works: the trace verifies, nothing is due, a case made by the old program goes on in the new one."""
    callers.product = new
    forget_connection()
    assert command("verify", "--data-dir", str(new.folder)).returncode == 0
    doctor = command("doctor", "--data-dir", str(new.folder))
    assert doctor.returncode == 0, doctor.stdout
    with psycopg.connect(new.run()["urls"]["owner"]) as connection:
        connection.execute("SELECT set_config('gridloop.system', 'on', false)")
        row = connection.execute("SELECT code FROM cases_case WHERE status = 'dispatched' ORDER BY id DESC LIMIT 1").fetchone()
    assert row is not None
    callers.post(f"/api/v1/cases/{row[0]}/urge", "operator", {"note": "升级后继续办理"})
    code, _ = callers.report()
    callers.post(f"/api/v1/cases/{code}/accept", "operator")
    sys.stdout.write("an old case goes on, a new one is accepted, the trace verifies\n")


def go_back(old: str, callers: Callers, scale: str) -> None:
    """v0.1.0 once more over the new schema: what was made meanwhile is there, and work goes on."""
    speak_as(old)
    product = Product(callers.folder, GRIDLOOP_SAMPLE_SCALE=scale)
    try:
        product.wait_ready(300)
        callers.product = product
        forget_connection()
        code, _ = callers.report()
        callers.post(f"/api/v1/cases/{code}/accept", "operator")
        sys.stdout.write("v0.1.0 works again over the new schema\n")
    finally:
        product.stop()


if __name__ == "__main__":
    main()
