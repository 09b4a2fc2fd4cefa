"""Every operator, alone and put together, is what the reference says it is, however its readings arrive."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection.rules import Detector
from gridloop.detection.tests.reference import Reading, alarms
from gridloop.detection.tests.streams import END, LEAVES, WORLD, Arrival, arrivals, detector, detectors, found, streams


@pytest.mark.parametrize("name", LEAVES)
def test_engine_is_reference(name: str) -> None:
    raised = 0

    @settings(max_examples=150, deadline=None, database=None)
    @given(LEAVES[name], st.sampled_from(["device", "place"]), streams, arrivals)
    def same(condition: Any, by: str, readings: list[Reading], how: Arrival) -> None:
        nonlocal raised
        rules = [detector(condition, by)]
        expected = alarms(rules, readings, END, WORLD)
        raised += len(expected)
        assert found(rules, readings, how) == expected

    same()
    assert raised > 5  # the streams do make it hold


@settings(max_examples=300, deadline=None, database=None)
@given(detectors, streams, arrivals)
def test_joined_conditions(rule: Detector, readings: list[Reading], how: Arrival) -> None:
    assert found([rule], readings, how) == alarms([rule], readings, END, WORLD)
