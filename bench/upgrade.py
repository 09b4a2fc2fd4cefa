"""From v0.1.0 to this checkout with many cases while people work: how long the new schema takes, and how long a verb waits meanwhile.

``--old`` is a checkout of v0.1.0 with its own ``.venv`` (``git worktree add PATH dde292e``, that is v0.1.0; then ``make install``
there). The old product serves while the new program migrates its database; then it is ended and the new one started over the same
folder. v0.1.0 cannot import a history: one case of its own making is multiplied in its tables, ended, with other texts, places, times.
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

from tests.house.product import COMMAND, Product, clean_environment, command, tokens

NEW = COMMAND[0]
AT_ONCE = 50_000
_MORE = """
WITH of AS (SELECT c AS t FROM cases_case c WHERE code = %(code)s), spots AS (
    SELECT array_agg(code ORDER BY code) AS codes, array_agg(lon ORDER BY code) AS lons, array_agg(lat ORDER BY code) AS lats,
        count(*) AS many FROM orgs_region WHERE length(code) = 18 AND valid_to IS NULL AND lon IS NOT NULL
), numbered AS (
    SELECT n, nextval(pg_get_serial_sequence('cases_case', 'id')) AS id, gen_random_uuid() AS sealed, 1 + n %% spots.many AS spot,
        now() - interval '3 days' - (%(count)s - n) * interval '1 minute' AS at FROM generate_series(%(first)s::int, %(last)s::int) n, spots
), kept AS (
    INSERT INTO cases_case SELECT (jsonb_populate_record(of.t, jsonb_build_object(
        'id', n.id, 'code', 'H' || lpad(n.n::text, 12, '0'), 'title', '旧案' || n.n || '：' || chr(20000 + n.n %% 3000) || '灯不亮',
        'status', 'closed', 'desk_waits', false, 'stage', '', 'same_thing', '', 'region', spots.codes[n.spot], 'lon', spots.lons[n.spot],
        'lat', spots.lats[n.spot], 'text_sealed', n.sealed, 'reporter_sealed', NULL, 'reported_at', n.at,
        'closed_at', n.at + interval '1 day', 'updated_at', n.at + interval '1 day',
        'stage_due_at', NULL))).* FROM numbered n, of, spots RETURNING id
), told AS (
    INSERT INTO journal_sealed SELECT (jsonb_populate_record(s, jsonb_build_object('id', n.sealed,
        'case_code', 'H' || lpad(n.n::text, 12, '0'), 'value', '第' || n.n || '号路灯不亮，' || chr(20000 + n.n %% 3000) || '村口'))).*
    FROM numbered n, of JOIN journal_sealed s ON s.id = (of.t).text_sealed RETURNING id
)
INSERT INTO cases_source (case_id, kind, source, device, signal_id, first_at, last_at, count, track_hash, text_sealed)
SELECT n.id, 'hotline', '', '', '', n.at, n.at, 1, '', n.sealed FROM numbered n
"""


def speak_as(interpreter: str) -> None:
    """Whose commands are meant from now on, those of ``token`` too: each version speaks to its own schema."""
    COMMAND[0] = interpreter


class CallersOfBoth(Callers):
    """v0.1.0 gives one token a command."""

    def token(self, user: str) -> str:
        if user not in self.tokens:
            self.tokens |= tokens(self.folder, user)
        return self.tokens[user]


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
            callers = CallersOfBoth(product, folder)
            multiply(callers, chosen.cases)
            upgrade(callers, chosen.cases, chosen.scale)
        finally:
            product.stop()


def migrations(callers: Callers) -> int:
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as connection:
        (count,) = connection.execute("SELECT count(*) FROM django_migrations").fetchone() or (0,)
    return int(count)


def multiply(callers: Callers, count: int) -> None:
    code = callers.report()[0]
    with psycopg.connect(callers.product.run()["urls"]["owner"], autocommit=True) as connection:
        connection.execute("SELECT set_config('gridloop.system', 'on', false)")
        for first in range(1, count + 1, AT_ONCE):
            last = min(first + AT_ONCE - 1, count)
            connection.execute(_MORE, {"code": code, "count": count, "first": first, "last": last})
        connection.execute("VACUUM ANALYZE cases_case, cases_source, journal_sealed")
        (kept,) = connection.execute("SELECT count(*) FROM cases_case WHERE code LIKE 'H%%'").fetchone() or (0,)
    assert kept == count, (kept, count)


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
    go_back(callers, scale)
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
    accept_a_new_one(callers)
    sys.stdout.write("an old case goes on, a new one is accepted, the trace verifies\n")


def accept_a_new_one(callers: Callers) -> None:
    """The next report that joins no case of before: those lie around places of the same devices."""
    for _ in range(50):
        code, _ = callers.report()
        answer = callers.call("POST", f"/api/v1/cases/{code}/accept", "operator", json={})
        if answer.status_code == 200:
            return
        assert "verb_not_now" in answer.text, answer.text
    raise AssertionError("every report joined a case that was accepted before")


def go_back(callers: Callers, scale: str) -> None:
    """v0.1.0 begins anew over the new schema, before the new program was ever started: work goes on. After that only a backup leads back,

    because packs are then kept in words that v0.1.0 does not know.
    """
    product = Product(callers.folder, GRIDLOOP_SAMPLE_SCALE=scale)
    try:
        product.wait_ready(300)
        callers.product = product
        forget_connection()
        accept_a_new_one(callers)
        sys.stdout.write("v0.1.0 begins anew and works over the new schema\n")
    finally:
        product.stop()


if __name__ == "__main__":
    main()
