"""The unit tree of the county, its posts and who is competent for what."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from gridloop.kernel import plain_yaml
from gridloop.orgs.messages import DepartmentRow, DutyRow, PostRow, UnitRow
from gridloop.simulation.county.frame import COUNTY_CODE, COUNTY_ZH
from gridloop.simulation.county.territory import Territory

CASE_TYPES = Path(__file__).resolve().parents[3] / "packs" / "case_types.yaml"
PANELS: Final = ("党的建设", "经济生态", "民生服务", "平安法治")
# posts of a town by panel; the first four panels' lists are the places where town cadres sit
TOWN_POSTS: Final = (
    ("综合协调", "宣传统战", "组织人事", "纪检监督", "代表委员联络"),
    ("经济发展", "企业服务", "农业农村", "规划建设", "财政统计"),
    ("便民服务", "民政救助", "社会保障", "卫生健康", "教育文体"),
    ("综合执法", "城市管理", "应急管理", "矛盾调解", "平安建设", "信访接待"),
)
ROOM_POSTS: Final = ("指挥长", "受理坐席", "督办核查")
# town branches of departments: name, panel (0–3) they sit in, or None when they stay under their county department
TOWN_BRANCHES: Final[dict[str, tuple[str, int | None]]] = {
    "URBAN_MGMT": ("综合行政执法队", 3), "SANITATION": ("环卫所", 2), "POLICE": ("派出所", None), "EMERGENCY": ("应急消防管理站", 3),
    "MARKET": ("市场监督管理所", None), "JUSTICE": ("司法所", None), "CIVIL": ("社会救助站", 2), "COUNCIL": ("人大政协联络站", 0),
}  # fmt: skip
COUNTY_NAMES: Final = {
    "GOV_CENTER": "社会治理中心", "URBAN_MGMT": "综合行政执法局", "SANITATION": "环境卫生作业中心", "GARDEN": "园林绿化养护中心",
    "MUNICIPAL": "市政设施养护中心", "TRAFFIC_POLICE": "公安局交警大队", "POLICE": "公安局", "ECON": "经济和信息化局", "JUSTICE": "司法局",
    "DISCIPLINE": "纪委监委", "COUNCIL": "人大政协代表委员联络中心", "UTIL_POWER": "供电公司", "UTIL_WATER": "供水公司",
    "UTIL_GAS": "燃气公司", "UTIL_TELECOM": "通信运营商联络处",
}  # fmt: skip
# how departments are present in the county centre; the others are on call
RESIDENT: Final = frozenset(
    {"GOV_CENTER", "POLICE", "TRAFFIC_POLICE", "URBAN_MGMT", "JUSTICE", "PETITION", "EMERGENCY", "MUNICIPAL", "SANITATION"}
)
ROTATING: Final = frozenset({"HRSS", "HOUSING", "MARKET", "CIVIL", "HEALTH", "NAT_RES", "TRANSPORT", "FIRE", "ECOLOGY"})


@dataclass(frozen=True)
class Organisation:
    departments: list[DepartmentRow]
    units: list[UnitRow]
    posts: list[PostRow]
    duties: list[DutyRow]


@cache
def catalogue() -> dict[str, Any]:
    """The case types with their departments, as the product ships them."""
    data: dict[str, Any] = plain_yaml.read(CASE_TYPES)
    return data


def county_unit(department: str) -> str:
    return f"{COUNTY_CODE}-{department}"


def town_unit(town: str, department: str) -> str:
    return f"{town}-{department}"


def panel_unit(town: str, panel: int) -> str:
    return f"{town}-PANEL-{panel + 1}"


@dataclass
class _Tree:
    land: Territory
    units: list[UnitRow] = field(default_factory=list)
    posts: list[PostRow] = field(default_factory=list)

    def unit(self, code: str, name: str, kind: str, region: str, department: str = "", parent: str = "", presence: str = "resident") -> str:
        phone = f"1009{len(self.units):07d}" if kind != "grid_team" else ""
        self.units.append(UnitRow(code, name, kind, region, department, parent, presence, phone))
        return code

    def post(self, unit: str, name: str, panel: str = "") -> str:
        code = f"{unit}-{name}"
        self.posts.append(PostRow(code, name, unit, panel))
        return code


def _county_units(tree: _Tree) -> None:
    centre = tree.unit(county_unit("GOV_CENTER"), f"{COUNTY_ZH}{COUNTY_NAMES['GOV_CENTER']}", "center", COUNTY_CODE, "GOV_CENTER")
    for name in (*ROOM_POSTS, "综合分析"):
        tree.post(centre, name)
    for row in catalogue()["departments"]:
        code = row["code"]
        if "county" not in row["levels"] or code == "GOV_CENTER":
            continue
        presence = "resident" if code in RESIDENT else "rotating" if code in ROTATING else "on_call"
        kind = "utility" if code.startswith("UTIL_") else "department"
        unit = tree.unit(county_unit(code), f"{COUNTY_ZH}{COUNTY_NAMES.get(code, row['zh'])}", kind, COUNTY_CODE, code, "", presence)
        tree.post(unit, "处置岗")


def _town_units(tree: _Tree, town: str) -> None:
    name = tree.land.names[town]
    head = tree.unit(town_unit(town, "TOWN"), f"{name}人民政府" if not name.endswith("街道") else f"{name}办事处", "town", town, "TOWN")
    room = tree.unit(town_unit(town, "GOV_CENTER"), f"{name}综合信息指挥室", "room", town, "GOV_CENTER", county_unit("GOV_CENTER"))
    for post in ROOM_POSTS:
        tree.post(room, post)
    for number, panel in enumerate(PANELS):
        unit = tree.unit(panel_unit(town, number), f"{name}{panel}板块", "panel", town, "TOWN", head)
        for post in TOWN_POSTS[number]:
            tree.post(unit, post, panel)
    for department, (label, seat) in TOWN_BRANCHES.items():
        parent = county_unit(department) if seat is None else panel_unit(town, seat)
        kind = "police_post" if department == "POLICE" else "team" if department == "URBAN_MGMT" else "station"
        unit = tree.unit(
            town_unit(town, department), f"{name}{label}", kind, town, department, parent, "resident" if seat is not None else "rotating"
        )
        tree.post(unit, "处置岗")


def _village_units(tree: _Tree) -> None:
    for code in tree.land.villages:
        name = tree.land.names[code]
        label = f"{name}居民委员会" if int(code[9:12]) < 200 else f"{name}民委员会"
        tree.unit(f"{code}-COMMUNITY", label, "village", code, "COMMUNITY", town_unit(code[:9], "TOWN"))
    for code in tree.land.grids:
        tree.unit(f"{code}-GRID", f"{tree.land.names[code]}团队", "grid_team", code, "GRID", f"{code[:12]}-COMMUNITY")


def _desk_duties(land: Territory) -> list[DutyRow]:
    """Intake, supervision and urging sit with the centres; verification with the grid team, then village, then town.

    Results are checked by the county's own desk, so that no town checks its own work.
    """
    rows: list[DutyRow] = []
    for unit, region in [(county_unit("GOV_CENTER"), COUNTY_CODE), *((town_unit(t, "GOV_CENTER"), t) for t in land.towns)]:
        rows += [
            DutyRow("intake", unit, region_code=region, post=f"{unit}-受理坐席"),
            DutyRow("supervise", unit, region_code=region, post=f"{unit}-督办核查"),
            DutyRow("urge", unit, region_code=region, post=f"{unit}-受理坐席"),
        ]
    centre = county_unit("GOV_CENTER")
    rows.append(DutyRow("check", centre, region_code=COUNTY_CODE, post=f"{centre}-督办核查"))
    rows.append(DutyRow("verify", centre, region_code=COUNTY_CODE))
    rows += [DutyRow("verify", panel_unit(t, 3), region_code=t, post=f"{panel_unit(t, 3)}-平安建设") for t in land.towns]
    rows += [DutyRow("verify", f"{v}-COMMUNITY", region_code=v) for v in land.villages]
    rows += [DutyRow("verify", f"{g}-GRID", region_code=g) for g in land.grids]
    return rows


def _places_of(department: str, levels: list[str], land: Territory) -> list[tuple[str, str]]:
    """(unit, region) of every unit that stands for a department, widest first."""
    places = [(county_unit(department), COUNTY_CODE)] if "county" in levels else []
    if "town" in levels:
        places += [(town_unit(town, department), town) for town in land.towns]
    if department == "COMMUNITY":
        places += [(f"{v}-COMMUNITY", v) for v in land.villages]
    if department == "GRID":
        places += [(f"{g}-GRID", g) for g in land.grids]
    return places


def _case_duties(land: Territory) -> list[DutyRow]:
    """For every case type: who handles it (the lead department at each of its levels) and who supports."""
    levels = {row["code"]: list(row["levels"]) for row in catalogue()["departments"]}
    rows: list[DutyRow] = []
    for category in catalogue()["categories"]:
        for kind in category["types"]:
            for unit, region in _places_of(kind["lead"], levels[kind["lead"]], land):
                rows.append(DutyRow("handle", unit, kind["code"], region))
            for order, helper in enumerate(kind.get("co") or []):
                rows += [
                    DutyRow("support", unit, kind["code"], region, priority=100 + order)
                    for unit, region in _places_of(helper, levels[helper], land)
                    if helper != "GRID" and helper != "COMMUNITY"
                ]
    # what nobody else has: the town, above it the county centre
    rows += [DutyRow("handle", town_unit(t, "TOWN"), region_code=t, priority=900) for t in land.towns]
    rows.append(DutyRow("handle", county_unit("GOV_CENTER"), region_code=COUNTY_CODE, priority=900))
    return rows


def make_organisation(land: Territory) -> Organisation:
    tree = _Tree(land)
    _county_units(tree)
    for town in land.towns:
        _town_units(tree, town)
    _village_units(tree)
    departments = [DepartmentRow(row["code"], row["zh"], row["en"]) for row in catalogue()["departments"]]
    return Organisation(departments, tree.units, tree.posts, _desk_duties(land) + _case_duties(land))
