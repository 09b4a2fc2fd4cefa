"""``gridloop up``: the whole product in one command."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from gridloop.access.rules import factor_roles
from gridloop.doors import figures_folder
from gridloop.doors.cli import services
from gridloop.doors.cli.common import data_dir_option, embedded, refuse_moved_clock
from gridloop.doors.cli.database import DatabaseFault, Urls
from gridloop.doors.cli.deployment import Deployment, default_folder, free_port, lan_address
from gridloop.doors.cli.edge import Edge, metrics_from
from gridloop.doors.cli.main import COMMANDS
from gridloop.doors.cli.prepare import open_database, run_prepare
from gridloop.doors.cli.service_manager import Manager
from gridloop.doors.cli.supervisor import Log, Service, Supervisor, end_with_make
from gridloop.doors.cli.welcome import welcome
from gridloop.doors.ingest.callout import OWN_USER
from gridloop.kernel import clock
from gridloop.sdk.channels import real_channels


@dataclass(frozen=True)
class Options:
    port: int
    host: str
    lan: bool
    empty: bool
    simulate: float

    @property
    def proxy_url(self) -> str:
        """``GRIDLOOP_PUBLIC_URL``: the address of an administrator's own proxy that stands before our port."""
        return os.environ.get("GRIDLOOP_PUBLIC_URL", "").rstrip("/")

    @property
    def strict_transport(self) -> bool:
        return self.proxy_url.startswith("https:")

    @property
    def url(self) -> str:
        return self.proxy_url or self._own_url

    @property
    def _own_url(self) -> str:
        if self.lan:
            return f"https://{lan_address()}:{self.port}"
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host
        return f"http://{host}:{self.port}"

    @property
    def local_url(self) -> str:
        return self._own_url if self.host not in ("0.0.0.0", "::") else f"{'https' if self.lan else 'http'}://127.0.0.1:{self.port}"

    @property
    def hosts(self) -> list[str]:
        names = ["127.0.0.1", "localhost", "[::1]"]
        if self.lan or self.host in ("0.0.0.0", "::"):
            names.append(lan_address())
        elif self.host not in names:
            names.append(self.host)
        if proxy := urlsplit(self.proxy_url).hostname:
            names.append(proxy)
        return names + [h for h in os.environ.get("GRIDLOOP_HOSTS", "").split(",") if h and h not in names]


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Public port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--lan", is_flag=True, help="HTTPS for the local network with a local certificate; prints a QR code per role.")
@click.option("--empty", is_flag=True, help="Without the sample county; with --clock or --rate at the first start a test deployment.")
@click.option("--clock", "start", help="Set the deployment clock: RFC 3339 time (sample and test deployments only).")
@click.option("--rate", type=click.FloatRange(0.01, 100_000), help="Deployment seconds per real second.")
@click.option("--simulate", type=click.FloatRange(0), default=0, metavar="SPEED", help="Also run the county simulator at this speed.")
@click.option("--quiet", is_flag=True, help="Without the simulator.")
@data_dir_option
def up(
    port: int,
    host: str,
    lan: bool,
    empty: bool,
    start: str | None,
    rate: float | None,
    simulate: float,
    quiet: bool,
    data_dir: Path | None,
) -> None:
    """Start everything; Ctrl-C ends it."""
    _check_detection()
    _check_factor_roles()
    services.mqtt_certificate()
    options = Options(port, "0.0.0.0" if lan else host, lan, empty, 0 if quiet else simulate)
    deployment = Deployment(data_dir or default_folder())
    deployment.refuse_a_strangers_folder()
    deployment.make_folders()
    with deployment.lock():
        _check_port(options)
        at = _clock_time(start)
        _decide_sample(deployment, empty, test=at is not None or rate is not None)
        if at is not None or rate is not None:
            refuse_moved_clock(deployment, os.environ)
            clock.set_clock(at or clock.now(), rate or 1.0, deployment.folder)
        deployment.end_leftovers()
        figures_folder.clear(deployment.run)
        sys.exit(Start(deployment, options).go())


