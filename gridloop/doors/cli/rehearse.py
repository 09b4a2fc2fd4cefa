"""``gridloop rehearse``: a pack's detectors over the deployment's own past, compared with the present ones, and published."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gridloop.doors.cli.common import data_dir_option, django_on
from gridloop.doors.cli.faults import refused
from gridloop.kernel.texts import say

_SHOWN = 15  # places, devices
_LOOK = 1.0  # seconds between two looks at a run that is in the worker's hands


@click.command("rehearse")
@click.argument("pack")
@click.option("--detect", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="detect.yaml as it is to be.")
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, 90), help="So many days back.")
@click.option("--publish", is_flag=True, help="Put it to work afterwards, when nothing speaks against it.")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is said (zh; what is refused in both).")
@data_dir_option
def rehearse(pack: str, file: Path | None, days: int, publish: bool, lang: str | None, data_dir: Path | None) -> None:
    """Run the detectors of PACK over the last days of signals and print what would be different.

    Without --detect as they are: what a pack would raise before it is switched on. Nothing is told to anybody.
    """
    text = file.read_text(encoding="utf-8") if file else ""
    with django_on(data_dir):
        from gridloop.kernel.errors import Invalid
        from gridloop.kernel.viewer import SYSTEM
        from gridloop.scenes import actions, selectors

        try:
            asked = actions.ask_rehearsal(SYSTEM, pack, text, days)
        except Invalid as fault:
            for wrong in fault.errors:
                line = wrong.pointer.rpartition("/")[2]
                said = refused(lang, wrong.key, **wrong.params)
                click.echo(f"{file}:{line}: {said}" if file else said, err=True)
            sys.exit(1)
        row = _run(asked, lang or "zh")
        if row.status != "done":
            raise click.ClickException(refused(lang, "doors.rehearse_failed", id=asked, fault=row.fault or row.status))
        report = selectors.rehearsal_report(SYSTEM, row)
        for line in _told(report or {}, lang or "zh"):
            click.echo(line)
        if publish:
            made = actions.publish_detectors(SYSTEM, asked)
            click.echo(say("doors.rehearse_published", lang or "zh", version=selectors.version(made)[2]))


def _run(asked: int, lang: str) -> Any:
    """In this process, or, when the worker was faster, in its."""
    from gridloop.kernel.viewer import SYSTEM
    from gridloop.scenes import rehearsing, selectors

    shown = 0.0

    def progress(done: int, whole: int) -> None:
        nonlocal shown
        if time.monotonic() - shown > _LOOK:
            shown = time.monotonic()
            click.echo(say("doors.rehearse_progress", lang, done=done, whole=whole), err=True)

    rehearsing.run_now(asked, progress)
    while (row := selectors.rehearsal(SYSTEM, asked)).status in ("waiting", "running"):
        progress(row.hours_done, row.hours)
        time.sleep(_LOOK)
    return row


def _told(report: dict[str, Any], lang: str) -> Iterator[str]:
    def sayit(key: str, **params: Any) -> str:
        return say(f"doors.rehearse_{key}", lang, **params)

    yield sayit("against" if report["present"] else "alone")
    for one in report["detectors"]:
        state = say(f"scenes.state_{one['state']}", lang)
        yield sayit("detector", **{**one, "title": one[f"title_{lang}"], "state": state})
        yield f"  {one[f'sentence_{lang}']}"
        if hushed := max(one["hushed_old"], one["hushed_new"]):
            yield sayit("hushed", count=hushed)
    for name in ("days", "places", "devices"):
        rows = [one for one in report[name] if name == "days" or one["new"] or one["old"]]
        if rows:
            yield sayit(name)
        for one in rows[: None if name == "days" else _SHOWN]:
            title = f"{one.get('title', '')} {one['name']}".strip()
            yield f"  {title}: {one['old']} → {one['new']}"
    work = report["work"]
    yield sayit("measured" if work["measured"] else "assumed", count=work["measured"], minutes=f"{work['minutes']:.0f}")
    for one in work["units"]:
        hours = f"{one['new'] * work['minutes'] / 60:.1f}"
        task = one.get(f"task_{lang}", "") if one.get("first", True) else sayit("at_most", task=one[f"task_{lang}"])
        title = " · ".join(part for part in (task, one["title"] or sayit("nobody")) if part)
        yield sayit("unit", title=title, old=one["old"], new=one["new"], hours=hours)
    if report["would_be_held"]:
        yield sayit("held", count=report["most_in_an_hour"])
    if report["cut"]:
        yield sayit("cut", at=report["cut"])
