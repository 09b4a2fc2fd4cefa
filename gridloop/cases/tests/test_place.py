"""A report without a point gets the place its address names, says how sure that is, and is joined with nobody for living on one road."""

from __future__ import annotations

from typing import Any

import pytest

from gridloop.cases import actions, learning, present
from gridloop.cases.messages import Report
from gridloop.cases.tests.kit import COUNTY, EAST, HERE, Cast
from gridloop.journal.actions import scoped
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.registry.actions import index_buildings, learn_addresses, load
from gridloop.registry.messages import AddressTold, BuildingRow
from gridloop.registry.models import AddressPoint

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("learners")]
MICRO = f"{EAST}200001001"


def houses(*numbers: int) -> None:
    """Along one road, 20 m from number to number."""
    load(SYSTEM, [BuildingRow(f"B{n}", MICRO, f"{n}号", f"学府路{n}号", lon=HERE[0] + n * 0.0002, lat=HERE[1]) for n in numbers])
    index_buildings()


def told(text: str, **more: Any) -> str:
    return actions.report(PUBLIC, Report(text=text, **more)).case


def test_the_address_gives_the_place_and_how_sure_it_is(cast: Cast) -> None:
    houses(*range(2, 40, 2))
    known = present.case_detail(cast.operator, told("学府路20号门口路灯不亮"))
    assert known["place"] == {"lon": round(HERE[0] + 0.004, 6), "lat": HERE[1], "address": "", "metres": 30.0}
    assert known["region"] == MICRO
    between = present.case_detail(cast.operator, told("路燈不亮", address="東鎮學府路21號"))
    assert between["place"]["metres"] > 60
    assert between["place"]["lon"] == pytest.approx(HERE[0] + 0.0042, abs=0.0005)
    fact = present.trace(SYSTEM, between["code"], 0, 1)[0]
    assert fact["data"]["place_m"] == between["place"]["metres"]


def test_a_named_territory_stays_the_one_that_was_named(cast: Cast) -> None:
    houses(*range(2, 40, 2))
    detail = present.case_detail(cast.county_operator, told("路灯不亮", address="学府路20号", region=COUNTY))
    assert detail["region"] == COUNTY
    assert detail["place"]["metres"] == 30.0


def test_what_no_one_knows_stays_without_a_place(cast: Cast) -> None:
    houses(2, 4)
    detail = present.case_detail(cast.county_operator, told("路灯不亮", address="无名路3号"))
    assert (detail["place"]["lon"], detail["place"]["metres"]) == (None, None)


def test_a_place_outside_of_the_territory_is_not_taken(cast: Cast) -> None:
    learn_addresses([AddressTold("case:x", MICRO, "天涯路1号", 100.0, 10.0)])
    assert present.case_detail(cast.county_operator, told("路灯不亮", address="天涯路1号"))["place"]["lon"] is None


def test_neighbours_are_joined_only_where_the_number_is_known(cast: Cast) -> None:
    houses(*range(2, 40, 2))
    kind = "01037"
    assert told("路灯不亮", kind=kind, address="学府路20号") == told("还是不亮", kind=kind, address="学府路20号")
    assert told("路灯不亮", kind=kind, address="学府路") != told("路灯不亮", kind=kind, address="学府路")


def test_decided_cases_teach_addresses_and_erasing_takes_them_back(cast: Cast) -> None:
    code = actions.report(PUBLIC, Report(text="路灯不亮", lon=HERE[0], lat=HERE[1], address="滨河路27号")).case
    guessed = told("路灯又不亮", address="滨河路29号")
    actions.accept(cast.operator, code, {})
    while learning.run_outcomes():
        pass
    assert present.case_detail(cast.county_operator, guessed)["place"]["lon"] is None, "came before it was known"
    found = present.case_detail(cast.operator, told("井盖破了", kind="01002", address="滨河路27号"))["place"]
    assert (found["lon"], found["metres"]) == (HERE[0], 30.0)
    with scoped(SYSTEM):
        assert list(AddressPoint.objects.values_list("ref", flat=True)) == [f"case:{code}"]
    actions.erase_reporter(cast.admin, code)
    with scoped(SYSTEM):
        assert not AddressPoint.objects.exists()