def _check_port(options: Options) -> None:
    if free_port(options.port) != options.port:
        raise click.ClickException(f"port {options.port} is in use: choose another with --port / 端口 {options.port} 已被占用")


def _check_detection() -> None:
    """A worker without its detectors would be noticed late."""
    if asked := os.environ.get("GRIDLOOP_DETECTION", ""):
        from gridloop.detection.engine import compiled_asked  # NumPy: only who asks for something pays it

        compiled_asked(asked)


def _check_factor_roles() -> None:
    """A misspelt role would owe no second factor, and nobody would notice."""
    try:
        factor_roles(os.environ.get("GRIDLOOP_REQUIRE_MFA_ROLES", ""), sample=False)
    except ValueError as fault:
        raise click.ClickException(f"GRIDLOOP_REQUIRE_MFA_ROLES: {fault} / 没有这个岗位") from fault


def _decide_sample(deployment: Deployment, empty: bool, test: bool) -> None:
    """The first start decides for good: an empty deployment never gets invented people, a sample one is never taken for real.

    An empty one whose clock is set by its first start is for tests; any other empty one lives in real time for ever.
    """
    state = deployment.read("deployment.json")
    if "sample" not in state:
        made = {"sample": not empty, "test": empty and test and not real_channels(), "made_at": datetime.now(UTC).isoformat()}
        deployment.write("deployment.json", state | made)
    elif empty and state["sample"]:
        raise click.ClickException(f"{deployment.folder} already holds the sample county: use another --data-dir for an empty deployment")
    elif not empty and not state["sample"]:
        click.echo("this deployment was made with --empty: it stays without the sample county / 该部署不含示例县")


