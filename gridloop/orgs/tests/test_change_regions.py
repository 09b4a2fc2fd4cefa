"""Territory has a history: the map of any past day can be rebuilt."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact
from gridloop.kernel import clock, geo
from gridloop.kernel.errors import Fault, Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer
from gridloop.orgs import actions, selectors
from gridloop.orgs.messages import AssignmentRow, RegionRow, UnitRow, WorkingHoursRow
from gridloop.orgs.models import Region
from gridloop.orgs.tests import cast

MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)


def names(day: date, prefix: str = cast.VILLAGE) -> dict[str, str]:
    return {r.region.code: r.region.name for r in selectors.regions_on(SYSTEM, day, prefix)}


@pytest.mark.django_db
def test_a_day_to_come_is_refused_because_it_would_hold_at_once() -> None:
    cast.settle()
    with clock.fixed(datetime(2026, 3, 1, 4, tzinfo=UTC)):
        for day in (date(2026, 3, 2), date(2027, 1, 1)):
            with pytest.raises(Invalid) as fault:
                actions.rename_region(SYSTEM, cast.GRID_2, "东门花园网格", day)
            assert (fault.value.key, fault.value.errors[0].pointer) == ("orgs.region_day_ahead", "/day")
        actions.rename_region(SYSTEM, cast.GRID_2, "东门花园网格", date(2026, 3, 1))
    assert names(MARCH)[cast.GRID_2] == "东门花园网格"


@pytest.mark.django_db
def test_a_new_name_leaves_the_old_map_alone() -> None:
    cast.settle()
    actions.rename_region(SYSTEM, cast.GRID_2, "东门花园网格", MARCH)
    assert names(MARCH - timedelta(days=1))[cast.GRID_2] == "东门第二网格"
    assert names(MARCH)[cast.GRID_2] == "东门花园网格"
    assert selectors.region(SYSTEM, cast.GRID_2).full_name == "云海市 · 云澜县 · 城关街道 · 东门社区 · 东门花园网格"
    history = selectors.region_history(SYSTEM, cast.GRID_2)
    assert [(h.region.name, h.valid_to) for h in history] == [("东门第二网格", MARCH), ("东门花园网格", None)]
    with scoped(SYSTEM):
        fact = Fact.objects.filter(action="region_renamed").get()
    assert fact.data == {"code": cast.GRID_2, "day": "2026-03-01"}


@pytest.mark.django_db
def test_a_split_and_a_merge() -> None:
    cast.settle()
    halves = [
        RegionRow(f"{cast.VILLAGE}003", "东门三网格", "grid", boundary=cast.cell(1, 0.5), households=90, population=200),
        RegionRow(f"{cast.VILLAGE}004", "东门四网格", "grid", boundary=cast.cell(1.5, 0.5), households=110, population=300),
    ]
    assert actions.split_region(SYSTEM, cast.GRID_2, halves, MARCH) == [h.code for h in halves]
    point = (cast.WEST + 1.7 * cast.STEP, cast.SOUTH + 0.5 * cast.STEP)
    assert selectors.region_at(SYSTEM, *point) == f"{cast.VILLAGE}004"
    merged = actions.merge_regions(SYSTEM, [h.code for h in halves], RegionRow(cast.GRID_2, "东门新二网格", "grid"), APRIL)
    assert selectors.region_at(SYSTEM, *point) == merged == cast.GRID_2
    view = selectors.region(SYSTEM, cast.GRID_2)
    assert (view.region.households, view.region.population) == (200, 500)
    assert view.boundary is not None
    assert set(names(MARCH - timedelta(days=1))) == {cast.VILLAGE, cast.GRID, cast.GRID_2, cast.MICRO, cast.MICRO_2}
    assert set(names(MARCH)) == {cast.VILLAGE, cast.GRID, cast.MICRO, cast.MICRO_2, *(h.code for h in halves)}
    assert set(names(APRIL)) == {cast.VILLAGE, cast.GRID, cast.GRID_2, cast.MICRO, cast.MICRO_2}


@pytest.mark.django_db
def test_a_part_may_keep_the_code_and_an_outline_may_be_redrawn() -> None:
    cast.settle()
    parts = [RegionRow(cast.GRID_2, "二", "grid"), RegionRow(f"{cast.VILLAGE}009", "九", "grid")]
    actions.split_region(SYSTEM, cast.GRID_2, parts, MARCH)
    actions.set_boundary(SYSTEM, cast.GRID_2, cast.cell(5), MARCH)
    assert names(MARCH)[cast.GRID_2] == "二"
    assert selectors.region_at(SYSTEM, cast.WEST + 5.5 * cast.STEP, cast.SOUTH + 0.001) == cast.GRID_2
    assert Region.objects.filter(code=cast.GRID_2).count() == 2  # the old one, and one new row for the day itself


@pytest.mark.django_db
def test_refusals_say_why() -> None:
    cast.settle()
    two = [RegionRow(f"{cast.VILLAGE}003", "三", "grid"), RegionRow(f"{cast.VILLAGE}004", "四", "grid")]
    refusals: list[tuple[str, type[Fault], object]] = [
        ("orgs.region_has_children", Invalid, lambda: actions.split_region(SYSTEM, cast.GRID, two, MARCH)),
        ("orgs.region_needs_two", Invalid, lambda: actions.split_region(SYSTEM, cast.GRID_2, two[:1], MARCH)),
        ("orgs.region_needs_two", Invalid, lambda: actions.merge_regions(SYSTEM, [cast.GRID_2, cast.GRID_2], two[0], MARCH)),
        ("orgs.region_merge_apart", Invalid, lambda: actions.merge_regions(SYSTEM, [cast.GRID_2, cast.GRID_3], two[0], MARCH)),
        ("orgs.region_unknown", NotFound, lambda: actions.rename_region(SYSTEM, "880101", "无", MARCH)),
        ("orgs.region_day_before", Invalid, lambda: actions.rename_region(SYSTEM, cast.GRID_2, "早", date(1999, 1, 1))),
        ("orgs.region_exists", Invalid, lambda: actions.create_region(SYSTEM, RegionRow(cast.GRID_2, "又", "grid"), MARCH)),
        ("orgs.row_region_digits", Invalid, lambda: actions.create_region(SYSTEM, RegionRow("99", "错", "grid"), MARCH)),
    ]
    for key, kind, act in refusals:
        with pytest.raises(kind) as refused:
            act()  # type: ignore[operator]
        assert refused.value.key == key
    with pytest.raises(Forbidden):
        actions.rename_region(Viewer("someone", permissions=frozenset({"org.read"})), cast.GRID_2, "不行", MARCH)
    assert names(MARCH)[cast.GRID_2] == "东门第二网格"


@pytest.mark.django_db
def test_without_a_day_the_deployments_clock_decides() -> None:
    cast.settle()
    with clock.fixed(datetime(2026, 3, 1, 17, tzinfo=UTC)):  # already 2 March in the county
        actions.create_region(SYSTEM, RegionRow(f"{cast.VILLAGE}008", "新", "grid"))
    assert Region.objects.get(code=f"{cast.VILLAGE}008").valid_from == date(2026, 3, 2)


class TestLaw(TestCase):
    """Whatever happens, every past map stays as it was."""

    @given(st.lists(st.sampled_from(["rename", "split", "merge", "redraw"]), min_size=1, max_size=6), st.data())
    @settings(max_examples=15)
    def test_past_maps_do_not_change(self, steps: list[str], data: st.DataObject) -> None:
        actions.load(SYSTEM, cast.regions())
        day, number = MARCH, 10
        seen: dict[date, list[object]] = {}
        for step in steps:
            day += timedelta(days=data.draw(st.integers(1, 9)))
            grids = [
                r.region.code
                for r in selectors.regions_on(SYSTEM, day, cast.VILLAGE)
                if len(r.region.code) == 15 and r.region.code != cast.GRID
            ]
            code = data.draw(st.sampled_from(grids))
            if step == "rename":
                actions.rename_region(SYSTEM, code, f"名{number}", day)
            elif step == "redraw":
                actions.set_boundary(SYSTEM, code, cast.cell(number), day)
            elif step == "split":
                parts = [RegionRow(f"{cast.VILLAGE}{number + i:03}", "分", "grid") for i in (0, 1)]
                actions.split_region(SYSTEM, code, parts, day)
            elif len(grids) > 1:
                actions.merge_regions(SYSTEM, grids[:2], RegionRow(f"{cast.VILLAGE}{number:03}", "合", "grid"), day)
            number += 2
            for past, before in seen.items():
                assert self._map(past) == before
            seen[day] = self._map(day)

    @staticmethod
    def _map(day: date) -> list[object]:
        return [(r.region.code, r.region.name, r.boundary, r.valid_from) for r in selectors.regions_on(SYSTEM, day)]


@pytest.mark.django_db
def test_places() -> None:
    cast.settle()
    lons = [cast.WEST + x * cast.STEP for x in (0.25, 0.75, 1.5, 2.5, 9)]
    lats = [cast.SOUTH + 0.5 * cast.STEP] * 5
    assert selectors.regions_at(SYSTEM, lons, lats) == [cast.MICRO, cast.MICRO_2, cast.GRID_2, cast.GRID_3, None]
    outside = selectors.place_of(SYSTEM, lons[-1], lats[-1])
    assert (outside.code, outside.nearest_code) == (None, cast.GRID_3)
    expected = float(geo.distance_m(lons[-1], lats[-1], cast.WEST + 3 * cast.STEP, lats[-1]))
    assert outside.distance_m == pytest.approx(expected, rel=1e-3)
    inside = selectors.place_of(SYSTEM, lons[0], lats[0])
    assert (inside.name, inside.distance_m) == ("一微网格", 0.0)
    assert selectors.region_names(SYSTEM, [cast.GRID, "000"]) == {cast.GRID: "东门第一网格"}


@pytest.mark.django_db
def test_an_administrator_changes_the_own_territory_alone() -> None:
    cast.settle()
    mine = Viewer("town", 1, grants=(Grant("admin", cast.VILLAGE, permissions=frozenset({"org.edit"})), Grant("leader", "990101")))
    parts = [RegionRow(f"{cast.OTHER_VILLAGE}00{n}", f"分{n}", "grid") for n in (1, 2)]
    for change in (
        lambda: actions.create_region(mine, RegionRow(f"{cast.OTHER_VILLAGE}009", "新", "grid"), MARCH),
        lambda: actions.set_boundary(mine, cast.GRID_3, cast.cell(2), MARCH),
        lambda: actions.split_region(mine, cast.GRID_2, parts, MARCH),
        lambda: actions.merge_regions(mine, [cast.GRID_2, cast.GRID_3], RegionRow(cast.GRID_2, "合", "grid"), MARCH),
        lambda: actions.assign(mine, AssignmentRow("S1", cast.GRID_3, "grid_leader")),
        lambda: actions.end_assignment(mine, "S1", cast.GRID_3, "grid_leader"),
        lambda: actions.set_working_hours(mine, WorkingHoursRow((("09:00", "17:00"),))),
        lambda: actions.seed_calendar(mine, 2026, 2026),
    ):
        with pytest.raises(Forbidden):
            change()
    actions.rename_region(mine, cast.GRID_2, "东门花园网格", MARCH)


@pytest.mark.django_db
def test_a_line_cuts_a_region_and_its_team_serves_both_parts() -> None:
    cast.settle()
    actions.load(SYSTEM, [AssignmentRow("S1", cast.GRID_2, "full_time_grid_worker"), AssignmentRow("S3", cast.GRID_2, "grid_leader")])
    parts = [RegionRow(f"{cast.VILLAGE}003", "西半", "grid"), RegionRow(f"{cast.VILLAGE}004", "东半", "grid")]
    middle = cast.WEST + 1.5 * cast.STEP
    line = [(middle, cast.SOUTH + 0.002), (middle, cast.SOUTH + 0.008)]  # drawn short of the border: it goes on to it
    with pytest.raises(Invalid) as missed:
        actions.split_region(SYSTEM, cast.GRID_2, parts, MARCH, [(middle, cast.SOUTH - 1), (middle + 0.1, cast.SOUTH - 1)])
    assert (missed.value.key, missed.value.errors[0].pointer) == ("orgs.region_cut", "/cut")
    actions.split_region(SYSTEM, cast.GRID_2, parts, MARCH, line)
    north = cast.SOUTH + 0.5 * cast.STEP
    assert selectors.region_at(SYSTEM, middle - 0.001, north) == f"{cast.VILLAGE}003"
    assert selectors.region_at(SYSTEM, middle + 0.001, north) == f"{cast.VILLAGE}004"
    for part in parts:
        view = selectors.region(SYSTEM, part.code)
        assert view.region.lon is not None  # a label follows from the outline
        assert [m.code for m in selectors.grid_team(SYSTEM, part.code).members] == ["S3", "S1"]
    back = actions.merge_regions(SYSTEM, [p.code for p in parts], RegionRow(cast.GRID_2, "合", "grid"), APRIL)
    assert [m.code for m in selectors.grid_team(SYSTEM, back).members] == ["S3", "S1"]  # each once
    with pytest.raises(Invalid) as bare:
        actions.split_region(SYSTEM, cast.OTHER_VILLAGE, parts, MAY, line)
    assert bare.value.key == "orgs.region_has_children"


@pytest.mark.django_db
def test_parts_lie_inside_and_beside_each_other() -> None:
    cast.settle()

    def split(first: bytes, second: bytes) -> None:
        parts = [
            RegionRow(f"{cast.VILLAGE}003", "三", "grid", boundary=first),
            RegionRow(f"{cast.VILLAGE}004", "四", "grid", boundary=second),
        ]
        actions.split_region(SYSTEM, cast.GRID_2, parts, MARCH)

    for first, second, key in (
        (cast.cell(1, 0.5), cast.cell(1.5, 0.7), "orgs.region_parts_outside"),
        (cast.cell(1, 0.7), cast.cell(1.5, 0.5), "orgs.region_parts_overlap"),
    ):
        with pytest.raises(Invalid) as refused:
            split(first, second)
        assert (refused.value.key, refused.value.errors[0].pointer) == (key, "/parts")
    split(cast.cell(1, 0.5), cast.cell(1.5, 0.5))


@pytest.mark.django_db
def test_a_region_is_retired_when_nothing_lies_in_it() -> None:
    cast.settle()
    actions.load(SYSTEM, [AssignmentRow("S1", cast.GRID_2, "member"), UnitRow("grid-post", "驿站", "station", cast.GRID_2)])
    for code, key in ((cast.GRID, "orgs.region_has_children"), (cast.GRID_2, "orgs.region_has_units")):
        with pytest.raises(Invalid) as refused:
            actions.retire_region(SYSTEM, code, MARCH)
        assert refused.value.key == key
    actions.change_unit(SYSTEM, selectors.unit_ids_by_code(SYSTEM, ["grid-post"])["grid-post"], {"region": cast.VILLAGE})
    actions.retire_region(SYSTEM, cast.GRID_2, MARCH)
    assert cast.GRID_2 not in names(MARCH)
    assert cast.GRID_2 in names(MARCH - timedelta(days=1))
    assert selectors.region(SYSTEM, cast.GRID_2, MARCH - timedelta(days=1)).region.name == "东门第二网格"
    assert [r.code for r in selectors.regions(SYSTEM, parent=cast.VILLAGE, day=MARCH - timedelta(days=1)).items] == [cast.GRID, cast.GRID_2]
    assert [r.code for r in selectors.regions(SYSTEM, parent=cast.VILLAGE).items] == [cast.GRID]
    assert selectors.grid_team(SYSTEM, cast.GRID_2).members == []
    with pytest.raises(Invalid) as early:  # its code is free again, but not for days when it lived
        actions.create_region(SYSTEM, RegionRow(cast.GRID_2, "早", "grid"), MARCH - timedelta(days=9))
    assert early.value.key == "orgs.region_day_before"
    actions.create_region(SYSTEM, RegionRow(cast.GRID_2, "又见", "grid"), APRIL)
    assert names(APRIL)[cast.GRID_2] == "又见"


@pytest.mark.django_db
def test_a_region_is_made_below_one_that_is_there() -> None:
    cast.settle()
    with pytest.raises(Invalid) as orphan:
        actions.create_region(SYSTEM, RegionRow("990101001009001", "孤儿网格", "grid"), MARCH)
    assert (orphan.value.key, orphan.value.errors[0].pointer) == ("orgs.region_no_parent", "/code")
