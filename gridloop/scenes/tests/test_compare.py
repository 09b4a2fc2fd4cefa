"""What a rehearsal found, counted against the present version: what is the same alarm, what joins a case, and whose work it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from gridloop.flow.asking import Asked
from gridloop.scenes.comparing import NEW, OLD, Load, cases, report, split
from gridloop.signals.rehearsing import LASTS, Raised

HOUR = 3_600_000
VERIFY, HANDLE = Asked("核实", "Verify", "verify", True), Asked("处置", "Handle", "handle", False)


def raised(side: str, key: str, start: float, end: float | None, region: str = "990101100200001001", **more: bool) -> Raised:
    name = f"{side}:pack.high" if side else "pack.high"
    until = LASTS if end is None else round(end * HOUR)
    return Raised(name, "device", key, f"{key}-device", region, 2, round(start * HOUR), until, more.get("hushed", False))


def compared(*found: Raised, hours: float = 24.0) -> dict[str, Any]:
    posts = [(VERIFY, lambda region: int(region[6])), (HANDLE, lambda region: 7 if region.startswith("990101100") else None)]
    return report(split(found), [date(1970, 1, 1), date(1970, 1, 2)], _day, posts, Load(30.0, hours, 0))


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


def test_an_alarm_is_the_same_when_both_last_at_one_time_and_each_counts_once() -> None:
    told = compared(
        raised(OLD, "a", 1, 5), raised(NEW, "a", 2, 3), raised(NEW, "a", 4, 6),  # the second has none of its own beside it
        raised(OLD, "b", 1, 2), raised(NEW, "b", 3, 4),  # one after the other
        raised(OLD, "c", 1, None), raised(NEW, "c", 40, None),
        raised(OLD, "d", 1, 9), raised(NEW, "e", 1, 9),  # other devices
        raised(NEW, "f", 1, 2, hushed=True),
    )  # fmt: skip
    (row,) = told["detectors"]
    assert {name: row[name] for name in ("old", "new", "both", "only_old", "only_new", "hushed_new")} == {
        "old": 4, "new": 5, "both": 2, "only_old": 2, "only_new": 3, "hushed_new": 1
    }  # fmt: skip
    assert [(one["name"], one[OLD], one[NEW]) for one in told["days"]] == [("1970-01-01", 4, 4), ("1970-01-02", 0, 1)]


def test_what_both_have_alike_is_of_either() -> None:
    sides = split([raised("", "a", 1, 2), raised(NEW, "b", 1, 2)])
    assert [[one.key for one in sides[side]] for side in (OLD, NEW)] == [["a"], ["a", "b"]]


def test_an_alarm_of_a_key_whose_case_is_open_joins_it() -> None:
    found = [raised("", "a", start, start + 0.5) for start in (0, 3.9, 4, 7, 8.5)] + [raised("", "b", 1, 2)]
    assert [(one.key, one.start / HOUR) for one in cases(found, 4.0)] == [("a", 0), ("b", 1), ("a", 4), ("a", 8.5)]


def test_each_post_is_told_its_own_cases_and_the_difference() -> None:
    near, far, elsewhere = "990101100200001001", "990101200300001001", "990101100300001001"
    told = compared(
        *(raised(OLD, f"a{n}", 1, 2, near) for n in range(3)), raised(NEW, "a0", 1, 2, near), raised(NEW, "a0", 3, 4, near),
        raised(NEW, "b", 1, 2, far), raised(NEW, "c", 1, 2, elsewhere), raised(NEW, "d", 1, 2, near, hushed=True),
    )  # fmt: skip
    rows = told["work"]["units"]
    assert [(one["task_en"], one["first"], one["unit"], one[OLD], one[NEW]) for one in rows] == [
        ("Verify", True, 1, 3, 2),
        ("Verify", True, 2, 0, 1),
        ("Handle", False, 7, 3, 2),
        ("Handle", False, None, 0, 1),
    ]
