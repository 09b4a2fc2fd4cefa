"""Every road of the county: national and county roads, town streets with names, back lanes, village roads."""

from __future__ import annotations

import math

import numpy as np
import shapely

from gridloop.simulation.county import words
from gridloop.simulation.county.frame import Floats, Noise, normals, resample, stream
from gridloop.simulation.county.terrain import Core, Road, Terrain

MAIN_EVERY = 3  # every third line of the lattice is a named street, the others are lanes


def _town_names(town: int) -> list[str]:
    return words.STREETS if town == 0 else words.TOWN_STREETS[town - 1].split()


def _core_streets(core: Core, terrain: Terrain, spread: float, river: shapely.Geometry) -> list[Road]:
    gap = core.block * (1.0 + (spread - 1.0) * 0.75)
    names = iter(_town_names(core.town))
    roads: list[Road] = []
    cos, sin = math.cos(core.turn), math.sin(core.turn)
    turn = np.array([[cos, sin], [-sin, cos]])
    reach = math.ceil(max(core.half) / gap) + 1
    along = np.arange(-reach * gap, reach * gap + 1, 20.0)
    for axis in (0, 1):
        wide = math.ceil(core.half[axis] / gap)
        for i in range(-wide, wide + 1):
            fixed = np.full_like(along, i * gap)
            local = np.stack([fixed, along] if axis == 0 else [along, fixed], axis=1)
            line = terrain.bend(local @ turn + core.centre)
            line = line[core.inside(line, 1.0)]
            if len(line) < 4:
                continue
            main = i % MAIN_EVERY == 0
            name = next(names, "") if main else ""
            shape = shapely.LineString(line)
            pieces = shapely.get_parts(shape if main and axis == 0 else shapely.difference(shape, river))
            roads += [Road(name, "street" if main else "lane", shapely.get_coordinates(p)) for p in pieces if p.length > 60]
    return roads


def _village_roads(terrain: Terrain, rng: np.random.Generator) -> list[Road]:
    """From every village to the nearest through road, and two or three lanes among the houses."""
    through = shapely.multilinestrings([shapely.LineString(r.line) for r in terrain.roads])
    sway = Noise(rng, 800.0)
    roads = []
    for centre in terrain.villages:
        joint = shapely.get_coordinates(shapely.shortest_line(shapely.Point(centre), through))
        if math.dist(joint[0], joint[1]) > 60:
            roads.append(Road("", "village", _wavy(joint, sway, 70.0)))
        turn = rng.uniform(0, math.pi)
        for k in range(int(rng.integers(2, 4))):
            way = np.array([math.cos(turn + k * 1.1), math.sin(turn + k * 1.1)])
            ends = np.stack([centre - way * rng.uniform(120, 260), centre + way * rng.uniform(120, 260)])
            roads.append(Road("", "village", _wavy(ends, sway, 25.0)))
    return roads


def _wavy(ends: Floats, sway: Noise, amount: float) -> Floats:
    line = resample(ends, 25.0)
    if len(line) < 3:
        return ends
    bow = np.sin(np.linspace(0, math.pi, len(line)))
    return line + normals(line) * (sway(line) * amount * bow)[:, None]


def make_roads(seed: int, terrain: Terrain, county: shapely.Polygon, spread: float) -> list[Road]:
    """All roads, cut at the border of the county for those of its own; through roads run on a little."""
    rng = stream(seed, "streets")
    river = shapely.union_all([s.area() for s in terrain.streams])
    around = shapely.buffer(county, 900.0)
    roads = [
        Road(r.name, r.kind, shapely.get_coordinates(part))
        for r in terrain.roads
        for part in shapely.get_parts(shapely.intersection(shapely.LineString(r.line), around))
    ]
    for core in terrain.cores:
        roads += _core_streets(core, terrain, spread, river)
    return roads + _village_roads(terrain, rng)
