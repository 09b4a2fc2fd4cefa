"""Units, people, duties, teams and the roster change by verbs: each within the administrator's own, with a fact and a clear refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gridloop.journal.frame import scoped
from gridloop.journal.selectors import chain_facts
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault, Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer
from gridloop.orgs import actions, lists, selectors
from gridloop.orgs.messages import AssignmentRow, DutyRow, ShiftRow, StaffRow, UnitRow
from gridloop.orgs.models import Assignment, Duty, Shift, Staff, Unit
from gridloop.orgs.tests import cast

pytestmark = pytest.mark.django_db
EDIT = frozenset({"org.edit", "org.read"})
TODAY = date(2026, 3, 2)


@pytest.fixture(autouse=True)
def county() -> Iterator[None]:
    cast.settle()
    with clock.fixed(datetime(2026, 3, 2, 2, tzinfo=UTC)):
        yield


def town_admin() -> Viewer:
    return Viewer("town-admin", 7, grants=(Grant("admin", cast.TOWN, permissions=EDIT),))


def unit_id(code: str) -> int:
    return selectors.unit_ids_by_code(SYSTEM, [code])[code]


def staff_id(code: str) -> int:
    return selectors.staff_ids_by_code(SYSTEM, [code])[code]


def last_fact() -> dict[str, Any]:
    with scoped(SYSTEM):
        fact = chain_facts(SYSTEM, "org")[-1]
    return {"action": fact.action, **fact.data}


def refused(act: Callable[[], object], key: str, pointer: str | None = None) -> Fault:
    with pytest.raises(Fault) as fault:
        act()
    assert fault.value.key == key
    if pointer is not None:
        assert [f.pointer for f in fault.value.errors] == [pointer]
    return fault.value


# --- units -----------------------------------------------------------------------------------------------------------------


def test_a_unit_is_added_changed_and_moved_with_all_below_it() -> None:
    new = actions.add_unit(SYSTEM, UnitRow("town-water", " 城关供水站 ", "station", cast.TOWN, phone="0574-1"), unit_id("town"))
    assert last_fact() == {"action": "unit_added", "unit": new, "code": "town-water", "region": cast.TOWN, "parent": unit_id("town")}
    below = actions.add_unit(SYSTEM, UnitRow("town-pump", "泵房", "station", cast.TOWN), new)
    assert selectors.unit(SYSTEM, below).path == f"{unit_id('county')}.{unit_id('town')}.{new}.{below}"

    actions.change_unit(SYSTEM, new, {"name": "城关水务站", "parent": unit_id("county"), "presence": "on_call"})
    moved = selectors.unit(SYSTEM, new)
    assert (moved.name, moved.presence, moved.phone, moved.kind) == ("城关水务站", "on_call", "0574-1", "station")
    assert selectors.unit_and_descendants(SYSTEM, unit_id("town")) == [unit_id("town"), unit_id("town-team")]
    assert selectors.unit(SYSTEM, below).path == f"{unit_id('county')}.{new}.{below}"
    assert last_fact() == {"action": "unit_changed", "unit": new, "fields": ["name", "parent", "presence"]}

    actions.change_unit(SYSTEM, new, {"phone": "", "parent": None})
    assert (selectors.unit(SYSTEM, new).phone, selectors.unit(SYSTEM, below).path) == ("", f"{new}.{below}")


def test_what_a_unit_cannot_be_is_said_at_its_field() -> None:
    good = UnitRow("new", "新", "team", cast.TOWN)
    county = unit_id("county")
    refused(lambda: actions.add_unit(SYSTEM, UnitRow("town", "又", "town", cast.TOWN)), "orgs.unit_exists", "/code")
    refused(lambda: actions.add_unit(SYSTEM, UnitRow("new", "新", "team", "990199")), "orgs.row_region_unknown", "/region")
    refused(lambda: actions.add_unit(SYSTEM, UnitRow("new", "新", "team", cast.TOWN, "NONE")), "orgs.row_unknown_ref", "/department")
    refused(lambda: actions.add_unit(SYSTEM, good, 999_999), "orgs.unit_unknown", "/parent")
    refused(lambda: actions.change_unit(SYSTEM, county, {"name": "  "}), "orgs.row_empty", "/name")
    refused(lambda: actions.change_unit(SYSTEM, county, {"region": ""}), "orgs.row_empty", "/region")
    refused(lambda: actions.change_unit(SYSTEM, county, {"parent": county}), "orgs.unit_below_itself", "/parent")
    refused(lambda: actions.change_unit(SYSTEM, county, {"parent": unit_id("town-team")}), "orgs.unit_below_itself", "/parent")
    refused(lambda: actions.change_unit(SYSTEM, 999_999, {"name": "x"}), "orgs.unit_unknown")
    assert Unit.objects.get(pk=county).name == "云澜县社会治理中心"


def test_a_unit_goes_out_of_service_when_nothing_hangs_on_it() -> None:
    fault = refused(lambda: actions.set_unit_active(SYSTEM, unit_id("town"), False), "orgs.unit_in_use")
    assert isinstance(fault, NotNow)
    assert fault.params == {"units": 1, "staff": 2, "duties": 1}
    new = actions.add_unit(SYSTEM, UnitRow("new", "新设站", "team", cast.TOWN))
    actions.set_unit_active(SYSTEM, new, False)
    assert last_fact() == {"action": "unit_retired", "unit": new}
    assert "新设站" not in [u.name for u in selectors.units(SYSTEM, limit=200).items]
    assert [u.name for u in selectors.units(SYSTEM, retired=True).items] == ["新设站"]
    refused(lambda: actions.add_staff(SYSTEM, StaffRow("S9", "新人", ""), new), "orgs.unit_closed", "/unit")
    refused(lambda: actions.give_duty(SYSTEM, new, DutyRow("handle", "")), "orgs.unit_closed")
    actions.set_unit_active(SYSTEM, new, True)
    assert selectors.unit(SYSTEM, new).active


# --- people ----------------------------------------------------------------------------------------------------------------


def test_a_person_is_added_changed_and_found_by_sound() -> None:
    new = actions.add_staff(SYSTEM, StaffRow("S9", "欧阳新", "", phone="13800000009", skills=("diver",)), unit_id("town"))
    assert last_fact() == {"action": "staff_added", "staff": new, "unit": unit_id("town")}  # no name in the trace
    assert [s.name for s in selectors.staff(SYSTEM, q="ou yang").items] == ["欧阳新"]
    actions.change_staff(SYSTEM, new, {"name": "欧阳辛", "unit": unit_id("fire"), "skills": ["driver"]})
    with scoped(SYSTEM):
        row = Staff.objects.get(pk=new)
    assert (row.name, row.unit_id, row.phone, row.skills) == ("欧阳辛", unit_id("fire"), "13800000009", ["driver"])
    assert last_fact() == {"action": "staff_changed", "staff": new, "unit": unit_id("fire"), "fields": ["name", "skills", "unit"]}
    refused(lambda: actions.add_staff(SYSTEM, StaffRow("S9", "又", ""), unit_id("town")), "orgs.staff_exists", "/code")
    refused(lambda: actions.add_staff(SYSTEM, StaffRow("S10", "又", ""), 999_999), "orgs.unit_unknown", "/unit")
    refused(lambda: actions.change_staff(SYSTEM, new, {"name": " "}), "orgs.row_empty", "/name")
    refused(lambda: actions.change_staff(SYSTEM, 999_999, {"name": "x"}), "orgs.staff_unknown")


def test_whoever_leaves_is_in_no_team_and_on_no_roster() -> None:
    tomorrow = cast.MORNING + timedelta(days=1)
    actions.load(SYSTEM, [ShiftRow("town", "S1", cast.MORNING, cast.NOON), ShiftRow("town", "S1", tomorrow, tomorrow + timedelta(hours=8))])
    actions.set_staff_active(SYSTEM, staff_id("S1"), False)
    assert last_fact() == {"action": "staff_left", "staff": staff_id("S1"), "teams": 1, "shifts": 1}
    assert [m.code for m in selectors.grid_team(SYSTEM, cast.GRID).members] == ["S2"]
    assert Shift.objects.filter(staff_id=staff_id("S1")).count() == 1  # what was, stays
    assert [s.code for s in selectors.staff(SYSTEM, retired=True).items] == ["S1"]
    refused(lambda: actions.assign(SYSTEM, AssignmentRow("S1", cast.GRID)), "orgs.staff_unknown", "/staff")
    actions.set_staff_active(SYSTEM, staff_id("S1"), True)
    assert last_fact()["action"] == "staff_returned"
    assert [m.code for m in selectors.grid_team(SYSTEM, cast.GRID).members] == ["S2"]  # back at work, not back in the team


# --- duties ----------------------------------------------------------------------------------------------------------------


def test_a_duty_is_given_and_ended() -> None:
    duty = actions.give_duty(SYSTEM, unit_id("fire"), DutyRow("handle", "", "09", cast.TOWN, valid_from=TODAY))
    found = [u.code for u in selectors.competent_units(SYSTEM, "handle", "09001", cast.GRID)]
    assert found == ["fire", "county"]
    assert [(d.id, d.case_type) for d in lists.duties_of(SYSTEM, unit_id("fire"))] == [
        (duty, "09"),
        (Duty.objects.get(case_type="22").pk, "22"),
    ]
    refused(lambda: actions.give_duty(SYSTEM, unit_id("fire"), DutyRow("handle", "", "09", cast.TOWN)), "orgs.duty_exists")
    refused(lambda: actions.end_duty(SYSTEM, duty, TODAY - timedelta(days=1)), "orgs.duty_day_before", "/day")
    actions.end_duty(SYSTEM, duty)
    assert last_fact() == {"action": "duty_ended", "duty": duty, "unit": unit_id("fire"), "day": "2026-03-02"}
    assert [u.code for u in selectors.competent_units(SYSTEM, "handle", "09001", cast.GRID)] == ["county"]
    again = actions.give_duty(SYSTEM, unit_id("fire"), DutyRow("handle", "", "09", cast.TOWN, valid_from=TODAY))
    assert (again, Duty.objects.get(pk=duty).valid_to) == (duty, None)  # taken back on the same day
    refused(lambda: actions.end_duty(SYSTEM, 999_999), "orgs.duty_unknown")
    refused(lambda: actions.give_duty(SYSTEM, unit_id("fire"), DutyRow("handle", "", "09", "990199")), "orgs.row_region_unknown", "/region")
    hours = {"ranges": [["17:30", "08:30"]]}
    refused(lambda: actions.give_duty(SYSTEM, unit_id("fire"), DutyRow("handle", "", "10", hours=hours)), "orgs.row_hours")


def test_somebody_always_takes_cases_in() -> None:
    desk = Duty.objects.get(kind="intake")
    refused(lambda: actions.end_duty(SYSTEM, desk.pk), "orgs.duty_last_intake")
    actions.give_duty(SYSTEM, unit_id("town"), DutyRow("intake", "", region_code=cast.TOWN))
    refused(lambda: actions.end_duty(SYSTEM, desk.pk), "orgs.duty_last_intake")  # the town's desk does not see the rest of the county
    actions.give_duty(SYSTEM, unit_id("fire"), DutyRow("intake", "", region_code="9901"))
    actions.end_duty(SYSTEM, desk.pk)
    assert Duty.objects.get(pk=desk.pk).valid_to == TODAY


# --- teams and roster ------------------------------------------------------------------------------------------------------


def test_a_team_is_joined_once_and_again_after_leaving() -> None:
    join = AssignmentRow("S3", cast.GRID, "grid_advisor", valid_from=TODAY)
    actions.assign(SYSTEM, join)
    refused(lambda: actions.assign(SYSTEM, join), "orgs.assignment_exists", "/staff")
    refused(
        lambda: actions.end_assignment(SYSTEM, "S3", cast.GRID, "grid_advisor", TODAY - timedelta(days=1)), "orgs.duty_day_before", "/day"
    )
    actions.end_assignment(SYSTEM, "S3", cast.GRID, "grid_advisor")
    assert "S3" not in [m.code for m in selectors.grid_team(SYSTEM, cast.GRID).members]
    actions.assign(SYSTEM, join)  # on the same day: the row of the morning lives again
    assert "S3" in [m.code for m in selectors.grid_team(SYSTEM, cast.GRID).members]
    assert lists.team_sizes(SYSTEM, [cast.GRID, cast.GRID_2]) == {cast.GRID: 3}
    refused(lambda: actions.assign(SYSTEM, AssignmentRow("S3", "990199", "member")), "orgs.row_region_unknown", "/region")
    refused(lambda: actions.assign(SYSTEM, AssignmentRow("S3", cast.GRID, "king")), "orgs.row_word", "/role")


def test_a_roster_is_read_by_period() -> None:
    week = cast.MORNING + timedelta(days=7)
    shifts = [ShiftRow("town", "S2", cast.EVENING, cast.EVENING + timedelta(hours=8), "duty_commander")]
    assert actions.set_roster(SYSTEM, "town", cast.MORNING, week, shifts) == 1
    lines = lists.roster_of(SYSTEM, unit_id("town"), cast.MORNING, week)
    assert [(x.staff_name, x.role, x.starts_at) for x in lines] == [("李秀英", "duty_commander", cast.EVENING)]
    assert lists.roster_of(SYSTEM, unit_id("town"), week, week + timedelta(days=7)) == []
    refused(lambda: lists.roster_of(SYSTEM, unit_id("town"), cast.MORNING, cast.MORNING + timedelta(days=70)), "orgs.roster_period")
    refused(lambda: lists.roster_of(SYSTEM, unit_id("town"), week, cast.MORNING), "orgs.roster_period")


def test_a_roster_changed_by_others_meanwhile_is_not_overwritten() -> None:
    week = cast.MORNING + timedelta(days=7)
    mine, theirs = (ShiftRow("town", who, cast.EVENING, cast.EVENING + timedelta(hours=8), "member") for who in ("S1", "S2"))

    def save(*shifts: ShiftRow, seen: Sequence[ShiftRow] | None) -> int:
        return actions.set_roster(SYSTEM, "town", cast.MORNING, week, shifts, seen)

    assert save(theirs, seen=[]) == 1
    with pytest.raises(NotNow) as late:
        save(mine, seen=[])
    (came,) = late.value.errors
    assert (late.value.key, came.pointer) == ("orgs.roster_changed", "/base")
    assert say(came.key, "zh", **came.params) == "新增：李秀英（值班）03-02 20:00 – 03-03 04:00"
    assert say(came.key, "en", **came.params) == "New: 李秀英 (On duty) 03-02 20:00 – 03-03 04:00"
    with pytest.raises(NotNow) as gone:
        save(mine, seen=[theirs, mine])
    assert [(e.pointer, e.key) for e in gone.value.errors] == [("/base/1", "orgs.shift_went")]
    to_the_minute = replace(theirs, starts_at=theirs.starts_at + timedelta(seconds=30))
    assert save(mine, theirs, seen=[to_the_minute]) == 2  # screens show minutes
    assert save(mine, seen=None) == 1  # a machine that keeps the roster asks nobody


# --- whose it is -----------------------------------------------------------------------------------------------------------


def test_an_administrator_changes_the_own_units_and_people_alone() -> None:
    mine = town_admin()
    fire, town, outsider = unit_id("fire"), unit_id("town"), staff_id("S4")
    before = (Unit.objects.count(), Duty.objects.count(), Assignment.objects.count())
    for change in (
        lambda: actions.add_unit(mine, UnitRow("x", "越界", "team", "990101")),
        lambda: actions.add_unit(mine, UnitRow("x", "越界", "team", cast.TOWN), fire),
        lambda: actions.change_unit(mine, fire, {"name": "越界"}),
        lambda: actions.change_unit(mine, town, {"region": "990101"}),
        lambda: actions.set_unit_active(mine, fire, False),
        lambda: actions.add_staff(mine, StaffRow("x", "越界", ""), fire),
        lambda: actions.change_staff(mine, outsider, {"unit": town}),
        lambda: actions.change_staff(mine, staff_id("S1"), {"unit": fire}),
        lambda: actions.set_staff_active(mine, outsider, False),
        lambda: actions.give_duty(mine, fire, DutyRow("handle", "", region_code=cast.TOWN)),
        lambda: actions.give_duty(mine, town, DutyRow("handle", "", region_code="")),
        lambda: actions.end_duty(mine, Duty.objects.get(unit__code="fire").pk),
        lambda: actions.assign(mine, AssignmentRow("S4", cast.GRID, "grid_advisor")),  # somebody of the county's, not asked
        lambda: actions.set_roster(mine, "town", cast.MORNING, cast.EVENING, [ShiftRow("town", "S4", cast.MORNING, cast.NOON)]),
    ):
        with pytest.raises(Forbidden):
            change()
    assert before == (Unit.objects.count(), Duty.objects.count(), Assignment.objects.count())

    new = actions.add_unit(mine, UnitRow("town-new", "城关新站", "station", cast.VILLAGE), town)
    actions.add_staff(mine, StaffRow("S8", "新人", ""), new)
    actions.assign(mine, AssignmentRow("S8", cast.GRID_2, "member", valid_from=TODAY))
    actions.give_duty(mine, new, DutyRow("handle", "", "01", cast.TOWN))
    assert [m.name for m in selectors.grid_team(SYSTEM, cast.GRID_2).members] == ["新人"]


def test_who_may_only_read_changes_nothing() -> None:
    reader = Viewer("reader", 8, grants=(Grant("operator", "990101", permissions=frozenset({"org.read"})),))
    for change in (
        lambda: actions.add_unit(reader, UnitRow("x", "不行", "team", cast.TOWN)),
        lambda: actions.change_unit(reader, unit_id("town"), {"name": "不行"}),
        lambda: actions.end_duty(reader, Duty.objects.get(unit__code="fire").pk),
        lambda: actions.set_staff_active(reader, staff_id("S1"), False),
    ):
        with pytest.raises(Forbidden):
            change()


def test_nothing_is_found_of_what_never_was() -> None:
    with pytest.raises(NotFound):
        actions.set_unit_active(SYSTEM, 999_999, False)
    with pytest.raises(NotFound):
        actions.end_assignment(SYSTEM, "S3", cast.GRID, "member")
    with pytest.raises(Invalid):
        actions.give_duty(SYSTEM, unit_id("town"), DutyRow("", ""))
