"""What may be one matter is shown to the desk; what its words tell apart is not joined (B1)."""

from __future__ import annotations

from typing import Any

import pytest

from gridloop.cases import actions, present
from gridloop.cases.messages import Report
from gridloop.cases.tests.kit import HERE, THERE, Cast
from gridloop.kernel.viewer import PUBLIC

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("learners")]
LAMP, LITTER = "01037", "06010"


def told(text: str, kind: str, east: float = 0.0, address: str = "") -> str:
    return actions.report(PUBLIC, Report(text=text, kind=kind, lon=HERE[0] + east, lat=HERE[1], address=address)).case


def alike(cast: Cast, code: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = present.case_detail(cast.operator, code)["proposal"]["alike"]
    return found


def test_one_lamp_reported_twice_is_one_case(cast: Cast) -> None:
    assert told("学府路27号路灯不亮", LAMP) == told("學府路27號 路燈壞了", LAMP, 0.0001)
    assert told("这里的路灯不亮", LAMP, 0.01) == told("路灯坏了好几天", LAMP, 0.0101), "no words of a place: near and of one type is enough"


def test_two_doors_of_two_streets_are_two_cases_however_near(cast: Cast) -> None:
    first = told("学府路27号路灯不亮", LAMP)
    second = told("人民路5号路灯不亮", LAMP, 0.0004)
    assert first != second


def test_the_same_trouble_under_another_name_is_offered_for_merging(cast: Cast) -> None:
    first = told("学府路27号门口一大堆垃圾没人清", LITTER)
    second = told("学府路27号门口一大堆垃圾没人清，有异味", "06027", 0.0001)
    assert first != second, "types differ: never joined by itself"
    (found,) = alike(cast, second)
    assert (found["code"], found["title"]) == (first, present.case_detail(cast.operator, first)["title"])
    assert 0.3 <= found["likely"] < 1
    actions.merge(cast.operator, second, first, {})
    assert present.case_detail(cast.operator, second)["merged_into"] == first


def test_what_has_ended_or_is_far_or_unlike_is_not_offered(cast: Cast) -> None:
    ended = told("学府路27号垃圾没人清", LITTER)
    actions.void(cast.operator, ended, {"note": "重复"})
    told("学府路27号垃圾没人清", LITTER, 0.02)
    told("楼上漏水", "21002", 0.0001)
    assert alike(cast, told("学府路27号垃圾没人清，臭", "06027")) == []


def test_a_case_of_another_territory_is_not_named(cast: Cast) -> None:
    west = actions.report(PUBLIC, Report(text="边界路1号垃圾没人清", kind=LITTER, lon=THERE[0] - 0.0049, lat=THERE[1])).case
    east = actions.report(PUBLIC, Report(text="边界路1号垃圾没人清，臭", kind="06027", lon=THERE[0] - 0.0051, lat=THERE[1])).case
    assert [one["code"] for one in present.case_detail(cast.county_operator, east)["proposal"]["alike"]] == [west]
    assert alike(cast, east) == []
