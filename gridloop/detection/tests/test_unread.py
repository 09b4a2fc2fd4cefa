"""What begins or ends because nothing more was read: every operator says so of itself, and does just that."""

from __future__ import annotations

import pytest

from gridloop.detection import rules
from gridloop.detection.engine import built
from gridloop.detection.rules import DAY, HOUR, Condition, Detector, Pick
from gridloop.detection.tests.reference import World, alarms
from gridloop.detection.tests.streams import END, busy
from gridloop.detection.tests.test_long_conditions import SPAN, START, weeks

ANY, A, B = Pick(), Pick((0,)), Pick((1,))
SHORT: list[Condition] = [
    rules.Threshold(A, 2.0, 1.0),
    rules.Rate(A, 1.0, 10),
    rules.Absence(A, 9),
    rules.Count(ANY, 2, 9),
    rules.Count(ANY, 2, 15, tumbling=True),
    rules.Distinct(ANY, 2, 15),
    rules.Dwell(ANY, 9),
    rules.Sequence(A, B, 20, 5),
    rules.Unanswered(A, B, 9),
]
LONG: list[Condition] = [
    rules.Days(ANY, 2, 4),
    rules.Silence(ANY, 0.3, learn=2),
    *(rules.Routine(ANY, direction=way, times=0.5, learn=1) for way in (rules.UP, rules.DOWN, rules.BOTH)),
]


def operators() -> set[type[Condition]]:
    return {one for one in vars(rules).values() if isinstance(one, type) and issubclass(one, Condition) and one is not Condition}


def test_every_operator_is_looked_at() -> None:
    around = {rules.Hold, rules.During, rules.Where, rules.Unless, rules.All, rules.Any_, rules.Not}
    assert {type(one) for one in SHORT + LONG} == operators() - around
    for one in around:
        assert "of" in one.__annotations__, "what is around others is asked for them"


@pytest.mark.parametrize("condition", SHORT + LONG, ids=repr)
def test_what_it_says_of_itself_is_what_it_does(condition: Condition) -> None:
    """Long after the last reading, of which hours know at their end."""
    turned = set()
    for seed in range(6):
        readings = busy(seed, 60) if condition in SHORT else weeks(seed, 120)
        end, past = (END + 100, 0) if condition in SHORT else (START + SPAN + 9 * DAY, HOUR)
        last = max(one.time for one in readings) + past
        turned |= {one.what for one in alarms([Detector("d", 1, condition)], readings, end, World()) if one.at > last}
    assert ("raised" in turned, "cleared" in turned) == (rules.unread(condition), rules.unread(condition, begins=False))


@pytest.mark.parametrize(
    ("condition", "begins"),
    [
        (rules.All((rules.Threshold(A, 1.0), rules.Not(rules.Count(B, 1, HOUR)))), True),
        (rules.All((rules.Threshold(A, 1.0), rules.Not(rules.Threshold(B, 1.0)))), False),
        (rules.Not(rules.Absence(A, HOUR)), False),
        (rules.Not(rules.Not(rules.Absence(A, HOUR))), True),
        (rules.Hold(rules.Threshold(A, 1.0), HOUR), False),
        (rules.Any_((rules.Count(A, 1, HOUR), rules.Where(rules.Silence(A), "alone"))), True),
        (rules.Not(rules.Hold(rules.Count(A, 1, HOUR), 5)), True),
    ],
)
def test_put_together(condition: Condition, begins: bool) -> None:
    assert built(condition)
    assert rules.unread(condition) is begins


def test_what_learns_remembers_for_as_long_as_it_learns() -> None:
    assert rules.Silence(A).memory == rules.Routine(A).memory - HOUR == 70 * DAY
    assert rules.Routine(A, learn=52).memory > 52 * 7 * DAY
    assert rules.Silence(A, learn=52).memory > 26 * 7 * DAY
    assert rules.Days(A, 2, 9).memory == 9 * DAY
    assert rules.Dwell(A, 5, gap=7).memory == 12
    for one in SHORT + LONG:
        assert one.memory > 0 or isinstance(one, rules.Threshold)


HAPPENED = rules.Sequence(A, B, 20)
LASTS = rules.Threshold(A, 1.0)


@pytest.mark.parametrize(
    ("condition", "is_so"),
    [
        (HAPPENED, True),
        (LASTS, False),
        (rules.Not(HAPPENED), False),
        (rules.All((HAPPENED, LASTS)), True),
        (rules.Any_((HAPPENED, LASTS)), False),
        (rules.Any_((HAPPENED, HAPPENED)), True),
        (rules.Where(HAPPENED, "lives_alone", 1.0), True),
    ],
)
def test_what_tells_of_something_that_happened(condition: rules.Condition, is_so: bool) -> None:
    assert rules.happens(condition) is is_so
