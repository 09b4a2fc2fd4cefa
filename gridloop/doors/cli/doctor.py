"""``gridloop doctor``: one line per part: what is configured, reachable, behind, silent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import psutil

from gridloop.doors.cli.common import data_dir_option, django_on
from gridloop.doors.cli.deployment import Deployment, default_folder
from gridloop.doors.cli.examining import MACHINE_CHECKS
from gridloop.doors.cli.findings import BAD, OK, WARN, Line
from gridloop.doors.cli.services import ready
from gridloop.kernel.texts import say

_LAG_WARN = 5.0  # seconds a consumer of the trace may be behind
_DRIFT_WARN, _DRIFT_BAD = 1.0, 30.0  # seconds between our clock and the database's


def _front(deployment: Deployment) -> Iterator[Line]:
    run = deployment.read("run.json")
    if not deployment.running():
        yield WARN, "deployment", "doors.doctor_stopped", {"folder": deployment.folder}
        return
    url = str(run.get("url"))
    yield (OK if ready(url) else BAD), "front door", "doors.doctor_front", {"url": url}
    for name, (pid, started) in run.get("children", {}).items():
        alive = psutil.pid_exists(pid) and abs(psutil.Process(pid).create_time() - started) < 1
        key = "doors.doctor_process" if alive else "doors.doctor_process_gone"
        yield (OK if alive else BAD), f"process {name}", key, {"pid": pid}


def _database(deployment: Deployment) -> Iterator[Line]:
    import time

    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), pg_size_pretty(pg_database_size(current_database())), current_user")
        version, size, user = cursor.fetchone()
        yield OK, "database", "doors.doctor_database", {"version": version.split(" on ")[0], "size": size, "user": user}
        cursor.execute("SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0) FROM pg_stat_activity WHERE xact_start IS NOT NULL")
        oldest = float(cursor.fetchone()[0])
        yield (OK if oldest < _LAG_WARN else WARN), "longest transaction", "doors.doctor_transaction", {"age": f"{oldest:.1f}"}
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        theirs, after = float(cursor.fetchone()[0]), time.time()
        drift = max(0.0, before - theirs, theirs - after)
        level = BAD if drift > _DRIFT_BAD else WARN if drift > _DRIFT_WARN else OK
        yield level, "clock drift", "doors.doctor_drift", {"seconds": f"{drift:.1f}"}


def _migrations(deployment: Deployment) -> Iterator[Line]:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    due = executor.migration_plan(executor.loader.graph.leaf_nodes())
    key = "doors.doctor_migrations_due" if due else "doors.doctor_migrations"
    yield (BAD if due else OK), "migrations", key, {"count": len(due)}


def _consumers(deployment: Deployment) -> Iterator[Line]:
    from gridloop.journal.selectors import lag
    from gridloop.kernel.viewer import SYSTEM

    for name, behind in sorted(lag(SYSTEM).items()):
        yield (OK if behind < 1000 else WARN), f"consumer {name}", "doors.doctor_consumer", {"count": behind}


def _parts(deployment: Deployment) -> Iterator[Line]:
    """What the rooms tell about themselves: ``doctor(viewer) -> [(level, name, key, params)]`` named in the settings."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    from gridloop.kernel.viewer import SYSTEM

    for target in getattr(settings, "DOCTORS", ()):
        yield from import_string(target)(SYSTEM)


DATABASE_CHECKS: tuple[Callable[[Deployment], Iterator[Line]], ...] = (_migrations, _database, _consumers, _parts)


def _told(line: Line) -> dict[str, Any]:
    level, name, key, params = line
    return {"level": level, "part": name, "key": key, "zh": say(key, "zh", **params), "en": say(key, "en", **params)}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON array of {level, part, key, zh, en} instead of lines.")
@data_dir_option
def doctor(as_json: bool, data_dir: Path | None) -> None:
    """What is configured, reachable, behind, silent. Exit status 1 when something is BAD."""
    deployment = Deployment(data_dir or default_folder())
    checks = (_front, *MACHINE_CHECKS)
    lines = [line for check in checks for line in check(deployment)] if deployment.folder.exists() else []
    with django_on(data_dir):
        lines += [line for check in DATABASE_CHECKS for line in check(deployment)]
    found = [_told(line) for line in lines]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for one in found:
            level = click.style(f"{one['level']:<5}", fg={OK: "green", WARN: "yellow", BAD: "red"}[one["level"]])
            text = one["zh"] if one["zh"] == one["en"] else f"{one['zh']} / {one['en']}"
            click.echo(f"{level}{one['part']:<28} {text}")
    sys.exit(1 if any(level == BAD for level, *_ in lines) else 0)
