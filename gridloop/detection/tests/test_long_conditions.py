"""Operators that think in hours and days: distinct days, routine, schedules. The same equality with the reference, on streams of weeks."""

from __future__ import annotations

from datetime import time
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.engine import Engine
from gridloop.detection.rules import DAY, HOUR, MINUTE, Detector, Pick
from gridloop.detection.schedules import REST, WORKING, Schedule, Span
from gridloop.detection.tests.reference import Reading, World, alarms
from gridloop.detection.tests.streams import Arrival, columns, detector, found

START = 19_000 * DAY  # a Saturday in January 2022
SPAN = 23 * DAY
LATE = 3 * HOUR

NIGHTS = Schedule((Span(time(22), time(5, 30)),))
OFFICE = Schedule((Span(time(8, 30), time(12), days=WORKING), Span(time(0), time(0), frozenset({6}), days=REST)))
schedules = st.sampled_from([NIGHTS, OFFICE])
picks = st.builds(Pick, kinds=st.sampled_from([(), (0,), (1,)]), during=st.one_of(st.none(), schedules))
days = st.integers(1, 9).flatmap(
    lambda of: st.builds(rules.Days, picks, st.integers(1, min(of, 4)), st.just(of), st.sampled_from([0, 8 * HOUR]))
)
routines = st.builds(
    rules.Routine,
    picks,
    of=st.sampled_from([rules.COUNT, rules.SEEN, rules.SUM]),
    direction=st.sampled_from([rules.UP, rules.DOWN, rules.BOTH]),
    times=st.sampled_from([0.5, 1.5]),
    least=st.sampled_from([0.25, 1.0]),
    learn=st.integers(1, 2),
    over=st.sampled_from([1, 1, 3]),
    week=st.sampled_from([rules.WEEKDAYS, rules.DAY_TYPES]),
)
silences = st.builds(
    rules.Silence,
    picks,
    rarity=st.sampled_from([0.05, 0.3, 0.7]),
    learn=st.integers(1, 5),
    over=st.sampled_from([1, 3, 8, 24]),
    week=st.sampled_from([rules.WEEKDAYS, rules.DAY_TYPES]),
    offset=st.sampled_from([0, 8 * HOUR]),
)
gated = st.builds(rules.During, st.builds(rules.Absence, picks, st.integers(HOUR, 40 * HOUR)), schedules)
LONG: dict[str, st.SearchStrategy[Any]] = {"days": days, "routine": routines, "silence": silences, "during": gated}
WORLD = World(
    groups={"place": {0: 0, 1: 0}},
    facts={
        "alone": {0: 1.0},
        rules.HARMLESS: {1: 2.0},
        "away": {0: START + 3 * DAY, 1: START + DAY},
        "back": {0: START + 6 * DAY, 1: START + 9 * DAY + HOUR},
    },
    enrolled={"device": {1: START + 5 * HOUR, 2: START + DAY}},
)
hours = st.integers(1, 30).map(lambda n: n * HOUR)
SHORT: dict[str, st.SearchStrategy[Any]] = {
    "threshold": st.builds(rules.Threshold, picks, st.just(2.0), st.sampled_from([None, 0.5])),
    "rate": st.builds(rules.Rate, picks, st.just(1.0), hours),
    "absence": st.builds(rules.Absence, picks, hours),
    "count": st.builds(rules.Count, picks, st.integers(1, 4), hours, st.booleans(), st.just(8 * HOUR)),
    "distinct": st.builds(rules.Distinct, picks, st.integers(2, 3), hours, st.sampled_from([rules.TOKEN, rules.DEVICE])),
    "dwell": st.builds(rules.Dwell, picks, hours, st.sampled_from([None, (1, 2)]), st.none() | hours),
    "sequence": st.builds(rules.Sequence, picks, picks, hours, hours),
    "unanswered": st.builds(rules.Unanswered, picks, picks, hours),
}
LEARNED = {name: LONG[name] for name in ("days", "routine", "silence")}
leaves: dict[str, st.SearchStrategy[Any]] = {**SHORT, **LEARNED}


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What may stand around a condition that does not hold at first."""
    return st.one_of(
        inner,
        st.builds(rules.Hold, inner, hours),
        st.builds(rules.During, inner, schedules),
        st.builds(rules.Where, inner, st.just("alone"), st.just(1.0)),
        st.builds(rules.Unless, inner, st.just("away"), st.just("back")),
    )


def together(one: str) -> st.SearchStrategy[Detector]:
    """An operator and one that learns, in one detector: both, either, one without the other, or one as the step of the other."""
    pair = st.tuples(around(leaves[one]), around(st.one_of(*LEARNED.values()))).flatmap(lambda two: st.sampled_from([two, two[::-1]]))
    whens = st.one_of(
        pair.map(rules.All),
        pair.map(rules.Any_),
        pair.map(lambda two: rules.All((two[0], rules.Not(two[1])))),
        pair.map(lambda two: rules.Hold(rules.All((rules.Not(two[0]), two[1])), 2 * HOUR)),
    )
    joined = around(whens).map(lambda when: (when, ()))
    stepped = pair.map(lambda two: (two[0], (rules.Step(3, two[1]), rules.Step(2, rules.Not(two[1])))))
    return st.builds(
        lambda built, by, quiet: detector(built[0], by, built[1], quiet),
        joined | stepped,
        st.sampled_from(["device", "place"]),
        st.sampled_from([0, 0, 12 * HOUR, 3 * DAY]),
    )


def weeks(seed: int, size: int) -> list[Reading]:
    """Readings of two devices, most of them at their own hours."""
    chance = Random(seed)
    made: dict[tuple[int, int, int], Reading] = {}
    for number in range(size):
        day, device = chance.randrange(SPAN // DAY), chance.randint(0, 1)
        hour = chance.choice([1, 9, 9, 9, 14, 23])
        at = START + day * DAY + hour * HOUR + chance.choice([0, 1, 30 * MINUTE, chance.randrange(HOUR)])
        kind = chance.randint(0, 1)
        value = chance.choice([0.25, 1.0, 2.125, float("nan")])
        made[at, device, kind] = Reading(at, device, kind, value, chance.randint(0, 3), number)
    return list(made.values())


histories = st.builds(weeks, st.integers(0, 2**20), st.integers(40, 150))
arrivals = st.builds(
    Arrival,
    st.integers(0, 2**16),
    st.sampled_from([0.0, 0.2]),
    st.integers(5, 60),
    st.sampled_from([0.0, 0.3]),
    st.just(HOUR // 2),
    st.booleans(),
)


@pytest.mark.parametrize("name", LONG)
def test_engine_is_reference_over_weeks(name: str) -> None:
    raised = 0

    @settings(max_examples=12 if name in ("routine", "silence") else 30, database=None)
    @given(st.lists(LONG[name], min_size=2, max_size=2), st.sampled_from(["device", "place"]), histories, arrivals)
    def same(conditions: list[Any], by: str, readings: list[Reading], how: Arrival) -> None:
        nonlocal raised
        several = [detector(condition, by, name=f"d{number}") for number, condition in enumerate(conditions)]
        expected = alarms(several, readings, START + SPAN, WORLD)
        raised += len(expected)
        assert found(several, readings, how, WORLD, START + SPAN, LATE) == expected

    same()
    assert raised > 20


@pytest.mark.parametrize("one", leaves)
def test_every_operator_with_those_that_think_in_days(one: str) -> None:
    raised = 0

    @settings(max_examples=10, database=None)
    @given(together(one), histories, arrivals)
    def same(rule: Detector, readings: list[Reading], how: Arrival) -> None:
        nonlocal raised
        expected = alarms([rule], readings, START + SPAN, WORLD)
        raised += len(expected)
        assert found([rule], readings, how, WORLD, START + SPAN, LATE) == expected

    same()
    assert raised > 5


@pytest.mark.parametrize("compiled", [False, True])
def test_a_routine_that_has_settled(compiled: bool) -> None:
    """When all keys have seen every hour often, they are judged in a shorter way: it says the same."""
    chance, span = Random(4), 80 * DAY
    often = {1: 0.05, 9: 0.95, 10: 0.9, 14: 0.6, 20: 0.9, 23: 0.3}
    hours = [(day, hour) for day in range(80) for hour in often for _ in range(3) if chance.random() < often[hour] and day not in (70, 72)]
    readings = [
        Reading(START + day * DAY + hour * HOUR + chance.randrange(HOUR), device, 0, chance.choice([0.25, 1.0, 2.125]), 0, number)
        for number, (day, hour) in enumerate(hours)
        for device in (0, 1)
    ]
    several = [
        detector(rules.Routine(Pick(), of, direction, 1.5, 0.25, learn=1, week=week), name=f"{of}_{direction}_{week}")
        for of in (rules.COUNT, rules.SEEN, rules.SUM)
        for direction in (rules.UP, rules.DOWN, rules.BOTH)
        for week in (rules.WEEKDAYS, rules.DAY_TYPES)
    ]
    several += [detector(rules.Silence(Pick(), 0.02, learn=3, week=week), name=week) for week in (rules.WEEKDAYS, rules.DAY_TYPES)]
    expected = alarms(several, readings, START + span, World())
    assert {alarm.detector for alarm in expected if alarm.at > START + 65 * DAY} == {one.id for one in several}
    engine = Engine(several, LATE, compiled=compiled)
    assert engine.step(columns(sorted(readings))) + engine.finish(START + span) == expected


@pytest.mark.parametrize("compiled", [False, True])
def test_an_absurd_value_takes_no_part_in_a_sum(compiled: bool) -> None:
    rule = detector(rules.Routine(Pick(), rules.SUM, rules.BOTH, 1.5, 0.25, learn=1))
    readings = [r for r in weeks(5, 200) if r.device == 0 and r.value == r.value]
    absurd = [readings[40]._replace(value=value, id=9_000 + n) for n, value in enumerate((1e17, -1e17, 1e300, 2e9))]
    expected = alarms([rule], readings, START + SPAN, World())
    assert len(expected) > 10
    engine = Engine([rule], LATE, compiled=compiled)
    assert engine.step(columns(sorted(readings + absurd))) + engine.finish(START + SPAN) == expected


def test_a_routine_is_the_same_for_every_key() -> None:
    """Keys are worked out in blocks: those at their borders are no different."""
    own = [r._replace(device=0) for r in weeks(11, 200) if r.device == 0]
    rule = detector(rules.Routine(Pick(), times=0.5, least=0.25, learn=1, over=2))
    expected = alarms([rule], own, START + SPAN, World())
    engine = Engine([rule], LATE)
    keys = [0, 8191, 8192, 20_000]
    out = engine.step(columns(sorted(r._replace(device=key) for r in own for key in keys))) + engine.finish(START + SPAN)
    assert len(expected) > 10
    for key in keys:
        assert [alarm._replace(key=0) for alarm in out if alarm.key == key] == expected


@pytest.mark.parametrize("compiled", [False, True])
def test_a_night_away_is_not_missed_twice(compiled: bool) -> None:
    """Neither its evening nor its morning alone is rare. What has begun goes on through the hours in which nobody is ever awake."""
    awake = [(day, hour) for day in range(60) for hour in (7, 8, 9, 10, 18, 19, 20, 21, 22) if (day * 7 + hour * 3) % 5 < 3]
    away = [at for at in awake if not (50, 18) <= at < (51, 11)]

    def told(heard: list[tuple[int, int]], over: int, rarity: float) -> list[tuple[str, tuple[int, int]]]:
        engine = Engine([detector(rules.Silence(Pick(), rarity, over=over, offset=0))], LATE, compiled=compiled)
        readings = [Reading(START + day * DAY + hour * HOUR + MINUTE, 0, 0, 1.0, 0, day * 24 + hour) for day, hour in heard]
        out = engine.step(columns(readings)) + engine.finish(START + 60 * DAY)
        return [(alarm.what, divmod((alarm.at - START) // HOUR, 24)) for alarm in out]

    assert told(awake, 8, 0.02) == told(awake, 24, 0.005) == []
    assert told(away, 8, 0.005) == []
    assert told(away, 24, 0.005) == [("raised", (51, 8)), ("cleared", (51, 19))]
    assert told(away, 8, 0.02) == [("raised", (50, 23)), ("cleared", (51, 19))]
