"""Bulk loading: references by code, everything or a named reject, again without harm, and fast."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import pytest

from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact
from gridloop.kernel.errors import Forbidden, Invalid
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.orgs import actions, selectors
from gridloop.orgs.messages import AssignmentRow, DutyRow, RegionRow, ShiftRow, StaffRow, UnitRow, WorkingHoursRow
from gridloop.orgs.models import Assignment, Duty, Region, Shift, Staff, Unit
from gridloop.orgs.tests import cast

pytestmark = pytest.mark.django_db


def test_a_county_is_loaded_with_every_reference_found() -> None:
    cast.settle()
    team = Unit.objects.get(code="town-team")
    assert [u.code for u in (team.parent, team.parent.parent)] == ["town", "county"]  # type: ignore[union-attr]
    assert team.path == f"{team.parent.parent_id}.{team.parent_id}.{team.pk}"  # type: ignore[union-attr]
    assert Region.objects.get(code=cast.MICRO).parent_code == cast.GRID
    assert Region.objects.get(code="990101").pinyin == "yun lan xian"
    assert Duty.objects.get(case_type="06010").post.code == "town-urban-post"  # type: ignore[union-attr]
    with scoped(SYSTEM):
        assert Staff.objects.get(code="S1").skills == ["driver"]
    with scoped(SYSTEM):
        facts = list(Fact.objects.filter(chain="org", action="records_loaded").order_by("seq"))
    assert facts[0].data == {"table": "orgs_region", "rows": 10}


def test_loading_again_changes_instead_of_doubling() -> None:
    cast.settle()
    cast.settle()
    assert (Assignment.objects.count(), Shift.objects.count(), Duty.objects.count(), Region.objects.count()) == (2, 1, 6, 10)
    actions.load(SYSTEM, [UnitRow("town-team", "城关执法中队", "team", cast.TOWN, parent="fire")])
    team = Unit.objects.get(code="town-team")
    assert (team.name, team.path) == ("城关执法中队", f"{team.parent.parent_id}.{team.parent_id}.{team.pk}")  # type: ignore[union-attr]


def test_what_a_later_list_leaves_out_is_kept() -> None:
    cast.settle()
    actions.rename_region(SYSTEM, cast.GRID, "东门新网格", date(2026, 3, 1))
    actions.load(SYSTEM, [RegionRow(cast.GRID, "东门网格", "grid"), StaffRow("S1", "王建国", "town")])
    grid = Region.objects.get(code=cast.GRID, valid_to__isnull=True)
    assert (grid.name, grid.households, grid.boundary is not None, grid.valid_from) == ("东门网格", 300, True, date(2026, 3, 1))
    with scoped(SYSTEM):
        assert (Staff.objects.get(code="S1").phone, Staff.objects.get(code="S1").lon) == ("13800000001", cast.WEST)


def test_a_dry_run_keeps_nothing_and_still_finds_faults() -> None:
    cast.settle()
    rows = [UnitRow("c", "丙", "team", "990101"), UnitRow("d", "丁", "team", "990101", parent="nobody")]
    tried = actions.load(SYSTEM, rows, strict=False, dry_run=True)
    assert (tried.total, len(tried.rejects)) == (1, 1)
    assert not Unit.objects.filter(code="c").exists()
    assert actions.load(SYSTEM, rows[:1]).total == 1


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (RegionRow("99010", "短", "county"), "orgs.row_region_digits"),
        (RegionRow("990101", "无级", "galaxy"), "orgs.row_word"),
        (RegionRow("99-101", "符号", "county"), "orgs.row_region_code"),
        (RegionRow("990101", "", "county"), "orgs.row_empty"),
        (RegionRow("990102", "错上级", "county", parent_code="9902"), "orgs.row_region_parent"),
        (RegionRow("990102", "远方", "county", lon=200.0, lat=1.0), "orgs.row_place"),
        (RegionRow("990102", "半个", "county", lon=120.0), "orgs.row_half_place"),
        (UnitRow("u", "无地", "team", "880101"), "orgs.row_region_unknown"),
        (UnitRow("u", "无父", "team", "990101", parent="nobody"), "orgs.row_unknown_ref"),
        (UnitRow("u", "无处", "team", "990101", presence="sleeping"), "orgs.row_word"),
        (StaffRow("s", "无单位", "nobody"), "orgs.row_unknown_ref"),
        (AssignmentRow("S1", cast.GRID, "king"), "orgs.row_word"),
        (AssignmentRow("S9", cast.GRID), "orgs.row_unknown_ref"),
        (ShiftRow("town", "S1", cast.NOON, cast.MORNING), "orgs.row_shift"),
        (DutyRow("handle", "town", hours={"ranges": [["17:00", "08:00"]]}), "orgs.row_hours"),
        (WorkingHoursRow((("8:30", "12:00"),)), "orgs.row_hours"),
        (WorkingHoursRow((("08:30", "12:00"),), tz="Moon/Crater"), "orgs.row_hours"),
    ],
)
def test_a_bad_record_is_named(row: object, key: str) -> None:
    cast.settle()
    with pytest.raises(Invalid) as refused:
        actions.load(SYSTEM, [row])  # type: ignore[list-item]
    assert refused.value.errors[0].key == key
    assert refused.value.errors[0].pointer.startswith("/0")


def test_rejects_lose_nothing_else() -> None:
    cast.settle()
    loaded = actions.load(
        SYSTEM,
        [
            UnitRow("a", "甲", "team", "990101", parent="nobody"),
            UnitRow("b", "乙", "team", "990101", parent="a"),  # falls with its parent
            UnitRow("c", "丙", "team", "990101", parent="town"),
            UnitRow("c", "丙又", "team", "990101"),
            StaffRow("n", "新人", "c"),
        ],
        strict=False,
    )
    assert [(r.index, r.fault.key) for r in loaded.rejects] == [
        (0, "orgs.row_unknown_ref"),
        (1, "orgs.row_unknown_ref"),
        (3, "orgs.row_twice"),
    ]
    assert loaded.counts == {"orgs_unit": 1, "orgs_staff": 1}
    assert Unit.objects.get(code="c").name == "丙"


def test_a_strict_load_keeps_nothing_of_the_chunk() -> None:
    cast.settle()
    with pytest.raises(Invalid):
        actions.load(SYSTEM, [UnitRow("c", "丙", "team", "990101"), UnitRow("d", "丁", "team", "990101", parent="nobody")])
    assert not Unit.objects.filter(code__in=["c", "d"]).exists()


def test_loading_needs_the_right() -> None:
    with pytest.raises(Forbidden):
        actions.load(PUBLIC, cast.regions())


def test_a_village_list_of_a_province_takes_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [RegionRow(f"9902{c:02}{t:03}{v:03}", "村", "village") for c in range(10, 20) for t in range(20) for v in range(100)]
    started = time.perf_counter()
    loaded = actions.load(SYSTEM, [replace(rows[0], code="9902", level="city"), *rows])
    seconds = time.perf_counter() - started
    with capsys.disabled():
        print(f"\n  {loaded.total:,} regions loaded in {seconds:.2f} s")  # noqa: T201
    assert loaded.total == 20_001
    assert seconds < 20


def test_levels_are_rows() -> None:
    found = selectors.levels(SYSTEM)
    assert [level.digits for level in found] == [2, 4, 6, 9, 12, 15, 18]
    assert (found[0].name_zh, found[-1].name_en) == ("省", "Micro-grid")


def test_the_record_shapes_have_dates_that_old_replays_need() -> None:
    assert RegionRow("9901", "云海市", "city").valid_from <= date(2004, 1, 1)
