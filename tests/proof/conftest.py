"""One running product for each file of proofs, and ways to look behind its doors: its database, its folder, its clock."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.house.product import Product, clean_environment, first_start_done
from tests.live.conftest import SCALE, Live

INSIDE = """
import json, sys
from pathlib import Path
from gridloop.doors.cli.common import attach, django_on
folder = Path(sys.argv[1])
attach(folder)
with django_on(folder):
    from gridloop.kernel.viewer import SYSTEM
    {body}
"""


@dataclass
class Proof(Live):
    """The product with a look behind its doors."""

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """As the owner of the tables, whom row security lets through."""
        with psycopg.connect(self.product.run()["urls"]["owner"], connect_timeout=5) as connection:
            cursor = connection.execute(statement, values)  # type: ignore[arg-type]  # statements of the tests, none made of input
            return cursor.fetchall() if cursor.description else []

    def now(self) -> datetime:
        """The deployment's time."""
        with contextlib.suppress(FileNotFoundError):
            told = json.loads((self.folder / "clock.json").read_text(encoding="utf-8"))
            moved = told["clock_start"] + (time.time() - told["real_start"]) * told["rate"]
            return datetime.fromtimestamp(moved, UTC)
        return datetime.now(UTC)

    @property
    def mqtt(self) -> int:
        """Port of the devices' door."""
        return int(self.product.run()["mqtt"].rpartition(":")[2])

    def meters(self, count: int) -> list[tuple[str, str]]:
        """New water meters with a log-in of their own: (code, secret)."""
        made = []
        for number in range(count):
            code = f"proof-meter-{number}"
            device = {"kind": "water_meter", "place": self.place(), "interval_seconds": 3600}
            assert self.call("PUT", f"/api/v1/devices/{code}", "admin", json=device).status_code == 201
            made.append((code, self.post(f"/api/v1/devices/{code}/secret", "admin", {})["secret"]))
        return made

    def inside(self, body: str) -> Any:
        """Python in a process of its own that knows the deployment; prints JSON, which is returned."""
        code = INSIDE.format(body=body.strip().replace("\n", "\n    "))
        command = [sys.executable, "-c", code, str(self.folder)]
        done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def proof() -> Iterator[Proof]:
    folder = Path(tempfile.mkdtemp(prefix="gl-proof-"))
    first_start_done(folder / "data", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    product = Product(folder / "data", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    try:
        product.wait_ready(240)
        yield Proof(product, folder / "data")
    finally:
        product.stop()
        shutil.rmtree(folder, ignore_errors=True)
