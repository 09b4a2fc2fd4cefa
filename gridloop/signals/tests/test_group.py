"""Devices that agree by what they have in common: each grouping of the registry, at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gridloop.cases.tests.kit import Cast, regions
from gridloop.detection import rules
from gridloop.detection.rules import HOUR, Detector
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.actions import load as load_rows
from gridloop.orgs.messages import RegionRow
from gridloop.orgs.selectors import forget_regions
from gridloop.registry.actions import load
from gridloop.registry.messages import BuildingRow, DeviceRow, HouseholdRow, PlaceRow
from gridloop.sdk.signals import Signal
from gridloop.signals.keys import GROUPINGS
from gridloop.signals.log import PostgresLog
from gridloop.signals.tests.homes import PLACE, START, pick, receive
from gridloop.signals.tests.test_detect import begun, rows, run

TOWN = "990101100"
REGIONS = {"a": f"{TOWN}200001001", "b": f"{TOWN}200001001", "c": f"{TOWN}200001002", "d": f"{TOWN}200002001", "e": f"{TOWN}201001001"}
HOMES = {"a": "one", "b": "one", "c": "two"}
BUILDINGS = {"b": "b0", "c": "b0", "d": "b1"}
SPOTS = {"c": "p0", "d": "p0", "e": "p1"}
AGREE = {  # two devices of them spoke within the hour
    "micro_grid": {f"{TOWN}200001001"},
    "grid": {f"{TOWN}200001"},
    "village": {f"{TOWN}200"},
    "town": {TOWN},
    "household": {"one"},
    "subject": {"one"},
    "building": {"b0"},
    "place": {"p0"},
}
assert AGREE.keys() == GROUPINGS.keys()


@pytest.mark.parametrize("by", AGREE)
def test_devices_agree_by_what_they_have_in_common(county: Cast, log: PostgresLog, by: str) -> None:
    levels = {18: "micro_grid", 15: "grid", 12: "village"}
    codes = {region[:digits] for region in REGIONS.values() for digits in levels} - {r.code for r in regions()}
    load_rows(SYSTEM, [RegionRow(code, code, levels[len(code)]) for code in sorted(codes, key=len)])
    forget_regions()
    load(SYSTEM, [HouseholdRow(code=code, house="", region_code=REGIONS["a"]) for code in ("one", "two")])
    load(SYSTEM, [BuildingRow(code, REGIONS["a"], code) for code in ("b0", "b1")])
    load(SYSTEM, [PlaceRow(code, code, "school", REGIONS["a"], lon=PLACE[0], lat=PLACE[1]) for code in ("p0", "p1")])
    for code, region in REGIONS.items():
        row = DeviceRow(code, "smoke", region, lon=PLACE[0], lat=PLACE[1], household=HOMES.get(code, ""))
        load(SYSTEM, [replace(row, building=BUILDINGS.get(code, ""), place=SPOTS.get(code, ""))])
    work = begun(log, [Detector("all.agree", 1, rules.Distinct(pick("smoke"), 2, HOUR, rules.DEVICE), by)])
    at = START + timedelta(minutes=5)
    receive(log, [Signal(f"{code}{n}", "test", code, "smoke", at + timedelta(seconds=n), 1.0) for n, code in enumerate("aabcde")])
    run(work, at + timedelta(minutes=5))
    assert {(one.key, one.what) for one in rows()} == {(key, "raised") for key in AGREE[by]}
