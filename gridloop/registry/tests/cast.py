"""A few people and things in the county of ``orgs.tests.cast``. Every person, number and firm is made up."""

from __future__ import annotations

from datetime import date

from gridloop.kernel.viewer import SYSTEM, Grant, Viewer
from gridloop.orgs.tests import cast as county
from gridloop.registry import actions
from gridloop.registry.messages import (
    BuildingRow,
    DeviceRow,
    EnterpriseRow,
    HouseholdRow,
    HouseRow,
    PersonRow,
    PlaceRow,
    RegistryRow,
    VehicleRow,
)
from gridloop.registry.rules import citizen_id_check

USCC = "91350100M000100Y43"  # the test value of the standard
WANG_ID = "99010119500307123" + citizen_id_check("99010119500307123")
LI_ID = "99010119880214456" + citizen_id_check("99010119880214456")


def rows() -> list[RegistryRow]:
    return [
        BuildingRow("B1", county.MICRO, "幸福小区1幢", "城关街道幸福路8号1幢", 6, county.WEST + 0.002, county.SOUTH + 0.002),
        BuildingRow("B2", county.GRID_3, "西门村12号", "西门村12号", 2, county.WEST + 0.022, county.SOUTH + 0.002),
        HouseRow("H1", "B1", "201", 2),
        HouseRow("H2", "B2", "1"),
        HouseholdRow("F1", "H1", doorplate="D0001"),
        HouseholdRow("F2", "H2"),
        PersonRow("P1", "王建国", "F1", sex="M", birth=date(1950, 3, 7), citizen_id_no=WANG_ID, phone="13800000011", tags=("lone_elder",)),
        PersonRow("P2", "欧阳晓晓", "F2", sex="F", birth=date(1988, 2, 14), citizen_id_no=LI_ID, phone="13800000012"),
        EnterpriseRow(USCC, "云澜测试五金厂", county.GRID_2, "工业路1号", contact_name="赵强", contact_phone="13800000013", building="B1"),
        VehicleRow("浙Z·12345", person="P1"),
        VehicleRow("浙Z12346", enterprise=USCC),
        VehicleRow("浙ZD12347", county.GRID),
        PlaceRow("K1", "城关小学", "school", county.GRID, lon=county.WEST, lat=county.SOUTH, tags=("fire_key",)),
        DeviceRow("smoke-1", "smoke", county.MICRO, owner_unit="town", building="B1", household="F1", interval_seconds=60),
        DeviceRow("level-1", "water_level", county.GRID_3, place="K1", owner_unit="fire"),
    ]


def settle() -> None:
    county.settle()
    actions.load(SYSTEM, rows())


def viewer(region: str = "", *permissions: str, unit_ids: frozenset[int] = frozenset(), user_id: int | None = None) -> Viewer:
    return Viewer("someone", user_id=user_id, grants=(Grant("test", region, unit_ids, frozenset(permissions)),))
