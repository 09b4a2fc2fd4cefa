"""Region records: names, codes after the national rules, exact boundaries, and the households each micro-grid shall hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gridloop.orgs.messages import RegionRow
from gridloop.simulation.county import words
from gridloop.simulation.county.cells import Cells
from gridloop.simulation.county.frame import (
    CITY_CODE,
    CITY_ZH,
    COUNTY_CODE,
    COUNTY_ZH,
    Floats,
    Geoms,
    Ints,
    geometry_to_degrees,
    share_out,
    stream,
)
from gridloop.simulation.county.partition import Parts

TOWN_START = {"s": 1, "t": 100, "r": 200}  # GB/T 10114: street offices, towns, townships
PROVINCE_CODE, PROVINCE_ZH = "99", "示例省"
NUMERALS = "一二三四五六七八九十"


@dataclass(frozen=True)
class Territory:
    """Codes, names and shapes by level; positions are the labels of ``Parts``. Shapes are in metres."""

    towns: list[str]
    villages: list[str]
    grids: list[str]
    micros: list[str]
    names: dict[str, str]
    micro_shapes: Geoms
    grid_shapes: Geoms
    village_shapes: Geoms
    town_shapes: Geoms
    county: shapely.Polygon
    village_seats: Floats  # the centre of each village, metres
    households: Ints  # wanted in each micro-grid: 0, or 50–80


def numeral(number: int) -> str:
    """1…99 in Chinese."""
    tens, ones = divmod(number, 10)
    if not tens:
        return NUMERALS[ones - 1]
    return ("" if tens == 1 else NUMERALS[tens - 1]) + "十" + (NUMERALS[ones - 1] if ones else "")


def _town_codes() -> list[str]:
    used: dict[str, int] = {}
    codes = []
    for _, _, kind in words.TOWNS:
        codes.append(f"{COUNTY_CODE}{TOWN_START[kind] + used.get(kind, 0):03d}")
        used[kind] = used.get(kind, 0) + 1
    return codes


def _name_villages(parts: Parts, urban: list[bool], towns: list[str], rng: np.random.Generator) -> tuple[list[str], dict[str, str]]:
    """Codes and names: committees of residents count from 001, of villagers from 201."""
    names: dict[str, str] = {}
    codes: list[str] = []
    communities = [list(pool) for pool in words.TOWN_COMMUNITIES]
    rural = [words.VILLAGES[i] for i in rng.permutation(len(words.VILLAGES))]
    next_no: dict[tuple[int, bool], int] = {}
    for town, is_urban in zip(parts.village_town.tolist(), urban, strict=True):
        number = next_no.get((town, is_urban), 1)
        next_no[town, is_urban] = number + 1
        code = f"{towns[town]}{(0 if is_urban else 200) + number:03d}"
        if is_urban:
            names[code] = communities[town].pop(0) + "社区"
        else:
            names[code] = rural.pop(0) + "村"
        codes.append(code)
    return codes, names


def _children(parents: list[str], owner: Ints) -> list[str]:
    count: dict[int, int] = {}
    codes = []
    for parent in owner.tolist():
        count[parent] = count.get(parent, 0) + 1
        codes.append(f"{parents[parent]}{count[parent]:03d}")
    return codes


def _union(shapes: Geoms, owner: Ints, count: int) -> Geoms:
    order = np.argsort(owner, kind="stable")
    edges = np.searchsorted(owner[order], np.arange(count + 1))
    out: Geoms = np.empty(count, dtype=object)
    for i in range(count):
        out[i] = shapely.coverage_union_all(shapes[order[edges[i] : edges[i + 1]]])
    return out


def _wanted_households(cells: Cells, parts: Parts, households: int) -> Ints:
    """50–80 households in the micro-grids where people like to live, none in the others (hills, fields, works)."""
    inside = parts.micro >= 0
    wish = np.bincount(parts.micro[inside], weights=cells.weight[inside], minlength=len(parts.micro_grid))
    out = np.zeros(len(wish), dtype=np.int64)
    populated = np.argsort(-wish, kind="stable")[: max(1, round(households / 64.0))]
    out[populated] = 50 + share_out(households - 50 * len(populated), wish[populated], most=np.full(len(populated), 30))
    return out


def make_territory(seed: int, cells: Cells, parts: Parts, households: int) -> Territory:
    towns = _town_codes()
    inside = np.flatnonzero(cells.inside)
    micro_shapes = _union(cells.polygons[inside], parts.micro[inside], len(parts.micro_grid))
    grid_shapes = _union(micro_shapes, parts.micro_grid, len(parts.grid_village))
    village_shapes = _union(grid_shapes, parts.grid_village, len(parts.village_town))
    town_shapes = _union(village_shapes, parts.village_town, len(towns))
    seats, urban = [], []
    for village in range(len(parts.village_town)):
        own = np.flatnonzero(parts.village == village)
        heavy = own[np.argmax(cells.weight[own])]
        seats.append(cells.sites[heavy])
        urban.append(bool((cells.core[own] >= 0).mean() > 0.3))
    villages, names = _name_villages(parts, urban, towns, stream(seed, "names"))
    grids = _children(villages, parts.grid_village)
    micros = _children(grids, parts.micro_grid)
    names |= {code: town[0] for code, town in zip(towns, words.TOWNS, strict=True)}
    names |= {code: f"{names[code[:12]]}第{numeral(int(code[12:]))}网格" for code in grids}
    names |= {code: f"{names[code[:15]]}{int(code[15:])}号微网格" for code in micros}
    wanted = _wanted_households(cells, parts, households)
    county = shapely.coverage_union_all(town_shapes)
    if not isinstance(county, shapely.Polygon):
        raise ValueError(f"seed {seed}: the county fell apart into {county.geom_type}")
    return Territory(
        towns, villages, grids, micros, names, micro_shapes, grid_shapes, village_shapes, town_shapes, county, np.array(seats), wanted
    )


def region_rows(land: Territory, households: dict[str, int], people: dict[str, int]) -> list[RegionRow]:
    """City, county and all below, parents first; ``households`` and ``people`` count by micro-grid code."""
    rows = [
        RegionRow(PROVINCE_CODE, PROVINCE_ZH, "province"),
        RegionRow(CITY_CODE, CITY_ZH, "city", PROVINCE_CODE),
    ]
    levels = (
        ("county", [COUNTY_CODE], np.array([land.county], dtype=object), CITY_CODE),
        ("town", land.towns, land.town_shapes, ""),
        ("village", land.villages, land.village_shapes, ""),
        ("grid", land.grids, land.grid_shapes, ""),
        ("micro_grid", land.micros, land.micro_shapes, ""),
    )
    names = land.names | {COUNTY_CODE: COUNTY_ZH}
    for level, codes, shapes, parent in levels:
        degrees = geometry_to_degrees(shapes)
        seats = shapely.get_coordinates(shapely.point_on_surface(degrees)).tolist()
        boundaries = shapely.to_wkb(degrees)
        digits = len(codes[0])
        live, heads = _sum_up(households, digits), _sum_up(people, digits)
        for code, (lon, lat), boundary in zip(codes, seats, boundaries, strict=True):
            up = parent or code[: digits - 3]
            rows.append(
                RegionRow(code, names[code], level, up, round(lon, 7), round(lat, 7), boundary, live.get(code, 0), heads.get(code, 0))
            )
    return rows


def _sum_up(counts: dict[str, int], digits: int) -> dict[str, int]:
    out: dict[str, int] = {}
    for code, count in counts.items():
        out[code[:digits]] = out.get(code[:digits], 0) + count
    return out
