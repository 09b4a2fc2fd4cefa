"""Atoms: small cells of land whose borders follow streets, roads and rivers. Every region of the county is a union of atoms.

The borders form one planar graph: a border point is computed once and used by both neighbours, so the partition has no gaps and
no overlaps by construction. Country borders are roughened inside the kite of each edge, where no other border can reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from gridloop.simulation.county.frame import Bools, Floats, Geoms, Ints, normals, resample, stream
from gridloop.simulation.county.landuse import land_use, wish_to_live
from gridloop.simulation.county.terrain import HALF_HEIGHT, HALF_WIDTH, Terrain

MOUTH = 350.0  # metres at sea still drawn with fine cells, so that the shore is fine


@dataclass(frozen=True)
class Cells:
    """All cells, those of the county first come first: ``inside`` tells. ``core`` is the town whose streets a cell lies in, or -1."""

    sites: Floats
    core: Ints
    use: Ints  # see landuse
    inside: Bools
    sea: Bools
    polygons: Geoms  # metres; None where a cell is not closed
    pairs: Ints  # neighbouring cells (n, 2), each pair once
    weight: Floats  # how many households would like to live here, relative
    area: Floats


@dataclass
class _Sites:
    terrain: Terrain
    spread: float
    rng: np.random.Generator
    xy: list[Floats]
    core: list[Ints]
    straight: list[Bools]

    def add(self, xy: Floats, core: int, straight: bool) -> None:
        self.xy.append(xy)
        self.core.append(np.full(len(xy), core, dtype=np.int64))
        self.straight.append(np.full(len(xy), straight))


def _lattice(bounds: tuple[float, float, float, float], gap: float, jitter: float, rng: np.random.Generator) -> Floats:
    """A shaken honeycomb of points."""
    left, low, right, high = bounds
    x, y = np.meshgrid(np.arange(left, right, gap), np.arange(low, high, gap * 0.866))
    x = x + (np.arange(x.shape[0]) % 2)[:, None] * gap / 2
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    return points + rng.uniform(-jitter, jitter, points.shape) * gap


def _add_lines(sites: _Sites) -> shapely.MultiLineString:
    """Pairs of sites left and right of rivers and roads: the border between them is the line itself."""
    lines = [s.line for s in sites.terrain.streams] + [r.line for r in sites.terrain.roads]
    gap = 125.0 * sites.spread
    taken: list[shapely.LineString] = []
    for line in lines:
        steps = resample(line, gap)
        steps = (steps[1:] + steps[:-1]) / 2
        away = normals(steps) * gap * 0.42
        free = np.ones(len(steps), dtype=bool)
        if taken:  # near a crossing the earlier line keeps its pairs
            free = np.asarray(shapely.distance(shapely.points(steps), shapely.multilinestrings(taken)) > gap * 0.95)
        for core in sites.terrain.cores:
            free &= ~core.inside(steps, 1.02) | (line is lines[0])
        sites.add(np.concatenate([steps[free] + away[free], steps[free] - away[free]]), -1, True)
        taken.append(shapely.LineString(line))
    return shapely.multilinestrings(taken)


def _add_cores(sites: _Sites, lines: shapely.MultiLineString) -> None:
    for core in sites.terrain.cores:
        gap = core.block * (1.0 + (sites.spread - 1.0) * 0.75)
        wide, high = (math.ceil(h / gap) + 1 for h in core.half)
        x, y = np.meshgrid(np.arange(-wide, wide) + 0.5, np.arange(-high, high) + 0.5)
        local = np.stack([x.ravel(), y.ravel()], axis=1) * gap
        cos, sin = math.cos(core.turn), math.sin(core.turn)
        xy = sites.terrain.bend(local @ np.array([[cos, sin], [-sin, cos]]) + core.centre)
        xy = xy[core.inside(xy)]
        main = shapely.LineString(sites.terrain.streams[0].line)
        xy = xy[shapely.distance(shapely.points(xy), main) > 85.0 * sites.spread]
        sites.add(xy + sites.rng.uniform(-0.03, 0.03, xy.shape) * gap, core.town, True)


def _add_country(sites: _Sites, lines: shapely.MultiLineString) -> None:
    terrain, spread = sites.terrain, sites.spread
    shapely.prepare(lines)

    def free(xy: Floats, gap: float) -> Bools:
        keep = np.asarray(shapely.distance(shapely.points(xy), lines) > gap)
        for core in terrain.cores:
            keep &= ~core.inside(xy, 1.0 + 0.45 * gap / min(core.half))
        return keep

    near = shapely.buffer(shapely.multipoints(terrain.villages), 330.0)
    shapely.prepare(near)
    fine = _lattice((-HALF_WIDTH, -HALF_HEIGHT, HALF_WIDTH, HALF_HEIGHT), 118.0 * spread, 0.3, sites.rng)
    fine = fine[shapely.contains_xy(near, fine)]
    sites.add(fine[free(fine, 110.0 * spread)], -1, False)
    wide = _lattice((-15_500, -14_000, 15_500, 14_000), 300.0 * spread, 0.33, sites.rng)
    wide = wide[shapely.distance(shapely.points(wide), near) > 130.0 * spread]
    wide = wide[free(wide, 185.0 * spread)]
    shore = terrain.coast_x(wide)
    sites.add(wide[np.abs(wide[:, 0] - shore) > 180.0 * spread], -1, False)
    y = np.arange(-13_500.0, 13_500.0, 120.0 * spread)  # the shore is a fine line too
    beach = np.stack([terrain.coast_x(np.stack([np.zeros_like(y), y], axis=1)), y], axis=1)
    beach = beach[free(beach, 150.0 * spread)]
    beach = beach + sites.rng.uniform(-12, 12, beach.shape) * spread
    for side in (-1.0, 1.0):
        sites.add(beach + np.array([side * 62.0 * spread, 0.0]), -1, False)


def _triangulate(xy: Floats) -> Ints:
    """Delaunay triangles as indices into ``xy``, counter-clockwise."""
    triangles = shapely.get_parts(shapely.delaunay_triangles(shapely.multipoints(xy)))
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
    order = np.lexsort((xy[:, 1], xy[:, 0]))
    keys = xy[order, 0] + 1j * xy[order, 1]
    wanted = (corners[..., 0] + 1j * corners[..., 1]).ravel()
    index: Ints = order[np.searchsorted(keys, wanted)].reshape(-1, 3)
    a, b, c = xy[index[:, 0]], xy[index[:, 1]], xy[index[:, 2]]
    flip = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) < 0
    index[flip] = index[flip][:, ::-1]
    return index


def _centres(xy: Floats, triangles: Ints) -> Floats:
    """Circumcentres: the corners where three cells meet."""
    a, b, c = (xy[triangles[:, i]] for i in range(3))
    d = 2 * (a[:, 0] * (b[:, 1] - c[:, 1]) + b[:, 0] * (c[:, 1] - a[:, 1]) + c[:, 0] * (a[:, 1] - b[:, 1]))
    aa, bb, cc = ((p**2).sum(axis=1) for p in (a, b, c))
    x = (aa * (b[:, 1] - c[:, 1]) + bb * (c[:, 1] - a[:, 1]) + cc * (a[:, 1] - b[:, 1])) / d
    y = (aa * (c[:, 0] - b[:, 0]) + bb * (a[:, 0] - c[:, 0]) + cc * (b[:, 0] - a[:, 0])) / d
    return np.stack([x, y], axis=1)


@dataclass(frozen=True)
class _Edges:
    """Half edges: for site ``a`` with neighbour ``b`` going counter-clockwise from corner ``start`` to ``end``."""

    a: Ints
    b: Ints
    start: Ints
    end: Ints


def _half_edges(triangles: Ints, count: int) -> _Edges:
    corner = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    face = np.tile(np.arange(len(triangles)), 3)
    key = corner[:, 0] * count + corner[:, 1]
    order = np.argsort(key)
    twin = corner[:, 1] * count + corner[:, 0]
    at = np.minimum(np.searchsorted(key[order], twin), len(order) - 1)
    has = key[order][at] == twin
    # the triangle left of a→b ends the border piece between a and b; the one right of it begins it
    return _Edges(corner[has, 0], corner[has, 1], face[order[at[has]]], face[has])


def _roughness(xy: Floats, corners: Floats, edges: _Edges, straight: Bools, rng: np.random.Generator) -> Floats:
    """Three displaced points for every undirected edge (rows of edges with a < b), in metres, from start to end."""
    start, end, a, b = corners[edges.start], corners[edges.end], xy[edges.a], xy[edges.b]
    along = end - start
    length = np.hypot(along[:, 0], along[:, 1])
    safe = np.maximum(length, 1e-9)
    unit = along / safe[:, None]
    gap = np.hypot(*(b - a).T) / 2
    foot = (((a - start) * unit).sum(axis=1)) / safe
    t = np.array([0.25, 0.5, 0.75])
    up = np.where(foot[:, None] > 0, t / np.maximum(foot[:, None], 1e-9), np.inf)
    down = np.where(foot[:, None] < 1, (1 - t) / np.maximum(1 - foot[:, None], 1e-9), np.inf)
    room = gap[:, None] * np.minimum(np.minimum(up, down), 1.0)
    amount = np.minimum(room * 0.5, length[:, None] * 0.16)
    sway = rng.uniform(-1, 1, (len(a), 1)) * 0.7 + rng.uniform(-1, 1, (len(a), 3)) * 0.3
    sway[straight[edges.a] & straight[edges.b]] = 0.0
    across = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    points: Floats = start[:, None, :] + t[:, None] * along[:, None, :] + (amount * sway)[..., None] * across[:, None, :]
    return points


def _polygons(xy: Floats, triangles: Ints, straight: Bools, wanted: Bools, rng: np.random.Generator) -> tuple[Geoms, Ints]:
    """Cell polygons of the wanted sites and the neighbour pairs."""
    corners, edges = _centres(xy, triangles), _half_edges(triangles, len(xy))
    first = edges.a < edges.b
    half = _Edges(edges.a[first], edges.b[first], edges.start[first], edges.end[first])
    rough = _roughness(xy, corners, half, straight, rng)
    rough = np.round(rough, 3)
    key = half.a * len(xy) + half.b
    order = np.argsort(key)
    low, high = np.minimum(edges.a, edges.b), np.maximum(edges.a, edges.b)
    which = order[np.searchsorted(key[order], low * len(xy) + high)]
    points = rough[which]
    points[~first] = points[~first][:, ::-1]
    plain = straight[edges.a] & straight[edges.b]
    keep = wanted[edges.a]
    bearing = np.arctan2(*(xy[edges.b] - xy[edges.a]).T[::-1])
    sort = np.lexsort((bearing, edges.a))
    sort = sort[keep[sort]]
    ring = np.concatenate([np.round(corners[edges.start[sort]], 3)[:, None, :], points[sort]], axis=1)
    used = np.ones((len(sort), 4), dtype=bool)
    used[plain[sort], 1:] = False
    flat, owner = ring[used], np.repeat(edges.a[sort], used.sum(axis=1))
    polygons: Geoms = np.full(len(xy), None, dtype=object)
    ids = np.unique(owner)
    polygons[ids] = shapely.polygons(shapely.linearrings(flat, indices=np.searchsorted(ids, owner)))
    return polygons, np.stack([half.a, half.b], axis=1)


def make_cells(seed: int, terrain: Terrain, spread: float) -> Cells:
    """``spread`` widens every cell: 1 for the whole county, more for small test counties."""
    rng = stream(seed, "cells")
    sites = _Sites(terrain, spread, rng, [], [], [])
    lines = _add_lines(sites)
    _add_cores(sites, lines)
    _add_country(sites, lines)
    every: Floats = np.round(np.concatenate(sites.xy), 3).astype(np.float64)
    xy, first = np.unique(every, axis=0, return_index=True)
    core, straight = np.concatenate(sites.core)[first], np.concatenate(sites.straight)[first]
    inside = terrain.inside(xy)
    wanted = inside | (np.hypot(xy[:, 0] / 14_800.0, xy[:, 1] / 13_400.0) < 1.0)
    polygons, pairs = _polygons(xy, _triangulate(xy), straight, wanted, rng)
    inside &= _one_piece(inside, pairs)
    area = shapely.area(polygons)
    use = land_use(xy, core, terrain, rng)
    return Cells(xy, core, use, inside, terrain.at_sea(xy), polygons, pairs, wish_to_live(xy, core, use, area, terrain, rng), area)


def _one_piece(inside: Bools, pairs: Ints) -> Bools:
    """The largest connected part, so that the county has no islands by accident."""
    label = np.where(inside, np.arange(len(inside)), -1)
    links = pairs[inside[pairs].all(axis=1)]
    while True:
        least = np.minimum(label[links[:, 0]], label[links[:, 1]])
        before = label.copy()
        np.minimum.at(label, links[:, 0], least)
        np.minimum.at(label, links[:, 1], least)
        label[inside] = label[label[inside]]
        if (label == before).all():
            break
    main = np.bincount(label[inside]).argmax()
    out: Bools = label == main
    return out
