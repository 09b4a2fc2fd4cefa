"""Cells become micro-grids, grids, villages and towns: connected groups, grown from centres, that do not like to cross water or roads."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import shapely

from gridloop.simulation.county.cells import Cells
from gridloop.simulation.county.frame import Floats, Ints, share_out, stream
from gridloop.simulation.county.terrain import Terrain

URBAN_TOWN_SPEED = (0.80, 0.80, 0.80, 1.0)  # how far a town reaches, relative


@dataclass(frozen=True)
class Graph:
    """Neighbours of each county cell with the cost in metres of going there."""

    next_to: tuple[tuple[tuple[int, float], ...], ...]


@dataclass(frozen=True)
class Parts:
    """The label of each cell on every level, -1 outside; labels of finer levels count through the whole county."""

    town: Ints
    village: Ints
    grid: Ints
    micro: Ints
    village_town: Ints
    grid_village: Ints
    micro_grid: Ints


def make_graph(cells: Cells, terrain: Terrain) -> Graph:
    pairs = cells.pairs[cells.inside[cells.pairs].all(axis=1)]
    ends = cells.sites[pairs]
    cost = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    ridge = np.abs(terrain.height(ends.mean(axis=1) * 1.7))  # borders like to follow ridges, not rulers
    cost = cost * (0.6 + 2.2 * ridge)
    steps = shapely.linestrings(ends)
    crossings = [(s.line, 1_500.0 if i == 0 else 700.0) for i, s in enumerate(terrain.streams)]
    crossings += [(r.line, 500.0 if r.kind == "national" else 220.0) for r in terrain.roads]
    for line, toll in crossings:
        barrier = shapely.LineString(line)
        shapely.prepare(barrier)
        cost = cost + toll * shapely.intersects(barrier, steps)
    lists: list[list[tuple[int, float]]] = [[] for _ in range(len(cells.sites))]
    for (a, b), price in zip(pairs.tolist(), cost.tolist(), strict=True):
        lists[a].append((b, price))
        lists[b].append((a, price))
    return Graph(tuple(tuple(x) for x in lists))


def spread_from(graph: Graph, members: Ints, seeds: Ints, speed: Floats) -> Ints:
    """Each member goes to the seed it reaches cheapest (Dijkstra from all seeds at once). Labels by position in ``members``."""
    label = dict.fromkeys(members.tolist(), -1)
    queue = [(0.0, int(cell), i) for i, cell in enumerate(seeds)]
    heapq.heapify(queue)
    while queue:
        cost, cell, who = heapq.heappop(queue)
        if label[cell] >= 0:
            continue
        label[cell] = who
        for other, price in graph.next_to[cell]:
            if label.get(other, 0) < 0:
                heapq.heappush(queue, (cost + price / speed[who], other, who))
    return np.fromiter(label.values(), dtype=np.int64, count=len(members))


def _grow_even(graph: Graph, members: Ints, seeds: Ints, load: Floats) -> Ints:
    """Like ``spread_from``, but the lightest group takes the next cell, so that groups carry about the same."""
    label = dict.fromkeys(members.tolist(), -1)
    weight = dict(zip(members.tolist(), load.tolist(), strict=True))
    fringe: list[list[tuple[float, int]]] = [[(0.0, int(cell))] for cell in seeds]
    turn = [(0.0, i) for i in range(len(seeds))]
    while turn:
        carried, who = heapq.heappop(turn)
        while fringe[who] and label[fringe[who][0][1]] >= 0:
            heapq.heappop(fringe[who])
        if not fringe[who]:
            continue
        cost, cell = heapq.heappop(fringe[who])
        label[cell] = who
        for other, price in graph.next_to[cell]:
            if label.get(other, 0) < 0:
                heapq.heappush(fringe[who], (cost * 0.6 + price, other))
        heapq.heappush(turn, (carried + weight[cell], who))
    return np.fromiter(label.values(), dtype=np.int64, count=len(members))


def divide(graph: Graph, sites: Floats, members: Ints, load: Floats, count: int, rng: np.random.Generator) -> Ints:
    """``members`` (connected) in ``count`` connected groups of about equal load. Labels 0…count-1 by position in ``members``."""
    if count == 1:
        return np.zeros(len(members), dtype=np.int64)
    xy = sites[members]
    seeds = _far_apart(xy, load, count, rng)
    label = np.zeros(len(members), dtype=np.int64)
    for round_ in range(3):
        label = _grow_even(graph, members, members[seeds], load)
        if round_ == 2:
            break
        total = np.bincount(label, weights=load, minlength=count)
        middle = np.stack([np.bincount(label, weights=load * xy[:, i], minlength=count) / total for i in range(2)], axis=1)
        away = np.hypot(*(xy - middle[label]).T)
        order = np.lexsort((away, label))
        seeds = order[np.searchsorted(label[order], np.arange(count))]
    return label


def _far_apart(xy: Floats, load: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Distinct starting cells: far from each other, but where the load is."""
    chance = load / load.sum()
    chosen = [int(rng.choice(len(xy), p=chance))]
    away = np.hypot(*(xy - xy[chosen[0]]).T)
    for _ in range(count - 1):
        score = away**2 * chance
        score[chosen] = -1.0
        best = int(np.argmax(score))
        chosen.append(best)
        away = np.minimum(away, np.hypot(*(xy - xy[best]).T))
    return np.array(chosen)


