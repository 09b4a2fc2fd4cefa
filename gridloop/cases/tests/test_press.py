"""A signal that is more urgent raises a case; answers to a task's form are checked, and its choices steer the process."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from gridloop.cases.forms import form_fault, in_words, steering
from gridloop.cases.machine import Machine
from gridloop.cases.rules import NewCase
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.scenes.loading import load_all
from gridloop.scenes.stories.memory import World

NOW = datetime(2026, 9, 1, 1, 0, tzinfo=UTC)
FORM: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["result"],
    "properties": {
        "result": {"title": "结果", "oneOf": [{"const": "safe", "title": "平安"}, {"const": "away", "title": "外出"}]},
        "words": {"title": "情况", "type": "string"},
        "case": {"title": "案", "enum": ["x"]},
        "day": {"title": "日期", "x-title-en": "Day", "type": "string", "format": "date"},
        "next": {"title": "下次上门", "x-title-en": "Next visit", "type": "string", "format": "date-time"},
    },
}


def opened(severity: int) -> tuple[World, Any]:
    world = World(load_all(), NOW)
    loaded = next(one for one in world.packs if one.name == "water_level")
    proposal = {"type": "25001", "unit": 10, "severity": severity, "told": severity}
    new = NewCase("9901012609010000001", "25001", "水位", severity, "990101100001001", "alarm", proposal=proposal)
    return world, world._open(loaded, new, SYSTEM)


def press(world: World, case: Any, severity: int) -> None:
    world.push(case, SYSTEM, lambda machine: machine.press(severity))


def raised(case: Any) -> list[tuple[int, int]]:
    return [(one.data["from"], one.data["severity"]) for one in case.trace if one.action == "severity_raised"]


def test_only_what_is_more_urgent_than_any_before_counts() -> None:
    world, case = opened(3)
    for severity in (4, 3, 2, 2, 3, 1):
        press(world, case, severity)
    assert raised(case) == [(3, 2), (2, 1)]
    assert (case.situation.case.severity, case.situation.case.proposal["severity"]) == (1, 1)


def test_a_desk_that_has_lowered_it_is_not_overruled_by_a_repetition() -> None:
    world, case = opened(2)

    def lower(machine: Machine) -> None:
        machine.case.severity = 4

    world.push(case, SYSTEM, lower)
    press(world, case, 2)
    assert (case.situation.case.severity, raised(case)) == (4, [])
    press(world, case, 1)
    assert (case.situation.case.severity, raised(case)) == (1, [(4, 1)])


@pytest.mark.parametrize(
    ("answers", "pointer", "key"),
    [
        ({}, "/form/result", "cases.form_missing"),
        ({"result": "gone"}, "/form/result", "cases.form_wrong"),
        ({"result": "safe", "more": 1}, "/form", "cases.form_other"),
        *(
            ({"result": "safe", "day": said}, "/form/day", "cases.form_date")
            for said in ("", "明天", "2026-02-30", "20261130", "2026-11-30T08:30:00Z", "２０２６-11-30")
        ),
        *(
            ({"result": "safe", "next": said}, "/form/next", "cases.form_moment")
            for said in ("", "2026-11-30", "2026-11-30T08:30", "2026-11-30T25:00:00+08:00", "2026-11-30 08:30:00+08:00")
        ),
        ({"result": "safe", "day": 20261130}, "/form/day", "cases.form_wrong"),
    ],
)
def test_wrong_answers_are_named(answers: dict[str, Any], pointer: str, key: str) -> None:
    fault = form_fault(FORM, answers)
    assert fault is not None
    assert (fault.pointer, fault.key) == (pointer, key)
    assert not re.search("[a-z]{4}", said := say(fault.key, "zh", **fault.params).replace("more", "")), said
    if pointer in ("/form/day", "/form/next"):
        assert not re.search("[\u4e00-\u9fff]", said := say(fault.key, "en", **fault.params)), said
    assert form_fault(FORM, {"result": "safe", "words": "在院里", "day": "2028-02-29", "next": "2026-11-30T08:30:00+08:00"}) is None
    assert form_fault(None, {"any": 1}) is None


def test_answers_are_told_in_the_words_of_the_form() -> None:
    form = {
        "required": ["result"],
        "properties": {
            "again": {"type": "boolean", "title": "再来", "x-title-en": "Once more"},
            "household": {"title": "户号", "x-from": "household"},
            "next": {"format": "date-time", "title": "下次", "x-title-en": "Next"},
            "result": {"title": "结果", "x-title-en": "Result", "oneOf": [{"const": "safe", "title": "平安", "x-title-en": "Safe"}]},
        },
    }
    answers = {"again": True, "household": "H1", "next": "2026-12-05T09:30:00+08:00", "result": "safe", "words": ""}
    assert in_words(form, answers, "zh") == "结果：平安\n再来：是\n下次：2026-12-05 09:30"
    assert in_words(form, answers, "en") == "Result: Safe\nOnce more: Yes\nNext: 2026-12-05 09:30"
    assert in_words(None, {"seen": 3}, "zh") == "seen：3"  # a form of long ago


def test_choices_steer_and_words_do_not() -> None:
    assert steering(FORM, {"result": "safe", "words": "在院里", "case": "x"}) == {"result": "safe"}
    assert steering(None, {"result": "safe"}) == {}
