"""What is forgotten is as if it had never been read; everybody else's alarms stay what they were."""

from __future__ import annotations

import io
from dataclasses import replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import RAISED, Alarm
from gridloop.detection.rules import DAY, DEVICE, HOUR, Condition, Detector, Pick
from gridloop.detection.snapshots import Stored, packed
from gridloop.detection.tests.reference import Reading, World
from gridloop.detection.tests.streams import (
    END,
    LATENESS,
    WORLD,
    Arrival,
    arriving,
    busy,
    columns,
    detector,
    detectors,
    engine_for,
    streams,
)

GONE = {"place": (0, {0, 1}), DEVICE: (0, {0})}  # by grouping: the key that is forgotten, and its devices
NOBODY = World(WORLD.groups, WORLD.facts, {"device": {5: 7}, "place": {1: 4}})  # nobody waits for what was forgotten
Step = tuple[list[Reading], int]  # what comes at once, and the moment the log says has come


def steps(sent: list[Reading], seed: int) -> list[Step]:
    chance, out, latest = Random(seed), list[Step](), 0
    while sent:
        size = chance.randint(1, 9)
        latest = max(latest, *(one.time for one in sent[:size]))
        out.append((sent[:size], latest))
        sent = sent[size:]
    return out


def run(engine: Engine, told: list[Step]) -> list[Alarm]:
    out = []
    for readings, latest in told:
        out += engine.step(columns(readings)) if readings else []
        out += engine.tick(latest)
    return out


def without(told: list[Step], devices: set[int]) -> list[Step]:
    return [([one for one in readings if one.device not in devices], latest) for readings, latest in told]


@settings(max_examples=150, database=None)
@given(detectors, streams, st.integers(0, 2**16), st.booleans())
@example(detector(rules.All((rules.Count(Pick(), 1, 30), rules.Not(rules.Absence(Pick(), 9)))), "place", quiet=40), busy(1, 80), 3, False)
@example(detector(rules.All((rules.Count(Pick(), 2, 9), rules.Not(rules.Dwell(Pick(), 5))))), busy(2, 80), 4, True)
def test_it_is_as_if_never_read(rule: Detector, readings: list[Reading], seed: int, compiled: bool) -> None:
    key, devices = GONE[rule.by]
    whole = steps(arriving(readings, Arrival(seed)), seed)
    cut = Random(seed).randint(0, len(whole))
    one, never = engine_for([rule], WORLD, 1, compiled=compiled), engine_for([rule], NOBODY, 1, compiled=compiled)
    undisturbed = engine_for([rule], WORLD, 1, compiled=compiled)
    before = run(one, whole[:cut])
    run(never, without(whole[:cut], devices))
    one.forget(sorted(devices), {} if rule.by == DEVICE else {rule.by: [key]})
    assert key not in {alarm.key for alarm in one.active()}
    again = Engine([rule], LATENESS, 1, compiled=compiled)
    assert again.restore(one.snapshot()) == []
    rest, tail = whole[cut:], END + 60
    after = [*run(one, rest), *one.finish(tail)]
    assert [*run(again, rest), *again.finish(tail)] == after, "what is stored has forgotten as well"
    fresh = [*run(never, rest), *never.finish(tail)]
    assert [alarm for alarm in after if alarm.key == key] == [alarm for alarm in fresh if alarm.key == key]
    everything = [*run(undisturbed, whole), *undisturbed.finish(tail)]
    assert [a for a in [*before, *after] if a.key != key] == [a for a in everything if a.key != key]


def life(weeks: int, device: int) -> Readings:
    hours = [at for at in range(weeks * 7 * 24) if 7 <= at % 24 < 22]
    return Readings.of([at * HOUR + 60_000 for at in hours], [device] * len(hours), [0] * len(hours), [1.0] * len(hours))


