"""Buildings: slabs and towers in street blocks, houses in hamlets, halls in works, shops and schools; with addresses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from gridloop.simulation.county.cells import Cells
from gridloop.simulation.county.frame import Bools, Floats, Geoms, Ints, stream
from gridloop.simulation.county.landuse import BLOCK, FARM, FOREST, HAMLET, INDUSTRY, PUBLIC
from gridloop.simulation.county.partition import Parts
from gridloop.simulation.county.terrain import Road, Stream, Terrain
from gridloop.simulation.county.territory import Territory

HOUSE, SLAB, TOWER, HALL, SHOP, SCHOOL = range(6)
# by kind: length, depth, gap between places along and across (metres)
SHAPES = np.array(
    [
        [11.0, 9.5, 16.5, 17.5],
        [33.0, 12.0, 39.0, 27.0],
        [24.0, 21.0, 42.0, 42.0],
        [46.0, 24.0, 58.0, 36.0],
        [13.0, 9.0, 17.0, 20.0],
        [52.0, 14.0, 66.0, 36.0],
    ]
)
PER_FLOOR = (1, 4, 6, 0, 0, 0)  # homes on a floor
TOP_FLOORS = (4, 7, 24, 2, 3, 5)
OFFICES = 0.5  # share of the places in street blocks where nobody lives that hold shops and offices


@dataclass(frozen=True)
class Buildings:
    """One array per attribute, in the order of ``code``. Shapes in metres; ``homes`` is how many households live there."""

    code: list[str]
    micro: Ints
    cell: Ints
    kind: Ints
    floors: Ints
    homes: Ints
    xy: Floats
    shapes: Geoms
    addresses: list[str]
    names: list[str]


@dataclass(frozen=True)
class _Places:
    """Possible building places, cell by cell."""

    cell: Ints
    xy: Floats
    kind: Ints
    turn: Floats


def _kind_of_cell(cells: Cells, rng: np.random.Generator) -> Ints:
    """What is built in each cell, -1 for nothing planned."""
    kind = np.full(len(cells.sites), -1, dtype=np.int64)
    luck = rng.random(len(kind))
    kind[np.isin(cells.use, (HAMLET, FARM, FOREST))] = HOUSE
    block = cells.use == BLOCK
    kind[block] = np.where(luck[block] < np.array([0.16, 0.0, 0.0, 0.0])[cells.core[block]], TOWER, SLAB)
    kind[block & (cells.core > 0) & (luck < 0.45)] = HOUSE
    kind[cells.use == INDUSTRY] = HALL
    kind[cells.use == PUBLIC] = SCHOOL
    return kind


def _turns(cells: Cells, terrain: Terrain, rng: np.random.Generator) -> Floats:
    """How the houses of each cell are turned: with the streets in the cores, by hamlet in the country."""
    out = rng.normal(0, 0.1, len(cells.sites))
    if len(terrain.villages):
        tree = shapely.STRtree(np.asarray(shapely.points(terrain.villages)))
        out += rng.uniform(-0.6, 0.6, len(terrain.villages))[tree.nearest(shapely.points(cells.sites))]
    turns = np.array([core.turn for core in terrain.cores])
    return np.where(cells.core >= 0, turns[cells.core], out)


def _places(cells: Cells, chosen: Ints, kind: Ints, turn: Floats, keep_off: shapely.STRtree, rng: np.random.Generator) -> _Places:
    """A turned lattice of places in every chosen cell, those kept whose building stays inside the cell and off water and roads."""
    found: list[_Places] = []
    for what in range(len(SHAPES)):
        own = chosen[kind[chosen] == what]
        if not len(own):
            continue
        long, deep, gap_x, gap_y = SHAPES[what]
        reach = 95.0
        x, y = np.meshgrid(np.arange(-reach, reach + 1, gap_x), np.arange(-reach, reach + 1, gap_y))
        offsets = np.stack([x.ravel(), y.ravel()], axis=1)
        cos, sin = np.cos(turn[own]), np.sin(turn[own])
        spin = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
        xy = cells.sites[own][:, None, :] + offsets @ spin
        shake = 2.2 if what in (HOUSE, SHOP) else 0.6
        xy = (xy + rng.uniform(-shake, shake, xy.shape)).reshape(-1, 2)
        cell = np.repeat(own, len(offsets))
        room = shapely.buffer(cells.polygons[own], -(math.hypot(long, deep) / 2 + 1.5), quad_segs=2)
        shapely.prepare(room)
        inside = shapely.contains_xy(np.repeat(room, len(offsets)), xy[:, 0], xy[:, 1])
        xy, cell = xy[inside], cell[inside]
        free = np.ones(len(xy), dtype=bool)
        free[keep_off.query(shapely.points(xy), "dwithin", math.hypot(long, deep) / 2 + 3.0)[0]] = False
        found.append(_Places(cell[free], xy[free], np.full(int(free.sum()), what), turn[cell[free]]))
    cell = np.concatenate([p.cell for p in found])
    order = np.argsort(cell, kind="stable")
    return _Places(
        cell[order],
        np.concatenate([p.xy for p in found])[order],
        np.concatenate([p.kind for p in found])[order],
        np.concatenate([p.turn for p in found])[order],
    )


def _obstacles(terrain: Terrain, roads: list[Road]) -> shapely.STRtree:
    """Water and roads in short pieces, so that a look-up of what is near stays cheap."""
    pieces: list[shapely.Geometry] = [terrain.reservoir]
    for water in terrain.streams:
        for at in range(0, len(water.line) - 1, 6):
            part = slice(at, at + 7)
            pieces.append(Stream(water.name, water.line[part], water.half_width[part]).area())
    for road in roads:
        pieces += [shapely.LineString(road.line[at : at + 9]) for at in range(0, len(road.line) - 1, 8)]
    return shapely.STRtree(pieces)


def _settle(wanted: int, kind: Ints, floors: Ints, order: Ints) -> Ints:
    """How many homes each place of a micro-grid gets: places in ``order`` until the wanted number fits, fuller houses if it must be."""
    homes = np.zeros(len(kind), dtype=np.int64)
    per_floor = np.array(PER_FLOOR)[kind]
    fit = np.where(kind == HOUSE, np.where(order % 5 == 0, 2, 1), per_floor * np.maximum(floors - 1 * (kind == SLAB) * (order % 3 == 0), 1))
    left = wanted
    while left > 0:
        for at in np.argsort(order, kind="stable"):
            give = min(int(fit[at]), left)
            homes[at] += give
            left -= give
            if left <= 0:
                break
    return homes


def _choose(seed: int, cells: Cells, parts: Parts, land: Territory, places: _Places) -> tuple[Bools, Ints, Ints]:
    """Which places are built on, with how many homes and floors."""
    rng = stream(seed, "settle")
    low = np.array([2, 5, 11, 1, 1, 3])[places.kind]
    floors = low + np.floor(rng.random(len(low)) ** 1.3 * (np.array(TOP_FLOORS)[places.kind] - low + 1)).astype(np.int64)
    hub = np.hypot(*(places.xy - land.village_seats[parts.village[places.cell]]).T)
    rank = rng.random(len(low)) + hub / 350.0
    micro = parts.micro[places.cell]
    homes = np.zeros(len(low), dtype=np.int64)
    by_micro = np.argsort(micro, kind="stable")
    edges = np.searchsorted(micro[by_micro], np.arange(len(land.micros) + 1))
    lives = np.array(PER_FLOOR)[places.kind] > 0
    for index in np.flatnonzero(land.households).tolist():
        own = by_micro[edges[index] : edges[index + 1]]
        own = own[lives[own]]
        if len(own):
            order = np.argsort(np.argsort(rank[own], kind="stable"), kind="stable")
            homes[own] = _settle(int(land.households[index]), places.kind[own], floors[own], order)
    tall = np.array([4, 18, 33, 9, 9, 9])[places.kind]
    homes_a_floor = np.maximum(np.array(PER_FLOOR)[places.kind], 1) * np.where(places.kind == HOUSE, 2, 1)
    floors = np.minimum(np.maximum(floors, -(-homes // homes_a_floor)), tall)
    share = np.select([places.kind == SCHOOL, ~lives, cells.core[places.cell] >= 0], [0.6, 0.8, OFFICES], 0.0)
    return (homes > 0) | (rng.random(len(low)) < share), homes, floors


def _extra_places(parts: Parts, land: Territory, cells: Cells, places: _Places) -> _Places:
    """A place on the widest cell of every populated micro-grid that has none (a narrow one along the river, say)."""
    lives = np.array(PER_FLOOR)[places.kind] > 0
    have = np.bincount(parts.micro[places.cell][lives], minlength=len(land.micros))
    cell: list[int] = []
    for index in np.flatnonzero((land.households > 0) & (have == 0)).tolist():
        own = np.flatnonzero(parts.micro == index)
        cell.append(int(own[np.argmax(cells.area[own])]))
    if not cell:
        return places
    added = np.array(cell)
    xy = shapely.get_coordinates(shapely.point_on_surface(cells.polygons[added]))
    return _Places(
        np.concatenate([places.cell, added]),
        np.concatenate([places.xy, xy]),
        np.concatenate([places.kind, np.full(len(added), TOWER)]),
        np.concatenate([places.turn, np.zeros(len(added))]),
    )


def _footprints(xy: Floats, kind: Ints, turn: Floats, rng: np.random.Generator) -> Geoms:
    half = SHAPES[kind][:, :2] / 2 * rng.uniform(0.88, 1.0, (len(xy), 2))
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])[None] * half[:, None, :]
    cos, sin = np.cos(turn), np.sin(turn)
    x = corner[..., 0] * cos[:, None] - corner[..., 1] * sin[:, None]
    y = corner[..., 0] * sin[:, None] + corner[..., 1] * cos[:, None]
    return np.asarray(shapely.polygons(xy[:, None, :] + np.stack([x, y], axis=-1)))


def _addresses(land: Territory, parts: Parts, cells: Cells, roads: list[Road], cell: Ints, xy: Floats) -> list[str]:
    """In the cores by the nearest named street (odd numbers left, even right), elsewhere by the house number of the village."""
    streets = [r for r in roads if r.kind == "street" and r.name]
    lines: Geoms = np.array([shapely.LineString(r.line) for r in streets], dtype=object)
    town = parts.village_town[parts.village[cell]]
    near = np.asarray(shapely.STRtree(lines).nearest(shapely.points(xy)))
    away = shapely.line_locate_point(lines[near], shapely.points(xy))
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(lines[near], away + 5.0))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(lines[near], np.maximum(away - 5.0, 0.0)))
    way, aside = ahead - behind, xy - behind
    left = way[:, 0] * aside[:, 1] - way[:, 1] * aside[:, 0] > 0
    number = (np.floor(away / 9.0).astype(np.int64) + 1) * 2 - left
    used: dict[str, int] = {}
    out = []
    rows = zip(near.tolist(), number.tolist(), cells.core[cell].tolist(), town.tolist(), parts.village[cell].tolist(), strict=True)
    for street, house, core, where, village in rows:
        town_name = land.names[land.towns[where]]
        if core >= 0:
            head, start = f"{town_name}{streets[street].name}", house
            key = f"{head}{start}"
            used[key] = used.get(key, 0) + 1
            out.append(f"{key}号" if used[key] == 1 else f"{key}-{used[key] - 1}号")
        else:
            head = f"{town_name}{land.names[land.villages[village]]}"
            used[head] = used.get(head, 0) + 1
            out.append(f"{head}{used[head]}号")
    return out


def make_buildings(seed: int, cells: Cells, parts: Parts, land: Territory, terrain: Terrain, roads: list[Road]) -> Buildings:
    rng = stream(seed, "buildings")
    kind, turn = _kind_of_cell(cells, rng), _turns(cells, terrain, rng)
    populated = (parts.micro >= 0) & (land.households[np.maximum(parts.micro, 0)] > 0)
    chosen = np.flatnonzero((populated & (kind >= 0)) | (cells.inside & np.isin(kind, (HALL, SCHOOL))))
    places = _extra_places(parts, land, cells, _places(cells, chosen, kind, turn, _obstacles(terrain, roads), rng))
    built, homes, floors = _choose(seed, cells, parts, land, places)
    at = np.flatnonzero(built)
    at = at[np.lexsort((places.xy[at, 0], -np.round(places.xy[at, 1]), parts.micro[places.cell[at]]))]
    cell, xy = places.cell[at], places.xy[at]
    micro = parts.micro[cell]
    serial = np.arange(len(at)) - np.searchsorted(micro, micro) + 1
    codes = [f"{land.micros[m]}{n:03d}" for m, n in zip(micro.tolist(), serial.tolist(), strict=True)]
    addresses = _addresses(land, parts, cells, roads, cell, xy)
    shapes = _footprints(xy, places.kind[at], places.turn[at], rng)
    names = _names(addresses, places.kind[at], rng)
    return Buildings(codes, micro, cell, places.kind[at], floors[at], homes[at], xy, shapes, addresses, names)


def _names(addresses: list[str], kind: Ints, rng: np.random.Generator) -> list[str]:
    """What people call a building: its street and number, or the firm or school that fills it."""
    luck = rng.integers(0, 1_000, len(kind)).tolist()
    tail = {HALL: ("厂房", "仓库", "车间"), SCHOOL: ("教学楼", "综合楼", "行政楼"), TOWER: ("大厦", "公寓", "商住楼")}
    out = []
    for address, what, n in zip(addresses, kind.tolist(), luck, strict=True):
        street = address[address.find("街道") + 2 :] if "街道" in address[:5] else address[3:]
        out.append(street + (tail[what][n % 3] if what in tail else ""))
    return out
