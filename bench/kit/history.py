"""A county's past: a file of ended cases for ``gridloop import cases``, and what a lived case leaves in the other tables."""

from __future__ import annotations

import csv
import random
import resource
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import psycopg

from gridloop.cases.types import case_types
from kit.record import record
from kit.running import Callers, spent
from tests.house.product import command

COLUMNS = ("code", "type", "region_code", "reported_at", "status", "closed_at", "severity", "address", "text", "lon", "lat", "source")
YEARS = 2
WHAT = ("路灯不亮", "垃圾堆放", "占道经营", "井盖破损", "噪音扰民", "违章搭建", "电动车停放", "污水外溢", "树枝倒伏", "墙体脱落")
SAID = ("影响通行", "多次反映", "请尽快处理", "夜间尤甚", "老人摔倒", "气味很大", "已有三天", "请派人查看")


def write_history(callers: Callers, file: Path, count: int) -> Path:
    """A CSV of closed cases over all micro-grids and two years, newest last."""
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as owner:
        owner.execute("SELECT set_config('gridloop.system', 'on', true)")
        grids = owner.execute(
            "SELECT code, lon, lat, name FROM orgs_region WHERE length(code) = 18 AND valid_to IS NULL AND lon IS NOT NULL ORDER BY code"
        ).fetchall()
    kinds, chance = sorted(case_types()), random.Random(11)
    end = datetime.now(UTC) - timedelta(days=1)
    step = timedelta(days=365 * YEARS) / count
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(COLUMNS)
        for n in range(count):
            grid, lon, lat, name = grids[chance.randrange(len(grids))]
            at = end - step * (count - n)
            address = f"{name}{chance.randrange(1, 200)}号"
            text = f"{name}附近{WHAT[chance.randrange(len(WHAT))]}，{SAID[chance.randrange(len(SAID))]}"
            place = (round(lon + chance.uniform(-0.002, 0.002), 6), round(lat + chance.uniform(-0.002, 0.002), 6))
            closed = at + timedelta(hours=chance.uniform(1, 60))
            row = (f"H{n:017d}", kinds[n % len(kinds)], grid, at.isoformat(), "closed", min(closed, end).isoformat(), 1 + n % 4)
            rows.writerow((*row, address, text, *place, "hotline"))
    return file


def keep_history(callers: Callers, file: Path, count: int) -> None:
    """The file by ``gridloop import cases``: cases a second, and what one costs all processes, which a busy machine changes less."""
    began, own = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done: list[CompletedProcess[str]] = []
    used = spent(
        callers.product, lambda: done.append(command("import", "cases", str(file), "--data-dir", str(callers.folder), seconds=3600))
    )
    if done[0].returncode:
        raise SystemExit(f"import: {done[0].stderr[-500:]}")
    record("historic_cases_imported", count / (time.perf_counter() - began), "cases/s", count)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime
    record("historic_case_processor", (client + used["postgres"]) / count * 1_000_000, "µs", count)
    record("historic_case_processor_client", client / count * 1_000_000, "µs", count)


_AGED = (
    """INSERT INTO flow_task (id, case_code, ref, name, title_zh, title_en, stage, performer, verbs, must, status, unit_id, region,
        opened_at, due_at, accepted_at, done_at, done_by, outcome)
    SELECT gen_random_uuid(), c.code, s.stage || '#1', s.stage, s.stage, s.stage, s.stage, 'lead', '{submit}', '{}', 'done', 1, c.region,
        c.reported_at, c.reported_at, c.reported_at, c.closed_at, 'user:1', 'submit'
    FROM cases_case c, unnest(ARRAY['intake', 'handle', 'check']) AS s(stage) WHERE c.scene = 'history'""",
    """INSERT INTO flow_limit (id, case_code, task_id, kind, stage, share, ref, due_at, state, attempts, last_error)
    SELECT gen_random_uuid(), t.case_code, t.id, k.kind, t.stage, 80, '', t.due_at, 'cancelled', 0, ''
    FROM flow_task t, unnest(ARRAY['remind', 'remind', 'yellow', 'red']) AS k(kind) WHERE t.done_by = 'user:1' AND t.ref LIKE '%#1'""",
    """INSERT INTO cases_source (case_id, kind, source, device, signal_id, first_at, last_at, count, came_under, address, track_hash)
    SELECT c.id, c.source, '', '', '', c.reported_at, c.reported_at, 1, '', '', md5(c.code) FROM cases_case c WHERE c.scene = 'history'""",
)


def age(callers: Callers) -> None:
    """Beside each imported case what a lived one leaves: three done tasks with four ended limits each, and a source."""
    with psycopg.connect(callers.product.run()["urls"]["owner"], autocommit=True) as owner:
        owner.execute("SELECT set_config('gridloop.system', 'on', false)")
        for statement in _AGED:
            owner.execute(statement)  # type: ignore[arg-type]  # our own constants
        for table in ("cases_case", "cases_source", "flow_task", "flow_limit"):
            owner.execute(f"ANALYZE {table}")  # type: ignore[arg-type]
