"""The cast of the access room and a folder of this test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from gridloop.access.tests.conftest import cast

__all__ = ["cast", "folder"]


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path / "evidence"
