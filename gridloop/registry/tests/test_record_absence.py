"""Households tell when nobody is at home: who may note it, who sees it, and what detectors make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gridloop.journal.frame import scoped
from gridloop.journal.selectors import facts_called
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.tests import cast as county
from gridloop.registry import selectors
from gridloop.registry.actions import end_absence, erase_person, forget_absences, record_absence
from gridloop.registry.models import Absence
from gridloop.registry.rules import next_absence
from gridloop.registry.tests import cast

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


GRID, ELSEWHERE = county.GRID, county.GRID_3
WORKER = cast.viewer(GRID, "people.absence", "people.read")


@pytest.fixture(autouse=True)
def homes(db: None) -> None:
    cast.settle()


def known(at: datetime) -> tuple[float | None, float | None]:
    facts = selectors.key_facts(SYSTEM, "household", at)["F1"]
    return facts.get("away_since"), facts.get("away_till")


def ms(at: datetime) -> float:
    return at.timestamp() * 1000


def test_detectors_know_of_it_until_it_is_over() -> None:
    with clock.fixed(NOW):
        record_absence(WORKER, "F1", NOW + HOUR, NOW + 3 * DAY)
        told = record_absence(WORKER, "F1", NOW + 2 * DAY, NOW + 5 * DAY)
        record_absence(WORKER, "F1", NOW + 20 * DAY, NOW + 21 * DAY)
        assert [one.till for one in selectors.absences(WORKER, "F1")] == [NOW + 3 * DAY, NOW + 5 * DAY, NOW + 21 * DAY]
    assert known(NOW) == (ms(NOW + HOUR), ms(NOW + 5 * DAY)), "times that meet are one"
    assert known(NOW + 6 * DAY) == (ms(NOW + 20 * DAY), ms(NOW + 21 * DAY))
    assert known(NOW + 30 * DAY) == (None, None)
    with clock.fixed(NOW + HOUR):
        end_absence(WORKER, "F1", told.id)
    assert known(NOW + 2 * HOUR) == (ms(NOW + HOUR), ms(NOW + 3 * DAY))


def test_only_who_answers_for_the_home_may_note_or_see_it() -> None:
    with clock.fixed(NOW):
        for nobody in (cast.viewer(ELSEWHERE, "people.absence"), cast.viewer(county.GRID_2, "people.absence")):
            with pytest.raises(NotFound):
                record_absence(nobody, "F1", NOW, NOW + DAY)
            with pytest.raises(NotFound):
                selectors.absences(nobody, "F1")
        with pytest.raises(Forbidden):
            record_absence(cast.viewer(GRID, "people.read"), "F1", NOW, NOW + DAY)
        told = record_absence(WORKER, "F1", NOW, NOW + DAY)
        with pytest.raises(NotFound):
            end_absence(cast.viewer(ELSEWHERE, "people.absence"), "F1", told.id)
        with scoped(cast.viewer(ELSEWHERE, "people.absence")):
            assert Absence.objects.count() == 0, "row security, whatever a query forgets"
        with scoped(WORKER):
            assert Absence.objects.count() == 1


@pytest.mark.parametrize(
    ("since", "till", "key"),
    [
        (NOW + DAY, NOW + HOUR, "registry.absence_order"),
        (NOW - 2 * DAY, NOW - DAY, "registry.absence_over"),
        (NOW, NOW + 400 * DAY, "registry.absence_long"),
    ],
)
def test_times_that_help_nobody_are_refused(since: datetime, till: datetime, key: str) -> None:
    with clock.fixed(NOW), pytest.raises(Invalid) as refused:
        record_absence(WORKER, "F1", since, till)
    assert (refused.value.key, refused.value.errors[0].pointer) == (key, "/till")


def test_the_trace_says_that_not_when_and_it_goes_with_the_person_and_in_time() -> None:
    with clock.fixed(NOW):
        told = record_absence(WORKER, "F1", NOW, NOW + DAY)
        record_absence(WORKER, "F1", NOW + 9 * DAY, NOW + 99 * DAY)
    (fact,) = [f for f in facts_called(SYSTEM, "org", ["absence_recorded"]) if f.data.get("absence") == told.id]
    assert set(fact.data) == {"absence", "household"}
    with clock.fixed(NOW + 40 * DAY):
        assert forget_absences() == 1
    erase_person(SYSTEM, "P1", "request")
    with scoped(SYSTEM):
        assert Absence.objects.count() == 0


def test_the_next_absence_of_none_is_none() -> None:
    assert next_absence([], NOW) is None
    assert next_absence([(NOW - DAY, NOW)], NOW) is None
