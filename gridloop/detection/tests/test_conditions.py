"""Every operator, alone and put together, is what the reference says it is, however its readings arrive."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection.rules import Detector
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

    @settings(max_examples=40, deadline=None, database=None)
    @given(st.lists((LEAVES | JOINED)[name], min_size=3, max_size=3), st.sampled_from(["device", "device", "place"]), crowds, arrivals)
    def same(conditions: list[Any], by: str, readings: list[Reading], how: Arrival) -> None:
        nonlocal raised
        rules = [detector(condition, by, name=f"d{number}") for number, condition in enumerate(conditions)]
        expected = alarms(rules, readings, END, WORLD)
        raised += len(expected)
        assert found(rules, readings, how) == expected

    same()
    assert raised > 20  # the streams do make it hold


@settings(max_examples=25, deadline=None, database=None)
@given(st.lists(LEAVES["distinct"], min_size=3, max_size=3), st.builds(busy, st.integers(0, 2**20), st.just(150), st.just(20)), arrivals)
def test_many_keys_at_once(conditions: list[Any], readings: list[Reading], how: Arrival) -> None:
    """Different names are looked up for all keys together while there are many, and then key by key."""
    rules = [detector(condition, name=f"d{number}") for number, condition in enumerate(conditions)]
    large = dataclasses.replace(how, most=150)
    assert found(rules, readings, large) == alarms(rules, readings, END, WORLD)


@settings(max_examples=150, deadline=None, database=None)
@given(detectors, st.one_of(streams, crowds), arrivals)
def test_any_conditions(rule: Detector, readings: list[Reading], how: Arrival) -> None:
    assert found([rule], readings, how) == alarms([rule], readings, END, WORLD)
