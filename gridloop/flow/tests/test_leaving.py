"""Units and people leave when their work is done or handed on; who leaves has no account afterwards."""

from __future__ import annotations

import pytest

from gridloop.access.actions import close_accounts_of
from gridloop.access.models import User
from gridloop.access.selectors import user_id_of, viewer_for
from gridloop.cases import actions as cases
from gridloop.cases import present
from gridloop.cases.messages import Report
from gridloop.cases.tests.kit import HERE, WEST, Cast, build
from gridloop.flow import leaving
from gridloop.journal.frame import scoped
from gridloop.kernel.errors import Forbidden, NotFound, NotNow
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Grant, Viewer
from gridloop.orgs import actions as orgs
from gridloop.orgs.models import Duty
from gridloop.orgs.selectors import staff_ids_by_code, unit, unit_ids_by_code

pytestmark = pytest.mark.django_db


@pytest.fixture
def county() -> Cast:
    return build()


def staff_id(code: str) -> int:
    return staff_ids_by_code(SYSTEM, [code])[code]


def handled_by_municipal(county: Cast) -> str:
    code = cases.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1])).case
    cases.accept(county.operator, code, {})
    task = next(t for t in present.case_tasks(SYSTEM, code) if t["stage"] == "handle")
    return str(task["id"])


def test_who_holds_a_task_stays_until_it_is_handed_back(county: Cast) -> None:
    task = handled_by_municipal(county)
    cases.act(county.handler, task, "accept", {})
    with pytest.raises(NotNow) as busy:
        leaving.set_staff_active(county.admin, staff_id("S-handler"), False)
    assert (busy.value.key, busy.value.params) == ("orgs.staff_busy", {"tasks": 1})
    assert viewer_for(user_id_of("handler") or 0).can("task.act")  # nothing of it happened

    cases.act(county.handler, task, "escalate", {"note": "本单位无力处置"})
    leaving.set_staff_active(county.admin, staff_id("S-handler"), False)
    with scoped(SYSTEM):
        account = User.objects.get(username="handler")
    assert not account.is_active
    with pytest.raises(NotFound):
        viewer_for(account.pk)
    leaving.set_staff_active(county.admin, staff_id("S-handler"), True)
    with scoped(SYSTEM):
        assert not User.objects.get(username="handler").is_active  # back at work; an account is given anew


def test_nobody_closes_the_account_they_act_with(county: Cast) -> None:
    with pytest.raises(NotNow) as own:
        leaving.set_staff_active(county.admin, staff_id("S-admin"), False)
    assert own.value.key == "access.not_oneself"


def test_a_unit_with_tasks_stays(county: Cast) -> None:
    handled_by_municipal(county)
    municipal = county.units["MUNICIPAL"]
    for code in ("S-handler", "S-handler2"):
        leaving.set_staff_active(county.admin, staff_id(code), False)
    for duty in Duty.objects.filter(unit_id=municipal):
        orgs.end_duty(county.admin, duty.pk)
    with pytest.raises(NotNow) as busy:
        leaving.set_unit_active(county.admin, municipal, False)
    assert (busy.value.key, busy.value.params) == ("orgs.unit_busy", {"tasks": 1})
    assert unit(SYSTEM, municipal).active
    empty = unit_ids_by_code(SYSTEM, ["EAST-V"])["EAST-V"]
    with pytest.raises(NotNow):
        leaving.set_unit_active(county.admin, empty, False)  # people and a duty still hang on it


def test_other_territory_is_not_theirs(county: Cast) -> None:
    with pytest.raises(Forbidden):
        leaving.set_staff_active(county.operator, staff_id("S-worker"), False)
    west = Viewer("west-admin", 99, grants=(Grant("admin", WEST, permissions=frozenset({"org.edit", "org.read"})),))
    for person in (staff_id("S-worker"), 10**9):
        with pytest.raises(Forbidden):
            close_accounts_of(west, person)
    assert viewer_for(user_id_of("worker") or 0).can("task.act")
