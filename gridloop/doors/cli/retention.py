"""``gridloop retention``: how long what is kept, what is over, and removing it now instead of at the job's next turn."""

from __future__ import annotations

from pathlib import Path

import click

from gridloop.doors.cli.common import data_dir_option, django_on


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what is over.")
@data_dir_option
def retention(dry_run: bool, data_dir: Path | None) -> None:
    """Remove what is kept long enough; --dry-run only counts. The worker does it every hour by itself."""
    with django_on(data_dir):
        from gridloop.doors import retention as job

        counts = job.due()
        for rule in job.swept():
            days = f"{rule.days:g} d" if rule.days else "–"
            click.echo(f"{rule.name:<12} {days:>7} {counts[rule.name]:>9}   {rule.zh} / {rule.en}")
        if not dry_run:
            while job.run():
                pass
            click.echo("removed / 已清除")
