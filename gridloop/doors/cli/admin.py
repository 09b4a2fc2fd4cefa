"""Small commands of administrators: tokens and the proof of the trace."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from gridloop.doors.cli.common import data_dir_option, django_on


@click.command()
@click.argument("usernames", metavar="USERNAME", nargs=-1, required=True)
@click.option("--days", type=click.IntRange(1), help="End after so many days (default: the deployment's rule).")
@data_dir_option
def token(usernames: tuple[str, ...], days: int | None, data_dir: Path | None) -> None:
    """Print an API token of a user, for `Authorization: Bearer …`; of several users a line each, in their order."""
    with django_on(data_dir):
        from gridloop.access.actions import issue_token
        from gridloop.access.selectors import user_id_of
        from gridloop.kernel.viewer import SYSTEM

        for user in [_user(username, user_id_of(username)) for username in usernames]:
            click.echo(issue_token(SYSTEM, user, name="gridloop token", days=days))


@click.command("end-factors")
@click.argument("usernames", metavar="USERNAME", nargs=-1)
@click.option("--reason", required=True, help="Why; kept sealed beside the trace, for the auditor.")
@click.option(
    "--unreadable", is_flag=True, help="Of every account whose factor no key of this deployment opens (after a restore without its key)."
)
@data_dir_option
def end_factors(usernames: tuple[str, ...], reason: str, unreadable: bool, data_dir: Path | None) -> None:
    """Take off the second factors and passkeys of accounts that lost theirs, also of officers; they are logged out."""
    if bool(usernames) == unreadable:
        raise click.UsageError("name accounts, or say --unreadable / 请指定账号或 --unreadable")
    with django_on(data_dir):
        from django.conf import settings

        from gridloop.access import actions, sealing
        from gridloop.access.selectors import user_id_of
        from gridloop.kernel.viewer import SYSTEM

        if unreadable and settings.FACTOR_KEY == settings.NO_SECRET:
            raise click.ClickException("GRIDLOOP_FACTOR_KEY is not set / 未设置 GRIDLOOP_FACTOR_KEY")
        users = sealing.unreadable() if unreadable else [_user(name, user_id_of(name)) for name in usernames]
        for user in users:
            actions.end_factors(SYSTEM, user, reason)
        click.echo(f"{len(users)} account(s) without a second factor now / 已解除 {len(users)} 个账号的二次验证")


def _user(username: str, found: int | None) -> int:
    if found is None:
        raise click.ClickException(f"no active user {username!r} / 没有可用的用户 {username}")
    return found


@click.command()
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]), help="Only chains with facts since then."
)
@data_dir_option
def verify(since: datetime | None, data_dir: Path | None) -> None:
    """Re-compute the hash chain of the trace; prints the first broken fact."""
    with django_on(data_dir):
        from gridloop.journal.selectors import verify as verify_trace
        from gridloop.kernel.viewer import SYSTEM

        if since is not None and since.tzinfo is None:
            since = since.astimezone()
        count, broken = verify_trace(SYSTEM, since)
        if broken is not None:
            click.echo(f"BROKEN / 已断: {broken.where}: {broken.why}", err=True)
            sys.exit(1)
        click.echo(f"ok: {count} facts verify / {count} 条事实校验一致")
