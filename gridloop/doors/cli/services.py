"""The children of a deployment: what each is started with and how we see that it is ready."""

from __future__ import annotations

import functools
import http.client
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click
import psycopg

from gridloop.doors import broker
from gridloop.doors.cli.deployment import Deployment
from gridloop.doors.cli.edge import Edge
from gridloop.doors.cli.postgres import EmbeddedPostgres, os_user
from gridloop.doors.cli.supervisor import Service, end_left_behind
from gridloop.doors.ingest.callout import authorization

PROGRAMS = Path(sys.executable).parent  # the virtual environment's programs: caddy and nats-server come from wheels
_NOISE = ("[INFO] ", "Configuration allows spawning")  # granian's start and stop lines: in the log file only
PROCESSES = ("web", "push", "ingest", "worker")  # our own, in start order


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(self._path)


def _answers(connection: http.client.HTTPConnection, path: str, below: int = 500) -> bool:
    try:
        connection.request("GET", path, headers={"Host": "127.0.0.1"})
        return connection.getresponse().status < below
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def socket_answers(path: Path, url: str) -> bool:
    return _answers(_UnixConnection(path), url)


def ready(url: str, path: str = "/readyz") -> bool:
    """Whether the whole product answers that it is ready, asked through the front door."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    if parts.scheme == "https":
        local = ssl._create_unverified_context()  # our own process on this machine, asked whether it lives
        return _answers(http.client.HTTPSConnection(host, port, timeout=5, context=local), path, 300)
    return _answers(http.client.HTTPConnection(host, port, timeout=5), path, 300)


def postgres(server: EmbeddedPostgres, env: dict[str, str]) -> Service:
    def ready() -> bool:
        try:
            psycopg.connect(server.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    return Service(
        name="postgres",
        command=server.command(),
        env={k: v for k, v in env.items() if not k.startswith("GRIDLOOP_")},
        ready=ready,
        before=server.clear_stale,
        loud=lambda line: "PANIC" in line or ("FATAL" in line and "is starting up" not in line),
        user=os_user(),
        stop_signal=signal.SIGINT,  # fast shutdown: connections are cut, nothing is lost
        grace=30,
    )


def mqtt_certificate() -> tuple[Path, Path] | None:
    """``GRIDLOOP_MQTT_CERT`` and ``GRIDLOOP_MQTT_KEY``: with both the devices' door speaks TLS only. One line when they are of no use."""
    names = [os.environ.get("GRIDLOOP_MQTT_CERT", ""), os.environ.get("GRIDLOOP_MQTT_KEY", "")]
    if not any(names):
        return None
    if not all(names):
        raise click.ClickException("GRIDLOOP_MQTT_CERT and GRIDLOOP_MQTT_KEY go together / 须同时设置")
    certificate, key = (Path(name).resolve() for name in names)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as fault:
        raise click.ClickException(f"GRIDLOOP_MQTT_CERT, GRIDLOOP_MQTT_KEY: {fault} / 证书或私钥不可用") from fault
    return certificate, key


def mqtt_door(listen: str, certificate: tuple[Path, Path] | None) -> str:
    """The block of ``nats.conf``: with a certificate nothing in plain, and no protocol older than TLS 1.2."""
    if certificate is None:
        return f"mqtt {{ listen: {json.dumps(listen)} }}"
    cert, key = (json.dumps(str(path)) for path in certificate)
    return f'mqtt {{ listen: {json.dumps(listen)}, tls: {{ cert_file: {cert}, key_file: {key}, min_version: "1.2" }} }}'


def write_nats_config(deployment: Deployment, port: int, mqtt: str, password: str) -> None:
    """``nats.conf`` anew at each start, readable by us only; who else may log in than ourselves, NATS asks the ingest process.

    One that is left of a killed supervisor ends first: it has the same store.
    """
    config = deployment.nats / "nats.conf"
    end_left_behind(deployment.run / "nats.pid", "nats-server", str(config), signal.SIGTERM, signal.SIGKILL)
    config.touch(mode=0o600)
    config.write_text(
        f"""server_name: gridloop
listen: "127.0.0.1:{port}"
pid_file: {json.dumps(str(deployment.run / "nats.pid"))}
max_payload: 8MB
# a PUBACK means "on disk": one fsync per message
jetstream {{ store_dir: {json.dumps(str(deployment.nats / "store"))}, sync_interval: always, max_file_store: 50GB }}
{mqtt_door(mqtt, mqtt_certificate())}
{authorization(password)}""",
        encoding="utf-8",
    )


def nats(config: Path, env: dict[str, str], before: Callable[[], None], url: Callable[[], str]) -> Service:
    """``before`` writes the configuration and may choose other ports; ``url`` is where we are let in then."""
    return Service(
        name="nats",
        command=[str(PROGRAMS / "nats-server"), "-c", str(config)],
        env={k: v for k, v in env.items() if not k.startswith("GRIDLOOP_")},
        ready=lambda: not broker.fault(url()),
        before=before,
        loud=lambda line: "[FTL]" in line or "[ERR]" in line,
        # a stream that once could not be written is not tried again before a restart, however much room there is by then
        hopeless=lambda line: "JetStream failed to store" in line or "JetStream out of resources" in line,
    )


def own(name: str, deployment: Deployment, env: dict[str, str]) -> Service:
    """One of our own processes; it listens on ``<name>.sock`` unless it is the worker."""
    command = [sys.executable, "-m", "gridloop.doors.cli.main", name]
    path = deployment.sockets / f"{name}.sock"
    if name == "worker":
        beat = deployment.run / "worker.json"
        return Service(
            name,
            command,
            env | {"GRIDLOOP_PROCESS": name},
            ready=beat.exists,
            before=lambda: beat.unlink(missing_ok=True),
            grace=15,
            together=True,
        )
    return Service(
        name,
        [*command, "--socket", str(path)],
        env | {"GRIDLOOP_PROCESS": name},
        ready=functools.partial(socket_answers, path, "/healthz"),
        before=lambda: path.unlink(missing_ok=True),
        loud=lambda line: not any(word in line for word in _NOISE),
        grace=10,
        together=True,
    )


def edge(deployment: Deployment, settings: Edge, url: str, env: dict[str, str]) -> Service:
    config = deployment.caddy / "Caddyfile"
    config.write_text(settings.text(), encoding="utf-8")
    return Service(
        name="edge",
        command=[str(PROGRAMS / "caddy"), "run", "--config", str(config), "--adapter", "caddyfile"],
        env={k: v for k, v in env.items() if not k.startswith("GRIDLOOP_")}
        | {"HOME": str(deployment.caddy), "XDG_DATA_HOME": str(deployment.caddy)},
        ready=functools.partial(ready, url),
        port=settings.port,
        loud=lambda line: "ERROR" in line or "error" in line[:60],
    )
