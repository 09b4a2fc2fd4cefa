"""The county's devices: what each kind sends, where it stands, whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from gridloop.registry.messages import DeviceRow
from gridloop.simulation.county.buildings import HOUSE, TOWER, Buildings
from gridloop.simulation.county.economy import Places
from gridloop.simulation.county.frame import Floats, Ints, share_out, stream, to_degrees
from gridloop.simulation.county.people import People
from gridloop.simulation.county.terrain import Road, Terrain
from gridloop.simulation.county.territory import Territory

# what a kind of device may send: signal kinds of the contract
SENDS: Final[dict[str, tuple[str, ...]]] = {
    "camera": (
        "vehicle_stopped",
        "ebike_detected",
        "ebike_indoors",
        "object_dwell",
        "crowd_count",
        "person_near_water",
        "washing_at_source",
        "unmatched_token",
    ),
    "smoke": ("smoke",),
    "door": ("door_open",),
    "motion": ("motion",),
    "water_meter": ("water_total",),
    "gas_meter": ("gas_use",),
    "electricity_meter": ("electricity_use",),
    "thermal": ("thermal_spot", "temperature"),
    "water_level": ("water_level",),
    "rain": ("rain",),
    "loudspeaker": ("device_status",),
    "gps": ("position",),
}


@dataclass(frozen=True)
class _Kind:
    kind: str
    name: str
    share: int  # of 6,000
    where: str  # street, home, elder, building, water, village, place, unit
    owner: str  # department code; the unit of the county stands for it
    interval: int  # seconds between signals
    coverage: float | None = None


KINDS: Final = (
    _Kind("camera", "街面视频监控", 780, "street", "GOV_CENTER", 300, 60.0),
    _Kind("camera", "临水视频监控", 60, "water_place", "WATER", 300, 50.0),
    _Kind("camera", "重点场所视频监控", 160, "place", "GOV_CENTER", 300, 60.0),
    _Kind("smoke", "独立式感烟报警器", 1_500, "building", "FIRE", 3_600, 8.0),
    _Kind("door", "智能门磁", 640, "elder", "CIVIL", 3_600),
    _Kind("motion", "人体感应器", 260, "elder", "CIVIL", 3_600, 8.0),
    _Kind("water_meter", "智能水表", 800, "elder", "UTIL_WATER", 86_400),
    _Kind("electricity_meter", "智能电表", 760, "home", "UTIL_POWER", 3_600),
    _Kind("gas_meter", "智能燃气表", 460, "home", "UTIL_GAS", 3_600),
    _Kind("thermal", "热成像云台", 30, "hill", "EMERGENCY", 600, 2_000.0),
    _Kind("water_level", "水位计", 44, "water", "WATER", 300),
    _Kind("rain", "雨量计", 36, "village", "WATER", 300),
    _Kind("loudspeaker", "应急广播", 190, "village", "EMERGENCY", 3_600, 300.0),
    _Kind("gps", "执勤定位终端", 280, "unit", "GOV_CENTER", 60),
)


@dataclass(frozen=True)
class _Sites:
    """Where devices of one kind go: coordinates, and the building, household or place they belong to ('' = none)."""

    xy: Floats
    building: list[str]
    household: list[str]
    place: list[str]


def _plain(xy: Floats) -> _Sites:
    none = [""] * len(xy)
    return _Sites(xy, none, none, none)


class _Finder:
    """Picks sites for each kind of device."""

    def __init__(
        self, seed: int, terrain: Terrain, roads: list[Road], buildings: Buildings, land: Territory, people: People, places: Places
    ) -> None:
        self.rng = stream(seed, "devices")
        self.terrain, self.roads, self.buildings, self.land, self.people, self.places = terrain, roads, buildings, land, people, places
        elders = [n for n, p in enumerate(people.people) if "lone_elder" in p.tags]
        self._elders = self.rng.permutation(np.array(elders, dtype=np.int64))
        shapely.prepare(land.county)

    def sites(self, where: str, count: int) -> _Sites:
        found: _Sites = getattr(self, f"_{where}")(count)
        return found

    def _street(self, count: int) -> _Sites:
        roads = [r for r in self.roads if r.kind in ("street", "national", "county")]
        lengths = np.array([len(r.line) * (3.0 if r.kind == "street" else 0.35) for r in roads])
        xy: list[Floats] = []
        for road, number in zip(roads, share_out(count * 2, lengths), strict=True):
            if number:
                line = shapely.LineString(road.line)
                at = (np.arange(number) + self.rng.uniform(0.2, 0.8)) / number
                xy.append(
                    shapely.get_coordinates(shapely.line_interpolate_point(line, at, normalized=True))
                    + self.rng.uniform(-4, 4, (number, 2))
                )
        points = np.concatenate(xy)
        points = points[shapely.contains_xy(self.land.county, points)]
        return _plain(points[self.rng.permutation(len(points))[:count]])

    def _water_place(self, count: int) -> _Sites:
        return self._at_places([n for n, p in enumerate(self.places.rows) if "near_water" in p.tags], count)

    def _place(self, count: int) -> _Sites:
        return self._at_places([n for n, p in enumerate(self.places.rows) if "near_water" not in p.tags], count)

    def _at_places(self, own: list[int], count: int) -> _Sites:
        at = np.resize(self.rng.permutation(np.array(own)), count)
        xy = self.places.xy[at] + self.rng.uniform(-14, 14, (count, 2))
        none = [""] * count
        return _Sites(xy, none, none, [self.places.rows[n].code for n in at.tolist()])

    def _building(self, count: int) -> _Sites:
        weight = np.where(self.buildings.kind == HOUSE, 0.25, np.where(self.buildings.kind == TOWER, 8.0, 2.0))
        at = np.sort(self.rng.choice(len(weight), size=count, p=weight / weight.sum()))
        none = [""] * count
        return _Sites(self.buildings.xy[at], [self.buildings.code[n] for n in at.tolist()], none, none)

    def _homes_of(self, households: Ints) -> _Sites:
        at = self.people.household_building[households]
        codes = [self.people.households[n].code for n in households.tolist()]
        return _Sites(self.buildings.xy[at], [self.buildings.code[n] for n in at.tolist()], codes, [""] * len(codes))

    def _elder(self, count: int) -> _Sites:
        return self._homes_of(np.resize(self.people.person_household[self._elders], count))

    def _home(self, count: int) -> _Sites:
        return self._homes_of(self.rng.choice(len(self.people.households), size=count, replace=False))

    def _hill(self, count: int) -> _Sites:
        cloud = self.rng.uniform(-12_000, 12_000, (4_000, 2))
        cloud = cloud[shapely.contains_xy(self.land.county, cloud)]
        return _plain(cloud[np.argsort(-self.terrain.hilly(cloud), kind="stable")[: count * 8 : 8]])

    def _water(self, count: int) -> _Sites:
        lines = [w.line[shapely.contains_xy(self.land.county, w.line)] for w in self.terrain.streams]
        numbers = share_out(count, np.array([len(line) for line in lines], dtype=np.float64), least=1)
        parts = [line[np.linspace(4, len(line) - 5, n).astype(int)] for line, n in zip(lines, numbers.tolist(), strict=True)]
        return _plain(np.concatenate(parts))

    def _village(self, count: int) -> _Sites:
        seats = np.resize(self.land.village_seats, (count, 2))
        return _plain(seats + self.rng.uniform(-160, 160, (count, 2)))

    def _unit(self, count: int) -> _Sites:
        return self._village(count)


def make_devices(
    seed: int,
    count: int,
    terrain: Terrain,
    roads: list[Road],
    buildings: Buildings,
    land: Territory,
    people: People,
    places: Places,
    owners: dict[str, str],
) -> list[DeviceRow]:
    """``owners`` names the unit for a department. Nothing has been heard of any device yet: status unproved."""
    finder = _Finder(seed, terrain, roads, buildings, land, people, places)
    numbers = share_out(count, np.array([k.share for k in KINDS], dtype=np.float64), least=3)
    tree = shapely.STRtree(land.micro_shapes)
    serial: dict[str, int] = {}
    rows: list[DeviceRow] = []
    for kind, number in zip(KINDS, numbers.tolist(), strict=True):
        sites = finder.sites(kind.where, number)
        micros = np.asarray(tree.nearest(shapely.points(sites.xy))).tolist()
        columns = zip(micros, to_degrees(sites.xy).tolist(), sites.building, sites.household, sites.place, strict=True)
        for micro, (lon, lat), building, household, place in columns:
            serial[kind.kind] = serial.get(kind.kind, 0) + 1
            region = land.micros[micro]
            name = f"{land.names[region[:12]]}{kind.name}{serial[kind.kind]}"
            rows.append(
                DeviceRow(
                    f"{kind.kind}-{serial[kind.kind]:05d}", kind.kind, region, name, lon, lat, owners[kind.owner], place, building,
                    household, kind.coverage, kind.interval,
                )
            )  # fmt: skip
    return rows