def _nearest_cells(cells: Cells, members: Ints, points: Floats) -> Ints:
    tree = shapely.STRtree(np.asarray(shapely.points(cells.sites[members])))
    found: Ints = members[tree.nearest(shapely.points(points))]
    return found


def _split_all(graph: Graph, cells: Cells, parent: Ints, counts: Ints, load: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Every parent group divided into its count of groups: (label of each cell, parent of each label)."""
    label = np.full(len(cells.sites), -1, dtype=np.int64)
    owner: list[Ints] = []
    start = 0
    order = np.argsort(parent, kind="stable")
    edges = np.searchsorted(parent[order], np.arange(len(counts) + 1))
    for group, count in enumerate(counts.tolist()):
        members = order[edges[group] : edges[group + 1]]
        label[members] = start + divide(graph, cells.sites, members, load[members], count, rng)
        owner.append(np.full(count, group, dtype=np.int64))
        start += count
    return label, np.concatenate(owner)


def make_parts(seed: int, cells: Cells, terrain: Terrain, villages: int, grids: int, micros: int) -> Parts:
    """Towns from their centres, villages from theirs (communities divide the core of the county seat), grids and micro-grids by load."""
    rng, graph = stream(seed, "parts"), make_graph(cells, terrain)
    members = np.flatnonzero(cells.inside)
    town = np.full(len(cells.sites), -1, dtype=np.int64)
    centres = np.array([core.centre for core in terrain.cores])
    town[members] = spread_from(graph, members, _nearest_cells(cells, members, centres), np.array(URBAN_TOWN_SPEED))
    village, village_town = _make_villages(graph, cells, terrain, town, villages, rng)
    # a household counts, and so does land: empty hills are one wide micro-grid, a street block is a small one
    load = cells.weight + cells.area / 600_000.0 + 0.02
    grid, grid_village = _part_level(graph, cells, village, len(village_town), load, grids, rng)
    micro, micro_grid = _part_level(graph, cells, grid, len(grid_village), load, micros, rng)
    return Parts(town, village, grid, micro, village_town, grid_village, micro_grid)


def _part_level(
    graph: Graph, cells: Cells, parent: Ints, parents: int, load: Floats, total: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    inside = parent >= 0
    held = np.bincount(parent[inside], weights=load[inside], minlength=parents)
    room = np.bincount(parent[inside], minlength=parents)
    counts = share_out(total, held, least=min(2, total // parents), most=room)
    return _split_all(graph, cells, parent, counts, load, rng)


def _make_villages(graph: Graph, cells: Cells, terrain: Terrain, town: Ints, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Village label of each cell and town of each village; the communities of the seat come first."""
    label = np.full(len(cells.sites), -1, dtype=np.int64)
    owners: list[int] = []
    urban = count - len(terrain.villages) - (len(terrain.cores) - 1)
    for where in range(len(terrain.cores)):
        members = np.flatnonzero(town == where)
        own_core = members[cells.core[members] == where]
        own = terrain.villages[town[_nearest_cells(cells, np.flatnonzero(cells.inside), terrain.villages)] == where]
        if where == 0:  # the core's communities: their centres by an even division of the core itself
            parts = _centres_of(cells, own_core, urban, rng)
            seeds = np.unique(np.concatenate([parts, _nearest_cells(cells, members, own)]) if len(own) else parts)
        else:
            seeds = np.unique(
                np.concatenate([_nearest_cells(cells, members, terrain.cores[where].centre[None]), _nearest_cells(cells, members, own)])
            )
        seeds = seeds[np.lexsort((cells.sites[seeds, 0], -cells.core[seeds]))]
        label[members] = len(owners) + spread_from(graph, members, seeds, np.ones(len(seeds)))
        owners += [where] * len(seeds)
    return label, np.array(owners)


def _centres_of(cells: Cells, members: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Cells nearest to the centres of ``count`` even parts (k-means on the weights)."""
    xy, load = cells.sites[members], cells.weight[members]
    centres = xy[_far_apart(xy, load, count, rng)]
    for _ in range(12):
        label = np.argmin(((xy[:, None, :] - centres[None]) ** 2).sum(axis=2), axis=1)
        total = np.maximum(np.bincount(label, weights=load, minlength=count), 1e-9)
        centres = np.stack([np.bincount(label, weights=load * xy[:, i], minlength=count) / total for i in range(2)], axis=1)
    return np.unique(_nearest_cells(cells, members, centres))
