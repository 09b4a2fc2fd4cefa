"""Several homes of one micro-grid, grid, village or town tell together what none of them tells alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.detection import rules
from gridloop.detection.rules import MINUTE, Detector
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.actions import load as load_regions
from gridloop.orgs.messages import RegionRow
from gridloop.registry.actions import load
from gridloop.signals.log import PostgresLog
from gridloop.signals.tests.homes import DOOR, START, pick, reading, receive, register, sensor
from gridloop.signals.tests.test_bad_days import at
from gridloop.signals.tests.test_detect import begun, rows, run

TOWN = "990101100"
VILLAGE = f"{TOWN}200"
GRID = f"{VILLAGE}001"
MICRO = f"{GRID}001"
HOMES = {"h000": MICRO, "h001": MICRO, "h002": f"{GRID}002", "h003": f"{TOWN}201001001", "h004": "990101101200001001"}
MORE = {f"{GRID}002": "micro_grid", f"{TOWN}201": "village", f"{TOWN}201001": "grid", f"{TOWN}201001001": "micro_grid"}


@pytest.mark.parametrize(
    ("by", "together", "key"),
    [("micro_grid", 2, MICRO), ("grid", 3, GRID), ("village", 3, VILLAGE), ("town", 4, TOWN)],
)
def test_so_many_doors_of_one_neighbourhood(by: str, together: int, key: str, county: Cast, log: PostgresLog) -> None:
    load_regions(SYSTEM, [RegionRow(code, code, level) for code, level in MORE.items()])
    register(len(HOMES))
    load(
        SYSTEM,
        [replace(sensor(home, DOOR), region_code=region) for home, region in HOMES.items()],
    )
    detectors = [Detector(f"near.{least}", 1, rules.Count(pick(DOOR), least, 30 * MINUTE), by=by) for least in (together, together + 1)]
    work = begun(log, detectors)
    receive(log, [reading(home, DOOR, START + timedelta(minutes=n)) for n, home in enumerate(HOMES, 1)])
    run(work, at(2))
    assert [(t.detector, t.key, t.what) for t in rows()] == [(f"near.{together}", key, "raised"), (f"near.{together}", key, "cleared")]
