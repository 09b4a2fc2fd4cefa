from __future__ import annotations

from pathlib import Path

import pytest

from gridloop.doors.tests.gauges import RULES


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "detect.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path
