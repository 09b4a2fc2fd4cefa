"""What may be one matter is shown to the desk; what its words tell apart is not joined (B1)."""

from __future__ import annotations

from typing import Any

import pytest

from gridloop.cases import actions, present
from gridloop.cases.messages import Report, Reported
from gridloop.cases.tests.kit import HERE, THERE, Cast
from gridloop.journal.actions import scoped
from gridloop.journal.models import Sealed
from gridloop.journal.selectors import verify
from gridloop.kernel.errors import Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.viewer import PUBLIC, SYSTEM

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


def source_of(cast: Cast, code: str, text: str) -> dict[str, Any]:
    return next(s for s in present.case_detail(cast.operator, code)["source_rows"] if text in s["text"])


def reported(text: str, contact: str) -> Reported:
    return actions.report(PUBLIC, Report(text=text, kind=LAMP, lon=HERE[0], lat=HERE[1], contact=contact, name="李四"))


def test_a_report_joined_by_mistake_becomes_a_case_of_its_own(cast: Cast) -> None:
    first, second = reported("这里的路灯不亮", "10011112222"), reported("里弄口的路灯也坏了", "10033334444")
    assert first.case == second.case
    wrong = source_of(cast, first.case, "里弄口")
    assert wrong["splits"]
    made = actions.split(cast.operator, first.case, wrong["id"], "两处不同的灯")
    new = present.case_detail(cast.operator, made)
    assert (new["text"], new["status"], new["type"]) == ("里弄口的路灯也坏了", "verifying", LAMP)
    assert new["place"]["lon"] == HERE[0]
    assert new["reporter"]["contact"] == "100****4444"
    assert [s["text"] for s in present.case_detail(cast.operator, first.case)["source_rows"]] == ["这里的路灯不亮"]
    assert [f["action"] for f in present.trace(SYSTEM, made, 0, 9)][:2] == ["reported", "task_opened"]
    assert present.trace(SYSTEM, first.case, 0, 99)[-1]["text"] == "两处不同的灯"
    assert actions.by_key(second.case, second.key).case.code == made, "the reporter's page goes on working"
    assert actions.by_key(made, second.key).case.code == made
    with pytest.raises(Forbidden):
        actions.by_key(made, first.key)
    assert verify(SYSTEM)[1] is None


def test_a_merge_is_undone_by_splitting(cast: Cast) -> None:
    one = told("路灯不亮", LAMP, address="学府路12号")
    other = actions.report(PUBLIC, Report(text="垃圾没人清", kind=LITTER, lon=HERE[0] + 0.01, lat=HERE[1], address="学府路900号"))
    actions.merge(cast.operator, other.case, one, {})
    made = actions.split(cast.operator, one, source_of(cast, one, "垃圾")["id"])
    new = present.case_detail(cast.operator, made)
    assert (new["text"], new["type"], new["place"]["address"]) == ("垃圾没人清", LITTER, "学府路900号")
    assert new["place"]["lon"] == HERE[0] + 0.01, "its own place, not that of the case it was merged into"
    assert "学府路12号" not in new["title"]
    assert len(present.case_detail(cast.operator, one)["source_rows"]) == 1
    assert actions.by_key(other.case, other.key).case.code == made, "the link the reporter has goes on working"


def test_what_was_split_off_is_erased_with_its_own_case(cast: Cast) -> None:
    first = reported("这里的路灯不亮", "10011112222").case
    reported("里弄口的路灯也坏了", "10033334444")
    made = actions.split(cast.operator, first, source_of(cast, first, "里弄口")["id"])
    actions.erase_reporter(cast.admin, made)
    with scoped(SYSTEM):
        left = [str(row.value) for row in Sealed.objects.exclude(value=None)]
    assert not [value for value in left if "里弄口" in value or "10033334444" in value]
    assert [value for value in left if "10011112222" in value], "the other reporter stays"


def test_what_cannot_be_split_off(cast: Cast) -> None:
    code = told("路灯不亮", LAMP)
    own = source_of(cast, code, "路灯")
    assert not own["splits"]
    for source in (own["id"], 0):
        with pytest.raises(Invalid) as refused:
            actions.split(cast.operator, code, source)
        assert refused.value.errors[0].pointer == "/source"
    told("这盏灯坏了", LAMP)
    joined = source_of(cast, code, "这盏灯")["id"]
    with pytest.raises(Forbidden):
        actions.split(cast.handler, code, joined)
    with pytest.raises(NotFound):
        actions.split(cast.west_operator, code, joined)
    actions.void(cast.operator, code, {"note": "重复"})
    with pytest.raises(NotNow):
        actions.split(cast.operator, code, joined)


def test_the_next_nearest_is_tried_when_the_nearest_is_another_thing(cast: Cast) -> None:
    first = told("学府路12号路灯不亮", LAMP)
    other = told("人民路5号路灯不亮", LAMP, 0.0003)
    assert first != other
    assert told("人民路5号路灯还是不亮", LAMP, 0.0001) == other, "nearer to the first, but its words name the other"
