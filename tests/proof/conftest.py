"""One running product for each file of proofs, and ways to look behind its doors: its database, its folder, its clock."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.house.product import Product, clean_environment
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
    product = Product(folder / "data", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    try:
        product.wait_ready(240)
        yield Proof(product, folder / "data")
    finally:
        product.stop()
        shutil.rmtree(folder, ignore_errors=True)
