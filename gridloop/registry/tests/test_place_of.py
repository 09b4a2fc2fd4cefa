"""A place from the words of an address: parsed, found by its neighbours, honest about how far off it may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.journal.actions import scoped
from gridloop.kernel.geo import distance_m
from gridloop.kernel.hanzi import clean
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.actions import load as load_orgs
from gridloop.orgs.messages import RegionRow
from gridloop.orgs.selectors import forget_regions
from gridloop.registry.actions import forget_addresses, index_buildings, learn_addresses, load
from gridloop.registry.addresses import Address, Road, locate, parse
from gridloop.registry.messages import AddressTold, BuildingRow
from gridloop.registry.models import AddressPoint
from gridloop.registry.selectors import place_of

EAST, WEST = "990101100", "990101101"
LON, LAT = 121.6, 29.2
STEP = 0.0001  # degrees a house number is apart: about 10 m


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("滨河路27号路灯不亮", Address("滨河路", number=27)),
        ("云澜县望江街道人民路18号3栋", Address("人民路", number=18, area="望江街道")),
        ("臺南市中西區民族路二段317巷46號前 路燈故障", Address("民族路2段", lane=317, number=46, area="中西区")),
        ("安南区安和路四段36巷200弄60号 噪音", Address("安和路4段", lane=36, alley=200, number=60, area="安南区")),
        ("中山路123弄45号", Address("中山路", lane=123, number=45)),
        ("新市區復興路和平街路口 違規停車", Address("复兴路", area="新市区", crossing="和平街")),
        ("善化区建国路与兴华路口，夜市油烟", Address("建国路", area="善化区", crossing="兴华路")),
        ("学府路四百三十四号-1 井盖坏了", Address("学府路", number=434)),
        ("松岭乡兰溪口村30号", Address("兰溪口村", number=30, area="松岭乡")),
        ("云澜街道滨河社区16号", Address("滨河社区", number=16, area="云澜街道")),
        ("解放大道路灯不亮", Address("解放大道")),
        ("楼道里有人堆了很多东西", None),
        ("十字路口红绿灯坏了", None),
        ("", None),
    ],
)
def test_what_a_text_says_of_a_place(text: str, said: Address | None) -> None:
    assert parse(clean(text)) == said


@given(st.text(alphabet="东南西北中山人民路街道大道巷弄号村里区市县一二三十百0123456789-，。 ", max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    found = parse(clean(text))
    assert found is None or (len(found.road) >= 2 and found.number >= 0 and found.lane >= 0)


def road(*numbers: int, lane: int = 0) -> Road:
    """Houses along a straight road, east of each other by their number."""
    return Road(np.array([(lane, 0, n, LON + n * STEP, LAT) for n in numbers], dtype=float))


def off(said: Address, known: Road, number: int) -> float:
    found = locate(said, known)
    assert found is not None
    error = float(distance_m(found.lon, found.lat, LON + number * STEP, LAT))
    assert error <= found.metres, "farther off than was said"
    return error


def test_a_known_number_is_there() -> None:
    found = locate(Address("学府路", number=30), road(10, 20, 30, 40))
    assert found is not None
    assert (found.how, found.metres) == ("exact", 30.0)
    assert off(Address("学府路", number=30), road(10, 20, 30, 40), 30) < 1


def test_an_unknown_number_is_between_its_neighbours() -> None:
    assert off(Address("学府路", number=25), road(*range(2, 60, 4)), 25) < 30


def test_a_lane_is_counted_like_the_houses() -> None:
    found = locate(Address("学府路", lane=25, number=3), road(*range(2, 60, 4)))
    assert found is not None
    assert found.how == "number"
    assert float(distance_m(found.lon, found.lat, LON + 25 * STEP, LAT)) < 60


def test_one_point_put_down_wrongly_does_not_draw_the_others() -> None:
    known = road(*range(2, 60, 4)).rows.copy()
    known[5, 3] += 1.0
    assert off(Address("学府路", number=23), Road(known), 23) < 60


def test_a_road_alone_is_somewhere_along_it() -> None:
    found = locate(Address("学府路"), road(*range(2, 100, 4)))
    assert found is not None
    assert found.how == "road"
    assert found.metres > 200


def test_two_roads_meet_where_they_are_nearest() -> None:
    across = Road(np.array([(0, 0, n, LON + 30 * STEP, LAT + (n - 20) * STEP) for n in range(2, 60, 2)], dtype=float))
    found = locate(Address("学府路", crossing="滨河街"), road(*range(2, 60, 4)), across)
    assert found is not None
    assert found.how == "crossing"
    assert float(distance_m(found.lon, found.lat, LON + 30 * STEP, LAT)) < 30


def test_an_unknown_road_is_nowhere() -> None:
    assert locate(Address("无名路", number=3), Road(np.empty((0, 5)))) is None


@pytest.fixture
def county(db: None) -> None:
    forget_regions()
    rows = [RegionRow("9901", "云海市", "city"), RegionRow("990101", "云澜县", "county")]
    load_orgs(SYSTEM, [*rows, RegionRow(EAST, "东镇", "town"), RegionRow(WEST, "西镇", "town")])
    houses = [BuildingRow(f"E{n}", EAST, f"{n}号", f"东镇学府路{n}号", lon=LON + n * STEP, lat=LAT) for n in range(2, 60, 4)]
    houses += [BuildingRow(f"W{n}", WEST, f"{n}号", f"西镇人民路{n}号", lon=LON + 0.1, lat=LAT + n * STEP) for n in range(2, 60, 4)]
    houses += [
        BuildingRow(f"X{n}", town, f"{n}号", f"中山路{n}号", lon=lon, lat=LAT) for n, town, lon in ((1, EAST, LON), (2, WEST, LON + 0.1))
    ]
    load(SYSTEM, [*houses, BuildingRow("N", EAST, "凉亭")])
    while index_buildings():
        pass


@pytest.mark.usefixtures("county")
def test_buildings_tell_where_addresses_are() -> None:
    with scoped(SYSTEM):
        assert AddressPoint.objects.count() == 32
    found = place_of(SYSTEM, "東鎮學府路25號 路燈不亮")
    assert found is not None
    assert float(distance_m(found.lon, found.lat, LON + 25 * STEP, LAT)) < found.metres
    assert place_of(SYSTEM, "学府路25号", WEST) is None, "not in that territory"
    assert index_buildings() is False


@pytest.mark.usefixtures("county")
def test_a_road_of_two_towns_is_told_apart_by_the_town_or_not_at_all() -> None:
    assert place_of(SYSTEM, "中山路1号") is None
    assert place_of(SYSTEM, "西镇学府路25号") is None, "known in the other town only"
    east, west = place_of(SYSTEM, "东镇中山路1号"), place_of(SYSTEM, "西镇中山路2号")
    assert east is not None
    assert west is not None
    assert (round(east.lon, 3), round(west.lon, 3)) == (121.6, 121.7)


@pytest.mark.usefixtures("county")
def test_a_point_many_roads_share_teaches_nothing() -> None:
    told = [AddressTold(f"case:{n}", EAST, f"第{name}路{n}号", LON, LAT + 0.5) for n, name in enumerate("一二三四五六七", 1)]
    assert [learn_addresses([one]) for one in told] == [1, 1, 1, 1, 0, 0, 0]
    forget_addresses([one.ref for one in told])
    with scoped(SYSTEM):
        assert not AddressPoint.objects.filter(ref__startswith="case:").exists()


@pytest.mark.usefixtures("county")
def test_a_building_that_moved_is_looked_at_again() -> None:
    load(SYSTEM, [BuildingRow("E2", EAST, "2号", "东镇学府路2号", lon=LON + 0.5, lat=LAT)])
    index_buildings()
    with scoped(SYSTEM):
        assert AddressPoint.objects.get(ref="building:E2").lon == LON + 0.5
