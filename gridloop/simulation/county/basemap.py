"""The county as one PMTiles file: what the product's blank map style draws when there is no tile server and no internet.

Layers: ``regions`` (level, code, name), ``region_labels`` (level, code, name, name_en), ``micro_grids`` (code, name),
``roads`` (class, name), ``water`` (class, name), ``green`` (class, name), ``buildings`` (floors, name, height in metres),
``places`` (kind, name). Zooms 6–15.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import shapely

from gridloop.kernel.errors import Unavailable
from gridloop.orgs.rules import pinyin
from gridloop.registry.messages import PlaceRow
from gridloop.simulation.county import words
from gridloop.simulation.county.county import SEED, Land, make_land, size_for
from gridloop.simulation.county.frame import COUNTY_CODE, COUNTY_EN, COUNTY_ZH, geometry_to_degrees
from gridloop.simulation.county.landuse import FOREST, PARK
from gridloop.simulation.county.territory import numeral

MIN_ZOOM, MAX_ZOOM = 6, 15
LEVEL_ZOOM: Final = {"county": 6, "town": 6, "village": 6, "grid": 6}  # the heat of grids is drawn on every zoom
LABEL_ZOOM: Final = {"county": 6, "town": 8, "village": 11, "grid": 13, "micro_grid": 15}
ROAD_ZOOM: Final = {"national": 7, "county": 9, "street": 11, "village": 12, "lane": 13}
FLOOR_METRES = 3.1
MARGIN = 900.0  # metres of sea and roads around the county

Feature = tuple[Any, dict[str, Any], int]  # geometry in metres, properties, smallest zoom


def _english(name: str) -> str:
    """``滨河社区`` → ``Binhe Community``."""
    for ending, word in (("社区", "Community"), ("村", "Village")):
        if name.endswith(ending):
            return f"{''.join(pinyin(name.removesuffix(ending)).split()).title()} {word}"
    return name


def _regions(land: Land) -> Iterator[Feature]:
    own = land.territory
    yield own.county, {"level": "county", "code": COUNTY_CODE, "name": COUNTY_ZH}, LEVEL_ZOOM["county"]
    for level, codes, shapes in (
        ("town", own.towns, own.town_shapes),
        ("village", own.villages, own.village_shapes),
        ("grid", own.grids, own.grid_shapes),
    ):
        for code, shape in zip(codes, shapes, strict=True):
            yield shape, {"level": level, "code": code, "name": own.names[code]}, LEVEL_ZOOM[level]


def _labels(land: Land) -> Iterator[Feature]:
    own = land.territory
    english = {code: town[1] for code, town in zip(own.towns, words.TOWNS, strict=True)}
    english |= {code: _english(own.names[code]) for code in own.villages}
    centre = shapely.Point(land.terrain.cores[0].centre)
    yield centre, {"level": "county", "code": COUNTY_CODE, "name": COUNTY_ZH, "name_en": COUNTY_EN}, LABEL_ZOOM["county"]
    for level, codes, shapes in (
        ("town", own.towns, [shapely.Point(core.centre) for core in land.terrain.cores]),
        ("village", own.villages, [shapely.Point(seat) for seat in own.village_seats]),
        ("grid", own.grids, shapely.point_on_surface(own.grid_shapes)),
        ("micro_grid", own.micros, shapely.point_on_surface(own.micro_shapes)),
    ):
        for code, spot in zip(codes, shapes, strict=True):
            shown, spoken = _label(code, own.names[code], english[code[:12]])
            yield spot, {"level": level, "code": code, "name": shown, "name_en": spoken}, LABEL_ZOOM[level]


def _label(code: str, name: str, english: str) -> tuple[str, str]:
    """What stands on the map: grids and micro-grids by their number, the rest by name."""
    if len(code) == 15:
        return f"第{numeral(int(code[12:]))}网格", f"{english} Grid {int(code[12:])}"
    if len(code) == 18:
        return f"{int(code[15:])}号", f"{english} Grid {int(code[12:15])}-{int(code[15:])}"
    return name, english


def _micro_grids(land: Land) -> Iterator[Feature]:
    own = land.territory
    for code, shape in zip(own.micros, own.micro_shapes, strict=True):
        yield shape, {"code": code, "name": own.names[code]}, 11


def _roads(land: Land) -> Iterator[Feature]:
    for road in land.roads:
        yield shapely.LineString(road.line), {"class": road.kind, "name": road.name}, ROAD_ZOOM[road.kind]


def _water(land: Land) -> Iterator[Feature]:
    terrain, cells = land.terrain, land.cells
    y = np.arange(-60_000.0, 60_001.0, 150.0)
    shore = np.stack([terrain.coast_x(np.stack([np.zeros_like(y), y], axis=1)), y], axis=1)
    open_sea = shapely.Polygon(np.concatenate([shore, [[80_000.0, 60_000.0], [80_000.0, -60_000.0]]]))
    near = cells.polygons[cells.sea & ~cells.inside]
    outline = land.territory.county
    west, south, east, north = outline.bounds
    sheet = shapely.box(west, south - MARGIN, east + 2 * MARGIN, north + MARGIN)  # the file's bounds are what the console opens on
    sea = shapely.union_all([shapely.buffer(open_sea, 0), shapely.coverage_union_all(near)])
    yield shapely.difference(shapely.intersection(sea, sheet), outline), {"class": "sea", "name": words.SEA}, MIN_ZOOM
    yield terrain.reservoir, {"class": "reservoir", "name": words.RESERVOIR}, 7
    for nth, water in enumerate(terrain.streams):
        inland = shapely.intersection(water.area(), shapely.buffer(outline, 30.0))
        yield inland, {"class": "river", "name": water.name}, 7 if nth == 0 else 9


def _green(land: Land) -> Iterator[Feature]:
    cells = land.cells
    forest = shapely.coverage_union_all(cells.polygons[(cells.use == FOREST) & cells.inside])
    soft = shapely.buffer(shapely.buffer(forest, -60.0, quad_segs=3), 45.0, quad_segs=3)
    for part in shapely.get_parts(soft):
        if part.area > 60_000:
            yield part, {"class": "forest", "name": ""}, MIN_ZOOM
    parks = cells.polygons[cells.inside & (cells.use == PARK)]
    tree = shapely.STRtree(geometry_to_degrees(parks))
    for place in land.places.rows:
        if place.kind == "park":
            shape = parks[tree.nearest(_spot(place))]
            yield shapely.buffer(shape, -6.0), {"class": "park", "name": place.name}, 11


def _spot(place: PlaceRow) -> shapely.Point:
    return shapely.Point(place.lon or 0.0, place.lat or 0.0)


def _buildings(land: Land) -> Iterator[Feature]:
    made = land.buildings
    columns = zip(made.shapes, made.floors.tolist(), made.names, strict=True)
    for shape, floors, name in columns:
        yield shape, {"floors": floors, "name": name, "height": round(floors * FLOOR_METRES, 1)}, 13


def _places(land: Land) -> Iterator[Feature]:
    big = {"hospital", "government", "scenic_area", "station", "water_source"}
    for place in land.places.rows:
        yield _spot(place), {"kind": place.kind, "name": place.name}, 11 if place.kind in big else 13


_IN_DEGREES: Final = frozenset({"places"})
LAYERS: Final[dict[str, Callable[[Land], Iterator[Feature]]]] = {
    "regions": _regions,
    "region_labels": _labels,
    "micro_grids": _micro_grids,
    "roads": _roads,
    "water": _water,
    "green": _green,
    "buildings": _buildings,
    "places": _places,
}


def geojson_lines(features: Iterable[Feature], degrees: bool = False) -> Iterator[bytes]:
    """One GeoJSON feature a line with tippecanoe's zoom hint; empty properties are left out."""
    rows = list(features)
    shapes = np.array([shape for shape, _, _ in rows], dtype=object)
    texts = shapely.to_geojson(shapes if degrees else geometry_to_degrees(shapes))
    for text, (_, properties, zoom) in zip(texts.tolist(), rows, strict=True):
        feature = {
            "type": "Feature",
            "tippecanoe": {"minzoom": zoom},
            "properties": {k: v for k, v in properties.items() if v != ""},
            "geometry": orjson.Fragment(text),
        }
        yield orjson.dumps(feature) + b"\n"


