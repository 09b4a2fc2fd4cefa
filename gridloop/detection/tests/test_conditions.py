"""Every operator, alone and put together, is what the reference says it is, however its readings arrive."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.rules import Detector, Pick
from gridloop.detection.tests.reference import Reading, alarms
from gridloop.detection.tests.streams import (
    END,
    JOINED,
    LEAVES,
    WORLD,
    Arrival,
    arrivals,
    busy,
    crowds,
    detector,
    detectors,
    found,
    streams,
)


@pytest.mark.parametrize("name", [*LEAVES, *JOINED])
def test_engine_is_reference(name: str) -> None:
    raised = 0

    @settings(max_examples=40, database=None)
    @given(st.lists((LEAVES | JOINED)[name], min_size=3, max_size=3), st.sampled_from(["device", "device", "place"]), crowds, arrivals)
    def same(conditions: list[Any], by: str, readings: list[Reading], how: Arrival) -> None:
        nonlocal raised
        asked = [detector(condition, by, name=f"d{number}") for number, condition in enumerate(conditions)]
        expected = alarms(asked, readings, END, WORLD)
        raised += len(expected)
        assert found(asked, readings, how) == expected

    same()
    assert raised > 20  # the streams do make it hold


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_step_brings_fewer_readings_of_a_key_than_are_counted(most: int) -> None:
    """It once ended the detectors: the eighth reading back was looked for before the first of the step."""
    rule = detector(rules.Count(Pick(), 8, 100))
    readings = [Reading(time, 0, 0, 1.0, 0, 0) for time in range(0, 30, 3)]
    raised = alarms([rule], readings, END, WORLD)
    assert [one.at for one in raised] == [21, 106]
    assert found([rule], readings, Arrival(1, most=most, grid=9)) == raised


@settings(max_examples=25, database=None)
@given(st.lists(LEAVES["distinct"], min_size=3, max_size=3), st.builds(busy, st.integers(0, 2**20), st.just(150), st.just(20)), arrivals)
def test_many_keys_at_once(conditions: list[Any], readings: list[Reading], how: Arrival) -> None:
    """Different names are looked up for all keys together while there are many, and then key by key."""
    asked = [detector(condition, name=f"d{number}") for number, condition in enumerate(conditions)]
    large = dataclasses.replace(how, most=150)
    assert found(asked, readings, large) == alarms(asked, readings, END, WORLD)


@settings(max_examples=150, database=None)
@given(detectors, st.one_of(streams, crowds), arrivals)
def test_any_conditions(rule: Detector, readings: list[Reading], how: Arrival) -> None:
    assert found([rule], readings, how) == alarms([rule], readings, END, WORLD)
