"""Enterprises, key places and vehicles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from gridloop.registry.messages import EnterpriseRow, PlaceRow, VehicleRow
from gridloop.simulation.county import words
from gridloop.simulation.county.buildings import HALL, HOUSE, SCHOOL, SLAB, TOWER, Buildings
from gridloop.simulation.county.cells import Cells
from gridloop.simulation.county.frame import Floats, Ints, stream, to_degrees
from gridloop.simulation.county.landuse import PARK
from gridloop.simulation.county.numbers import phone_numbers, plates, uscc
from gridloop.simulation.county.partition import Parts
from gridloop.simulation.county.people import People
from gridloop.simulation.county.terrain import Terrain
from gridloop.simulation.county.territory import Territory, numeral

# what an industry prefers to be housed in
_HOUSED: Final = {
    "制造": (HALL,), "建筑": (SLAB, TOWER), "运输仓储": (HALL, SLAB), "危险化学品": (HALL,), "农林": (HOUSE,), "渔业水产": (HOUSE, SLAB),
}  # fmt: skip
_SHOPS = (SLAB, TOWER, HOUSE)


@dataclass(frozen=True)
class Firms:
    rows: list[EnterpriseRow]
    building: Ints


def make_enterprises(seed: int, count: int, buildings: Buildings, land: Territory, people: People) -> Firms:
    rng = stream(seed, "firms")
    weights = np.array([w for _, w, _, _, _ in words.INDUSTRIES], dtype=np.float64)
    industries = rng.choice(len(weights), size=count, p=weights / weights.sum())
    company = rng.random(count) < np.array([s for _, _, s, _, _ in words.INDUSTRIES])[industries]
    building = _housed(industries, buildings, rng)
    owners = rng.choice(people.adults, size=count, replace=False).tolist()
    phones, lonlat = phone_numbers(count, 1), to_degrees(buildings.xy[building]).tolist()
    heads = np.where(company, np.ceil(rng.lognormal(2.3, 1.1, count)), rng.integers(1, 5, count)).astype(np.int64)
    rows: list[EnterpriseRow] = []
    used: set[str] = set()
    columns = zip(industries.tolist(), company.tolist(), building.tolist(), owners, phones, lonlat, heads.tolist(), strict=True)
    for n, (which, is_company, at, owner, phone, (lon, lat), employees) in enumerate(columns, 1):
        person = people.people[owner]
        name = _firm_name(which, is_company, land.names[buildings.code[at][:9]], used, rng)
        rows.append(
            EnterpriseRow(
                uscc("91" if is_company else "92", "990101", n), name, buildings.code[at][:18], buildings.addresses[at],
                words.INDUSTRIES[which][0], employees, lon, lat, person.name, phone, buildings.code[at],
            )
        )  # fmt: skip
    return Firms(rows, building)


def _housed(industries: Ints, buildings: Buildings, rng: np.random.Generator) -> Ints:
    town = np.array([int(code[6:9]) for code in buildings.code])
    pull = np.where(town < 100, 1.0, np.where(town < 200, 0.8, 0.4)) * np.where(buildings.kind == HOUSE, 0.06, 1.0)
    out = np.zeros(len(industries), dtype=np.int64)
    for which, industry in enumerate(words.INDUSTRIES):
        own = np.flatnonzero(industries == which)
        fits = np.isin(buildings.kind, _HOUSED.get(industry[0], _SHOPS))
        if not fits.any():
            fits = np.isin(buildings.kind, _SHOPS)
        chance = np.where(fits, pull, 0.0)
        out[own] = rng.choice(len(chance), size=len(own), p=chance / chance.sum())
    return out


def _firm_name(which: int, is_company: bool, town: str, used: set[str], rng: np.random.Generator) -> str:
    _, _, _, trades, shops = words.INDUSTRIES[which]
    for length in (2, 2, 3, 3, 4):
        word = "".join(rng.choice(words.FIRM_WORDS, size=length, replace=False))
        name = f"云澜县{word}{rng.choice(trades.split())}有限公司" if is_company else f"{town}{word}{rng.choice(shops.split())}"
        if name not in used:
            break
    used.add(name)
    return name


def make_vehicles(seed: int, count: int, people: People, firms: Firms) -> list[VehicleRow]:
    """Cars of people, vans and trucks of firms."""
    rng = stream(seed, "vehicles")
    of_firms = count // 12
    owners = rng.choice(people.adults, size=count - of_firms, replace=False)
    electric = rng.random(count) < 0.24
    numbers = plates(count, electric)
    rows = []
    for plate, at in zip(numbers, owners.tolist(), strict=False):
        person = people.people[at]
        rows.append(VehicleRow(plate, person.region_code, "car", person=person.code))
    kinds = np.array(["van", "truck", "car", "bus"])[rng.choice(4, size=of_firms, p=[0.45, 0.35, 0.15, 0.05])].tolist()
    chosen = rng.integers(0, len(firms.rows), of_firms).tolist()
    for plate, kind, at in zip(numbers[len(rows) :], kinds, chosen, strict=True):
        firm = firms.rows[at]
        rows.append(VehicleRow(plate, firm.region_code, kind, enterprise=firm.uscc))
    return rows


@dataclass(frozen=True)
class Places:
    rows: list[PlaceRow]
    xy: Floats


@dataclass
class _Gather:
    """Places as they are found; the region is looked up once for all at the end."""

    names: list[tuple[str, str, str, tuple[str, ...]]]
    xy: list[Floats]

    def add(self, kind: str, name: str, xy: Floats, address: str = "", *tags: str) -> None:
        self.names.append((kind, name, address, tags))
        self.xy.append(xy)


def _schools(found: _Gather, buildings: Buildings, land: Territory, parts: Parts) -> None:
    kinds = (
        "中心小学",
        "初级中学",
        "幼儿园",
        "实验小学",
        "高级中学",
        "第二小学",
        "第二幼儿园",
        "职业中学",
        "人民医院",
        "卫生院",
        "养老院",
        "第三小学",
        "第三幼儿园",
    )
    ends = {"医院": "hospital", "卫生院": "hospital", "养老院": "care_home", "幼儿园": "kindergarten"}
    seen: dict[int, int] = {}
    cells_used: set[int] = set()
    for at in np.flatnonzero(buildings.kind == SCHOOL).tolist():
        cell = int(buildings.cell[at])
        if cell in cells_used:
            continue
        cells_used.add(cell)
        town = int(parts.village_town[parts.village[cell]])
        nth = seen.get(town, 0)
        seen[town] = nth + 1
        if nth < len(kinds):
            kind = next((value for end, value in ends.items() if kinds[nth].endswith(end)), "school")
            tags = ("children",) if kind in ("school", "kindergarten") else ()
            found.add(kind, land.names[land.towns[town]][:2] + kinds[nth], buildings.xy[at], buildings.addresses[at], *tags)


def _water_points(found: _Gather, terrain: Terrain, county: shapely.Polygon) -> None:
    shapely.prepare(county)
    for water in terrain.streams:
        inside = np.flatnonzero(shapely.contains_xy(county, water.line))
        for n, at in enumerate(inside[np.linspace(25, len(inside) - 20, 14).astype(int)].tolist(), 1):
            kind = ("river_point", "bridge", "river_point", "wharf")[n % 4]
            word = {"river_point": "临水点", "bridge": "大桥", "wharf": "埠头"}[kind]
            tags = ("near_water",) if kind != "bridge" else ()
            found.add(kind, f"{water.name}{numeral(n)}号{word}", water.line[at], "", *tags)
    shore = shapely.get_coordinates(terrain.reservoir.exterior)
    for n, at in enumerate((10, 40, 70, 100), 1):
        found.add("water_source", f"{words.RESERVOIR}{'东北西南'[n - 1]}岸", shore[at % len(shore)], "", "near_water", "drinking_water")


def _public_places(found: _Gather, cells: Cells, terrain: Terrain, land: Territory, rng: np.random.Generator) -> None:
    parks = np.flatnonzero(cells.inside & (cells.use == PARK))
    for name, at in zip(words.PARKS, rng.permutation(parks).tolist(), strict=False):
        found.add("park", name, cells.sites[at])
    for core, town in zip(terrain.cores, words.TOWNS, strict=True):
        for kind, word, dx, dy in words.TOWN_PLACES:
            found.add(kind, town[0][:2] + word, core.centre + np.array([dx * core.half[0], dy * core.half[1]]), town[0])
    own = cells.sites[cells.inside]
    for name, spot in words.SCENIC_AREAS:
        found.add("scenic_area", name, own[np.argmin(np.hypot(*(own - spot).T))], "", "crowd")
    for code, seat in zip(land.villages, land.village_seats, strict=True):
        name, address = land.names[code], land.names[code[:9]] + land.names[code]
        found.add("village_office", f"{name}党群服务中心", seat, address)
        found.add("cultural_hall", f"{name}文化礼堂", seat + rng.uniform(-90, 90, 2), address)


def make_places(seed: int, cells: Cells, parts: Parts, terrain: Terrain, buildings: Buildings, land: Territory) -> Places:
    rng = stream(seed, "places")
    found = _Gather([], [])
    _schools(found, buildings, land, parts)
    _water_points(found, terrain, land.county)
    _public_places(found, cells, terrain, land, rng)
    xy = np.array(found.xy)
    micro = np.asarray(shapely.STRtree(land.micro_shapes).nearest(shapely.points(xy)))
    lonlat = to_degrees(xy).tolist()
    rows = [
        PlaceRow(f"L{n:05d}", name, kind, land.micros[at], address, lon, lat, tags)
        for n, ((kind, name, address, tags), at, (lon, lat)) in enumerate(zip(found.names, micro.tolist(), lonlat, strict=True), 1)
    ]
    return Places(rows, xy)
