"""The shares that scenes' packs declare, against the facts of the cases their lists name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gridloop.cases import actions, present
from gridloop.cases.models import Case
from gridloop.cases.tests.kit import EAST, HERE, WEST, Cast, build
from gridloop.cases.tests.test_life import act, machine_proof
from gridloop.insight.selectors import indicator_cases, indicators
from gridloop.insight.tests.test_cockpit import NOW, at, live
from gridloop.insight.tests.test_indicators import codes_of
from gridloop.journal.selectors import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.scenes import selectors as scenes
from gridloop.scenes.actions import install, switch
from gridloop.scenes.book import BOOK
from gridloop.scenes.models import PackVersion
from gridloop.scenes.tests.packkit import change, copy_of
from gridloop.sdk.signals import Signal

pytestmark = pytest.mark.django_db
FAR = (NOW - timedelta(days=60), NOW + timedelta(days=60))
MICRO = "990101100200001001"


@pytest.fixture
def cast() -> Iterator[Cast]:
    yield build()
    BOOK.forget()


def car(name: str, value: float) -> str:
    signal = Signal(f"{name}{value}", "cams", "cam-1", "vehicle_stopped", clock.now(), value, HERE[0], HERE[1], {"plate": f"样{name}"})
    (match,) = BOOK.recognise(signal, MICRO)
    return actions.receive_signal(SYSTEM, signal, match) or ""


def told_by_facts(code: str) -> dict[str, Any]:
    facts = present.trace(SYSTEM, code, 0, 500)
    last = {f["action"]: f for f in facts}
    stars = [f["data"]["stars"] for f in facts if f["action"] == "rated" and not f["actor"].startswith("user:")]
    return {
        "code": code,
        "scene": last["reported"]["data"]["scene"],
        "closed": last["closed"]["data"]["reason"] if "closed" in last else "",
        "reworked": "reworked" in last,
        "card": "card_given" in last,
        "stars": sum(stars) / len(stars) if stars else 0,
    }


@pytest.fixture
def world(cast: Cast) -> list[dict[str, Any]]:
    """Two days of a small county, two cars that left when they were asked to, one that did not and one that still waits."""
    codes = [*live(cast).values()]
    for name, hour in (("A1", 8.0), ("A2", 8.5)):
        with at(hour):
            codes.append(car(name, 200.0))
        with at(hour + 0.05):
            car(name, 0.0)
    with at(8.6):
        codes.append(stayed := car("A3", 200.0))
    with at(8.8):
        actions.fire_due()
        act(cast.officer, stayed, "handle", "accept")
        act(cast.officer, stayed, "handle", "check_in", place={"lon": HERE[0], "lat": HERE[1]})
        machine_proof(stayed, cast.officer)
        act(cast.supervisor, stayed, "check", "approve")
    with at(10.9):
        codes.append(car("A4", 200.0))
    return [told_by_facts(code) for code in codes]


BY_HAND: dict[str, tuple[str, Callable[[dict[str, Any]], bool], Callable[[dict[str, Any]], bool]]] = {
    "illegal_parking.left_by_itself": ("illegal_parking", lambda c: c["closed"] != "", lambda c: c["closed"] == "left"),
    "illegal_parking.second_handling": ("illegal_parking", lambda c: c["closed"] != "", lambda c: c["reworked"]),
    "damaged_facility.no_card": ("damaged_facility", lambda c: c["closed"] != "", lambda c: not c["card"]),
    "damaged_facility.satisfied": ("damaged_facility", lambda c: c["closed"] != "" and c["stars"] > 0, lambda c: c["stars"] >= 4),
}


def test_each_share_of_a_scene_is_what_the_facts_say(cast: Cast, world: list[dict[str, Any]]) -> None:
    with clock.fixed(NOW.astimezone(UTC)):
        told = {one["name"]: one for one in indicators(cast.county_operator, "", *FAR)["items"] if one["scene"]}
        assert set(told) == set(BY_HAND)
        for name, (scene, among, above) in BY_HAND.items():
            below = {c["code"] for c in world if c["scene"] == scene and among(c)}
            part = {c["code"] for c in world if c["scene"] == scene and among(c) and above(c)}
            assert below, "else nothing was compared"
            assert codes_of(cast.county_operator, name, "denominator", FAR) == below, name
            assert codes_of(cast.county_operator, name, "numerator", FAR) == part, name
            assert (told[name]["numerator"], told[name]["denominator"]) == (len(part), len(below)), name
            assert told[name]["value"] == round(len(part) / len(below), 4)
            assert told[name]["scene"]["name"] == scene
    assert told["illegal_parking.left_by_itself"]["value"] == round(2 / 3, 4)


def test_it_is_told_with_its_scene_and_formula_in_both_languages(cast: Cast) -> None:
    def one(lang: str) -> dict[str, Any]:
        items = indicators(replace(cast.county_operator, lang=lang))["items"]
        return next(item for item in items if item["name"] == "illegal_parking.left_by_itself")

    assert (one("zh")["title"], one("zh")["scene"]["title"]) == ("提醒后自行驶离率", "机动车违停")
    assert one("zh")["formula"] == "本场景本期办结的事件中，结案原因为“自行改正或解除”的 ÷ 全部"
    items = {item["name"]: item for item in indicators(cast.county_operator)["items"]}
    assert items["damaged_facility.satisfied"]["formula"] == "本场景本期办结、且评价星数大于 0 的事件中，评价星数不小于 4 的 ÷ 全部"
    assert (one("en")["title"], one("en")["scene"]["title"]) == ("Left after the courtesy message", "Illegal parking")
    assert "closed in the period: reason of the close is “left or over by itself” ÷ all" in one("en")["formula"]
    assert one("zh")["value"] is None


def test_who_sees_no_cases_of_a_town_counts_none_of_them(cast: Cast, world: list[dict[str, Any]]) -> None:
    name = "illegal_parking.left_by_itself"
    here = {one["name"]: one for one in indicators(cast.operator, EAST, *FAR)["items"]}
    there = {one["name"]: one for one in indicators(cast.west_operator, "", *FAR)["items"]}
    assert (here[name]["denominator"], there[name]["denominator"]) == (3, 0)
    assert codes_of(cast.west_operator, name, "denominator", FAR) == set()
    assert codes_of(cast.county_operator, name, "denominator", FAR, WEST) == set()
    with pytest.raises(NotFound):
        indicator_cases(cast.west_operator, name, "denominator", EAST)
    for unknown in ("illegal_parking.nothing", "nothing.left_by_itself", "left_by_itself"):
        with pytest.raises(NotFound):
            indicator_cases(cast.county_operator, unknown, "numerator")


def test_all_figures_cost_one_look_at_the_cases_of_each_sort(cast: Cast) -> None:
    """However many scenes declare however many: those closed in the span, those whose limit ended in it."""
    with CaptureQueriesContext(connection) as asked:
        indicators(cast.county_operator)
    assert len([one for one in asked.captured_queries if "cases_case" in one["sql"]]) == 2


def test_a_share_may_be_of_the_cases_reported_in_the_period(cast: Cast, world: list[dict[str, Any]], tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    install(
        SYSTEM,
        change(pack, "indicators.yaml", "part: reworks > 0\n    of: status == 'closed'", "part: status != 'closed'\n    period: reported"),
    )
    BOOK.forget()
    with clock.fixed(NOW.astimezone(UTC)):
        told = {one["name"]: one for one in indicators(cast.county_operator, "", *FAR)["items"]}["illegal_parking.second_handling"]
        assert (told["numerator"], told["denominator"]) == (1, 4)
        assert told["formula"] == "本场景本期上报的事件中，状态不是“已办结”的 ÷ 全部"
        assert len(codes_of(cast.county_operator, "illegal_parking.second_handling", "denominator", FAR)) == 4


def test_a_scene_that_is_on_nowhere_is_shown_while_it_has_cases_to_count(cast: Cast, world: list[dict[str, Any]]) -> None:
    for name in ("illegal_parking", "damaged_facility"):
        switch(cast.admin, name, False)
    BOOK.forget()
    quiet = (NOW - timedelta(days=60), NOW - timedelta(days=50))
    assert [one["name"] for one in indicators(cast.county_operator, "", *quiet)["items"] if one["scene"]] == []
    assert len([one for one in indicators(cast.county_operator, "", *FAR)["items"] if one["scene"]]) == 4


def test_what_an_earlier_program_let_in_and_nobody_can_count_is_told_by_doctor(cast: Cast) -> None:
    with scoped(SYSTEM):
        row = PackVersion.objects.filter(name="illegal_parking").order_by("-id")[0]
        content = row.content
        content["indicators"]["indicators"][0]["part"] = "size(closed_by) > 3"
        del content["indicators"]["indicators"][1]["period"]
        PackVersion.objects.create(
            name=row.name,
            version="9.9.9",
            digest="0" * 64,
            process_digest=row.process_digest,
            content=content,
            tier=row.tier,
            installed_at=NOW,
        )
    BOOK.forget()
    names = [one["name"] for one in indicators(cast.county_operator)["items"]]
    assert "illegal_parking.left_by_itself" not in names
    assert "illegal_parking.second_handling" in names, "the others go on"
    (line,) = [params for _, _, key, params in scenes.doctor(SYSTEM) if key == "scenes.doctor_share"]
    assert (line["pack"], line["name"]) == ("illegal_parking", "left_by_itself")


def test_why_cases_were_closed_before_it_was_kept_is_read_from_their_traces(cast: Cast, world: list[dict[str, Any]]) -> None:
    with scoped(SYSTEM):
        kept = dict(Case.objects.filter(status="closed").values_list("code", "closed_by"))
        assert kept == {c["code"]: c["closed"] for c in world if c["closed"]}
        assert set(kept.values()) == {"done", "left"}
        Case.objects.update(closed_by="")
        import_module("gridloop.cases.migrations.0023_closed_by_of_old").move(None, type("Editor", (), {"connection": connection}))
        moved = dict(Case.objects.filter(status="closed").values_list("code", "closed_by"))
    assert moved == {code: "" if reason == "done" else reason for code, reason in kept.items()}, "the empty word says done"
    told = {one["name"]: one for one in indicators(cast.county_operator, "", *FAR)["items"]}
    assert told["illegal_parking.left_by_itself"]["value"] == round(2 / 3, 4)
