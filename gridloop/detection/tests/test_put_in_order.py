"""Readings that are late, from the future, sent again or all there is."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.columns import NEVER, Readings, stable_order
from gridloop.detection.engine import Engine
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import Detector, Pick
from gridloop.detection.tests.reference import Reading, World, alarms
from gridloop.detection.tests.streams import END, LATENESS, WORLD, columns, detectors, engine_for, streams

SILENT = Detector("silent", 1, rules.Absence(Pick(), 50))


def one(time: int, device: int = 0) -> Readings:
    return Readings.of([time], [device], [0])


@settings(max_examples=60, database=None)
@given(detectors, streams, st.integers(0, 2**16), st.integers(1, 9))
def test_who_is_late_does_not_depend_on_batches(rule: Detector, readings: list[Reading], seed: int, grid: int) -> None:
    """In an order far beyond the lateness: what is late is the same for any batches, and the rest raises what it raises alone."""
    Random(seed).shuffle(readings)
    latest, kept = -NEVER, []
    for reading in readings:
        latest = max(latest, reading.time)
        if reading.time >= latest - LATENESS:
            kept.append(reading)
    expected = alarms([rule], kept, END, WORLD)
    for size in (1, 3, 100):
        engine = engine_for([rule], WORLD, grid)
        out: list[Alarm] = []
        for start in range(0, len(readings), size):
            out += engine.step(columns(readings[start : start + size]))
        out += engine.finish(END)
        assert out == expected
        assert engine.passed.late == len(readings) - len(kept) == sum(engine.late_by.values())


def test_late_readings_are_told_by_device() -> None:
    engine = Engine([SILENT], lateness=10)
    engine.step(Readings.of([100, 95, 80, 70], [0, 1, 2, 2], [0, 0, 0, 0]))
    assert engine.passed.late == 2
    assert engine.late_by == {2: 2}


def test_a_clock_in_the_future_moves_nobody_else() -> None:
    """Three hours ahead: without the receipt everybody else would be late from then on."""
    engine = Engine([SILENT], lateness=10, ahead=20)
    sent = Readings.of([100, 100 + 3 * rules.HOUR, 101, 119], [0, 7, 0, 7], [0, 0, 0, 0])
    engine.step(sent, np.array([100, 101, 102, 103]))
    assert (engine.passed.ahead, engine.passed.late) == (1, 0)
    assert engine.late_by == {7: 1}
    assert engine.finish(160) == [Alarm(151, "silent", 1, 0, 151, 1, "raised")]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_clock_that_is_fast_within_bounds_waits_and_makes_nobody_late(compiled: bool) -> None:
    engine = Engine([Detector("any", 1, rules.Count(Pick(), 1, 5))], lateness=10, grid=1, ahead=20, compiled=compiled)
    engine.step(Readings.of([119, 91], [7, 0], [0, 0]), np.array([100, 101]))
    assert (engine.watermark, engine.passed.late) == (90, 0)
    assert [(a.key, a.at) for a in engine.finish() if a.what == "raised"] == [(0, 91), (7, 119)]


def test_sent_again_is_counted_once() -> None:
    engine = Engine([Detector("often", 1, rules.Count(Pick(), 2, 100))], lateness=10)
    twice = Readings.of([5, 5, 6, 6], [0, 0, 1, 1], [0, 0, 0, 0], id=[1, 1, 1, 2])
    engine.step(twice)
    assert [alarm.key for alarm in engine.finish()] == [1]
    assert engine.passed.again == 1


def test_sent_again_after_its_moment_is_late() -> None:
    engine = Engine([Detector("often", 1, rules.Count(Pick(), 2, 1000))], lateness=10, grid=1)
    assert engine.step(Readings.of([5, 40, 5], [0, 1, 0], [0, 0, 0])) == []
    assert engine.finish() == []
    assert (engine.passed.late, engine.passed.again) == (1, 0)


def test_silence_of_everything_is_noticed_by_the_clock() -> None:
    engine = Engine([SILENT], lateness=10, grid=1)
    assert engine.step(one(100)) == []
    assert engine.tick(160) == []  # up to 150 it is certain, that moment not yet
    assert engine.tick(161) == [Alarm(150, "silent", 1, 0, 150, 1, "raised")]


def test_end_of_file_is_not_end_of_time() -> None:
    engine = Engine([SILENT], lateness=10)
    engine.step(one(100))
    assert engine.finish() == []
    assert engine.finish(149) == []
    assert [alarm.at for alarm in engine.finish(150)] == [150]
    engine.step(one(120))
    assert engine.passed.late == 1  # that time was closed


def test_whole_buckets_wait_and_come_out_in_parts_at_the_end() -> None:
    engine = Engine([Detector("any", 1, rules.Count(Pick(), 1, 5))], lateness=0, grid=100)
    engine.step(Readings.of([130, 150, 170], [0, 1, 2], [0, 0, 0]))
    assert engine.watermark == 100
    assert [(a.key, a.at, a.what) for a in engine.finish(150)] == [(0, 130, "raised"), (0, 135, "cleared"), (1, 150, "raised")]
    assert [(a.key, a.at) for a in engine.finish(170)] == [(1, 155), (2, 170)]


@given(st.lists(st.integers(0, 2**43 - 1)), st.booleans())
@settings(max_examples=80, database=None)
def test_stable_order(numbers: list[int], beyond: bool) -> None:
    column = np.array([*numbers, 2**50] if beyond else numbers, np.int64)  # 2**50 does not fit the packed sort
    assert stable_order(column).tolist() == sorted(range(len(column)), key=lambda row: column[row])


@pytest.mark.parametrize(
    "columns_",
    [
        ([1, 2], [0], [0, 0]),
        ([-1], [0], [0]),
        ([2**42], [0], [0]),
        ([1], [-1], [0]),
        ([1], [2**40], [0]),
        ([1], [0], [-3]),
        ([[1]], [[0]], [[0]]),
    ],
)
def test_columns_that_are_none_are_refused(columns_: tuple[list[int], ...]) -> None:
    with pytest.raises(ValueError, match=r"needed|numbers from 0 up"):
        Readings.of(*columns_)


def test_the_same_moment_of_a_place_is_one_moment() -> None:
    """Two devices of a house at one moment, one over and one under the limit: the later device has the word, in any batches."""
    rule = Detector("hot", 1, rules.Threshold(Pick(), 1.0), "place")
    world = World(groups={"place": {0: 0, 1: 0}})
    readings = [Reading(10, 1, 0, 0.0, 0, 0), Reading(10, 0, 0, 5.0, 0, 0), Reading(12, 0, 0, 5.0, 0, 0)]
    for order in (readings, readings[::-1]):
        engine = engine_for([rule], world, 1)
        out = [alarm for reading in order for alarm in engine.step(columns([reading]))] + engine.finish(20)
        assert [(alarm.at, alarm.what) for alarm in out] == [(12, "raised")]
