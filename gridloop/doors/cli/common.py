"""What several commands share: finding the deployment and speaking to its database."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from gridloop.doors.cli.database import APP, INGEST, OWNER, DatabaseFault, Urls, setup_django, with_login
from gridloop.doors.cli.deployment import Deployment, default_folder
from gridloop.doors.cli.postgres import EmbeddedPostgres
from gridloop.sdk.channels import real_channels

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="GRIDLOOP_DATA_DIR",
    help="Data folder of the deployment (default: var/data of the checkout).",
)


def attach(data_dir: Path | None) -> Deployment:
    """The environment of a running deployment for this process, unless the administrator has given one already."""
    deployment = Deployment(data_dir or default_folder())
    os.environ["GRIDLOOP_DATA_DIR"] = str(deployment.folder)
    if "GRIDLOOP_APP_URL" in os.environ:
        return deployment
    known = running_environment(deployment)
    if not known or not deployment.running():
        raise click.ClickException(
            f"nothing runs in {deployment.folder}: start `gridloop up` or name the folder with --data-dir / 请先启动 gridloop up"
        )
    os.environ.update(known)
    return deployment


def running_environment(deployment: Deployment) -> dict[str, str]:
    """What the processes of the deployment were started with."""
    known: dict[str, str] = deployment.read("run.json").get("environment", {})
    return known


def refuse_moved_clock(deployment: Deployment, environment: Mapping[str, str]) -> None:
    """The one rule of the deployment clock: only a sample or test deployment without a real channel may have it moved.

    ``environment``: of the processes that live by the clock; a command's own may say something else.
    """
    real = real_channels(environment)
    if real:
        raise click.ClickException(
            f"the clock of a deployment with a real channel ({', '.join(real)}) is never moved / 已配置真实通道，不能移动时钟"
        )
    state = deployment.read("deployment.json")
    if not (state.get("sample") or state.get("test")):
        raise click.ClickException(
            f"{deployment.folder} is neither a sample nor a test deployment: its clock is never moved / 正式部署不能移动时钟"
        )


def sample_scale() -> float:
    """How much of the sample county there is: GRIDLOOP_SAMPLE_SCALE (0–1] means fewer people and devices, for a small machine or tests."""
    return float(os.environ.get("GRIDLOOP_SAMPLE_SCALE", "1"))


def no_deployment(deployment: Deployment) -> str:
    return (
        f"{deployment.folder} holds no deployment yet: start `gridloop up` or name the folder with --data-dir"
        " / 此文件夹中还没有部署：请先启动 gridloop up，或用 --data-dir 指定"
    )


def owner_urls(deployment: Deployment) -> Urls:
    """The three URLs of a deployment whose database runs."""
    urls: dict[str, str] = deployment.read("run.json").get("urls", {})
    if not urls:
        raise click.ClickException(no_deployment(deployment))
    return Urls(**urls)


def embedded(deployment: Deployment) -> EmbeddedPostgres:
    return EmbeddedPostgres(deployment.postgres, deployment.secrets()["postgres"])


def urls_on(server: str, name: str, deployment: Deployment) -> Urls:
    """URLs of the three roles on a server, with the deployment's passwords."""
    known = deployment.secrets()
    return Urls(*(with_login(server, role, known[role], name) for role in (OWNER, APP, INGEST)))


@contextmanager
def django_on(data_dir: Path | None) -> Iterator[Deployment]:
    """Django with all three URLs; an embedded database that does not run is started for the while."""
    deployment = Deployment(data_dir or default_folder())
    if not (deployment.folder / "run.json").exists() and "GRIDLOOP_APP_URL" not in os.environ:
        raise click.ClickException(no_deployment(deployment))
    os.environ["GRIDLOOP_DATA_DIR"] = str(deployment.folder)
    os.environ.update({k: v for k, v in running_environment(deployment).items() if k not in os.environ})
    if key := deployment.read("secrets.json").get("factor_key"):
        os.environ.setdefault("GRIDLOOP_FACTOR_KEY", key)  # of a deployment restored and not yet started, too
    server = None if deployment.running() or not deployment.postgres.exists() else embedded(deployment)
    try:
        if server:
            server.prepare()
            server.start()
        setup_django(owner_urls(deployment) if (deployment.folder / "run.json").exists() else None)
        yield deployment
    except DatabaseFault as fault:
        raise click.ClickException(str(fault)) from fault
    finally:
        if server:
            _close()
            server.stop()


def _close() -> None:
    from django.db import connections

    connections.close_all()
