"""How a case ended says what its alarm was: by why it was closed, not by its being closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gridloop.cases import actions as cases
from gridloop.cases.models import Case
from gridloop.cases.tests.kit import Cast
from gridloop.flow.selectors import tasks_of
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal
from gridloop.signals import handlers, outcomes, selectors
from gridloop.signals.log import PostgresLog

AT = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def say(log: PostgresLog, kind: str, value: float, at: datetime) -> str:
    """A signal of the camera, told to the scenes; the newest case."""
    with clock.fixed(at):
        log.append([Signal(f"{kind}{at}", "test", "cam-1", kind, at, value)])
        while handlers.run_effects():
            pass
        outcomes.run_outcomes()
    with scoped(SYSTEM):
        return str(Case.objects.order_by("-id")[0].code)


def verify(county: Cast, code: str, verb: str, at: datetime) -> None:
    with clock.fixed(at):
        with scoped(SYSTEM):
            task = next(one for one in tasks_of(code) if one.stage == "verify")
        cases.act(county.worker, str(task.id), verb, {"note": "到场看过"})
        outcomes.run_outcomes()


def outcome(code: str) -> tuple[str, str]:
    outcomes.run_outcomes()
    (one,) = selectors.witnesses(SYSTEM, code)
    return one.outcome, one.reason


def test_closed_as_a_false_alarm_it_was_none(county: Cast, log: PostgresLog) -> None:
    code = say(log, "smoke", 1.0, AT)
    verify(county, code, "reject", AT + timedelta(minutes=1))
    with scoped(SYSTEM):
        assert Case.objects.get(code=code).status == "closed"
    assert outcome(code) == ("false", "found_untrue")


@pytest.mark.parametrize(("looked", "found"), [(False, ("unclear", "")), (True, ("true", ""))])
def test_of_what_went_by_itself_only_who_looked_knows(county: Cast, log: PostgresLog, looked: bool, found: Any) -> None:
    code = say(log, "ebike_detected", 1.0, AT)
    if looked:
        verify(county, code, "approve", AT + timedelta(minutes=1))
        assert outcome(code) == ("true", "")
    say(log, "ebike_detected", 0.0, AT + timedelta(minutes=2))
    with scoped(SYSTEM):
        ended = Case.objects.get(code=code).status == "closed"
    assert ended is not looked, "whoever has looked goes on with it"
    assert outcome(code) == found
