"""A front door of a test's own, without the product behind it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from gridloop.doors.cli.edge import Edge
from gridloop.doors.cli.services import PROGRAMS
from tests.signals.servers import wait_for_port


@contextlib.contextmanager
def standing(edge: Edge, folder: Path) -> Iterator[int]:
    """Its port, once it listens; it ends with the block. Its lines are in ``folder/log``."""
    (folder / "Caddyfile").write_text(edge.text(), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(PROGRAMS / "caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"],
            stdout=log,
            stderr=log,
            env={"HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        )
        try:
            wait_for_port(edge.port)
            yield edge.port
        finally:
            process.terminate()
            process.wait(20)
