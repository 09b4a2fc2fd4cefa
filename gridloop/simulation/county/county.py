"""The whole county from one seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import shapely

from gridloop.access.messages import SampleLogin
from gridloop.orgs.messages import AssignmentRow, DepartmentRow, DutyRow, OrgRow, PostRow, RegionRow, ShiftRow, StaffRow, UnitRow
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
from gridloop.simulation.county.buildings import Buildings, make_buildings
from gridloop.simulation.county.cells import Cells, make_cells
from gridloop.simulation.county.devices import make_devices
from gridloop.simulation.county.economy import Places, make_enterprises, make_places, make_vehicles
from gridloop.simulation.county.frame import geometry_to_degrees, to_degrees
from gridloop.simulation.county.partition import make_parts
from gridloop.simulation.county.people import make_people
from gridloop.simulation.county.staffing import make_staffing
from gridloop.simulation.county.streets import make_roads
from gridloop.simulation.county.terrain import Road, Terrain, make_terrain
from gridloop.simulation.county.territory import Territory, make_territory, region_rows
from gridloop.simulation.county.units import county_unit, make_organisation

SEED = 990101
AGES_ON = date(2026, 11, 22)  # everybody's age is counted on this day, so that the people do not change with the day of the load


@dataclass(frozen=True)
class Size:
    """How much of everything; ``spread`` widens the cells of the land."""

    villages: int
    rural_centres: int
    grids: int
    micros: int
    households: int
    people: int
    enterprises: int
    devices: int
    vehicles: int
    staff: int
    spread: float


FULL = Size(60, 41, 300, 1_200, 42_000, 120_000, 3_000, 6_000, 12_000, 800, 1.0)


def size_for(scale: float) -> Size:
    """The full county at 1; below, fewer villages and people on the same land, but every town, duty and kind of device."""
    if not 0.01 <= scale <= 1.0:
        raise ValueError(f"scale {scale} is outside 0.01…1")
    if scale == 1.0:
        return FULL
    villages = max(12, round(60 * scale))
    grids = max(villages * 2, round(300 * scale))
    households = max(600, round(42_000 * scale))
    return Size(
        villages, max(7, villages - 8), grids, max(grids * 2, round(1_200 * scale)), households, round(households * 120 / 42),
        max(60, round(3_000 * scale)), max(120, round(6_000 * scale)), max(120, round(12_000 * scale)), round(800 * scale),
        min(3.0, scale**-0.37),
    )  # fmt: skip


@dataclass(frozen=True)
class Land:
    """The geometry behind the records, in metres around the centre: what the base map and the simulator draw and walk on."""

    terrain: Terrain
    cells: Cells
    territory: Territory
    roads: list[Road]
    buildings: Buildings
    places: Places


@dataclass(frozen=True)
class County:
    """Records ready for the loaders of orgs, registry and access, in an order they accept."""

    seed: int
    land: Land
    departments: list[DepartmentRow]
    regions: list[RegionRow]
    units: list[UnitRow]
    posts: list[PostRow]
    duties: list[DutyRow]
    staff: list[StaffRow]
    assignments: list[AssignmentRow]
    shifts: list[ShiftRow]
    buildings: list[BuildingRow]
    houses: list[HouseRow]
    households: list[HouseholdRow]
    people: list[PersonRow]
    enterprises: list[EnterpriseRow]
    vehicles: list[VehicleRow]
    places: list[PlaceRow]
    devices: list[DeviceRow]
    logins: list[SampleLogin]

    def orgs(self) -> Iterator[OrgRow]:
        yield from self.regions
        yield from self.departments
        yield from self.units
        yield from self.posts
        yield from self.duties
        yield from self.staff
        yield from self.assignments
        yield from self.shifts

    def registry(self) -> Iterator[RegistryRow]:
        yield from self.buildings
        yield from self.houses
        yield from self.households
        yield from self.people
        yield from self.enterprises
        yield from self.vehicles
        yield from self.places
        yield from self.devices

    def digest(self) -> str:
        """SHA-256 over every record: equal seeds give equal counties."""
        whole = hashlib.sha256()
        rows: list[Any] = [*self.orgs(), *self.registry(), *self.logins]
        for row in rows:
            whole.update(repr(row).encode())
        return whole.hexdigest()


def generate(seed: int = SEED, scale: float = 1.0, today: date = AGES_ON) -> County:
    """Pure and deterministic. ``scale`` below 1 makes a small county of the same structure; the roster lies around ``today``."""
    size = size_for(scale)
    land = make_land(seed, size)
    places = land.places
    people = make_people(seed, land.buildings, size.people, AGES_ON)
    firms = make_enterprises(seed, size.enterprises, land.buildings, land.territory, people)
    organisation = make_organisation(land.territory)
    owners = {row.code: county_unit(row.code) for row in organisation.departments}
    devices = make_devices(seed, size.devices, land.terrain, land.roads, land.buildings, land.territory, people, places, owners)
    staffing = make_staffing(seed, land.territory, organisation, size.staff, today)
    households = Counter(row.region_code for row in people.households)
    heads = Counter(row.region_code for row in people.people)
    return County(
        seed=seed,
        land=land,
        departments=organisation.departments,
        regions=region_rows(land.territory, households, heads),
        units=organisation.units,
        posts=organisation.posts,
        duties=organisation.duties,
        staff=staffing.staff,
        assignments=staffing.assignments,
        shifts=staffing.shifts,
        buildings=_building_rows(land.buildings),
        houses=people.houses,
        households=people.households,
        people=people.people,
        enterprises=firms.rows,
        vehicles=make_vehicles(seed, size.vehicles, people, firms),
        places=places.rows,
        devices=devices,
        logins=staffing.logins,
    )


def make_land(seed: int, size: Size) -> Land:
    """The land without its people; enough for the base map."""
    terrain = make_terrain(seed, size.rural_centres)
    cells = make_cells(seed, terrain, size.spread)
    parts = make_parts(seed, cells, terrain, size.villages, size.grids, size.micros)
    territory = make_territory(seed, cells, parts, size.households)
    roads = make_roads(seed, terrain, territory.county, size.spread)
    buildings = make_buildings(seed, cells, parts, territory, terrain, roads)
    places = make_places(seed, cells, parts, terrain, buildings, territory)
    return Land(terrain, cells, territory, roads, buildings, places)


def _building_rows(buildings: Buildings) -> list[BuildingRow]:
    lonlat = to_degrees(buildings.xy).tolist()
    shapes = shapely.to_wkb(geometry_to_degrees(buildings.shapes)).tolist()
    columns = zip(buildings.code, buildings.names, buildings.addresses, buildings.floors.tolist(), lonlat, shapes, strict=True)
    return [
        BuildingRow(code, code[:18], name, address, floors, lon, lat, shape) for code, name, address, floors, (lon, lat), shape in columns
    ]