def _clock_time(start: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(start) if start else None
    except ValueError:
        raise click.ClickException(f"--clock {start}: an RFC 3339 time is wanted, such as 2026-03-01T08:00:00+08:00") from None
    return at.astimezone() if at is not None and at.tzinfo is None else at


class Start:
    """One start of a deployment, from its database to its front door."""

    def __init__(self, deployment: Deployment, options: Options) -> None:
        self.deployment = deployment
        self.options = options
        self.began = time.monotonic()
        self.manager = Manager()
        self.facts = {"url": options.local_url, "public_url": options.url, "pid": os.getpid()}
        self.supervisor = Supervisor(Log(deployment.logs), self._note)
        self.sample = bool(deployment.read("deployment.json").get("sample"))
        self.env: dict[str, str] = {}
        self.mqtt = self.nats_url = ""
        self.nats_port = 0

    def _note(self, children: dict[str, tuple[int, float]]) -> None:
        self.deployment.write("run.json", self.facts | {"children": children})

    def go(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.supervisor.request_stop)
        end_with_make(self.supervisor.stop_gently)
        try:
            if not self._start():
                return 0 if self.supervisor.stopping() else 1
            welcome(
                self.deployment,
                self.options.url,
                lan=self.options.lan,
                sample=self.sample,
                seconds=time.monotonic() - self.began,
                mqtt=self.mqtt,
            )
            self.manager.tell("READY=1")
            self.supervisor.run()
            return 0
        except DatabaseFault as fault:
            click.echo(f"Error: {fault}", err=True)
            return 1
        finally:
            if self.supervisor.stopping():
                click.echo("ending / 正在停止 …")
            self.manager.tell("STOPPING=1")
            self.supervisor.end()

    def _start(self) -> bool:
        """Everything up and answering; False when a part does not come or we are told to stop."""
        click.echo(f"Gridloop 网格闭环: {self.deployment.folder}")
        self._nats()
        urls = self._database()
        if urls is None or not self._door_open():
            return False
        self._environment(urls)
        if not run_prepare(self.deployment, urls, self.env, self.supervisor.stopping):
            if self.supervisor.stopping():
                return False
            raise DatabaseFault("the deployment could not be prepared: see above")
        for name in services.PROCESSES:
            self.supervisor.add(services.own(name, self.deployment, self.env))
        self.supervisor.add(services.edge(self.deployment, self._edge(), self.options.local_url, self.env))
        if not self.supervisor.wait_ready(*services.PROCESSES, "edge", seconds=90):
            return False
        if self.options.simulate and self.sample and "simulate" in COMMANDS:
            self._simulator()
        return True

    def _database(self) -> Urls | None:
        if given := os.environ.get("DATABASE_URL"):
            return open_database(given, self.deployment)
        server = embedded(self.deployment)
        if server.prepare():
            click.echo("  new database / 新建数据库")
        self.supervisor.add(services.postgres(server, dict(os.environ)))
        if not self.supervisor.wait_ready("postgres"):
            return None
        return open_database(server.url(), self.deployment)

    def _nats(self) -> None:
        """One of our own unless one is given.

        Its password is of this start alone and its port is known to nobody else: a copy of the data folder that runs beside us (a restore
        that is tried out) must not come to share it, for each of two that read there gets half of the devices' readings.
        """
        if given := os.environ.get("NATS_URL"):
            self.mqtt, self.nats_url = "", given
            return
        password, config = secrets.token_urlsafe(24), self.deployment.nats / "nats.conf"

        def choose() -> None:
            self._choose_doors(password)

        self.supervisor.add(services.nats(config, dict(os.environ), choose, lambda: self.nats_url))

    def _choose_doors(self, password: str) -> None:
        """Before each start of NATS: until it has answered once, other ports when those chosen were taken meanwhile."""
        if not self.env:  # later our processes and the devices know them
            self.nats_port = free_port()
            self.nats_url = f"nats://{OWN_USER}:{password}@127.0.0.1:{self.nats_port}"
            kept = self.deployment.read("ports.json").get("mqtt", 1883)
            self.mqtt = os.environ.get("GRIDLOOP_MQTT_LISTEN") or f"127.0.0.1:{free_port(kept)}"
            self.deployment.write("ports.json", {"mqtt": int(self.mqtt.rpartition(":")[2])})
        services.write_nats_config(self.deployment, self.nats_port, self.mqtt, password)

    def _door_open(self) -> bool:
        return "nats" not in self.supervisor.children or self.supervisor.wait_ready("nats", seconds=30)

    def _environment(self, urls: Urls) -> None:
        options = self.options
        self.env = self.deployment.environment(urls, self.nats_url, public_url=options.url, hosts=options.hosts, sample=self.sample)
        self.env |= {
            "GRIDLOOP_MQTT": self.mqtt,
            "GRIDLOOP_PUSH_HINT": str(free_port()),
            "GRIDLOOP_WORKER_HINT": str(free_port()),
            "GRIDLOOP_HTTPS": "1" if options.url.startswith("https:") else "",
            "GRIDLOOP_STRICT_TRANSPORT": "1" if options.strict_transport else "",
        }
        ours = {k: v for k, v in self.env.items() if k.startswith(("GRIDLOOP_", "DJANGO_"))}
        self.facts |= {"environment": ours, "urls": vars(urls), "mqtt": self.mqtt}
        self._note(self.supervisor.pids())

    def _edge(self) -> Edge:
        options = self.options
        names = tuple(dict.fromkeys(["localhost", "127.0.0.1", lan_address()])) if options.lan else ()
        return Edge(
            options.port,
            options.host,
            self.deployment.sockets,
            self.deployment.folder,
            names,
            tls=options.lan,
            metrics_from=metrics_from(),
            strict_transport=options.strict_transport,
            behind_proxy=bool(options.proxy_url),
        )

    def _simulator(self) -> None:
        command = [sys.executable, "-m", "gridloop.doors.cli.main", "simulate", "--speed", f"{self.options.simulate:g}"]
        self.supervisor.add(Service("simulate", command, self.env | {"GRIDLOOP_PROCESS": "simulate"}, once=True))
