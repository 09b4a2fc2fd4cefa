"""The land is an exact partition with codes after the national rules."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely

from gridloop.orgs.messages import RegionRow
from gridloop.simulation.county.county import FULL, SEED, County, Land, generate, make_land
from gridloop.simulation.county.frame import share_out
from gridloop.simulation.county.territory import numeral


@pytest.fixture(scope="module")
def land() -> Land:
    return make_land(SEED, FULL)


@pytest.fixture(scope="module")
def small() -> County:
    return generate(SEED, 0.05)


def test_the_county_has_the_towns_villages_grids_and_micro_grids_asked_for(land: Land) -> None:
    own = land.territory
    assert own.towns == ["990101001", "990101100", "990101101", "990101200"]
    assert [len(codes) for codes in (own.villages, own.grids, own.micros)] == [60, 300, 1_200]
    assert {len(code) for code in own.villages} == {12}
    assert {len(code) for code in own.grids} == {15}
    assert {len(code) for code in own.micros} == {18}
    assert len(set(own.names.values())) == len(own.names), "names are distinct"


def test_committee_codes_tell_residents_from_villagers(land: Land) -> None:
    for code in land.territory.villages:
        kind = "社区" if int(code[9:]) < 200 else "村"
        assert land.territory.names[code].endswith(kind)


@pytest.mark.parametrize("level", ["micro_shapes", "grid_shapes", "village_shapes", "town_shapes"])
def test_every_level_covers_the_county_without_gap_or_overlap(land: Land, level: str) -> None:
    shapes = getattr(land.territory, level)
    assert shapely.is_valid(shapes).all()
    assert {shape.geom_type for shape in shapes} == {"Polygon"}
    assert shapely.coverage_is_valid(shapes), "neighbours share every vertex of their border"
    union = shapely.union_all(shapes)
    assert union.area == pytest.approx(shapely.area(shapes).sum(), abs=0.01)
    assert union.area == pytest.approx(land.territory.county.area, abs=0.01)


def test_children_lie_in_their_parents(land: Land) -> None:
    own = land.territory
    parents = dict(zip(own.grids, own.grid_shapes, strict=True))
    outside = [shape.difference(parents[code[:15]]).area for code, shape in zip(own.micros, own.micro_shapes, strict=True)]
    assert max(outside) < 0.01


def test_stored_boundaries_in_degrees_are_still_a_partition(small: County) -> None:
    for level in ("town", "village", "grid", "micro_grid"):
        shapes = np.array([shapely.from_wkb(row.boundary) for row in small.regions if row.level == level])
        assert shapely.is_valid(shapes).all()
        assert shapely.coverage_is_valid(shapes)


def test_every_region_is_named_after_its_parent_and_lies_on_the_east_coast(small: County) -> None:
    known: dict[str, RegionRow] = {}
    for row in small.regions:
        assert row.parent_code in known or row.level == "province", "parents come first"
        known[row.code] = row
        if row.boundary:
            assert shapely.from_wkb(row.boundary).contains(shapely.Point(row.lon or 0.0, row.lat or 0.0))
            assert 121.4 < (row.lon or 0) < 121.8
            assert 29.0 < (row.lat or 0) < 29.4


def test_populated_micro_grids_hold_50_to_80_households(land: Land) -> None:
    wanted = land.territory.households
    assert wanted.sum() == 42_000
    assert set(np.unique(wanted[wanted > 0])) <= set(range(50, 81))
    lived_in = np.bincount(land.buildings.micro, weights=land.buildings.homes, minlength=len(wanted))
    assert (lived_in == wanted).all()


def test_buildings_stand_in_their_micro_grid_and_not_on_each_other(land: Land) -> None:
    made = land.buildings
    own = land.territory.micro_shapes[made.micro]
    assert shapely.contains_xy(own, made.xy[:, 0], made.xy[:, 1]).all()
    tree = shapely.STRtree(made.shapes)
    pairs = tree.query(made.shapes, predicate="overlaps")
    assert len(pairs[0]) / 2 < 0.005 * len(made.code)
    assert len(set(made.addresses)) == len(made.addresses)
    assert any(address.startswith("云澜街道滨河路") for address in made.addresses)


def test_roads_have_the_four_ranks_and_chinese_names(land: Land) -> None:
    ranks = Counter(road.kind for road in land.roads)
    assert set(ranks) == {"national", "county", "street", "lane", "village"}
    assert {"云海国道", "滨河路", "渔港路", "松岭街"} <= {road.name for road in land.roads}


def test_share_out_keeps_the_total_and_the_bounds() -> None:
    shares = share_out(100, np.array([5.0, 1.0, 0.0]), least=2, most=np.array([60, 60, 60]))
    assert shares.sum() == 100
    assert shares.min() >= 2
    assert shares.max() <= 60
    with pytest.raises(ValueError, match="cannot share"):
        share_out(10, np.array([1.0, 1.0]), most=np.array([3, 3]))


def test_numerals() -> None:
    assert [numeral(n) for n in (1, 10, 11, 20, 21)] == ["一", "十", "十一", "二十", "二十一"]
