"""A hundred thousand open due rows: each fires in time and once, whatever its neighbours or the clock do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import psycopg
import pytest
from django.db import connection

from gridloop.cases import actions
from gridloop.cases.messages import Report
from gridloop.cases.tests.kit import HERE, build
from gridloop.journal.actions import scoped
from gridloop.journal.selectors import verify
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)
START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
CASES, EACH = 12_500, 8
SOON, BURST, MISSED = 150, 60, 200  # cases due in the first half minute, in one second of it, within two days
LATE = 5.0

CLONE = """
INSERT INTO cases_case ({columns})
SELECT {values} FROM cases_case, generate_series(0, %(last)s) AS n WHERE code = %(code)s
"""
CHILDREN = """
INSERT INTO journal_chainhead (chain, seq, hash)
    SELECT 'case:T' || lpad(n::text, 6, '0'), 0, repeat('0', 64) FROM generate_series(0, %(last)s) AS n;
INSERT INTO flow_instance (case_code, definition_id, state)
    SELECT 'T' || lpad(n::text, 6, '0'), definition_id, state
    FROM flow_instance, generate_series(0, %(last)s) AS n WHERE case_code = %(code)s;
INSERT INTO flow_task (id, case_code, {task})
    SELECT md5('task' || n)::uuid, 'T' || lpad(n::text, 6, '0'), {task}
    FROM flow_task, generate_series(0, %(last)s) AS n WHERE case_code = %(code)s;
INSERT INTO flow_limit (id, case_code, task_id, kind, stage, share, ref, due_at, state, attempts, last_error)
    SELECT gen_random_uuid(), 'T' || lpad(n::text, 6, '0'), md5('task' || n)::uuid,
           CASE WHEN k < 6 THEN 'remind' WHEN k = 6 THEN 'yellow' ELSE 'red' END, 'intake', k * 20, '',
           %(start)s + CASE
             WHEN n < %(soon)s AND k < 2 THEN make_interval(secs => 2 + (n * 7 + k * 11) %% 26)
             WHEN n < %(burst)s AND k < 2 THEN make_interval(secs => 15)
             WHEN n < %(missed)s AND k < 4 THEN make_interval(mins => 60 + (n * 37 + k * 601) %% 2700)
             ELSE make_interval(days => 3 + n %% 27, secs => n + k) END,
           'pending', 0, ''
    FROM generate_series(0, %(last)s) AS n, generate_series(0, {each} - 1) AS k;
"""


def _columns(table: str, *without: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position", [table])
        return [name for (name,) in cursor.fetchall() if name not in without]


def crowd(intruder: Callable[..., None]) -> None:
    """One real case at its desk, copied with its task and process, and eight due rows for each copy.

    Copied by the server's own account: row security and references, asked for each of them, would take most of the test's time.
    """
    with clock.fixed(START):
        build()
        text, (lon, lat) = "滨河路路灯不亮", HERE
        code = actions.report(PUBLIC, Report(text=text, kind="22007", lon=lon, lat=lat, address="滨河路27号")).case
    columns = _columns("cases_case", "id")
    values = [{"code": "'T' || lpad(n::text, 6, '0')", "same_thing": "''"}.get(name, name) for name in columns]
    parts: dict[str, str | int | datetime] = {
        "code": code,
        "last": CASES - 1,
        "start": START,
        "soon": SOON,
        "burst": SOON + BURST,
        "missed": SOON + BURST + MISSED,
    }
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("DELETE FROM flow_limit")
    clones = CLONE.format(columns=", ".join(columns), values=", ".join(values))
    children = CHILDREN.format(task=", ".join(_columns("flow_task", "id", "case_code")), each=EACH)
    filled = psycopg.ClientCursor(connection.connection).mogrify(f"{clones};{children}", parts)
    intruder(*(statement for statement in filled.split(";\n") if statement.strip()))


@pytest.fixture
def crowded(intruder: Callable[..., None]) -> None:
    crowd(intruder)


def ask(sql: str, *values: str | datetime) -> list[tuple[Any, ...]]:
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def spent() -> float:
    """Seconds of processor that we and our side of the database have used; where that one runs elsewhere, seconds."""
    assert connection.connection is not None
    try:
        server = psutil.Process(connection.connection.info.backend_pid)
        used = server.cpu_times() if server.name() == "postgres" else None
    except psutil.NoSuchProcess:
        used = None
    return time.process_time() + used.user + used.system if used else time.monotonic()


@dataclass
class Worker:
    """The worker's turn beside a clock that runs on while it works: what a turn costs is time that passes.

    It costs what it computes: others who use the same machine make it no longer.
    """

    now: datetime
    latest: float = 0.0
    fired: int = 0

    def turn(self) -> None:
        began = spent()
        with clock.fixed(self.now):
            more = actions.fire_due()
        cost = spent() - began
        done = ask("SELECT due_at FROM flow_limit WHERE state = 'fired' AND fired_at = %s", self.now)
        end = self.now + timedelta(seconds=cost)
        self.fired += len(done)
        self.latest = max([self.latest, *((end - due).total_seconds() for (due,) in done)])
        self.now = end if more else self.now + timedelta(seconds=max(1.0, cost))

    def until(self, end: datetime) -> None:
        while self.now < end:
            self.turn()


def facts_of_limits() -> int:
    return int(str(ask("SELECT count(*) FROM journal_fact WHERE action IN ('reminded', 'card_given')")[0][0]))


def test_each_fires_in_time_and_once_beside_a_poisoned_one_and_through_jumps(crowded: None) -> None:
    assert ask("SELECT count(*) FROM flow_limit WHERE state = 'pending'") == [(CASES * EACH,)]
    first = "(SELECT id FROM flow_limit WHERE case_code = %s ORDER BY due_at LIMIT 1)"
    poisoned = f"UPDATE flow_limit SET kind = 'wait', ref = 'nothing#1' WHERE id = {first}"
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(poisoned, ["T000000"])
        cursor.execute("ANALYZE flow_limit")
    worker = Worker(START)
    worker.until(START + timedelta(seconds=32))
    due = (SOON + BURST) * 2 - 1
    assert worker.fired == due == facts_of_limits(), "all that were due, the poisoned one excepted"
    assert worker.latest < LATE
    assert ask("SELECT attempts > 0, retry_at > due_at, last_error <> '' FROM flow_limit WHERE kind = 'wait'") == [(True, True, True)]

    worker.now += timedelta(days=2)  # the machine slept: what was missed fires now, each case's in order
    missed = Worker(worker.now)
    for _ in range(20):
        missed.turn()
    assert missed.fired == MISSED * 4 + (SOON + BURST) * 2
    assert facts_of_limits() == due + missed.fired
    order = ask("SELECT case_code, seq, data ->> 'due_at' FROM journal_fact WHERE action = 'reminded' ORDER BY case_code, seq")
    assert [(code, at) for code, _, at in order] == sorted((code, at) for code, _, at in order)

    back = Worker(missed.now - timedelta(hours=1))  # the clock was set back: nothing is told twice
    for _ in range(3):
        back.turn()
    assert back.fired == 0
    assert facts_of_limits() == due + missed.fired
    assert ask("SELECT count(*) FROM flow_limit WHERE state = 'pending' AND due_at < %s", back.now) == [(1,)], "only the poisoned one"
    assert verify(SYSTEM)[1] is None
