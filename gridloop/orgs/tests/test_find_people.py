"""Who is competent, on duty, in the team, near."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer
from gridloop.orgs import actions, selectors
from gridloop.orgs.messages import AssignmentRow, CalendarDayRow, DutyRow, ShiftRow, WorkingHoursRow
from gridloop.orgs.models import CalendarDay, Staff
from gridloop.orgs.tests import cast

pytestmark = pytest.mark.django_db
MONDAY, SUNDAY = datetime(2026, 3, 2, 2, tzinfo=UTC), datetime(2026, 3, 1, 2, tzinfo=UTC)  # ten in the morning


@pytest.fixture(autouse=True)
def county() -> None:
    cast.settle()


def codes(duty: str, case_type: str, region: str, at: datetime = MONDAY) -> list[str]:
    return [u.code for u in selectors.competent_units(SYSTEM, duty, case_type, region, at)]


def test_the_most_specific_duty_comes_first() -> None:
    assert codes("handle", "06010", cast.MICRO) == ["town", "town-team", "county-urban", "county"]
    assert codes("handle", "06011", cast.MICRO) == ["town-team", "county-urban", "county"]
    assert codes("handle", "06011", "990101002001") == ["county-urban", "county"]
    assert codes("handle", "09001", cast.GRID) == ["county"]
    assert codes("intake", "06010", cast.GRID) == ["county"]
    assert codes("check", "06010", cast.GRID) == []
    first = selectors.competent_units(SYSTEM, "handle", "06010", cast.GRID, MONDAY)[0]
    assert (first.post_name, first.department, first.region_code) == ("城市管理岗", None, cast.TOWN)


def test_a_duty_has_hours_dates_and_priority() -> None:
    assert codes("handle", "22001", cast.GRID, MONDAY) == ["fire", "county"]
    assert codes("handle", "22001", cast.GRID, SUNDAY) == ["county"]
    assert codes("handle", "22001", cast.GRID, MONDAY + timedelta(hours=8)) == ["county"]
    actions.load(SYSTEM, [DutyRow("handle", "town", case_type="22", priority=1, valid_from=date(2026, 4, 1), valid_to=date(2026, 5, 1))])
    assert codes("handle", "22001", cast.GRID, MONDAY + timedelta(days=28)) == ["fire", "county"]
    assert codes("handle", "22001", cast.GRID, MONDAY + timedelta(days=30)) == ["town", "fire", "county"]
    assert codes("handle", "22001", cast.GRID, MONDAY + timedelta(days=63)) == ["fire", "county"]


def test_on_duty_by_roster_or_by_the_units_staff() -> None:
    ids = selectors.unit_ids_by_code(SYSTEM, ["county", "town"])
    rostered = selectors.on_duty(SYSTEM, ids["county"], cast.MORNING)
    assert (rostered.source, rostered.commander and rostered.commander.code) == ("roster", "S4")
    later = selectors.on_duty(SYSTEM, ids["county"], cast.NOON)
    assert (later.source, later.commander, [s.code for s in later.staff]) == ("unit", None, ["S4"])
    assert [s.code for s in selectors.on_duty(SYSTEM, ids["town"], cast.MORNING).staff] == ["S1", "S2"]
    with pytest.raises(NotFound):
        selectors.on_duty(SYSTEM, 0, cast.MORNING)


def test_a_new_roster_replaces_the_old_one() -> None:
    shifts = [
        ShiftRow("county", "S4", cast.MORNING, cast.EVENING, "operator"),
        ShiftRow("county", "S1", cast.MORNING, cast.NOON, "duty_commander"),
    ]
    assert actions.set_roster(SYSTEM, "county", cast.MORNING, cast.EVENING, shifts) == 2
    county = selectors.unit_ids_by_code(SYSTEM, ["county"])["county"]
    duty = selectors.on_duty(SYSTEM, county, cast.MORNING)
    assert [(s.code, s.role) for s in duty.staff] == [("S4", "operator"), ("S1", "duty_commander")]
    assert duty.commander is not None
    with pytest.raises(Invalid) as outside:
        actions.set_roster(SYSTEM, "county", cast.NOON, cast.EVENING, shifts)
    assert outside.value.key == "orgs.shift_outside"
    with pytest.raises(Invalid) as other:
        actions.set_roster(SYSTEM, "town", cast.MORNING, cast.EVENING, shifts)
    assert other.value.key == "orgs.shift_other_unit"
    with pytest.raises(NotFound):
        actions.set_roster(SYSTEM, "nobody", cast.MORNING, cast.EVENING, [])


def test_the_grid_team_is_found_from_the_micro_grid() -> None:
    team = selectors.grid_team(SYSTEM, cast.MICRO)
    assert (team.region_code, [(m.code, m.role) for m in team.members]) == (
        cast.GRID,
        [("S2", "grid_leader"), ("S1", "full_time_grid_worker")],
    )
    actions.assign(SYSTEM, AssignmentRow("S3", cast.GRID, "grid_advisor"))
    actions.end_assignment(SYSTEM, "S1", cast.GRID, "full_time_grid_worker")
    assert [m.code for m in selectors.grid_team(SYSTEM, cast.GRID).members] == ["S2", "S3"]
    assert selectors.grid_team(SYSTEM, cast.GRID_3).members == []
    with pytest.raises(NotFound):
        actions.end_assignment(SYSTEM, "S1", cast.GRID, "grid_leader")


def test_the_nearest_staff_come_first() -> None:
    near = selectors.nearest_staff(SYSTEM, cast.WEST, cast.SOUTH, limit=2)
    assert [(n.staff.code, n.distance_m < 100) for n in near] == [("S1", True), ("S3", True)]
    assert [n.staff.code for n in selectors.nearest_staff(SYSTEM, cast.WEST, cast.SOUTH, cast.VILLAGE, "grid_leader")] == ["S2"]
    assert [n.staff.code for n in selectors.nearest_staff(SYSTEM, cast.WEST, cast.SOUTH, cast.VILLAGE)] == ["S1", "S2"]
    assert selectors.nearest_staff(SYSTEM, cast.WEST, cast.SOUTH, "8801") == []


def test_positions_move_forward_only_and_only_ones_own() -> None:
    ids = selectors.staff_ids_by_code(SYSTEM, ["S1", "S2"])
    one, two = ids["S1"], ids["S2"]
    worker = Viewer("worker", user_id=1, staff_id=one, permissions=frozenset({"positions.write"}))
    assert actions.move_staff(worker, [(one, 121.5, 29.5, MONDAY), (two, 0.0, 0.0, MONDAY), (one, 500.0, 0.0, MONDAY)]) == 1
    assert actions.move_staff(SYSTEM, [(one, 0.0, 0.0, SUNDAY)]) == 1
    with scoped(SYSTEM):
        moved, stayed = Staff.objects.get(pk=one), Staff.objects.get(pk=two)
    assert (moved.lon, moved.lat, moved.position_at) == (121.5, 29.5, MONDAY)
    assert stayed.lon == cast.WEST + 0.05


def test_a_token_moves_nobody_else_and_no_position_lies_in_the_future() -> None:
    ids = selectors.staff_ids_by_code(SYSTEM, ["S1", "S2"])
    one, two = ids["S1"], ids["S2"]
    by_token = Viewer("worker", user_id=1, staff_id=one, permissions=frozenset({"positions.write"}), scopes=frozenset({"all"}))
    assert actions.move_staff(by_token, [(two, 0.0, 0.0, MONDAY)]) == 0
    grants = tuple(Grant("integrator", region, permissions=frozenset({"positions.write"})) for region in (cast.TOWN, "990102"))
    platform = Viewer("platform", user_id=2, grants=grants, scopes=frozenset({"positions"}))
    elsewhere = Viewer("elsewhere", user_id=3, grants=(grants[1], Grant("leader", cast.TOWN)), scopes=frozenset({"positions"}))
    assert actions.move_staff(elsewhere, [(two, 0.0, 0.0, MONDAY)]) == 0
    with clock.fixed(MONDAY):
        assert actions.move_staff(platform, [(two, 121.0, 29.0, MONDAY + timedelta(days=900))]) == 1
        with scoped(SYSTEM):
            assert Staff.objects.get(pk=two).position_at == MONDAY


def test_units_below_a_unit() -> None:
    ids = selectors.unit_ids_by_code(SYSTEM, ["county", "county-urban", "town", "town-team", "fire"])
    assert set(selectors.unit_and_descendants(SYSTEM, ids["county"])) == set(ids.values())
    assert selectors.unit_and_descendants(SYSTEM, ids["town"]) == [ids["town"], ids["town-team"]]
    assert selectors.unit_and_descendants(SYSTEM, 0) == []


def test_lists_turn_pages() -> None:
    first = selectors.units(SYSTEM, limit=3)
    second = selectors.units(SYSTEM, limit=3, after=first.next)
    assert [u.code for u in [*first.items, *second.items]] == ["county", "county-urban", "town", "town-team", "fire"]
    assert second.next is None
    assert [u.code for u in selectors.units(SYSTEM, q="执法").items] == ["county-urban", "town-team"]
    assert [s.code for s in selectors.staff(SYSTEM, q="wang").items] == ["S1"]
    assert [r.code for r in selectors.regions(SYSTEM, q="dong men", level="grid").items] == [cast.GRID, cast.GRID_2]
    assert [r.code for r in selectors.regions(SYSTEM, parent=cast.GRID, limit=1).items] == [cast.MICRO]
    with pytest.raises(Invalid) as refused:
        selectors.units(SYSTEM, after="' OR 1=1")
    assert refused.value.key == "orgs.bad_cursor"


def test_the_working_calendar_follows_its_tables() -> None:
    calendar = selectors.calendar_for(SYSTEM, cast.GRID)
    assert (calendar.first_year, calendar.last_year) == (2004, 2026)
    assert not calendar.is_working_day(date(2026, 10, 1))
    assert calendar.is_working_day(date(2026, 2, 14))  # a Saturday made up for the Spring Festival
    festival = date(2026, 3, 3)
    actions.edit_calendar(SYSTEM, [CalendarDayRow(festival, "holiday", "三月三", "990101")])
    actions.set_working_hours(SYSTEM, WorkingHoursRow((("09:00", "17:00"),), region_code=cast.TOWN))
    town, county, elsewhere = (selectors.calendar_for(SYSTEM, code) for code in (cast.GRID, "990101", "8801"))
    assert [c.is_working_day(festival) for c in (town, county, elsewhere)] == [False, False, True]
    assert [len(c.ranges(date(2026, 3, 4))) for c in (town, county)] == [1, 2]
    actions.edit_calendar(SYSTEM, remove=[(festival, "990101")])
    assert selectors.calendar_for(SYSTEM, cast.GRID).is_working_day(festival)


def test_holidays_beyond_the_table_are_a_clear_error() -> None:
    with pytest.raises(Invalid) as refused:
        actions.seed_calendar(SYSTEM, 2026, 2027)
    assert (refused.value.key, refused.value.params["last"]) == ("orgs.calendar_unknown_year", 2026)
    CalendarDay.objects.filter(day=date(2026, 10, 1)).update(name="by hand")
    CalendarDay.objects.filter(day=date(2026, 10, 2)).delete()
    assert actions.seed_calendar(SYSTEM, 2025, 2026) == 1
    assert CalendarDay.objects.get(day=date(2026, 10, 1)).name == "by hand"
