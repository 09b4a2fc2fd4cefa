"""What the house tells whatever a pack says."""

from __future__ import annotations

from datetime import timedelta

from gridloop.cases import actions as cases
from gridloop.cases import directory
from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices.tests.conftest import Book
from gridloop.notices.tests.test_deliver import deliveries, parked, report, work
from gridloop.orgs.models import Duty


def told(template: str) -> set[tuple[str, str]]:
    return {(d.audience, d.recipient) for d in deliveries() if d.template == template}


def test_the_desk_is_told_of_work_nobody_is_competent_for(county: Cast, outbox: Book) -> None:
    parked()
    with scoped(SYSTEM):
        Duty.objects.filter(kind="handle").delete()
    directory.forget()
    with clock.fixed(clock.now() + timedelta(minutes=6)):
        cases.fire_due()
        work()
    assert ("desk", f"staff:{county.operator.staff_id}") in told("nobody_competent")


def test_those_who_hold_a_case_are_told_that_it_is_supervised(county: Cast, outbox: Book) -> None:
    code = report().case
    cases.accept(county.operator, code, {})
    cases.supervise(county.supervisor, code, {"note": "今日办结"})
    work()
    staff = {recipient for audience, recipient in told("supervised") if audience == "holders"}
    assert f"staff:{county.handler.staff_id}" in staff
    assert f"staff:{county.operator.staff_id}" not in staff