def _tippecanoe() -> str:
    beside = Path(sys.executable).parent / "tippecanoe"
    found = str(beside) if beside.exists() else shutil.which("tippecanoe")
    if not found:
        raise Unavailable("simulation.no_tippecanoe")
    return found


_OPTIONS: Final = (
    "--quiet", "--read-parallel", "--no-tile-size-limit", "--no-feature-limit", "--drop-rate=1", "--simplification=3",
    "--no-simplification-of-shared-nodes", "--no-tiny-polygon-reduction", "--name=Yunlan",
)  # fmt: skip


def write_pmtiles(land: Land, path: Path) -> int:
    """Write the file (whole or not at all) and return its size in bytes. Unavailable when the tile maker is missing or fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gl-map-") as folder:
        inputs: list[str] = []
        for layer, features in LAYERS.items():
            file = Path(folder) / f"{layer}.geojsonl"
            file.write_bytes(b"".join(geojson_lines(features(land), layer in _IN_DEGREES)))
            inputs.append(f"--named-layer={layer}:{file}")
        made = Path(folder) / "county.pmtiles"
        zooms = (f"--minimum-zoom={MIN_ZOOM}", f"--maximum-zoom={MAX_ZOOM}")
        command = [_tippecanoe(), f"--output={made}", f"--temporary-directory={folder}", *zooms, *_OPTIONS, *inputs]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable("simulation.tiles_failed", why=(done.stderr.strip().splitlines() or ["?"])[-1])
        beside = path.with_suffix(f".{os.getpid()}.tmp")
        shutil.copyfile(made, beside)
        beside.replace(path)
    return path.stat().st_size


def make_base_map(path: Path, seed: int = SEED, scale: float = 1.0) -> int:
    """The base map of the sample county at ``path``; its size in bytes."""
    return write_pmtiles(make_land(seed, size_for(scale)), path)
