"""What must be true before the processes start: roles, database, schema, packs, and in a sample deployment the county."""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import psycopg

from gridloop.access.rules import factor_roles
from gridloop.doors.cli import database
from gridloop.doors.cli.common import data_dir_option, django_on, sample_scale, urls_on
from gridloop.doors.cli.database import APP, INGEST, OWNER, DatabaseFault, Urls
from gridloop.doors.cli.deployment import ROOT, Deployment
from gridloop.doors.cli.faults import refused_as
from gridloop.doors.cli.supervisor import die_with_parent

_WATCHED = (
    "gridloop/*/migrations/*.py",
    "packs/**/*",
    "processes/**/*",
    "gridloop/doors/cli/database.py",
    "gridloop/simulation/county/**/*.py",
)


_OFFICERS = {
    "admin": "first administrator / 首个系统管理员",
    "security_officer": "first security officer / 首个安全管理员",
    "auditor": "first auditor / 首个安全审计员",
}


def open_database(server: str, deployment: Deployment) -> Urls:
    """Check the version, make the three roles and the database where missing; DatabaseFault in one line when that cannot be."""
    known = deployment.secrets()
    name = database.database_name(server) if os.environ.get("DATABASE_URL") else "gridloop"
    maintenance = server if not os.environ.get("DATABASE_URL") else _maintenance(server, name)
    try:
        with psycopg.connect(maintenance, connect_timeout=20) as connection:
            database.refuse_old(connection.info.server_version, connection.info.parameter_status("server_version") or "?")
            database.ensure_roles(connection, {role: known[role] for role in (OWNER, APP, INGEST)})
            database.ensure_database(connection, name)
    except psycopg.OperationalError as fault:
        raise DatabaseFault(f"the database does not answer: {str(fault).strip().splitlines()[-1]}") from fault
    except psycopg.errors.InsufficientPrivilege as fault:
        raise DatabaseFault(f"DATABASE_URL's role lacks a right: {fault.diag.message_primary}") from fault
    return urls_on(server, name, deployment)


def _maintenance(server: str, name: str) -> str:
    """The named database when it exists, else ``postgres``, from which it can be made."""
    try:
        psycopg.connect(server, connect_timeout=20).close()
        return server
    except psycopg.OperationalError as fault:
        if f'"{name}" does not exist' not in str(fault):
            raise DatabaseFault(f"the database does not answer: {str(fault).strip().splitlines()[-1]}") from fault
    return database.on_database(server, "postgres")


def fingerprint(urls: Urls) -> str:
    """Changes when anything that ``prepare`` works from has changed; a start with the same one skips it."""
    digest = hashlib.sha256(urls.owner.encode())
    for pattern in _WATCHED:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                stat = path.stat()
                digest.update(f"{path.relative_to(ROOT)}:{stat.st_size}:{stat.st_mtime_ns};".encode())
    return digest.hexdigest()


def run_prepare(deployment: Deployment, urls: Urls, env: dict[str, str], stopping: Callable[[], bool]) -> bool:
    """Run ``gridloop prepare`` as a child with the owner's URL unless nothing has changed since the last time.

    False when it failed or was ended because ``stopping()`` became true.
    """
    state = deployment.read("deployment.json")
    mark = fingerprint(urls)
    if state.get("prepared") == mark:
        return True
    child = subprocess.Popen(
        [sys.executable, "-m", "gridloop.doors.cli.main", "prepare", "--data-dir", str(deployment.folder)],
        env=env | urls.environment() | {"GRIDLOOP_CONNECT_SECONDS": "60"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    while child.poll() is None:
        if stopping():
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
            return False
        time.sleep(0.1)
    if child.returncode:
        return False
    deployment.write("deployment.json", deployment.read("deployment.json") | {"prepared": mark})
    return True


@click.command()
@data_dir_option
def prepare(data_dir: Path | None) -> None:
    """Migrate, install the scene packs and, in a new sample deployment, load the county."""
    with django_on(data_dir) as deployment:
        _step("database schema / 数据库结构", database.migrate)
        state = deployment.read("deployment.json")
        drawing = _start_base_map(deployment) if state.get("sample") else None
        if state.get("sample") and not state.get("sample_loaded"):
            _step("sample county / 示例县", _sample_county)
            deployment.write("deployment.json", deployment.read("deployment.json") | {"sample_loaded": True})
        if drawing:
            _step("base map / 底图", lambda: _end_base_map(drawing))
        _step("scene packs / 场景包", _call("gridloop.scenes.actions", "install_all"))
        for _, first in importlib.import_module("gridloop.scenes.selectors").left_out():
            click.echo(f"  left out / 未安装: {refused_as(None, first)}", err=True)
        if not state.get("sample") and not state.get("officers_made"):
            made = importlib.import_module("gridloop.access.actions").create_officers()
            for role, username, password in made:
                click.echo(f"{_OFFICERS[role]}: {username}   password / 密码: {password}   (shown once / 仅显示一次)")
            if {role for role, _, _ in made} & factor_roles(os.environ.get("GRIDLOOP_REQUIRE_MFA_ROLES", ""), sample=False):
                click.echo("each sets a password and a second factor at the first log-in / 首次登录须各自改密码并开启二次验证")
            deployment.write("deployment.json", deployment.read("deployment.json") | {"officers_made": True})


def _start_base_map(deployment: Deployment) -> subprocess.Popen[str] | None:
    """Draw the county beside the load: it needs no database. The edge serves the file below ``/static``."""
    path = deployment.folder / "static" / "map" / "county.pmtiles"
    if path.exists():
        return None
    command = [sys.executable, str(ROOT / "tools" / "make_pmtiles.py"), str(path), "--scale", f"{sample_scale():g}"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _end_base_map(drawing: subprocess.Popen[str]) -> None:
    """A county without its map still works: say why and go on; the next preparation draws it."""
    _, why = drawing.communicate()
    if drawing.returncode:
        click.echo(f" not drawn / 未生成: {(why.strip().splitlines() or ['?'])[-1]}", nl=False)


def _sample_county() -> None:
    from gridloop.simulation.county.load import load_sample

    load_sample(scale=sample_scale())


def _call(module: str, function: str) -> Callable[..., object]:
    found: Callable[..., object] = getattr(importlib.import_module(module), function)
    return found


def _step(title: str, work: object) -> None:
    began = time.monotonic()
    click.echo(f"  {title} …", nl=False)
    assert callable(work)
    work()
    click.echo(f" {time.monotonic() - began:.1f} s")


@click.command()
@data_dir_option
def migrate(data_dir: Path | None) -> None:
    """Bring the database schema up to date and give the ordinary roles their rights."""
    with django_on(data_dir):
        database.migrate(progress=True)
