"""Settings that lie in files (secrets of containers and of systemd): ``DATABASE_URL_FILE=/run/secrets/url`` gives ``DATABASE_URL``."""

from __future__ import annotations

import os
from pathlib import Path

import click

_OURS = ("GRIDLOOP_", "DATABASE_URL", "NATS_URL")


def read() -> None:
    """Before any command: what is set itself wins; a file that cannot be read ends the command with one line."""
    for name, path in list(os.environ.items()):
        wanted = name.removesuffix("_FILE")
        if wanted == name or not name.startswith(_OURS) or wanted in os.environ:
            continue
        try:
            os.environ[wanted] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            raise click.ClickException(f"{name}: {path} cannot be read: {fault} / 无法读取该文件") from fault
