"""Pure rules: codes, names' sounds, hours."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from gridloop.orgs import rules

DIGITS = (2, 4, 6, 9, 12, 15, 18)


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("330000000000", "33"),
        ("330200000000", "3302"),
        ("330212000000", "330212"),
        ("330212001000", "330212001"),
        ("330212001005", "330212001005"),
        ("330200", "3302"),
        ("330212", "330212"),
        ("441900003000", "441900003"),
        ("330212100", "330212100"),
        ("33A212", "33A212"),
    ],
)
def test_zeros_that_only_fill_up_are_dropped(code: str, short: str) -> None:
    assert rules.significant(code) == short


def test_the_level_above_is_a_prefix() -> None:
    assert [rules.parent_of("990101001001001001"[:n], DIGITS) for n in DIGITS] == [
        "",
        "99",
        "9901",
        "990101",
        *("990101001001001"[:n] for n in (9, 12, 15)),
    ]


@pytest.mark.parametrize("name", ["云澜县", "重庆市", "长涂镇", "A座1单元", "", "欧阳晓晓", "單县"])
def test_sounds_are_those_of_the_dictionary(name: str) -> None:
    assert rules.pinyin(name) == " ".join(lazy_pinyin(name)).lower()


def test_hours_are_read_in_order_and_apart() -> None:
    assert rules.read_ranges([["08:30", "12:00"], ["14:00", "17:30"]]) == ((time(8, 30), time(12)), (time(14), time(17, 30)))
    for wrong in (
        [["12:00", "08:30"]],
        [["08:30", "12:00"], ["11:00", "13:00"]],
        [["24:00", "25:00"]],
        [["08:30"]],
        ["08:30"],
        [[830, 1200]],
    ):
        with pytest.raises(ValueError, match=r"\["):
            rules.read_ranges(wrong)  # type: ignore[arg-type]


def test_a_duty_is_open_by_local_time() -> None:
    hours = {"days": [1], "ranges": [["08:00", "12:00"]]}
    monday_eight = datetime(2026, 3, 2, 0, tzinfo=UTC)
    assert rules.duty_open(hours, monday_eight)
    assert not rules.duty_open(hours, monday_eight.replace(hour=4))
    assert not rules.duty_open(hours, monday_eight.replace(day=3))
    assert rules.duty_open({"days": [2]}, monday_eight.replace(day=3))
    assert rules.duty_open(None, monday_eight)


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59))
def test_law_a_range_is_taken_when_it_ends_after_it_starts(h1: int, m1: int, h2: int, m2: int) -> None:
    words = [[f"{h1:02}:{m1:02}", f"{h2:02}:{m2:02}"]]
    if (h1, m1) < (h2, m2):
        assert rules.read_ranges(words) == ((time(h1, m1), time(h2, m2)),)
    else:
        with pytest.raises(ValueError, match=":"):
            rules.read_ranges(words)
