"""Nobody's words are kept for ever: every sealed value of a case falls to the retention of its purpose."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases import actions
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import handled, new_report
from gridloop.journal.actions import erase_due, scoped
from gridloop.journal.models import Sealed
from gridloop.journal.rules import RETENTION
from gridloop.journal.selectors import unseal, verify
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM

pytestmark = pytest.mark.django_db


def sealed() -> list[Sealed]:
    with scoped(SYSTEM):
        return list(Sealed.objects.order_by("pk"))


def test_the_first_reporter_and_all_words_of_a_case_are_erased_when_their_time_is_over(cast: Cast) -> None:
    code = actions.report(PUBLIC, new_report()).case
    assert actions.report(PUBLIC, new_report("同一盏灯")).case == code, "a second reporter joins"
    handled(cast, code)
    rows = sealed()
    assert {"reporter", "case_text", "case_note"} <= {row.purpose for row in rows}
    for row in rows:
        assert row.retain_until - row.created_at == timedelta(days=RETENTION[row.purpose].days), row.purpose
    with clock.fixed(clock.now() + timedelta(days=3 * 365 - 1)):
        erase_due()
    assert all(unseal(SYSTEM, [str(row.pk) for row in rows if row.purpose != "notice"]).values())
    with clock.fixed(clock.now() + timedelta(days=3 * 365 + 1)):
        erase_due()
    assert {(row.value, row.erased_rule) for row in sealed()} == {(None, "retention")}
    assert verify(SYSTEM)[1] is None
