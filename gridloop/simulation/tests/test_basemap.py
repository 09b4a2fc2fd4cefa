"""The base map: all layers, fields and names are in the file, which is small and framed by the county."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pmtiles.reader import MmapSource, Reader, all_tiles

from gridloop.kernel.errors import Unavailable
from gridloop.simulation.county import basemap
from gridloop.simulation.county.county import SEED, Land, make_land, size_for

FIELDS = {
    "regions": {"level", "code", "name"},
    "region_labels": {"level", "code", "name", "name_en"},
    "micro_grids": {"code", "name"},
    "roads": {"class", "name"},
    "water": {"class", "name"},
    "green": {"class", "name"},
    "buildings": {"floors", "name", "height"},
    "places": {"kind", "name"},
}


@pytest.fixture(scope="module")
def land() -> Land:
    return make_land(SEED, size_for(0.05))


@pytest.fixture(scope="module")
def archive(land: Land, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    path = tmp_path_factory.mktemp("map") / "deep" / "county.pmtiles"
    size = basemap.write_pmtiles(land, path)
    assert 10_000 < size < 15 * 2**20
    assert [p.name for p in path.parent.iterdir()] == ["county.pmtiles"], "nothing half-written stays"
    with path.open("rb") as file:
        yield Reader(MmapSource(file))  # type: ignore[no-untyped-call]


def test_every_layer_has_its_fields(archive: Reader) -> None:
    layers = {layer["id"]: set(layer["fields"]) for layer in archive.metadata()["vector_layers"]}  # type: ignore[no-untyped-call]
    assert layers == FIELDS


def test_zooms_and_frame(archive: Reader) -> None:
    header = archive.header()  # type: ignore[no-untyped-call]
    assert (header["min_zoom"], header["max_zoom"]) == (6, 15)
    west, east = header["min_lon_e7"] / 1e7, header["max_lon_e7"] / 1e7
    assert 121.3 < west < 121.5
    assert 121.7 < east < 121.9


def _tiles(archive: Reader, zoom: int) -> bytes:
    """All tiles of a zoom, unpacked, one after the other."""
    every: Iterator[tuple[tuple[int, int, int], bytes]] = all_tiles(archive.get_bytes)  # type: ignore[no-untyped-call]
    return b"".join(gzip.decompress(data) for (own, _, _), data in every if own == zoom)


def test_grids_show_on_every_zoom_and_micro_grids_from_11(archive: Reader, land: Land) -> None:
    grid, micro = land.territory.grids[0].encode(), land.territory.micros[0].encode()
    assert grid in _tiles(archive, 7).replace(micro, b"")
    assert micro not in _tiles(archive, 10)
    assert micro in _tiles(archive, 11)


def test_names_are_in_the_tiles(archive: Reader, land: Land) -> None:
    deepest = _tiles(archive, 14)
    for name in (
        "云澜县",
        "望潮镇",
        "澜江",
        "镜湖水库",
        "云海国道",
        land.territory.names[land.territory.villages[0]],
        land.territory.micros[5],
    ):
        assert name.encode() in deepest, name


def test_features_are_geojson_with_zoom_hints(land: Land) -> None:
    for layer, features in basemap.LAYERS.items():
        first: dict[str, Any] = json.loads(next(basemap.geojson_lines(features(land), layer == "places")))
        assert first["tippecanoe"]["minzoom"] >= 6
        assert set(first["properties"]) <= FIELDS[layer]
        assert first["geometry"]["type"] in {"Polygon", "MultiPolygon", "LineString", "Point"}


def test_a_missing_tile_maker_is_told(land: Land, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        basemap.write_pmtiles(land, tmp_path / "map.pmtiles")
    assert caught.value.key == "simulation.no_tippecanoe"
