"""Points in regions: exact, the same every time, and fast on 40,000 polygons."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from gridloop.kernel import geo
from gridloop.kernel.geo import RegionIndex

WEST, SOUTH, STEP, SIDE = 121.0, 29.0, 2**-8, 200  # powers of two: cell borders are exact doubles


def cells() -> Iterator[tuple[str, BaseGeometry]]:
    for row in range(SIDE):
        for column in range(SIDE):
            x, y = WEST + column * STEP, SOUTH + row * STEP
            yield f"990101{row:03}{column:03}", box(x, y, x + STEP, y + STEP)


@pytest.fixture(scope="module")
def county() -> RegionIndex:
    codes, polygons = zip(*cells(), strict=True)
    return RegionIndex(codes, polygons)


def test_every_point_of_40_000_cells_is_found_fast(county: RegionIndex, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(county) == 40_000
    random = np.random.default_rng(7)
    columns, rows = random.uniform(0, SIDE, 100_000), random.uniform(0, SIDE, 100_000)
    lons, lats = WEST + columns * STEP, SOUTH + rows * STEP
    started = time.perf_counter()
    codes = county.lookup(lons, lats)
    seconds = time.perf_counter() - started
    expected = [f"990101{int(r):03}{int(c):03}" for r, c in zip(rows, columns, strict=True)]
    assert codes.tolist() == expected
    once = time.perf_counter()
    for lon, lat in zip(lons[:1000], lats[:1000], strict=True):
        county.at(lon, lat)
    single = (time.perf_counter() - once) / 1000
    with capsys.disabled():
        print(f"\n  100,000 points over 40,000 polygons: {100_000 / seconds:,.0f} points/s; one point {single * 1e6:.0f} µs")  # noqa: T201
    assert 100_000 / seconds > 20_000
    assert single < 0.002


def test_a_border_point_belongs_to_the_smallest_code(county: RegionIndex) -> None:
    corner = (WEST + 5 * STEP, SOUTH + 3 * STEP)  # four cells meet
    edge = (WEST + 5 * STEP, SOUTH + 3.5 * STEP)  # two cells meet
    assert county.lookup([corner[0], edge[0]], [corner[1], edge[1]]).tolist() == ["990101002004", "990101003004"]
    assert county.at(*corner) == "990101002004"


def test_the_answer_does_not_depend_on_the_order_of_the_polygons() -> None:
    codes, polygons = map(list, zip(*list(cells())[:400], strict=True))
    forward, backward = RegionIndex(codes, polygons), RegionIndex(codes[::-1], polygons[::-1])
    lons = np.repeat(WEST + np.arange(0, 401) * STEP / 2, 5)
    lats = np.tile(SOUTH + np.arange(0, 5) * STEP / 2, 401)
    assert forward.lookup(lons, lats).tolist() == backward.lookup(lons, lats).tolist()


def test_holes_and_points_outside_are_answered() -> None:
    lake = Polygon(box(0, 0, 3, 3).exterior, [box(1, 1, 2, 2).exterior])
    islands = MultiPolygon([box(5, 0, 6, 1), box(8, 0, 9, 1)])
    index = RegionIndex(["b", "a"], [lake, islands])
    assert index.lookup([1.5, 0.5, 1.0, 8.5, 7.0, np.nan], [1.5, 0.5, 1.5, 0.5, 0.5, 0.0]).tolist() == [None, "b", "b", "a", None, None]
    assert (index.at(1.5, 1.5), index.at(1.0, 1.5), index.at(float("inf"), 0)) == (None, "b", None)


def test_an_empty_index_answers() -> None:
    empty = RegionIndex([], [])
    assert (empty.lookup([1.0], [1.0]).tolist(), empty.at(1, 1), empty.nearest(1, 1)) == ([None], None, None)
    with pytest.raises(ValueError, match="2 codes but 1"):
        RegionIndex(["a", "b"], [box(0, 0, 1, 1)])


def test_nearest_measures_metres_not_degrees() -> None:
    # at 60° north a degree of longitude is half as long: the eastern region is nearer on the ground though farther in degrees
    index = RegionIndex(["east", "north"], [box(10.15, 59.9, 11, 60.1), box(9, 60.1, 10.05, 61)])
    found = index.nearest(10.0, 60.0)
    assert found is not None
    assert found.code == "east"
    assert found.distance_m == pytest.approx(float(geo.distance_m(10.0, 60.0, 10.15, 60.0)), rel=1e-3)
    inside = index.nearest(10.5, 60.0)
    assert inside == geo.Nearest("east", 0.0)


@given(st.data())
@settings(max_examples=60)
def test_law_every_point_lies_in_at_most_one_region_and_brute_force_agrees(data: st.DataObject) -> None:
    number = st.integers(0, 12)
    seeds = data.draw(st.lists(st.tuples(number, number, st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
    polygons = [box(x, y, x + w, y + h) for x, y, w, h in seeds]
    codes = [f"{i:03}" for i in data.draw(st.permutations(range(len(seeds))))]
    halves = st.integers(-2, 40).map(lambda n: n / 2)
    points = data.draw(st.lists(st.tuples(halves, halves), min_size=1, max_size=30))
    index = RegionIndex(codes, polygons)
    brute = [min((c for c, p in zip(codes, polygons, strict=True) if p.intersects(Point(q))), default=None) for q in points]
    assert index.lookup(*map(list, zip(*points, strict=True))).tolist() == brute
    assert [index.at(*q) for q in points] == brute


@given(st.floats(0, 20), st.floats(0, 20))
@settings(max_examples=60)
def test_law_a_partition_leaves_no_point_out(x: float, y: float) -> None:
    triangles = shapely.delaunay_triangles(shapely.MultiPoint([(0, 0), (20, 0), (0, 20), (20, 20), (7, 3), (11, 13), (4, 17)]))
    parts = list(triangles.geoms)
    index = RegionIndex([f"{i:02}" for i in range(len(parts))], parts)
    assert index.at(x, y) == index.lookup([x], [y])[0]
    nearest = index.nearest(x, y)
    assert nearest is not None
    assert nearest.distance_m < 0.01  # a rounded border may miss a point by less than a micrometre, never by more


def test_distance_of_known_places() -> None:
    beijing, shanghai = (116.4074, 39.9042), (121.4737, 31.2304)
    assert float(geo.distance_m(*beijing, *shanghai)) == pytest.approx(1_067_000, rel=2e-3)
    assert geo.distance_m([0, 0], [0, 0], 0, [0, 1]).tolist() == pytest.approx([0, geo.METRES_PER_DEGREE])


@pytest.mark.parametrize(
    ("wgs", "gcj"),  # the published test points of the open-source conversions (Shanghai, Shenzhen, Beijing)
    [
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
    ],
)
def test_gcj02_agrees_with_published_points(wgs: tuple[float, float], gcj: tuple[float, float]) -> None:
    assert geo.wgs84_to_gcj02(*wgs) == pytest.approx(gcj, abs=1e-9)
    assert geo.gcj02_to_wgs84(*gcj) == pytest.approx(wgs, abs=1e-8)


@given(st.floats(73, 135), st.floats(18, 54))
@settings(max_examples=100)
def test_law_gcj02_comes_back(lon: float, lat: float) -> None:
    assert geo.gcj02_to_wgs84(*geo.wgs84_to_gcj02(lon, lat)) == pytest.approx((lon, lat), abs=1e-7)


def test_places_abroad_are_not_moved() -> None:
    assert geo.wgs84_to_gcj02(2.35, 48.85) == (2.35, 48.85) == geo.gcj02_to_wgs84(2.35, 48.85)


def test_wkb_and_geojson_come_back() -> None:
    area = geo.geojson_to_area({"type": "Polygon", "coordinates": [[[0, 0, 9], [2, 0, 9], [2, 2, 9], [0, 2, 9], [0, 0, 9]]]})
    data = geo.to_wkb(area)
    assert geo.from_wkb(memoryview(data)).equals(box(0, 0, 2, 2))
    assert geo.wkb_to_geojson(data)["type"] == "Polygon"
    assert geo.inner_point(area) == (1.0, 1.0)
    horseshoe = box(0, 0, 3, 3).difference(box(1, -1, 2, 2.9))
    assert horseshoe.covers(Point(geo.inner_point(horseshoe)))


def test_a_crossed_ring_is_mended_and_a_line_refused() -> None:
    bow = geo.geojson_to_area({"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]})
    assert bow.is_valid
    assert bow.area == pytest.approx(2)
    for bad in ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, {"type": "Polygon"}, {"type": "Nothing", "coordinates": []}):
        with pytest.raises(ValueError, match=r"area|GeoJSON"):
            geo.geojson_to_area(bad)
    with pytest.raises(ValueError, match="degrees"):
        geo.geojson_to_area({"type": "Polygon", "coordinates": [[[500000, 0], [500001, 0], [500001, 1], [500000, 0]]]})
