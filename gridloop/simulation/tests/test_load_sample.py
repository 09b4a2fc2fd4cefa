"""The small county in a real database, read back through the rooms' own doors."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.access.selectors import users, viewer_for
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import selectors as orgs
from gridloop.registry.models import Building, Device, House, Household, Person
from gridloop.simulation.county.county import County
from gridloop.simulation.county.load import load_county
from gridloop.simulation.county.units import catalogue

pytestmark = pytest.mark.django_db


def test_everything_arrives(small_county: County) -> None:
    with scoped(SYSTEM):
        assert Person.objects.count() == len(small_county.people)
        assert Household.objects.count() == len(small_county.households)
        assert House.objects.count() == len(small_county.houses)
        assert Building.objects.count() == len(small_county.buildings)
        assert Device.objects.count() == len(small_county.devices)
        assert not Device.objects.filter(owner_unit_id__isnull=True).exists()


def test_loading_again_changes_nothing(small_county: County) -> None:
    again = load_county(small_county)
    assert again.rows["access_user"] == 0
    with scoped(SYSTEM):
        assert Person.objects.count() == len(small_county.people)


def test_a_building_is_found_in_its_own_micro_grid(small_county: County) -> None:
    rows = small_county.buildings[::40]
    lons, lats = [row.lon or 0.0 for row in rows], [row.lat or 0.0 for row in rows]
    assert orgs.regions_at(SYSTEM, lons, lats) == [row.region_code for row in rows]
    assert orgs.region_at(SYSTEM, 122.5, 29.2) is None, "open sea"


def test_every_case_type_finds_its_desks(small_county: County) -> None:
    grid = small_county.land.territory.grids[-1]
    for category in catalogue()["categories"]:
        for kind in category["types"]:
            for duty in ("intake", "verify", "handle", "check", "supervise"):
                assert orgs.competent_units(SYSTEM, duty, kind["code"], grid), (duty, kind["code"])


def test_the_town_comes_before_the_county(small_county: County) -> None:
    town = "990101101"
    grid = next(code for code in small_county.land.territory.grids if code.startswith(town))
    assert [u.code for u in orgs.competent_units(SYSTEM, "intake", "01037", grid)] == [f"{town}-GOV_CENTER", "990101-GOV_CENTER"]
    assert orgs.competent_units(SYSTEM, "verify", "01037", grid)[0].code == f"{grid}-GRID"
    assert orgs.competent_units(SYSTEM, "handle", "09001", grid)[0].code == f"{town}-URBAN_MGMT"
    assert orgs.competent_units(SYSTEM, "handle", "01037", grid)[0].code == "990101-MUNICIPAL"


def test_somebody_is_on_duty_now_and_next_week(small_county: County) -> None:
    unit = orgs.unit_ids_by_code(SYSTEM, ["990101-GOV_CENTER"])["990101-GOV_CENTER"]
    for at in (clock.now(), clock.now() + timedelta(days=7)):
        duty = orgs.on_duty(SYSTEM, unit, at)
        assert duty.source == "roster"
        assert duty.commander is not None


def test_a_grid_has_its_team_of_1_3_n(small_county: County) -> None:
    team = orgs.grid_team(SYSTEM, small_county.land.territory.grids[0])
    roles = [member.role for member in team.members]
    assert roles[:4] == ["grid_leader", "full_time_grid_worker", "part_time_grid_worker", "grid_advisor"]


@pytest.mark.parametrize(("username", "permission"), [("operator", "case.accept"), ("handler", "task.act"), ("admin", "user.edit")])
def test_sample_log_ins_may_do_their_work(small_county: County, username: str, permission: str) -> None:
    account = next(row for row in users(SYSTEM, username) if row.username == username)
    assert viewer_for(account.id).can(permission)
