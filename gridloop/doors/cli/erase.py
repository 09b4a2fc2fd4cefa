"""``gridloop erase``: forget a registered person or the reporter of a case, and on request rewrite the tables they stood in."""

from __future__ import annotations

from pathlib import Path

import click

from gridloop.doors.cli.common import data_dir_option, django_on, owner_urls

# Where a person's rows may have stood; the planner's statistics hold samples of columns.
TABLES = (
    "registry_person",
    "registry_vehicle",
    "journal_sealed",
    "journal_answer",
    "signals_batch",
    "cases_case",
    "cases_source",
    "dispatch_likeness",
    "registry_addresspoint",
    "evidence_file",
    "notices_delivery",
    "pg_catalog.pg_statistic",
)


@click.command()
@click.argument("kind", type=click.Choice(["person", "reporter"]))
@click.argument("code")
@click.option("--reason", required=True, help="Why; kept sealed beside the trace.")
@click.option("--word", "words", multiple=True, help="A further word they are known by, e.g. the name in signals; may be repeated.")
@click.option("--rewrite", is_flag=True, help="Then rewrite the tables, so that no dead row stays; each is locked for the while.")
@data_dir_option
def erase(kind: str, code: str, reason: str, words: tuple[str, ...], rewrite: bool, data_dir: Path | None) -> None:
    """Erase a person of the registry (CODE as in the people list), or the reporter of a case (CODE of the case), everywhere."""
    if words and kind == "reporter":
        raise click.ClickException("--word is for persons: a case's reporter is known by the case / --word 只用于 person")
    with django_on(data_dir) as deployment:
        from gridloop.cases.actions import erase_reporter
        from gridloop.kernel.viewer import SYSTEM
        from gridloop.signals.actions import erase_person

        if kind == "person":
            gone = erase_person(SYSTEM, code, reason, words)
            click.echo(f"erased / 已删除: {gone.signals} signals, {gone.values} values, {gone.cases} cases, {gone.files} files")
        else:
            left = erase_reporter(SYSTEM, code, reason)
            click.echo(f"erased / 已删除: {left.values} values, {left.cases} cases, {left.files} files")
        if rewrite:
            _rewrite(owner_urls(deployment).owner)


def _rewrite(url: str) -> None:
    """An ordinary VACUUM only marks dead rows as free space; FULL writes the living ones into a new file and removes the old."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for table in TABLES:
            click.echo(f"rewriting / 重写 {table}")
            connection.execute(f"VACUUM (FULL, ANALYZE) {table}")
