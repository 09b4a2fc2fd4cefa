"""Every detector has a sentence in both languages; all of its definition is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.rules import DAY, HOUR, MINUTE, Detector, Pick, described
from gridloop.detection.schedules import Schedule, Span
from gridloop.detection.sentences import Teller, number, sentences
from gridloop.detection.tests import documents
from gridloop.detection.tests.documents import CALENDAR, KINDS, ZONES
from gridloop.detection.vocabulary import ABOVE_ZERO
from gridloop.kernel.texts import all_texts

TELLERS = {lang: Teller(KINDS, lang, CALENDAR, ZONES) for lang in ("zh", "en")}
SIZES = {"天": DAY, "小时": HOUR, "分钟": MINUTE, "秒": 1_000, "毫秒": 1}
DURATIONS = ("longer", "within", "keep", "gap", "per", "quiet")
PLAIN = ("at_least", "at_most", "limit", "clear", "change", "least", "of", "times", "learn", "over", "rarity")
WORDS = {
    "by": ("town", "grid"),
    "since": ("away_since", "away_till"),
    "till": ("away_since", "away_till"),
    "direction": (rules.UP, rules.DOWN),
}
WORDS |= {"week": (rules.WEEKDAYS, rules.DAY_TYPES)}
SAID_OTHERWISE = ("is", "id", "version", "kinds", "severity", "spans", "calendar", "offset", "zones", "fact", "since", "till")


def numbers_of(part: Any) -> Iterator[tuple[str, Any]]:
    """Name and value of every figure of a definition."""
    if isinstance(part, list | tuple):
        for item in part:
            yield from numbers_of(item)
    elif is_dataclass(part) and not isinstance(part, Schedule | type):
        for field in fields(part):
            value = getattr(part, field.name)
            if not isinstance(value, int | float):
                yield from numbers_of(value)
            elif not isinstance(value, bool) and (not isinstance(part, rules.Where) or part.fact == "residents"):
                yield field.name, value


@pytest.mark.parametrize("name", [*documents.LEAVES, "joined"])
@given(data=st.data())
@settings(max_examples=25)
def test_a_sentence_without_a_hole_names_every_number(name: str, data: st.DataObject) -> None:
    detector = data.draw(documents.detectors(documents.LEAVES.get(name, documents.conditions)))
    for teller in TELLERS.values():
        told = teller.sentence(detector)
        assert not re.search(r"[{}#]|None|nan|detection\.|  ", told), told
        assert told[-1] in "。."
        for field, figure in numbers_of(detector):
            value = 0 if figure == ABOVE_ZERO else figure
            if field in DURATIONS and value:
                assert teller.duration(value) in told, (field, told)
            elif field in PLAIN and not isinstance(value, bool):
                assert re.search(rf"(?<![0-9.]){re.escape(number(value))}(?![0-9])", told), (field, told)
            else:
                assert field in SAID_OTHERWISE or not value, field


def changes(part: Any) -> Iterator[Any]:
    """The definition with one thing in it made different."""
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name in ("id", "version", "totals"):  # which meters stand for a use the catalogue says
            continue
        for other in _others(part, field.name, value):
            yield replace(part, **{field.name: other})


def _others(part: Any, name: str, value: Any) -> Iterator[Any]:
    if isinstance(value, rules.Condition):
        yield from (*changes(value), *_around(value))
    elif isinstance(value, Pick):
        yield from changes(value)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for number_, one in enumerate(value):
            yield from ((*value[:number_], other, *value[number_ + 1 :]) for other in changes(one))
    elif isinstance(value, Schedule):
        yield Schedule((Span(time(3), time(4)),), CALENDAR)
    elif isinstance(value, str):
        yield from (word for word in WORDS.get(name, ()) if word != value)
    elif name == "kinds":
        yield (11, 12) if value == (11,) else (11,)
    elif name == "zones":
        yield None if value else (next(iter(ZONES)),)
    elif name == "steps":
        return
    elif name != "offset" or not isinstance(part, rules.Count | rules.Distinct):
        yield from _other_figures(part, name, value)
    elif part.tumbling:
        yield (value + 1_000) % part.within


def _around(condition: rules.Condition) -> Iterator[rules.Condition]:
    yield from (rules.Not(condition), rules.Hold(condition, 77_000))
    if isinstance(condition, rules.All | rules.Any_):
        yield (rules.Any_ if isinstance(condition, rules.All) else rules.All)(condition.of)


def _other_figures(part: Any, name: str, value: Any) -> Iterator[Any]:
    if isinstance(part, rules.Where) and part.fact != "residents":
        return  # it is so, or it is not: the figures behind it are not told
    optional = name in ("clear", "at_least", "at_most", "gap")
    if isinstance(value, bool):
        yield not value
    elif value is not None:
        yield value + (1_000 if name in DURATIONS else MINUTE if name == "offset" else 1)
        yield from [None] if optional else []
    elif optional:
        yield 123_000


@given(documents.detectors())
@settings(max_examples=40)
def test_what_differs_is_told_differently(detector: Detector) -> None:
    for lang, teller in TELLERS.items():
        told = teller.sentence(detector)
        for other in changes(detector):
            if described(other) != described(detector) and other.severity <= 4 and all(1 <= s.severity <= 4 for s in other.steps):
                assert teller.sentence(other) != told, (lang, told, other)


@given(st.integers(1, 3_660 * DAY))
def test_a_duration_is_told_whole(length: int) -> None:
    told = TELLERS["zh"].duration(length)
    pieces = re.findall(r"([0-9]+) (天|小时|分钟|毫秒|秒)", told)
    assert sum(int(amount) * SIZES[unit] for amount, unit in pieces) == length
    assert " ".join(f"{amount} {unit}" for amount, unit in pieces) == told


def test_the_silent_home() -> None:
    kinds = ["door_open", "water_use", "gas_use", "electricity_use"]
    when = {
        "absence": {"kind": kinds, "longer": "24h"},
        "where": {"lives_alone": True},
        "unless": {"since": "away_since", "till": "away_till"},
    }
    steps = [{"severity": 1, "when": {"absence": {"kind": kinds, "longer": "36h"}}}]
    detector = {"title": {"zh": "久无动静", "en": "Silent"}, "by": "household", "severity": 2, "when": when, "steps": steps, "quiet": "12h"}
    assert sentences({"detectors": {"silent": detector}}, KINDS, "zh") == {
        "silent": "若户内 24 小时无开门、用水、用气、用电记录（仅限独居的）（自登记的外出时间至登记的返回时间除外），则报警，等级为加急。"
        "若 36 小时无开门、用水、用气、用电记录，升为紧急。报警后 12 小时内不再重复。"
    }
    assert sentences({"detectors": {"silent": detector}}, KINDS, "en")["silent"].startswith(
        "If in a household there is no door opening, water use, gas use or electricity use for 24 hours (only where somebody lives alone)"
    )


def test_zones_are_told_by_name() -> None:
    when = {"dwell": {"kind": "position", "longer": "10m", "zones": ["消防通道"]}}
    document = {"detectors": {"lane": {"title": {"zh": "占道", "en": "Lane"}, "severity": 3, "when": when}}}
    assert "在消防通道（同一区域内）停留满 10 分钟" in sentences(document, KINDS, "zh")["lane"]


def test_both_languages_of_every_phrase_have_the_same_blanks() -> None:
    blanks = re.compile(r"(?<!\{)\{([a-z_]+)\}(?!\})")
    for key, texts in all_texts().items():
        if key.startswith("detection."):
            assert sorted(set(blanks.findall(texts["zh"]))) == sorted(set(blanks.findall(texts["en"]))), key


SPANS = [
    (Span(time(0), time(0)), "每天 00:00–次日 00:00", "every day 00:00–00:00 of the next day"),
    (Span(time(22), time(6, 30)), "每天 22:00–次日 06:30", "every day 22:00–06:30 of the next day"),
    (Span(time(8), time(18), days="working"), "工作日 08:00–18:00", "on working days 08:00–18:00"),
    (Span(time(8), time(18, 0, 5), frozenset({5, 6})), "周六、周日 08:00–18:00:05", "on Saturday or Sunday 08:00–18:00:05"),
    (
        Span(time(8), time(9), frozenset(range(5)), "rest"),
        "周一至周五中的休息日 08:00–09:00",
        "on Monday to Friday if a day of rest 08:00–09:00",
    ),
    (Span(time(8), time(9), frozenset({0, 2, 4})), "周一、周三、周五 08:00–09:00", "on Monday, Wednesday or Friday 08:00–09:00"),
]


@pytest.mark.parametrize(("span", "zh", "en"), SPANS, ids=[en for *_, en in SPANS])
def test_a_schedule_is_told_as_people_say_it(span: Span, zh: str, en: str) -> None:
    schedule = Schedule((span,), CALENDAR)
    assert (TELLERS["zh"].schedule(schedule), TELLERS["en"].schedule(schedule)) == (zh, en)
