"""``gridloop doctor``: one line per part: what is configured, reachable, behind, silent."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import psutil

from gridloop.doors.cli.common import data_dir_option, django_on
from gridloop.doors.cli.deployment import ROOT, Deployment, default_folder
from gridloop.doors.cli.services import ready
from gridloop.sdk.channels import real_channels

OK, WARN, BAD = "ok", "warn", "BAD"
_LAG_WARN = 5.0  # seconds a consumer of the trace may be behind
_SILENT = 15.0  # seconds without a heartbeat
Line = tuple[str, str, str]


def _front(deployment: Deployment) -> Iterator[Line]:
    run = deployment.read("run.json")
    if not deployment.running():
        yield WARN, "deployment", f"{deployment.folder} does not run"
        return
    url = str(run.get("url"))
    yield (OK if ready(url) else BAD), "front door", url
    for name, (pid, started) in run.get("children", {}).items():
        alive = psutil.pid_exists(pid) and abs(psutil.Process(pid).create_time() - started) < 1
        yield (OK if alive else BAD), f"process {name}", f"pid {pid}" if alive else "not running"


def _worker(deployment: Deployment) -> Iterator[Line]:
    for path in sorted(deployment.run.glob("worker*.json")):
        beat: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        age = time.time() - beat["at"]
        yield (OK if age < _SILENT else BAD), path.stem, f"heartbeat {age:.0f} s ago, {len(beat['jobs'])} jobs"
        for name, state in beat["jobs"].items():
            if state["in_a_row"]:
                yield BAD, f"job {name}", f"{state['in_a_row']} failures in a row: {state['last_error']}"


def _database(deployment: Deployment) -> Iterator[Line]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), pg_size_pretty(pg_database_size(current_database())), current_user")
        version, size, user = cursor.fetchone()
        yield OK, "database", f"{version.split(' on ')[0]}, {size}, as {user}"
        cursor.execute(
            "SELECT count(*), coalesce(max(extract(epoch FROM now() - xact_start)), 0) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
        )
        _, oldest = cursor.fetchone()
        yield (OK if oldest < _LAG_WARN else WARN), "longest transaction", f"{oldest:.1f} s (consumers of the trace wait for it)"


def _consumers(deployment: Deployment) -> Iterator[Line]:
    from gridloop.journal.selectors import lag
    from gridloop.kernel.viewer import SYSTEM

    for name, behind in sorted(lag(SYSTEM).items()):
        yield (OK if behind < 1000 else WARN), f"consumer {name}", f"{behind} facts behind"


def _parts(deployment: Deployment) -> Iterator[Line]:
    """What the rooms tell about themselves: ``doctor(viewer) -> [(level, name, text)]`` named in the settings."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    from gridloop.kernel.viewer import SYSTEM

    for target in getattr(settings, "DOCTORS", ()):
        yield from import_string(target)(SYSTEM)


def _machine(deployment: Deployment) -> Iterator[Line]:
    usage = shutil.disk_usage(deployment.folder)
    free = usage.free / usage.total
    yield (OK if free > 0.1 else WARN), "disk", f"{usage.free / 1e9:.1f} GB free ({free:.0%})"
    built = (ROOT / "web" / "dist" / "index.html").exists()
    yield (OK if built else WARN), "front end", "built" if built else "not built: make install"
    yield OK, "channels", ", ".join(real_channels()) or "console and file only"
    moved = (deployment.folder / "clock.json").exists()
    yield (WARN if moved else OK), "clock", "moved: sample or test deployment only" if moved else "real time"


CHECKS: tuple[Callable[[Deployment], Iterator[Line]], ...] = (_front, _worker, _machine)
DATABASE_CHECKS: tuple[Callable[[Deployment], Iterator[Line]], ...] = (_database, _consumers, _parts)


@click.command()
@data_dir_option
def doctor(data_dir: Path | None) -> None:
    """What is configured, reachable, behind, silent. Exit status 1 when something is BAD."""
    deployment = Deployment(data_dir or default_folder())
    lines = [line for check in CHECKS for line in check(deployment)] if deployment.folder.exists() else []
    with django_on(data_dir):
        lines += [line for check in DATABASE_CHECKS for line in check(deployment)]
    for level, name, text in lines:
        click.echo(f"{click.style(f'{level:<5}', fg={OK: 'green', WARN: 'yellow', BAD: 'red'}[level])}{name:<28} {text}")
    sys.exit(1 if any(level == BAD for level, _, _ in lines) else 0)