@pytest.mark.parametrize(
    "when",
    [
        rules.Silence(Pick((0,)), 0.005, 5, 8, rules.DAY_TYPES, 0),
        rules.Routine(Pick((0,)), rules.COUNT, rules.DOWN, 3.0, 0.5, 3, 1, rules.DAY_TYPES, 0),
    ],
)
def test_a_routine_is_forgotten_and_learned_anew(when: Condition) -> None:
    engine = Engine([detector(when)], lateness=0)
    both = sorted(zip(*(column.tolist() for column in life(6, 0)), strict=True))
    twice = [replace_device(row, device) for row in both for device in (0, 1)]
    engine.step(Readings.of(*zip(*twice, strict=True)))
    engine.forget([0], {})
    quiet = engine.finish(6 * 7 * DAY + 2 * DAY)
    assert {alarm.key for alarm in quiet if alarm.what == RAISED} == {1}, "who was forgotten has no routine to leave"


def replace_device(row: tuple[float, ...], device: int) -> tuple[float, ...]:
    return (row[0], device, *row[2:])


def test_days_and_names_of_a_token_are_forgotten_and_those_of_others_stay() -> None:
    at_door, mine, other = 0, 7, 8
    days = detector(rules.Days(Pick(), 3, 5, 0), name="days")
    names = replace(detector(rules.Distinct(Pick(), 3, 4 * DAY)), id="names")
    seen = Readings.of([DAY, DAY + 1, 2 * DAY, 2 * DAY + 1], [at_door] * 4, [0] * 4, [1.0] * 4, [mine, other, mine, other])
    third = Readings.of([3 * DAY, 3 * DAY + 1], [at_door] * 2, [0] * 2, [1.0] * 2, [9, mine])
    told = {}
    for tokens in ([], [mine]):
        engine = Engine([days, names], lateness=0, grid=1)
        engine.step(seen)
        engine.tick(2 * DAY + 10)
        engine.forget([], {}, tokens)
        told[bool(tokens)] = [(a.detector, a.at) for a in [*engine.step(third), *engine.finish(3 * DAY + 5)] if a.what == RAISED]
    assert told == {False: [("names", 3 * DAY), ("days", 3 * DAY + 1)], True: [("names", 3 * DAY + 1)]}
    engine = Engine([days], lateness=0, grid=1)
    engine.step(seen)
    engine.tick(2 * DAY + 10)
    engine.forget([], {}, [mine])
    last = engine.step(Readings.of([3 * DAY], [at_door], [0], [1.0], [other]))
    assert [(a.detector, a.at) for a in [*last, *engine.finish(3 * DAY)]] == [("days", 3 * DAY)], "the other's days are still known"


def test_a_key_s_days_go_and_the_neighbour_s_stay() -> None:
    engine = Engine([detector(rules.Days(Pick(), 3, 5, 0))], lateness=0, grid=1)
    engine.step(Readings.of([DAY, DAY, 2 * DAY, 2 * DAY], [0, 1, 0, 1], [0] * 4, [1.0] * 4, [7] * 4))
    engine.tick(2 * DAY + 1)
    engine.forget([0], {})
    last = [*engine.step(Readings.of([3 * DAY, 3 * DAY], [0, 1], [0] * 2, [1.0] * 2, [7] * 2)), *engine.finish(3 * DAY)]
    assert [alarm.key for alarm in last] == [1]


@pytest.mark.parametrize("again", [False, True], ids=["as it was stored", "read again since"])
def test_days_a_program_before_this_one_stored_are_forgotten_too(again: bool) -> None:
    """It stored no key beside them: whose they are is known again once they are read, until then all of them go."""
    mine, other, rule = 7, 8, detector(rules.Days(Pick(), 3, 9, 0))
    first = Engine([rule], lateness=0, grid=1)
    first.step(Readings.of([DAY, DAY + 1], [0, 0], [0] * 2, [1.0] * 2, [mine, other]))
    first.tick(DAY + 2)
    arrays = Stored(io.BytesIO(first.snapshot()))
    engine = Engine([rule], lateness=0, grid=1)
    engine.restore(packed({name: arrays[name] for name in arrays if not name.endswith("/key")}))
    days = [2] * again + [3, 4]
    told = []
    for day in days:
        if day == 3:
            engine.forget([], {}, [mine])
        at = day * DAY
        told += engine.step(Readings.of([at, at + 1], [0, 0], [0] * 2, [1.0] * 2, [mine, other]))
        told += engine.tick(at + 2)
    assert [one.at for one in told if one.what == RAISED] == ([3 * DAY + 1] if again else []), "only the other has its third day"
