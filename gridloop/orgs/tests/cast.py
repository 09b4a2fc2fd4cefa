"""A fixed small county for tests: one town, two villages, three grids in a row, micro-grids in the first, a few units and people."""

from __future__ import annotations

from datetime import UTC, datetime

from shapely.geometry import box

from gridloop.kernel import geo
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import actions
from gridloop.orgs.messages import AssignmentRow, DepartmentRow, DutyRow, OrgRow, PostRow, RegionRow, ShiftRow, StaffRow, UnitRow

WEST, SOUTH, STEP = 121.0, 29.0, 0.01
TOWN, VILLAGE, OTHER_VILLAGE = "990101001", "990101001001", "990101001002"
GRID, GRID_2, GRID_3 = f"{VILLAGE}001", f"{VILLAGE}002", f"{OTHER_VILLAGE}001"
MICRO, MICRO_2 = f"{GRID}001", f"{GRID}002"
MORNING, NOON, EVENING = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (0, 4, 12))


def cell(column: float, width: float = 1) -> bytes:
    west = WEST + column * STEP
    return geo.to_wkb(box(west, SOUTH, west + width * STEP, SOUTH + STEP))


def regions() -> list[OrgRow]:
    return [
        RegionRow("9901", "云海市", "city"),
        RegionRow("990101", "云澜县", "county"),
        RegionRow(TOWN, "城关街道", "town"),
        RegionRow(VILLAGE, "东门社区", "village", households=900),
        RegionRow(OTHER_VILLAGE, "西门村", "village"),
        RegionRow(GRID, "东门第一网格", "grid", boundary=cell(0), households=300, population=800),
        RegionRow(GRID_2, "东门第二网格", "grid", boundary=cell(1), households=200, population=500),
        RegionRow(GRID_3, "西门第一网格", "grid", boundary=cell(2)),
        RegionRow(MICRO, "一微网格", "micro_grid", boundary=cell(0, 0.5)),
        RegionRow(MICRO_2, "二微网格", "micro_grid", boundary=cell(0.5, 0.5)),
    ]


def organisation() -> list[OrgRow]:
    return [
        DepartmentRow("URBAN_MGMT", "综合行政执法局", "Urban management"),
        UnitRow("county", "云澜县社会治理中心", "center", "990101"),
        UnitRow("county-urban", "县综合行政执法局", "department", "990101", department="URBAN_MGMT", parent="county"),
        UnitRow("town", "城关街道", "town", TOWN, parent="county"),
        UnitRow("town-team", "城关综合执法队", "team", TOWN, department="URBAN_MGMT", parent="town", presence="on_call"),
        UnitRow("fire", "县消防救援大队", "department", "990101", parent="county"),
        PostRow("town-urban-post", "城市管理岗", "town", panel="平安法治"),
        DutyRow("handle", "county", priority=900),
        DutyRow("handle", "county-urban", case_type="06", region_code="990101"),
        DutyRow("handle", "town-team", case_type="06", region_code=TOWN),
        DutyRow("handle", "town", case_type="06010", region_code="990101", post="town-urban-post"),
        DutyRow("handle", "fire", case_type="22", hours={"days": [1, 2, 3, 4, 5], "ranges": [["08:30", "17:30"]]}),
        DutyRow("intake", "county", region_code="990101"),
        StaffRow("S1", "王建国", "town", phone="13800000001", skills=("driver",), lon=WEST, lat=SOUTH),
        StaffRow("S2", "李秀英", "town", phone="13800000002", lon=WEST + 0.05, lat=SOUTH),
        StaffRow("S3", "赵强", "town-team", phone="13800000003", lon=WEST + 0.001, lat=SOUTH),
        StaffRow("S4", "陈晨", "county", phone="13800000004"),
        AssignmentRow("S1", GRID, "full_time_grid_worker"),
        AssignmentRow("S2", GRID, "grid_leader"),
        ShiftRow("county", "S4", MORNING, NOON, "duty_commander"),
    ]


def settle() -> None:
    """The county, loaded as the system."""
    actions.load(SYSTEM, [*regions(), *organisation()])
