"""Loading people and things: territory is taken from the house, bad numbers are refused without being repeated."""

from __future__ import annotations

import time

import pytest

from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.selectors import unit_ids_by_code
from gridloop.orgs.tests import cast as county
from gridloop.registry import actions
from gridloop.registry.messages import BuildingRow, DeviceRow, EnterpriseRow, HouseholdRow, HouseRow, PersonRow, RegistryRow, VehicleRow
from gridloop.registry.models import Device, Person, Vehicle
from gridloop.registry.tests import cast

pytestmark = pytest.mark.django_db


def test_everything_finds_its_place() -> None:
    cast.settle()
    cast.settle()  # again, without harm
    with scoped(SYSTEM):
        assert dict(Person.objects.values_list("code", "region_code")) == {"P1": county.MICRO, "P2": county.GRID_3}
        regions = {"浙Z12345": county.MICRO, "浙Z12346": county.GRID_2, "浙ZD12347": county.GRID}
        assert dict(Vehicle.objects.values_list("plate", "region_code")) == regions
        smoke = Device.objects.get(code="smoke-1")
        assert smoke.owner_unit_id == unit_ids_by_code(SYSTEM, ["town"])["town"]
        assert smoke.household is not None
        facts = list(Fact.objects.filter(action="records_loaded").values_list("data", flat=True))
    assert {"table": "registry_person", "rows": 2} in facts
    assert all("王建国" not in str(fact) for fact in facts)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (PersonRow("P9", "无证", region_code=county.GRID, citizen_id_no="110105194912310021"), "registry.row_citizen_id"),
        (PersonRow("P9", "同证", region_code=county.GRID, citizen_id_no=cast.WANG_ID), "orgs.row_taken"),
        (PersonRow("P9", "无处"), "orgs.row_no_region"),
        (PersonRow("P9", "无户", "F9"), "orgs.row_unknown_ref"),
        (PersonRow("P9", "无性", region_code=county.GRID, sex="X"), "orgs.row_word"),
        (EnterpriseRow("91350100M000100Y44", "假码厂", county.GRID), "registry.row_uscc"),
        (EnterpriseRow(cast.USCC, "无地厂", "880101"), "orgs.row_region_unknown"),
        (VehicleRow("A1", county.GRID), "registry.row_plate"),
        (VehicleRow("浙Z99999", county.GRID, person="P1", enterprise=cast.USCC), "registry.row_two_owners"),
        (HouseRow("H9", "B9", "1"), "orgs.row_unknown_ref"),
        (DeviceRow("烟感1", "smoke", county.GRID), "registry.row_device_code"),
        (DeviceRow("d1", "smoke", county.GRID, interval_seconds=0), "registry.row_interval"),
        (DeviceRow("d1", "smoke", county.GRID, owner_unit="nobody"), "orgs.row_unknown_ref"),
        (DeviceRow("d1", "smoke", county.GRID, status="happy"), "orgs.row_word"),
    ],
)
def test_a_bad_record_is_named(row: object, key: str) -> None:
    cast.settle()
    with pytest.raises(Invalid) as refused:
        actions.load(SYSTEM, [row])  # type: ignore[list-item]
    assert refused.value.errors[0].key == key
    assert cast.WANG_ID not in str(refused.value.errors[0].params)


def test_two_people_cannot_share_a_number_in_one_file() -> None:
    county.settle()
    twins = [PersonRow(code, "某", region_code=county.GRID, citizen_id_no=cast.LI_ID) for code in ("A", "B")]
    loaded = actions.load(SYSTEM, twins, strict=False)
    assert [(r.index, r.fault.key) for r in loaded.rejects] == [(1, "orgs.row_taken")]
    assert loaded.counts == {"registry_person": 1}


def test_a_town_of_people_takes_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    county.settle()
    houses = 4_000
    rows: list[RegistryRow] = [BuildingRow("B", county.MICRO, "楼"), *(HouseRow(f"H{i}", "B", f"{i}") for i in range(houses))]
    rows += [HouseholdRow(f"F{i}", f"H{i}") for i in range(houses)]
    rows += [PersonRow(f"P{i}", f"王{chr(0x4E00 + i % 3000)}", f"F{i % houses}", phone=f"138{i:08}") for i in range(12_000)]
    started = time.perf_counter()
    loaded = actions.load(SYSTEM, rows)
    seconds = time.perf_counter() - started
    with capsys.disabled():
        print(f"\n  {loaded.total:,} records loaded in {seconds:.2f} s ({loaded.total / seconds:,.0f}/s)")  # noqa: T201
    assert loaded.total == 20_001
    assert seconds < 30
