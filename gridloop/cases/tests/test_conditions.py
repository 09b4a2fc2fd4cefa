"""Conditions that are counted by: they mean what CEL means by them, in the program and in the database; the rest is refused."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from gridloop.cases import conditions
from gridloop.cases.conditions import NAMES, NUMBERS, ConditionFault, can_hold, read, told, unknown_words
from gridloop.cases.indicators import countable
from gridloop.cases.models import Case
from gridloop.cases.types import type_name
from gridloop.journal.selectors import scoped
from gridloop.kernel.expressions import Expression
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.pack import INDICATOR_NAMES

NOON = datetime(2026, 11, 30, 4, tzinfo=UTC)
VALUES: dict[str, list[Any]] = {
    "status": ["closed", "voided", "handling"],
    "type": ["01037", "01002", "28002"],
    "source": ["citizen", "hotline", "100%_real"],
    "card": ["", "yellow", "red"],
    "closed_by": ["done", "left", ""],
    "severity": [1, 2, 3, 4],
    "stars": [0.0, 1.0, 3.5, 4.0],
    "reworks": [0, 1, 2],
    "returns": [0, 1],
    "merged_count": [0, 3],
}


def _text(dice: random.Random, word: str) -> str:
    return f"'{word}'" if dice.random() < 0.5 else f'"{word}"'


def written(dice: random.Random, depth: int = 3) -> str:
    """A condition as somebody might write it."""
    if depth and dice.random() < 0.6:
        parts = [written(dice, depth - 1) for _ in range(dice.randint(1, 3))]
        joined = dice.choice((" && ", " || ")).join(parts)
        return dice.choice(("({})", "!({})", "{}")).format(joined)
    name = dice.choice(NAMES)
    if name in NUMBERS:
        other = dice.choice([n for n in NUMBERS if n != name])
        right = other if dice.random() < 0.2 else str(dice.choice([*VALUES[name], 2.5, -1]))
        op = dice.choice(("==", "!=", "<", "<=", ">", ">="))
        if dice.random() < 0.2:
            return f"{name} in [{', '.join(str(dice.choice(VALUES[name])) for _ in range(2))}]"
        return f"{name} {op} {right}" if dice.random() < 0.8 else f"{dice.choice(VALUES[name])} {op} {name}"
    word = _text(dice, dice.choice([*VALUES[name], "%", "_"]))
    shape = dice.choice(
        ("{n} == {w}", "{n} != {w}", "{n} in [{w}, 'x']", "{n}.startsWith({w})", "{n}.endsWith({w})", "{n}.contains({w})", "{w} == {n}")
    )
    return "true" if dice.random() < 0.05 else shape.format(n=name, w=word)


def cases(dice: random.Random, count: int) -> list[dict[str, Any]]:
    """Cases as the conditions see them; only a closed one has a reason."""
    found = [{name: dice.choice(values) for name, values in VALUES.items()} for _ in range(count)]
    for case in found:
        case["closed_by"] = dice.choice(("done", "left")) if case["status"] == "closed" else ""
    return found


def test_the_names_are_those_packs_may_use() -> None:
    assert set(NAMES) == set(INDICATOR_NAMES) == set(VALUES)


def test_they_mean_what_the_language_means_by_them() -> None:
    dice = random.Random(11)
    some = cases(dice, 12)
    for _ in range(300):
        source = written(dice)
        condition, whole = read(source), Expression(source, INDICATOR_NAMES)
        for case in some:
            assert conditions.holds(condition, case) == whole.holds(case), (source, case)


@pytest.mark.django_db
def test_the_database_counts_the_same() -> None:
    dice = random.Random(23)
    some = cases(dice, 30)
    with scoped(SYSTEM):
        for number, case in enumerate(some):
            row = dict(case, card=case["card"] or None, stars=case["stars"] or None)
            row["closed_by"] = "" if case["closed_by"] == "done" and number % 2 else case["closed_by"]  # of before the reasons were kept
            Case.objects.create(
                code=f"c{number:02}", title="t", region="990101", desk_region="990101", scene="s", reported_at=NOON, updated_at=NOON, **row
            )
        for _ in range(150):
            source = written(dice)
            condition = read(source)
            wanted = {f"c{n:02}" for n, case in enumerate(some) if conditions.holds(condition, case)}
            assert set(Case.objects.filter(countable(condition)).values_list("code", flat=True)) == wanted, source


@pytest.mark.parametrize(
    ("source", "key", "column"),
    [
        ("reworks + 1 > 2", "place", 9),
        ("size(source) > 2", "place", 1),
        ("source.matches('a.*')", "place", 8),
        ("status == 'closed' ? true : false", "place", 20),
        ("(reworks > 0) == true", "place", 15),
        ("1 == 1", "place", 1),
        ("!status == 'closed'", "place", 2),
        ("reworks", "place", 8),
        ("[1].exists(x, x > reworks)", "place", 1),
        (r"status == 'a\'b'", "place", 11),
        ("reworks > 1u", "place", 11),
        ("status > 'closed'", "kinds", 1),
        ("status == 3", "kinds", 1),
        ("reworks > '0'", "kinds", 1),
        ("status == reworks", "kinds", 1),
        ("severity in ['1']", "kinds", 14),
        ("reworks.startsWith('1')", "place", 8),
    ],
)
def test_what_cannot_be_counted_by_is_refused_where_it_stands(source: str, key: str, column: int) -> None:
    with pytest.raises(ConditionFault) as refused:
        read(source)
    assert (refused.value.words.key, dict(refused.value.words.params)["column"]) == (f"cases.condition_{key}", column)
    for lang in ("zh", "en"):
        assert "{" not in refused.value.words.said(lang)
        assert "reworks" in refused.value.words.said(lang), "it says what can be written"


def test_words_that_nothing_ever_is_are_found() -> None:
    def unknown(source: str, closings: tuple[str, ...] = ("done", "left")) -> list[str]:
        return [str(dict(words.params)["word"]) for words in unknown_words(read(source), closings)]

    assert unknown("status == 'clsoed' || card in ['red', 'green']") == ["clsoed", "green"]
    assert unknown("type == '99999' || type.startsWith('01')") == ["99999"]
    assert unknown("closed_by == 'left'") == []
    assert unknown("closed_by == 'left'", ("done",)) == ["left"]
    assert unknown("closed_by == 'whatever'", ()) == [], "its process does not say how it closes"
    assert unknown("source == 'a new platform'") == []


def test_what_no_case_can_fulfil_is_found() -> None:
    def possible(*sources: str, closed: bool = True) -> bool:
        return can_hold([read(source) for source in sources], closed, ("done", "left"))

    assert possible("status == 'closed'", "closed_by == 'left'")
    assert possible("stars > 4.5", "severity < 3", "reworks > returns")
    assert not possible("status == 'handling'")
    assert possible("status == 'handling'", closed=False)
    assert not possible("status == 'handling'", "closed_by == 'left'", closed=False)
    assert not possible("severity > 4")
    assert not possible("stars > 5")
    assert not possible("reworks < 0")
    assert not possible("card == ''", "card == 'red'")
    assert possible("type == '01037'", "source.startsWith('sensor')")


def test_they_are_told_in_both_languages() -> None:
    condition = read("status == 'closed' && (card == '' || reworks >= 2) && !(type in ['01037']) && severity <= 2")
    wanted = f"状态为“已办结”且（督办牌为“无”或返工次数不小于 2）且不满足（类型为“{type_name('01037', 'zh')}”）且等级不大于 2（加急）"
    assert told(condition, "zh") == wanted
    assert told(condition, "en").startswith("status is “Closed” and (card is “none” or times reworked at least 2) and not (type is “")
    for source in (
        "source.startsWith('a')",
        "source.endsWith('a')",
        "source.contains('a')",
        "closed_by != 'left'",
        "returns < reworks",
        "true",
        "false",
    ):
        for lang in ("zh", "en"):
            assert "cases." not in told(read(source), lang)
    assert say("cases.condition_card_none", "en") in told(read("card == ''"), "en")
