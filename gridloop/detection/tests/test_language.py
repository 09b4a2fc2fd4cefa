"""Whatever somebody writes gives detectors the engine takes, or faults that say where and how to mend it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gridloop.detection import rules, vocabulary
from gridloop.detection.engine import Engine
from gridloop.detection.language import (
    LanguageFault,
    definitions,
    detectors,
    house_severity,
    kind_number,
    utc_offset,
)
from gridloop.detection.rules import DAY, HOUR, Pick, described
from gridloop.detection.tests import documents
from gridloop.detection.tests.documents import CALENDAR, KINDS, junk, spoiled, written
from gridloop.detection.values import Fault
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.hashing import token_of
from gridloop.kernel.texts import all_texts

SCHEMA = Draft202012Validator({"$ref": "#/$defs/DetectFile", "$defs": vocabulary.schema_definitions()})
# what no schema can say: how parts of a document or of the catalogue fit together
BETWEEN = {
    *("no_kind", "units_differ", "unit", "no_unit", "no_schedule", "clear_up", "clear_down", "days_never", "bounds", "over_zero", "range"),
    *("always", "always_inside", "step", "too_deep", "too_many_parts", "too_long", "text", "zone", "kinds"),
}


def faults(document: Any) -> list[Fault]:
    try:
        found = detectors(document, KINDS, 1, calendar=CALENDAR)
    except LanguageFault as error:
        return error.faults or [Fault((), "detection.no_fault", {})]
    Engine(found)  # takes every detector that the language lets through
    return []


def check_said(document: Any) -> list[Fault]:
    """The faults, each with a sentence in both languages that leaves no hole."""
    found = faults(document)
    for fault in found:
        assert set(all_texts()[fault.key]) == {"zh", "en"}
        for lang in ("zh", "en"):
            template = all_texts()[fault.key][lang]
            template.format(**fault.params)  # KeyError: a hole
            assert fault.said(lang) == template.format(**fault.params)
    return found


@pytest.mark.parametrize("name", [*documents.LEAVES, "joined"])
@given(data=st.data())
@settings(max_examples=40)
def test_every_detector_can_be_written(name: str, data: st.DataObject) -> None:
    detector = data.draw(documents.detectors(documents.LEAVES.get(name, documents.conditions)))
    document = written(detector)
    found = detectors(document, KINDS, detector.version, calendar=CALENDAR)
    assert [described(one) for one in found] == [described(detector)]
    SCHEMA.validate(document)
    Engine(found)


@given(
    st.one_of(junk, st.fixed_dictionaries({"detectors": junk}), st.fixed_dictionaries({"detectors": st.fixed_dictionaries({"aa": junk})}))
)
@settings(max_examples=150)
def test_anything_at_all_is_told_off(document: Any) -> None:
    found = check_said(document)
    assert found
    assert all(fault.key in all_texts() for fault in found)


@given(spoiled())
@settings(max_examples=300)
def test_a_spoiled_document_is_told_off_or_right(document: Any) -> None:
    found = check_said(document)
    wrong_by_schema = next(SCHEMA.iter_errors(document), None)
    if not found:
        assert wrong_by_schema is None, wrong_by_schema
    elif wrong_by_schema is None:
        assert {fault.key.removeprefix("detection.") for fault in found} <= BETWEEN, document


NAMES = {"zh": "某", "en": "Some"}


def one(when: Any, **more: Any) -> Any:
    return {"detectors": {"it": {"title": NAMES, "severity": 2, "when": when, **more}}}


LEVEL = {"kind": "water_level", "at_least": 3.2}
WRONG = [
    (one({"threshold": {**LEVEL, "at_least": "320 cm"}}), "unit", ("when", "threshold", "at_least")),
    (one({"threshold": {"kind": "door_open", "at_least": "1 m"}}), "no_unit", ("when", "threshold", "at_least")),
    (one({"threshold": {**LEVEL, "clear": 3.3}}), "clear_up", ("when", "threshold", "clear")),
    (one({"threshold": {"kind": "water_level", "at_most": 1, "clear": 0.5}}), "clear_down", ("when", "threshold", "clear")),
    (one({"threshold": {**LEVEL, "at_most": 4}}), "one_of", ("when", "threshold")),
    (one({"threshold": {"kind": ["water_level", "gas_use"], "at_least": 3}}), "units_differ", ("when", "threshold", "at_least")),
    (one({"absence": {"kind": "any", "longer": "4wh"}}), "working_time", ("when", "absence", "longer")),
    (one({"absence": {"kind": "any", "longer": "one day"}}), "duration", ("when", "absence", "longer")),
    (one({"absence": {"kind": "any", "longer": "4000d"}}), "too_long", ("when", "absence", "longer")),
    (one({"absence": {"kind": "door_opne", "longer": "1d"}}), "no_kind", ("when", "absence", "kind")),
    (one({"absense": {"kind": "any", "longer": "1d"}}), "unknown_nearly", ("when", "absense")),
    (one({"threshold": {**LEVEL, "kind": "water_lvel"}}), "no_kind", ("when", "threshold", "kind")),
    (one({"absence": {"kind": "any"}}), "missing", ("when", "absence")),
    (one({"absence": {"kind": "any", "longer": "1d"}, "threshold": LEVEL}), "one_operator", ("when",)),
    (one({"not": {"threshold": LEVEL}}), "always", ("when",)),
    (
        one({"all": [{"threshold": LEVEL}, {"not": {"threshold": LEVEL}, "where": {"elder": True}}]}),
        "always_inside",
        ("when", "all", 1, "where"),
    ),
    (one({"threshold": LEVEL, "during": "nihgt"}), "no_schedule", ("when", "during")),
    (one({"threshold": LEVEL, "where": {"away_since": True}}), "fact_time", ("when", "where", "away_since")),
    (one({"threshold": LEVEL, "where": {"elder": "yes"}}), "fact_yes", ("when", "where", "elder")),
    (one({"threshold": LEVEL, "where": {"residents": {"at_least": 9, "at_most": 3}}}), "bounds", ("when", "where", "residents")),
    (one({"days": {"kind": "any", "least": 4, "of": 3}}), "days_never", ("when", "days", "least")),
    (one({"count": {"kind": "any", "least": 65, "within": "1h"}}), "range", ("when", "count", "least")),
    (one({"threshold": LEVEL}, steps=[{"severity": 2, "when": {"threshold": LEVEL}}]), "step", ("steps", 0, "severity")),
    (one({"threshold": LEVEL}, by="hose"), "word", ("by",)),
    (one({"rate": {"kind": "water_level", "rises": 0, "per": "1h"}}), "over_zero", ("when", "rate", "rises")),
]


@pytest.mark.parametrize(("document", "key", "path"), WRONG, ids=[f"{key}-{number}" for number, (_, key, _) in enumerate(WRONG)])
def test_a_mistake_is_told_where_it_stands(document: Any, key: str, path: tuple[Any, ...]) -> None:
    assert [(fault.key, fault.path) for fault in check_said(document)] == [(f"detection.{key}", ("detectors", "it", *path))]


def test_a_wrong_name_hides_no_other_mistake() -> None:
    part = one({"threshold": {**LEVEL, "at_least": "320 cm"}})["detectors"]["it"]
    assert [(fault.key, fault.path) for fault in check_said({"detectors": {"高水位": part}})] == [
        ("detection.id", ("detectors", "高水位")),
        ("detection.unit", ("detectors", "高水位", "when", "threshold", "at_least")),
    ]


def test_all_mistakes_are_told_at_once() -> None:
    document = one({"threshold": {**LEVEL, "at_least": "x"}, "hold": "soon", "during": "never"}, quiet=3)
    assert [fault.path[-1] for fault in faults(document)] == ["at_least", "hold", "during", "quiet"]


def test_nesting_and_size_have_a_limit() -> None:
    deep: Any = {"threshold": LEVEL}
    for _ in range(200):
        deep = {"all": [deep]}
    assert [fault.key for fault in check_said(one(deep))] == ["detection.too_deep"]
    wide = {"any": [{"any": [{"threshold": LEVEL}] * 16}] * 5}
    assert [fault.key for fault in check_said(one(wide))] == ["detection.too_many_parts"]


def test_a_figure_may_have_the_unit_of_its_kind() -> None:
    for level in (3.2, "3.2 m", "3.2m", "+3.20 m"):
        (found,) = detectors(one({"threshold": {"kind": "water_level", "at_least": level}}), KINDS, 7)
        assert (found.when, found.version) == (rules.Threshold(Pick((15,)), 3.2), 7)


@pytest.mark.parametrize("level", [float("inf"), float("nan"), 10**400, -1e13, 1e13])
def test_a_figure_beyond_all_measure_is_told(level: float) -> None:
    assert [fault.key for fault in check_said(one({"threshold": {**LEVEL, "at_least": level}}))] == ["detection.range"]


def test_zero_has_no_sign() -> None:
    (found,) = detectors(one({"threshold": {**LEVEL, "at_least": -0.0}}), KINDS, 1)
    assert str(found.when.limit) == "0.0"  # type: ignore[attr-defined]


def test_what_holds_at_first_may_be_held_inside_of_something() -> None:
    quiet = {"not": {"threshold": LEVEL}, "hold": "10m"}
    (found,) = detectors(one({"all": [{"absence": {"kind": "any", "longer": "1h"}}, quiet]}), KINDS, 1)
    assert isinstance(found.when.of[1], rules.Hold)  # type: ignore[attr-defined]
    Engine([found])


def test_severity_counts_the_other_way_in_the_engine() -> None:
    (found,) = detectors(one({"threshold": LEVEL}, steps=[{"severity": 1, "when": {"threshold": LEVEL}}]), KINDS, 1)
    assert (found.severity, found.steps[0].severity) == (3, 4)
    assert [house_severity(house_severity(n)) for n in range(1, 5)] == [1, 2, 3, 4]


def test_windows_and_days_begin_in_local_time() -> None:
    (weekly,) = detectors(one({"count": {"kind": "any", "least": 1, "within": "7d", "windows_from": "06:00"}}), KINDS, 1)
    monday = datetime(2026, 9, 7, 6, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert monday.weekday() == 0
    assert (int(monday.timestamp() * 1000) - weekly.when.offset) % (7 * DAY) == 0  # type: ignore[attr-defined]
    (days,) = detectors(one({"days": {"kind": "any", "least": 2, "of": 3, "from": "04:00"}}), KINDS, 1)
    assert (int(datetime(2026, 9, 7, 4, tzinfo=monday.tzinfo).timestamp() * 1000) + days.when.offset) % DAY == 0  # type: ignore[attr-defined]
    assert utc_offset(WorkingCalendar(tz="Asia/Kathmandu")) == 5.75 * HOUR
    assert utc_offset(WorkingCalendar(tz="Europe/Berlin")) == utc_offset(WorkingCalendar(tz="Africa/Lagos")) == HOUR
    assert utc_offset(WorkingCalendar(tz="Australia/Sydney")) == 10 * HOUR


def test_a_definition_is_all_but_its_title_and_foreign_schedules() -> None:
    document = {"schedules": {"night": [1], "day": [2]}, **one({"all": [{"threshold": {**LEVEL, "only": {"during": "night"}}}]})}
    same = {**document, "schedules": {"night": [1], "day": [3]}}
    other = {**document, "schedules": {"night": [4], "day": [2]}}
    assert definitions(document) == definitions(same) != definitions(other)
    same["detectors"]["it"]["title"] = "new"
    assert definitions(document) == definitions(same)


def test_numbers_of_names() -> None:
    assert token_of("") == 0
    assert len({token_of(f"zone {n}") for n in range(1000)}) == 1000
    assert all(0 < token_of(f"{n}") < 2**63 for n in range(1000))
    assert kind_number("smoke") == kind_number("smoke") != kind_number("rain")
