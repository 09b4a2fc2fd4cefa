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
from gridloop.notices.tests.test_deliver import deliveries, parked, work
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
