"""Each figure of outcomes against the facts of the cases its two lists name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.access.selectors import user_id_of
from gridloop.cases import actions, present
from gridloop.cases.indicators import EVERY_SCENE
from gridloop.cases.tests.kit import EAST, WEST, Cast
from gridloop.cases.tests.test_doubt import again
from gridloop.cases.tests.test_life import act
from gridloop.evidence.tests.pictures import scene
from gridloop.insight.selectors import cockpit, indicator_cases, indicators
from gridloop.insight.tests.test_cockpit import MIDNIGHT, NOW, at, live, reported
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer

pytestmark = pytest.mark.django_db
THIRD = (121.635, 29.205)
FAR = (NOW - timedelta(days=60), NOW + timedelta(days=60))  # every limit ends within


def told_by_facts(code: str) -> dict[str, Any]:
    """What the trace says of one case, with the limit it was given."""
    facts = present.trace(SYSTEM, code, 0, 500)
    when = {f["action"]: datetime.fromisoformat(f["at"]) for f in facts}
    stars = [f["data"]["stars"] for f in facts if f["action"] == "rated" and not f["actor"].startswith("user:")]
    return {
        "code": code,
        "reported": when["reported"],
        "closed": when.get("closed"),
        "gone": "voided" in when or "merged" in when or "rejected" in when,
        "submitted": "submitted" in when,
        "reworked": "reworked" in when or "check_rejected" in when,
        "stars": sum(stars) / len(stars) if stars else None,
        "due": present.case_detail(SYSTEM, code)["due_at"],
    }


@pytest.fixture
def world(cast: Cast) -> dict[str, dict[str, Any]]:
    """Two days of a small county, and one case whose result was sent back once."""
    codes = live(cast)
    redone = reported(9.3, "01037", THIRD).case
    with at(10.5):
        actions.accept(cast.operator, redone, {})
        again(redone, cast.handler, scene(76), THIRD)
        act(cast.supervisor, redone, "check", "reject", note="没修好")
    codes["redone"] = redone
    with at(10.75):
        again(redone, cast.handler, scene(77), THIRD)
        act(cast.supervisor, redone, "check", "approve")
    return {name: told_by_facts(code) for name, code in codes.items()}


def by_hand(world: dict[str, dict[str, Any]], since: datetime, until: datetime) -> dict[str, tuple[list[dict[str, Any]], Any]]:
    """Name → cases below the line, and what makes one stand above it."""
    due = [c for c in world.values() if not c["gone"] and c["due"] and since <= c["due"] < until]
    closed = [c for c in world.values() if c["closed"] and since <= c["closed"] < until]
    return {
        "disposal_rate": (due, lambda c: c["submitted"]),
        "closing_rate": (due, lambda c: c["closed"] is not None),
        "on_time_closing_rate": (due, lambda c: c["closed"] is not None and c["closed"] <= c["due"]),
        "on_time_share": (closed, lambda c: c["due"] is None or c["closed"] <= c["due"]),
        "satisfaction_rate": ([c for c in closed if c["stars"] is not None], lambda c: c["stars"] >= 4),
        "rework_rate": (closed, lambda c: c["reworked"]),
        "average_close_seconds": (closed, lambda c: True),
        "average_saved_seconds": ([c for c in closed if c["due"]], lambda c: True),
    }


def codes_of(viewer: Viewer, name: str, side: Any, span: tuple[datetime, datetime], region: str = "") -> set[str]:
    found: set[str] = set()
    after = ""
    while True:  # one a page: the cursor is walked, too
        page = indicator_cases(viewer, name, side, region, span, 1, after)
        found |= {row["code"] for row in page["items"]}
        if page["next"] is None:
            return found
        after = page["next"]


@pytest.mark.parametrize("span", [FAR, (MIDNIGHT, NOW), (NOW - timedelta(days=60), MIDNIGHT)], ids=["all", "today", "before"])
def test_each_figure_is_its_numerator_list_by_its_denominator_list(
    cast: Cast, world: dict[str, dict[str, Any]], span: tuple[datetime, datetime]
) -> None:
    with clock.fixed(NOW.astimezone(UTC)):
        told = {one["name"]: one for one in indicators(cast.county_operator, "", *span)["items"]}
        assert {name for name in told if "." not in name} == set(EVERY_SCENE) == set(by_hand(world, *span))
        for name, (among, is_part) in by_hand(world, *span).items():
            part = [c for c in among if is_part(c)]
            assert codes_of(cast.county_operator, name, "denominator", span) == {c["code"] for c in among}, name
            assert codes_of(cast.county_operator, name, "numerator", span) == {c["code"] for c in part}, name
            above: float = len(part)
            if name == "average_close_seconds":
                above = sum((c["closed"] - c["reported"]).total_seconds() for c in among)
            if name == "average_saved_seconds":
                above = sum((c["due"] - c["closed"]).total_seconds() for c in among)
            assert (told[name]["numerator"], told[name]["denominator"]) == (pytest.approx(above), len(among)), name
            assert told[name]["value"] == (pytest.approx(above / len(among), abs=1e-4) if among else None), name


def test_the_little_county_has_something_on_both_sides(cast: Cast, world: dict[str, dict[str, Any]]) -> None:
    """Else the test above would agree about nothing."""
    told = {one["name"]: one for one in indicators(cast.county_operator, "", *FAR)["items"]}
    for name in ("disposal_rate", "closing_rate", "on_time_closing_rate", "on_time_share", "satisfaction_rate", "rework_rate"):
        assert 0 < told[name]["numerator"] < told[name]["denominator"], name
    assert told["average_close_seconds"]["value"] > 0


def test_they_agree_with_the_cockpit(cast: Cast, world: dict[str, dict[str, Any]]) -> None:
    with clock.fixed(NOW.astimezone(UTC)):
        shown = cockpit(cast.county_operator)
        today = {one["name"]: one for one in indicators(cast.county_operator, "", MIDNIGHT, NOW)["items"]}
        month = {one["name"]: one for one in indicators(cast.county_operator)["items"]}
    assert today["on_time_share"]["value"] == shown["today"]["on_time_share"]
    assert today["on_time_share"]["denominator"] == shown["today"]["closed"]
    assert round(today["average_close_seconds"]["value"]) == shown["today"]["average_close_seconds"]
    assert month["satisfaction_rate"]["value"] == shown["satisfaction"]["good_share"]
    assert month["satisfaction_rate"]["denominator"] == shown["satisfaction"]["count"]


def test_each_says_its_formula_in_both_languages(cast: Cast) -> None:
    chinese = indicators(cast.county_operator)["items"]
    english = indicators(replace(cast.county_operator, lang="en"))["items"]
    assert all("÷" in one["formula"] and one["title"] for one in chinese + english)
    assert all(a["formula"] != b["formula"] and a["title"] != b["title"] for a, b in zip(chinese, english, strict=True))
    assert {one["value"] for one in chinese} == {None}, "an empty county has no shares"


def test_a_town_counts_and_lists_its_own(cast: Cast, world: dict[str, dict[str, Any]]) -> None:
    east = codes_of(cast.county_operator, "closing_rate", "denominator", FAR, EAST)
    west = codes_of(cast.west_operator, "closing_rate", "denominator", FAR)
    assert world["west"]["code"] in west
    assert not east & west
    with pytest.raises(NotFound):
        indicators(cast.west_operator, EAST)
    with pytest.raises(NotFound):
        indicator_cases(cast.west_operator, "closing_rate", "denominator", EAST)
    assert codes_of(cast.county_operator, "closing_rate", "denominator", FAR, WEST) == west


def test_what_makes_no_sense_is_refused(cast: Cast) -> None:
    with pytest.raises(NotFound):
        indicator_cases(cast.county_operator, "happiness", "numerator")
    with pytest.raises(Invalid) as refused:
        indicators(cast.county_operator, "", NOW, NOW)
    assert refused.value.errors[0].pointer == "/until"
    with pytest.raises(Invalid):
        indicator_cases(cast.county_operator, "closing_rate", "numerator", after="%%%")
    with pytest.raises(Invalid):  # there is no month before the first of all days
        indicators(cast.county_operator, "", None, datetime(1, 1, 2, tzinfo=UTC))


def test_over_http(cast: Cast) -> None:
    token = issue_token(SYSTEM, user_id_of("county_operator") or 0, ("all",))
    http, headers = Client(), {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    told = http.get("/api/v1/indicators?since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z", headers=headers)
    assert told.status_code == 200
    for one in told.json()["items"]:
        for side in ("numerator", "denominator"):
            assert http.get(f"/api/v1/indicators/{one['name']}/{side}", headers=headers).status_code == 200
    for wrong in ("closing_rate/middle", "happiness/numerator"):
        assert http.get(f"/api/v1/indicators/{wrong}", headers=headers).status_code in (404, 422)
    assert http.get("/api/v1/indicators?since=2026-11-01T00:00:00", headers=headers).status_code == 422
