"""One file with everything: the database first, then evidence and history, which only grow, so every row finds its file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import click
import psycopg

from gridloop import __version__
from gridloop.doors.cli import database
from gridloop.doors.cli.common import data_dir_option, embedded, no_deployment, owner_urls
from gridloop.doors.cli.database import Urls
from gridloop.doors.cli.deployment import Deployment, default_folder
from gridloop.doors.cli.postgres import BIN, EmbeddedPostgres
from gridloop.doors.cli.prepare import open_database
from gridloop.doors.cli.proving import prove

FOLDERS = ("evidence", "history", "static")
FILES = ("deployment.json", "clock.json")


class _Server:
    """The deployment's database for the while of a command: the running one, an outside one, or the embedded one started."""

    def __init__(self, deployment: Deployment, *, new: bool = False) -> None:
        self.deployment = deployment
        self.new = new
        self.started: EmbeddedPostgres | None = None

    def __enter__(self) -> Urls:
        if given := os.environ.get("DATABASE_URL"):
            return open_database(given, self.deployment)
        if not self.new and self.deployment.running():
            return owner_urls(self.deployment)
        if not self.new and not self.deployment.postgres.exists():
            raise click.ClickException(no_deployment(self.deployment))
        self.started = embedded(self.deployment)
        self.started.prepare()
        self.started.start()
        return open_database(self.started.url(), self.deployment)

    def __exit__(self, *_: object) -> None:
        if self.started:
            self.started.stop()


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run([str(BIN / program), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{program}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keep", type=click.IntRange(1), help="FILE is a folder: write a file with the time in its name, keep so many of the newest."
)
@data_dir_option
def backup(file: Path, keep: int | None, data_dir: Path | None) -> None:
    """Write one consistent file (a tar) while the deployment runs or stands still. It holds personal data: keep it safe."""
    deployment = Deployment(data_dir or default_folder())
    if keep is None:
        _write(deployment, file)
        return
    if not file.is_dir():
        raise click.ClickException(f"{file}: with --keep a folder is wanted / 使用 --keep 时应为文件夹")
    _write(deployment, file / f"gridloop-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar")
    for old in sorted(file.glob("gridloop-????????T??????Z.tar"))[:-keep]:
        old.unlink()
        click.echo(f"  {old.name} removed / 已删除")


def _write(deployment: Deployment, file: Path) -> None:
    if file.is_dir():
        raise click.ClickException(f"{file} is a folder: name a file, or use --keep / 这是文件夹：请给出文件名，或使用 --keep")
    if file.exists():
        raise click.ClickException(f"{file} exists already / 文件已存在")
    if not file.absolute().parent.is_dir():
        raise click.ClickException(f"{file.parent}: no such folder / 没有此文件夹")
    began = time.monotonic()
    partial = file.with_name(file.name + ".partial")
    try:
        _gather(deployment, partial)
        partial.replace(file)
    except OSError as fault:  # a folder of somebody else, a full disk: half a backup is none
        partial.unlink(missing_ok=True)
        raise click.ClickException(
            f"{file}: no backup was made: {fault.strerror or fault} ({fault.filename or file}) / 未能备份，请检查文件夹权限和磁盘空间"
        ) from fault
    note = {"at": time.time(), "file": str(file.absolute()), "bytes": file.stat().st_size, "seconds": round(time.monotonic() - began, 1)}
    deployment.write("backup.json", note)
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB in {time.monotonic() - began:.1f} s")


def _gather(deployment: Deployment, partial: Path) -> None:
    with _Server(deployment) as urls, tempfile.TemporaryDirectory(prefix="gridloop-backup-", dir=partial.absolute().parent) as scratch:
        dump = Path(scratch) / "database.dump"
        click.echo("  database / 数据库 …")
        _run("pg_dump", "--format=custom", "--no-owner", f"--file={dump}", urls.owner)
        with tarfile.open(partial, "x") as archive:
            os.chmod(partial, 0o600)
            _add_text(archive, "gridloop.json", {"version": __version__, "at": datetime.now(UTC).isoformat(), "format": 1})
            archive.add(dump, "database.dump")
            for name in (*FILES, *FOLDERS):
                if (deployment.folder / name).exists():
                    click.echo(f"  {name} …")
                    _add(archive, deployment.folder / name, name)
    with partial.open("rb") as whole:
        os.fsync(whole.fileno())


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """A file or folder as it is now; what vanishes meanwhile (retention, an hour of history written anew) is not in it."""
    with contextlib.suppress(FileNotFoundError):
        archive.add(path, name, recursive=False)
        if path.is_dir():
            for child in sorted(path.iterdir()):
                if not child.name.startswith(".new-"):
                    _add(archive, child, f"{name}/{child.name}")


def _add_text(archive: tarfile.TarFile, name: str, content: dict[str, object]) -> None:
    data = json.dumps(content).encode()
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--verify/--no-verify", "proof", default=True, show_default=True, help="Prove trace, evidence and log afterwards.")
@click.option("--replace", is_flag=True, help="Also into a deployment that holds something: what it holds is lost.")
@data_dir_option
def restore(file: Path, proof: bool, replace: bool, data_dir: Path | None) -> None:
    """Restore a backup into a stopped, empty deployment."""
    deployment = Deployment(data_dir or default_folder())
    deployment.make_folders()
    with deployment.lock(), tempfile.TemporaryDirectory(prefix="gridloop-restore-", dir=deployment.folder) as scratch:
        _extract(file, Path(scratch))
        with _Server(deployment, new=True) as urls:
            if _holds_something(urls) or any(deployment.evidence.iterdir()):
                if not replace:
                    raise click.ClickException(
                        f"{deployment.folder} is not empty: use another --data-dir, or --replace to lose it / "
                        "不是空的：请换 --data-dir，或用 --replace 覆盖"
                    )
                _empty(urls)
            click.echo("  database / 数据库 …")
            _run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={urls.owner}", str(Path(scratch) / "database.dump"))
            with psycopg.connect(urls.owner) as connection:
                database.grant_app(connection)
                database.continue_order(connection)
            deployment.write("run.json", {"urls": vars(urls)})
        _move_in(Path(scratch), deployment)
    faults = prove(deployment.folder) if proof else []  # after the lock: whoever holds it counts as running
    for fault in faults:
        click.echo(f"FAULT / 有误: {fault}", err=True)
    if faults:
        sys.exit(1)
    click.echo(f"restored into {deployment.folder}: start it with gridloop up / 恢复完成")


def _extract(file: Path, scratch: Path) -> None:
    try:
        with tarfile.open(file) as archive:
            names = archive.getnames()
            if "gridloop.json" not in names or "database.dump" not in names:
                raise click.ClickException(f"{file} is not a Gridloop backup / 不是网格闭环的备份文件")
            _refuse_tricks(file, archive)
            archive.extractall(scratch)
    except tarfile.TarError as fault:
        why = str(fault).partition(":")[0]  # what follows is one line for each way to compress
        raise click.ClickException(f"{file} is not a Gridloop backup, or damaged: {why} / 不是网格闭环的备份文件，或文件已损坏") from fault


def _refuse_tricks(file: Path, archive: tarfile.TarFile) -> None:
    """Only plain files and folders inside of where it is unpacked. By hand: Python before 3.11.4 has no filter for it."""
    for member in archive:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise click.ClickException(
                f"{file} is not a Gridloop backup: {member.name[:100]} does not belong into one / 备份中有不该有的内容"
            )
        member.mode = 0o700 if member.isdir() else 0o600
        member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""


def _holds_something(urls: Urls) -> bool:
    with psycopg.connect(urls.owner) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    return bool(row and row[0])


def _empty(urls: Urls) -> None:
    with psycopg.connect(urls.owner) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def _move_in(scratch: Path, deployment: Deployment) -> None:
    for name in FOLDERS:
        if (scratch / name).exists():
            shutil.rmtree(deployment.folder / name, ignore_errors=True)
            shutil.move(scratch / name, deployment.folder / name)
    for name in FILES:
        if (scratch / name).exists():
            shutil.move(scratch / name, deployment.folder / name)
