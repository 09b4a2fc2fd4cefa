"""The processes, each runnable alone and more than once: ``gridloop web | push | ingest | worker``."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gridloop.doors import logs
from gridloop.doors.cli.common import attach, data_dir_option
from gridloop.doors.cli.deployment import Deployment
from gridloop.doors.cli.loading import loading
from gridloop.doors.cli.supervisor import die_with_parent
from gridloop.doors.figures_folder import use_folder
from gridloop.kernel import tracing
from gridloop.kernel.texts import all_texts

_WSGI = "gridloop.project.wsgi"  # by name: doors do not import the project, the project wires the doors
_SOCKET = click.option("--socket", "uds", type=click.Path(path_type=Path), help="Listen on this Unix socket.")
_LISTEN = click.option("--listen", default="127.0.0.1:0", show_default=True, help="Listen on HOST:PORT when no --socket is given.")


def _prepare(name: str, data_dir: Path | None) -> Deployment:
    deployment = attach(data_dir)
    os.environ["GRIDLOOP_PROCESS"] = name
    use_folder(deployment.run)
    logs.set_up(name)
    if name != "web":  # its workers do so, each after its fork
        tracing.set_up(name)
    return deployment


def _host_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise click.UsageError(f"--listen {listen}: HOST:PORT is wanted / 应为 地址:端口")
    return host.strip("[]"), int(port)


def _load_wsgi(*_: Any) -> Callable[..., Any]:
    """Runs in each granian worker: it ends with its master, also when that one is killed."""
    die_with_parent()
    tracing.set_up("web")
    return _application()


def _application() -> Callable[..., Any]:
    """The WSGI application with every address resolved and every sentence read. Loaded in the master: the workers are forked from it."""
    application: Callable[..., Any] = importlib.import_module(_WSGI).application
    from django.urls import get_resolver

    assert get_resolver().url_patterns
    all_texts()
    return application


@click.command()
@_SOCKET
@_LISTEN
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@data_dir_option
def web(uds: Path | None, listen: str, workers: int, data_dir: Path | None) -> None:
    """Pages and API (Django, WSGI)."""
    _prepare("web", data_dir)
    from granian import Granian
    from granian.constants import Interfaces

    with loading():  # the workers share what is loaded: their collectors would write into it
        _application()
    host, port = _host_port(listen)
    server = Granian(
        f"{_WSGI}:application",
        address=host,
        port=port,
        uds=uds,
        uds_permissions=0o660,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=8,
        backlog=1024,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=8,
        websockets=False,
    )
    server.serve(target_loader=_load_wsgi, wrap_loader=False)


def _asgi(name: str, uds: Path | None, listen: str) -> None:
    with loading():
        import uvicorn

        app = importlib.import_module(f"gridloop.doors.{name}.app").app
    host, port = _host_port(listen)
    uvicorn.run(
        app,
        host=host,
        port=port,
        uds=str(uds) if uds else None,
        http="httptools",
        loop="uvloop",
        access_log=False,
        log_level="warning",
        log_config=None,  # its lines go the way of ours
        server_header=False,
        timeout_graceful_shutdown=4,
        forwarded_allow_ips="*",
    )


@click.command()
@_SOCKET
@_LISTEN
@data_dir_option
def push(uds: Path | None, listen: str, data_dir: Path | None) -> None:
    """Live screens (server-sent events)."""
    _prepare("push", data_dir)
    _asgi("push", uds, listen)


@click.command()
@_SOCKET
@_LISTEN
@data_dir_option
def ingest(uds: Path | None, listen: str, data_dir: Path | None) -> None:
    """Signals in: HTTP and the devices' MQTT door."""
    _prepare("ingest", data_dir)
    _asgi("ingest", uds, listen)


@click.command()
@click.option("--job", "jobs", multiple=True, help="Only these jobs (default: all).")
@data_dir_option
def worker(jobs: tuple[str, ...], data_dir: Path | None) -> None:
    """Background jobs: limits, consumers, detectors, archive, deliveries."""
    deployment = _prepare("worker", data_dir)
    from gridloop.doors.cli.database import setup_django

    setup_django()
    from django.conf import settings

    from gridloop.doors.worker.loop import load, run

    table = [row for row in settings.JOBS if not jobs or row[0] in jobs]
    if unknown := set(jobs) - {row[0] for row in table}:
        raise click.UsageError(f"no such job: {', '.join(sorted(unknown))} / 没有这个后台任务")
    name = "worker" if not jobs else f"worker-{os.getpid()}"
    with loading():
        loaded = load(table)
    run(loaded, deployment.run / f"{name}.json")
