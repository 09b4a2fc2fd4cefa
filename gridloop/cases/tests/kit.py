"""A tiny county for tests of the case: two towns with a desk each, a county desk above, three departments, a grid team."""

from __future__ import annotations

from dataclasses import dataclass

from shapely.geometry import box

from gridloop.access.actions import load_users
from gridloop.access.messages import SampleLogin
from gridloop.access.selectors import forget_viewers, user_id_of, viewer_for
from gridloop.cases import directory
from gridloop.cases.tests.kept import Kept
from gridloop.kernel.geo import to_wkb
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import selectors as orgs
from gridloop.orgs.actions import load
from gridloop.orgs.messages import AssignmentRow, DutyRow, RegionRow, StaffRow, UnitRow
from gridloop.scenes.actions import install_all
from gridloop.scenes.book import BOOK

COUNTY, EAST, WEST = "990101", "990101100", "990101101"
HERE = (121.605, 29.205)  # in the east town
THERE = (121.695, 29.205)  # in the west town


def _area(index: int) -> bytes:
    west = 121.60 + index * 0.09
    return to_wkb(box(west, 29.20, west + 0.09, 29.29))


def regions() -> list[RegionRow]:
    rows = [RegionRow("9901", "云海市", "city"), RegionRow(COUNTY, "云澜县", "county")]
    for index, (town, name) in enumerate(((EAST, "东镇"), (WEST, "西镇"))):
        rows += [
            RegionRow(town, name, "town"),
            RegionRow(f"{town}200", f"{name}一村", "village"),
            RegionRow(f"{town}200001", f"{name}一村第一网格", "grid"),
            RegionRow(f"{town}200001001", f"{name}一村第一微网格", "micro_grid", boundary=_area(index)),
        ]
    return rows


UNITS = [
    UnitRow("CENTER", "云澜县社会治理中心", "center", COUNTY),
    UnitRow("MUNICIPAL", "市政设施养护所", "department", COUNTY),
    UnitRow("TRAFFIC", "交警大队", "department", COUNTY),
    UnitRow("URBAN", "综合行政执法局", "department", COUNTY),
    UnitRow("EAST", "东镇综合信息指挥室", "center", EAST),
    UnitRow("WEST", "西镇综合信息指挥室", "center", WEST),
    UnitRow("EAST-V", "东镇一村", "village", f"{EAST}200"),
]
DUTIES = [
    DutyRow("intake", "CENTER", region_code=COUNTY),
    DutyRow("intake", "EAST", region_code=EAST),
    DutyRow("intake", "WEST", region_code=WEST),
    DutyRow("check", "EAST", region_code=EAST),
    DutyRow("check", "WEST", region_code=WEST),
    DutyRow("supervise", "CENTER", region_code=COUNTY),
    DutyRow("verify", "EAST-V", region_code=EAST),
    DutyRow("handle", "URBAN", region_code=COUNTY),
    DutyRow("handle", "MUNICIPAL", case_type="01", region_code=COUNTY),
    DutyRow("handle", "MUNICIPAL", case_type="02", region_code=COUNTY),
    DutyRow("handle", "TRAFFIC", case_type="09009", region_code=COUNTY),
]
STAFF = {
    "operator": ("EAST", "operator", EAST, None),
    "west_operator": ("WEST", "operator", WEST, None),
    "county_operator": ("CENTER", "operator", COUNTY, None),
    "handler": ("MUNICIPAL", "handler", "", "MUNICIPAL"),
    "handler2": ("MUNICIPAL", "handler", "", "MUNICIPAL"),
    "urban": ("URBAN", "handler", "", "URBAN"),
    "officer": ("TRAFFIC", "officer", "", "TRAFFIC"),
    "supervisor": ("EAST", "supervisor", EAST, None),
    "worker": ("EAST-V", "grid_worker", f"{EAST}200001", None),
    "admin": ("CENTER", "admin", COUNTY, None),
}


@dataclass(frozen=True)
class Cast:
    """Viewers by log-in name and unit ids by code."""

    viewers: dict[str, Viewer]
    units: dict[str, int]

    def __getattr__(self, name: str) -> Viewer:
        return self.viewers[name]


def build() -> Cast:
    """The tiny county in the database, and its people."""
    cast: Cast = _KEPT.put()
    _forget()
    return cast


def _forget() -> None:
    directory.forget()
    forget_viewers()
    orgs.forget_regions()
    BOOK.forget()


def _load() -> Cast:
    """Through the product's own loaders."""
    staff = [StaffRow(f"S-{name}", f"张{name}", unit) for name, (unit, *_rest) in STAFF.items()]
    team = [AssignmentRow("S-worker", f"{EAST}200001", "full_time_grid_worker")]
    load(SYSTEM, [*regions(), *UNITS, *DUTIES, *staff, *team])
    logins = [SampleLogin(name, f"张{name}", f"S-{name}", role, region, unit) for name, (_u, role, region, unit) in STAFF.items()]
    others = {"citizen": "citizen", "security": "security_officer", "auditor": "auditor"}
    load_users([*logins, *(SampleLogin(name, f"王{name}", None, role, "", None) for name, role in others.items())])
    install_all()
    _forget()
    names = [*STAFF, *others]
    viewers = {name: viewer_for(user_id_of(name) or 0) for name in names}
    return Cast(viewers, orgs.unit_ids_by_code(SYSTEM, [u.code for u in UNITS]))


_KEPT = Kept(_load)
