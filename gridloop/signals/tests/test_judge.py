"""Precision with its interval, and thresholds that would have been right more often."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.rules import DAY, Detector, Pick
from gridloop.signals.holding import waits_for_silence
from gridloop.signals.judging import Limited, better_limit, of_form, threshold_of, wilson
from gridloop.signals.warming import memory_of


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(0, 0, 0, 0), (8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_the_interval_is_wilson_s(right: int, of: int, low: float, high: float) -> None:
    found = wilson(right, of)
    assert (found is None) if not of else found == (low, high)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_interval_holds_the_share(right: int, wrong: int) -> None:
    found = wilson(right, right + wrong)
    if found is not None:
        assert 0 <= found[0] <= round(right / (right + wrong), 4) <= found[1] <= 1


UP, DOWN = Limited(Pick(), 2.5, True), Limited(Pick(), 2.5, False)


def test_a_limit_lies_between_the_false_and_the_true() -> None:
    found = better_limit(UP, [3.4, 3.9], [2.6, 2.7])
    assert found is not None
    assert (found.limit, found.keeps, found.drops) == (3.0, 2, 2)
    low = better_limit(DOWN, [1.0], [2.2, 2.4])
    assert low is not None
    assert (1.0 <= low.limit < 2.2, low.keeps, low.drops) == (True, 1, 2)


def test_without_a_true_one_it_lies_just_beyond_the_false() -> None:
    found = better_limit(UP, [], [2.6, 2.7])
    assert found is not None
    assert 2.7 < found.limit < 3.01


def test_there_is_none_when_the_true_are_no_higher_than_the_false() -> None:
    assert better_limit(UP, [2.6], [2.7, 3.0, 3.6]) is None
    assert better_limit(UP, [2.6], []) is None
    assert better_limit(UP, [], []) is None


@given(st.lists(st.floats(2.5, 100), max_size=8), st.lists(st.floats(2.5, 100), max_size=8), st.booleans())
def test_what_it_promises_is_so(true: list[float], false: list[float], up: bool) -> None:
    sign = 1 if up else -1
    now = Limited(Pick(), sign * 2.5, up)
    found = better_limit(now, [sign * v for v in true], [sign * v for v in false])
    if found is None:
        return
    assert math.isfinite(found.limit)
    assert all(v >= sign * found.limit for v in true)
    assert found.drops == sum(v < sign * found.limit for v in false)
    assert 2 * found.drops >= len(false)
    assert sign * found.limit > 2.5


def test_a_form_tells_it_in_its_words() -> None:
    assert of_form({"alarm": "false", "alarm_reason": "test"}) == ("false", "test")
    assert of_form({"alarm": "false", "alarm_reason": "who knows"}) == ("false", "other")
    assert of_form({"outcome": "needs_help"}) == ("true", "")
    assert of_form({"outcome": "away"}) == ("false", "known")
    assert of_form({"outcome": "41", "note": "false"}) is None
    assert of_form({}) is None


def test_what_a_visit_finds_is_understood() -> None:
    """Each answer of the form the shipped process asks a visitor to fill in."""
    diagram = ElementTree.parse(Path(__file__).parents[3] / "processes" / "welfare_check.bpmn")
    forms = [json.loads(one.text or "") for one in diagram.iter() if one.tag.endswith("}form")]
    visit = next(form for form in forms if "how" in form["properties"])
    answers = {one["const"] for one in visit["properties"]["result"]["oneOf"]}
    assert {answer: of_form({"result": answer, "how": "seen"}) for answer in answers} == {
        "safe": ("false", "normal"),
        "away": ("false", "known"),
        "needs_help": ("true", ""),
    }


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_limit_is_not_moved_past_another_of_the_same_detector(sign: float) -> None:
    """From there on an alarm would come all the same."""
    now = Limited(Pick(), sign * 2.5, sign > 0, sign * 4.0)
    few = [sign * value for value in (2.6, 2.8, 4.5)]
    better = better_limit(now, [], few)
    assert better is not None
    assert (2.8 < sign * better.limit <= 4.0, better.drops) == (True, 2)
    assert better_limit(now, [], [sign * value for value in (2.6, 4.2, 4.5)]) is None, "most would come again"


def test_one_threshold_is_found_wherever_it_stands() -> None:
    one = rules.Threshold(Pick((7,)), 2.5, 2.3)
    assert threshold_of(Detector("a", 1, rules.Hold(rules.Where(one, "key_place", 1), 60_000))) == Limited(Pick((7,)), 2.5, True)
    assert threshold_of(Detector("a", 1, rules.All((one, rules.Threshold(Pick((8,)), 1.0))))) is None
    assert threshold_of(Detector("a", 1, rules.Absence(Pick((7,)), DAY))) is None
    sooner = rules.Any_((rules.Threshold(Pick((7,)), 4.0), rules.Hold(one, 60_000)))
    assert threshold_of(Detector("a", 1, sooner)) == Limited(Pick((7,)), 2.5, True, 4.0), "the one that is reached first"
    between = rules.All((one, rules.Not(rules.Threshold(Pick((7,)), 4.0))))
    assert threshold_of(Detector("a", 1, between)) is None


def test_who_learns_what_is_usual_reads_weeks_of_history_and_is_hushed_with_its_village() -> None:
    """A silence that is unusual was learned from the hours before: without them it would say nothing for a week after every change."""
    usual = rules.Silence(Pick((7,)))
    assert min(memory_of(Detector("a", 1, usual)), memory_of(Detector("b", 1, rules.Routine(Pick((7,)))))) >= 60 * DAY
    assert waits_for_silence(Detector("a", 1, usual))
