"""``gridloop simulate``: the sample county comes alive in a running deployment."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import click

from gridloop.doors.cli.common import attach, data_dir_option, django_on, sample_scale

REPORT_EVERY = 60.0  # seconds between lines of progress


@click.command()
@click.option("--speed", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Simulated minutes per real minute.")
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--hours", type=click.FloatRange(min=0.01), help="End after so many simulated hours (default: until Ctrl-C).")
@data_dir_option
def simulate(speed: float, seed: int, hours: float | None, data_dir: Path | None) -> None:
    """Incidents, devices, people who report and staff who act, all through the public HTTP."""
    if not attach(data_dir).read("deployment.json").get("sample"):  # a deployment must run: this command speaks to it by HTTP
        raise click.ClickException("invented people and incidents: sample deployments only / 仅限示例部署")
    with django_on(data_dir) as deployment:
        from gridloop.simulation.county.county import SEED, generate
        from gridloop.simulation.living.client import Client
        from gridloop.simulation.living.run import Living
        from gridloop.simulation.living.truth import World

        url = deployment.read("run.json").get("url") or ""
        stop = threading.Event()
        numbers = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # waited for in a thread: a handler must not touch an event's lock
        threading.Thread(target=_wait_for, args=(numbers, stop), daemon=True).start()
        county = generate(SEED, sample_scale())
        world = World(county, seed)
        living = Living(world, Client(url, _tokens()), _people(), speed, stop)
        try:
            done = living.run(hours, county.devices, _ticker())
        finally:
            world.write(deployment.folder / "simulation" / "truth.jsonl")
        click.echo(done)


def _wait_for(numbers: set[signal.Signals], stop: threading.Event) -> None:
    signal.sigwait(numbers)
    stop.set()


def _tokens() -> Callable[[str], str]:
    from gridloop.access.actions import issue_token
    from gridloop.access.selectors import user_id_of
    from gridloop.kernel.viewer import SYSTEM

    @cache
    def token_of(username: str) -> str:
        found = user_id_of(username)
        return str(issue_token(SYSTEM, found, name="gridloop simulate")) if found else ""

    return token_of


def _people() -> Any:
    """Log-ins of the simulated: fixed ones for desk and devices, one per staff member on demand."""
    from gridloop.access.actions import load_users
    from gridloop.access.messages import SampleLogin
    from gridloop.kernel.viewer import SYSTEM
    from gridloop.orgs import desk
    from gridloop.orgs import selectors as orgs
    from gridloop.simulation.living.run import People

    region = desk.top_region(SYSTEM)
    centre = orgs.competent_units(SYSTEM, "intake", "", region)[0]
    people = orgs.staff(SYSTEM, unit=centre.id, limit=1).items
    code = people[0].code if people else None
    load_users(
        [
            SampleLogin(People.machine, "模拟设备平台", None, "integrator", region, None),
            SampleLogin(People.hotline, "模拟热线", code, "operator", region, None),
            SampleLogin(People.desk, "模拟值守", code, "operator", region, None),
            SampleLogin(People.watcher, "模拟观察", code, "duty_commander", region, None),
        ]
    )

    @cache
    def staff_of(unit_id: int) -> list[int]:
        return [s.id for s in orgs.staff(SYSTEM, unit=unit_id, limit=20).items]

    @cache
    def make(unit_id: int, staff_id: int, role: str) -> str:
        unit = orgs.unit(SYSTEM, unit_id)
        person = orgs.staff_briefs(SYSTEM, [staff_id]).get(staff_id)
        name = f"sim_{role}_{person.code if person else unit.code}".lower()
        territory = unit.region_code if role in ("supervisor", "grid_worker") else ""
        bound = None if role in ("supervisor", "grid_worker") else unit.code
        load_users([SampleLogin(name, person.name if person else unit.name, person.code if person else None, role, territory, bound)])
        return name

    @cache
    def unit_id(code: str) -> int | None:
        return orgs.unit_ids_by_code(SYSTEM, [code]).get(code)

    return People(staff_of, make, unit_id)


def _ticker() -> Callable[[Any], None]:
    last = time.monotonic()

    def tick(doing: Any) -> None:
        nonlocal last
        if time.monotonic() - last > REPORT_EVERY:
            last = time.monotonic()
            click.echo(doing)

    return tick
