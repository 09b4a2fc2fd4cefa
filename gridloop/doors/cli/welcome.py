"""What ``gridloop up`` prints when everything answers: the address, the log-ins, and for phones a QR code per role."""

from __future__ import annotations

import io
import os

import click

from gridloop.access.rules import ROLES, SAMPLE_ROLES
from gridloop.doors.cli.deployment import Deployment

SAMPLE_USERS = tuple((user, ROLES[role].zh) for user, role in SAMPLE_ROLES.items())
_ON_PHONES = ("citizen", "worker", "handler", "officer")


def qr(text: str) -> str:
    """A QR code drawn with half blocks."""
    import qrcode  # with the pictures it could draw: only a start with --lan pays it

    code = qrcode.QRCode(border=2)
    code.add_data(text)
    out = io.StringIO()
    code.print_ascii(out=out, invert=True)
    return out.getvalue()


def welcome(deployment: Deployment, url: str, *, lan: bool, sample: bool, seconds: float, mqtt: str) -> None:
    lines = ["", f"  Gridloop 网格闭环  →  {url}    ({seconds:.1f} s)"]
    if sample:
        from gridloop.simulation.county.staffing import SAMPLE_PASSWORD

        lines += [f"  log in / 登录: {url}/login/  a button per role / 每个角色一个按钮; password / 密码: {SAMPLE_PASSWORD}", ""]
        lines += ["  " + "  ".join(f"{name} {title}" for name, title in SAMPLE_USERS[i : i + 5]) for i in range(0, len(SAMPLE_USERS), 5)]
    else:
        lines += [f"  log in / 登录: {url}/login/"]
    where = "" if str(deployment.folder).endswith("var/data") else f" --data-dir {deployment.folder}"
    lines += ["", f"  API token / 令牌: gridloop token admin{where}"]
    if mqtt:
        lines += [f"  MQTT: {mqtt}{' (TLS)' if os.environ.get('GRIDLOOP_MQTT_CERT') else ''}"]
    lines += [f"  logs / 日志: {deployment.logs}", "  Ctrl-C ends everything / 停止全部", ""]
    click.echo("\n".join(lines))
    if lan:
        _phones(url, sample)


def _phones(url: str, sample: bool) -> None:
    click.echo(f"  certificate for phones / 手机信任证书: {url}/local-ca.crt\n")
    titles = dict(SAMPLE_USERS)
    for role in _ON_PHONES if sample else ("",):
        address = f"{url}/login/?as={role}&next=/m/" if role else f"{url}/m/"
        click.echo(f"  {role} {titles.get(role, '')}  {address}\n{qr(address)}")
