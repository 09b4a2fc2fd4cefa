"""A scene that leans on a law is off until a person records the document that allows it."""

from __future__ import annotations

import pytest
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.access.selectors import user_id_of
from gridloop.cases.tests.kit import Cast, build
from gridloop.journal.frame import scoped
from gridloop.journal.models import Fact, Sealed
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import SYSTEM
from gridloop.scenes import actions, selectors
from gridloop.scenes.book import BOOK
from gridloop.scenes.models import PackSwitch
from gridloop.sdk.signals import Signal

NAME = "unregistered_resident"
BASIS = "云澜县公安局〔2026〕12 号批复"
EAST = "990101100"
ALARM = Signal(
    "a1",
    "gridloop",
    "gate-1",
    "alarm",
    clock.now(),
    4.0,
    121.605,
    29.205,
    {"detector": f"{NAME}.stays_here", "what": "raised", "key": "b1"},
)


@pytest.fixture
def cast(db: None) -> Cast:
    return build()


def working() -> bool:
    BOOK.forget()
    told = [one.id for one in BOOK.detectors()]
    return f"{NAME}.stays_here" in told and bool(BOOK.recognise(ALARM, EAST))


def test_it_is_off_and_stays_off_without_its_basis(cast: Cast) -> None:
    assert not working()
    for basis in ("", "  ", "同意"):
        with pytest.raises(Invalid, match="basis_needed") as refused:
            actions.switch(cast.admin, NAME, True, None, basis)
        assert "个人信息保护法" in refused.value.params["law"]
        assert [fault.pointer for fault in refused.value.errors] == ["/basis"]
    assert not working()
    PackSwitch.objects.create(name=NAME, region="", on=True, changed_at=clock.now())  # a row of before, or written by hand
    assert not working()


def test_with_its_basis_it_works_and_the_record_is_kept(cast: Cast) -> None:
    actions.switch(cast.admin, NAME, True, None, f" {BASIS} ")
    assert working()
    shown = next(one for one in selectors.packs(SYSTEM) if one.name == NAME)
    assert (selectors.enabled(shown)["enabled"], dict(shown.bases)) == (True, {"": BASIS})
    with scoped(SYSTEM):
        (fact,) = Fact.objects.filter(action="pack_switched")
        assert BASIS not in str(fact.data), "a person's own words may name somebody"
        kept = Sealed.objects.get(id=fact.data["basis"]["sealed"])
        assert (kept.value, kept.subject, kept.purpose) == (BASIS, f"pack:{NAME}", "switch_basis")
    actions.switch(cast.admin, NAME, False)
    assert not working()
    assert PackSwitch.objects.get(name=NAME).basis == ""


def test_other_packs_need_none_and_keep_none(cast: Cast) -> None:
    actions.switch(cast.admin, "near_water", True, None, BASIS)
    assert PackSwitch.objects.get(name="near_water").basis == ""


def test_over_http(cast: Cast) -> None:
    client = Client(headers={"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of('admin') or 0, name='test')}"})

    def switch(body: dict[str, object]) -> tuple[int, dict[str, object]]:
        answer = client.post(f"/api/v1/packs/{NAME}/switch", body, content_type="application/json")
        return answer.status_code, answer.json()

    status, told = switch({"on": True})
    assert (status, "个人信息保护法" in str(told["detail"])) == (422, True)
    status, told = switch({"on": True, "basis": BASIS})
    assert (status, told["enabled"], told["bases"]) == (200, True, [BASIS])
    assert str(told["legal_zh"]).startswith("《")
