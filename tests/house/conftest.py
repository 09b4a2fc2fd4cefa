"""A folder that another account may traverse: as root, PostgreSQL runs as somebody else, and pytest closes its own folders to others."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gl-up-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
