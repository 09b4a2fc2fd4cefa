"""A territory made from recorded points: towns from the district column, grids = H3 cells, one desk, units by case type."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import h3
from shapely.geometry import Polygon

from gridloop.access.actions import load_users
from gridloop.access.messages import SampleLogin
from gridloop.kernel.geo import to_wkb
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import actions as orgs
from gridloop.orgs.messages import DutyRow, OrgRow, RegionRow, StaffRow, UnitRow
from gridloop.simulation.replay.mapping import Record, TerritoryMap

NOWHERE = "其他"  # rows without a district
CELLS_PER_VILLAGE = 999


def operator_name(territory: TerritoryMap) -> str:
    """The log-in of the territory's desk."""
    return f"operator_{territory.county.code}"


def build(territory: TerritoryMap, records: Iterable[Record]) -> dict[str, int]:
    """Load regions, units, duties and the desk's log-in; what is there already is brought up to date. Returns counts."""
    cells = cells_by_district(records, territory.h3_resolution)
    rows: list[OrgRow] = [*regions(territory, cells), *units(territory)]
    orgs.load(SYSTEM, rows)
    desk = f"{territory.county.code}-DESK"
    load_users([SampleLogin(operator_name(territory), territory.desk, f"{desk}-1", "operator", territory.county.code, None)])
    return {"towns": len(cells), "grids": sum(len(c) for c in cells.values()), "units": len(territory.units) + 1}


def cells_by_district(records: Iterable[Record], resolution: int) -> dict[str, list[str]]:
    """H3 cells that hold a record, each given to the district that has most of its records."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record.lon is not None and record.lat is not None:
            votes[h3.latlng_to_cell(record.lat, record.lon, resolution)][record.district or NOWHERE] += 1
    found: dict[str, list[str]] = defaultdict(list)
    for cell in sorted(votes):
        found[min(votes[cell].items(), key=lambda item: (-item[1], item[0]))[0]].append(cell)
    return dict(sorted(found.items()))


def regions(territory: TerritoryMap, cells: dict[str, list[str]]) -> list[RegionRow]:
    """City, county, a town per district, and grids of 15 digits with the cell as boundary."""
    county = territory.county.code
    rows = [RegionRow(territory.city.code, territory.city.name, "city"), RegionRow(county, territory.county.name, "county")]
    for number, (district, members) in enumerate(cells.items(), 1):
        town = f"{county}{number:03d}"
        rows.append(RegionRow(town, district, "town"))
        for index, cell in enumerate(members):
            village = f"{town}{200 + index // CELLS_PER_VILLAGE:03d}"
            if index % CELLS_PER_VILLAGE == 0:
                rows.append(RegionRow(village, f"{district}第{index // CELLS_PER_VILLAGE + 1}片", "village"))
            lat, lon = h3.cell_to_latlng(cell)
            outline = to_wkb(Polygon([(x, y) for y, x in h3.cell_to_boundary(cell)]))
            code = f"{village}{index % CELLS_PER_VILLAGE + 1:03d}"
            rows.append(RegionRow(code, f"{district}{index + 1}号格", "grid", lon=lon, lat=lat, boundary=outline))
    return rows


def units(territory: TerritoryMap) -> list[OrgRow]:
    """One desk that takes in and checks, and the units with their duties."""
    county = territory.county.code
    desk = f"{county}-DESK"
    rows: list[OrgRow] = [UnitRow(desk, territory.desk, "center", county)]
    rows += [UnitRow(u.code, u.name, "department", county) for u in territory.units]
    rows += [DutyRow(kind, desk, region_code=county) for kind in ("intake", "verify", "check", "supervise")]
    rows += [DutyRow("handle", u.code, case_type=kind, region_code=county) for u in territory.units for kind in u.types]
    rows.append(StaffRow(f"{desk}-1", "值班员", desk))
    return rows
