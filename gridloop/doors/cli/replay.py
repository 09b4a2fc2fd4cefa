"""``gridloop replay``: recorded real data lived again in a running deployment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gridloop.doors.cli.common import attach, data_dir_option, django_on, refuse_moved_clock, running_environment

GUESSES = {"hotline": "tainan_1999"}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "kind", required=True, type=click.Choice(["hotline", "reports"]), help="What the rows are.")
@click.option("--map", "mapping_name", help="Mapping file, or its name in mappings/.")
@click.option(
    "--times", type=click.Choice(["now", "own"]), default="now", help="now: starts now; own: the deployment clock lives the data's time."
)
@click.option("--speed", type=click.FloatRange(min=0.001), help="now: gaps divided by it (default 1); own: the clock's highest rate.")
@click.option("--limit", type=click.IntRange(1), help="Only the first rows.")
@click.option("--no-accept", is_flag=True, help="Leave the cases at the desk instead of taking the proposals.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one line of JSON.")
@data_dir_option
def replay(
    file: Path,
    kind: str,
    mapping_name: str | None,
    times: str,
    speed: float | None,
    limit: int | None,
    no_accept: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Feed FILE (CSV, packed or not) into the running deployment through its public HTTP."""
    running = attach(data_dir)  # a deployment must run: this command speaks to it by HTTP
    if times == "own":
        refuse_moved_clock(running, running_environment(running) or os.environ)
    with django_on(data_dir) as deployment:
        from gridloop.simulation.replay.mapping import count_rows, load_mapping, read_records

        mapping = load_mapping(mapping_name or GUESSES.get(kind, ""))
        url = deployment.read("run.json").get("url") or ""
        total = min(limit or 10**9, count_rows(file))
        feed = _feed(url, mapping, file, limit, desk=not no_accept)
        rows = islice(read_records(file, mapping), limit)
        with _progress(total, quiet=as_json) as tick:
            result = feed.run(rows, _pace(file, mapping, times, speed), tick)
        _tell(result, as_json)


def _feed(url: str, mapping: Any, file: Path, limit: int | None, desk: bool) -> Any:
    """Make the territory when the mapping has one, and the tokens of those who report and take in."""
    from gridloop.access.actions import issue_token, load_users
    from gridloop.access.messages import SampleLogin
    from gridloop.access.selectors import user_id_of
    from gridloop.kernel.viewer import SYSTEM
    from gridloop.simulation.replay import territory
    from gridloop.simulation.replay.feed import Feed
    from gridloop.simulation.replay.mapping import Record, read_records

    region, operator = "", "operator"
    if mapping.territory is not None:
        records = (r for r in islice(read_records(file, mapping), limit) if isinstance(r, Record))
        counts = territory.build(mapping.territory, records)
        click.echo(f"territory / 辖区: {counts['towns']} towns, {counts['grids']} grids, {counts['units']} units", err=True)
        region, operator = mapping.territory.county.code, territory.operator_name(mapping.territory)
    name = f"replay_{mapping.id}"[:60]
    load_users([SampleLogin(name, mapping.title["zh"], None, "integrator", region, None)])
    tokens = []
    for user in (name, operator if desk else None):
        found = user_id_of(user) if user else None
        tokens.append(issue_token(SYSTEM, found, name="gridloop replay") if found else None)
    return Feed(url, tokens[0] or "", tokens[1], mapping)


def _pace(file: Path, mapping: Any, times: str, speed: float | None) -> Any:
    from gridloop.simulation.replay.feed import RATE_MOST, OwnTime, Shifted
    from gridloop.simulation.replay.mapping import Record, read_records

    first = next((r.at for r in read_records(file, mapping) if isinstance(r, Record)), None)
    if first is None:
        raise click.ClickException(f"{file.name} has no row that can be read / 文件中没有可读的行")
    return OwnTime(first, speed or RATE_MOST) if times == "own" else Shifted(first, speed or 1.0)


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        job = bar.add_task("replay / 回放", total=total)
        yield lambda result: bar.update(job, completed=result.sent + len(result.failed))


def _tell(result: Any, as_json: bool) -> None:
    figures = {
        "rows": result.sent,
        "cases": result.cases,
        "merged": result.merged,
        "repeated": result.repeated,
        "accepted": result.accepted,
        "failed": len(result.failed),
        "seconds": round(result.seconds, 1),
        "per_second": round(result.per_second, 1),
        "units": dict(result.units.most_common()),
        "types": dict(result.types.most_common()),
    }
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False))
        return
    click.echo(
        f"{result.sent} rows → {result.cases} cases, {result.merged} merged, {result.repeated} already there, {len(result.failed)} failed"
    )
    click.echo(f"{figures['seconds']} s, {figures['per_second']} rows/s")
    for name, count in result.units.most_common():
        click.echo(f"  {count:6d}  {name}")
    for line, why in result.failed[:20]:
        click.echo(f"  row {line}: {why}", err=True)
