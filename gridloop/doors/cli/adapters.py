"""``gridloop adapters``: which platforms' pushes are understood, and what a captured one becomes."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

import click
import orjson

from gridloop.doors.cli.common import data_dir_option
from gridloop.doors.ingest.app import mapped
from gridloop.doors.ingest.body import items
from gridloop.doors.pushes import push_book
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault
from gridloop.kernel.texts import say
from gridloop.sdk.pushes import PushMapping
from gridloop.signals.rules import Defaults, ItemFault, parse_item


@click.command()
@click.argument("name", required=False)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_dir_option
def adapters(name: str | None, file: Path | None, data_dir: Path | None) -> None:
    """List the adapters of POST /api/v1/signals?from=NAME; with FILE, a captured push, show the signals it becomes and send nothing.

    Adapters of a deployment lie in DATA_DIR/adapters/NAME/manifest.yaml.
    """
    if data_dir:
        os.environ["GRIDLOOP_DATA_DIR"] = str(data_dir.absolute())
    found, faults = push_book()
    for fault in faults:
        click.echo(f"Error: {fault}", err=True)
    if name is None:
        for source, one in found.items():
            click.echo(f"{source:<16} " + ", ".join(dict.fromkeys(reading.kind for reading in one.push.readings)))
        if faults:
            raise SystemExit(1)
        return
    if name not in found:
        raise Fault("signals.no_such_push", name=name, known=", ".join(found))
    if file is None:
        raise click.UsageError("FILE is missing: a captured push / 缺少 FILE：一份抓取的推送内容")
    if not _show(found[name], file):
        raise SystemExit(1)


def _show(mapping: PushMapping, file: Path) -> bool:
    """One line a signal; False when anything could not be read or nothing came of it."""
    now = clock.now()
    well = told = 0
    for item in chain.from_iterable(mapped(items(file.read_bytes(), ndjson=False), mapping)):
        told += 1
        try:
            if isinstance(item, ItemFault):
                raise item
            parse_item(item, now, Defaults(at=now, id="-"))
        except ItemFault as refused:
            fault = refused.fault
            click.echo(f"Error: {fault.pointer} {say(fault.key, 'zh', **fault.params)} / {say(fault.key, 'en', **fault.params)}", err=True)
        else:
            well += 1
            click.echo(orjson.dumps(item).decode())
    if not told:
        click.echo("no signal: no reading of the manifest is in it / 没有信号：内容中没有 manifest.yaml 所列的读数", err=True)
    return well == told > 0
