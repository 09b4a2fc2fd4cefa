"""The figures of outcomes on their screen: what each says, the cases it counts, and the way there from the cockpit."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Api, Desk, Spot
from tests.house.product import until

LEFT = "illegal_parking.left_by_itself"


def _parked(api: Api, at: Spot, camera: str, seconds: float) -> None:
    body = {
        "id": f"e2e-{uuid.uuid4().hex[:12]}",
        "source": "e2e",
        "device": camera,
        "kind": "vehicle_stopped",
        "at": datetime.now(UTC).isoformat(),
        "value": seconds,
        "place": {"lon": at[0], "lat": at[1]},
        "data": {"plate": f"样{camera[-5:]}"},
    }
    assert api.post("/api/v1/signals", body)["accepted"] == 1


@pytest.fixture
def left(deployment: Deployment, spot: Spot) -> str:
    """A car was asked to leave and did: the code of its closed case."""
    office, camera = deployment.api("operator"), f"cam-{uuid.uuid4().hex[:8]}"

    def of_mine(**query: Any) -> list[str]:
        return [one["code"] for one in office.get("/api/v1/cases", scene="illegal_parking", limit=50, **query)["items"]]

    before = set(of_mine())
    _parked(office, spot, camera, 200.0)
    assert until(lambda: set(of_mine()) - before)
    (code,) = set(of_mine()) - before
    _parked(office, spot, camera, 0.0)
    assert until(lambda: office.case(code)["status"] == "closed")
    return code


def test_a_scenes_share_is_shown_and_opens_its_cases(deployment: Deployment, left: str, desk: Callable[..., Desk]) -> None:
    operator = desk("operator")
    operator.open("/indicators")
    page = operator.page
    card = page.get_by_role("region", name="机动车违停").locator("article").filter(has_text="提醒后自行驶离率")
    expect(card).to_contain_text("结案原因为“自行改正或解除”的 ÷ 全部")
    told = next(one for one in deployment.api("operator").get("/api/v1/indicators")["items"] if one["name"] == LEFT)
    assert told["numerator"] >= 1
    expect(card.locator("strong")).to_have_text("100%" if told["value"] == 1 else f"{told['value'] * 100:.1f}%")
    card.get_by_role("link", name=re.compile("查看分子")).click()
    expect(page).to_have_url(re.compile(rf"/indicators/{re.escape(LEFT)}/numerator$"))
    cases = page.get_by_role("list", name="事件列表")
    expect(cases.get_by_role("listitem").filter(has_text=left)).to_be_visible()
    assert cases.get_by_role("listitem").count() == min(told["numerator"], 50)
    page.get_by_role("button", name="关闭").click()
    expect(cases).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/indicators$"))


def test_the_cockpits_tile_leads_to_the_same_figure(left: str, desk: Callable[..., Desk]) -> None:
    leader = desk("leader")
    page = leader.open("/cockpit")
    tile = page.locator("a.tile").filter(has_text="按时办结率")
    expect(tile.locator("strong")).to_have_text(re.compile(r"\d%$"))
    shown = tile.locator("strong").inner_text()
    tile.click()
    expect(page).to_have_url(re.compile(r"/indicators/on_time_share\?since="))
    card = page.locator("article").filter(has_text="办结事件按期率")
    expect(card.locator("strong")).to_have_text(shown)
    expect(page.get_by_role("radio", name="今日")).to_be_checked()
    expect(page.get_by_role("list", name="事件列表").get_by_role("listitem").filter(has_text=left)).to_be_visible()


def test_another_period_and_another_place_count_anew(deployment: Deployment, left: str, desk: Callable[..., Desk]) -> None:
    operator = desk("operator")
    page = operator.open("/indicators?since=2020-01-01&until=2020-01-31")
    expect(page.get_by_text("这段时间、这个区域还没有可以计算的事件")).to_be_visible()
    expect(page.get_by_text("2020-01-01 00:00 至 2020-02-01 00:00")).to_be_visible()
    page.locator("article").filter(has_text="返工率").first.get_by_role("link", name=re.compile("查看分母")).click()
    expect(page.get_by_text("这一边没有事件")).to_be_visible()
    page.get_by_text("近 30 天").click()
    expect(page.get_by_text("这段时间、这个区域还没有可以计算的事件")).to_have_count(0)
    town = deployment.api("operator").case(left)["region"][:9]
    page.goto(page.url.split("?")[0] + f"?region={town}")
    name = deployment.api("operator").get(f"/api/v1/regions/{town}")["name"]
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    expect(page.get_by_role("list", name="事件列表").get_by_role("listitem").filter(has_text=left)).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440, 1920])
def test_it_fits_and_whoever_opens_a_list_is_brought_to_it(left: str, desk: Callable[..., Desk], width: int) -> None:
    operator = desk("operator", width=width, height=844)
    page = operator.open("/indicators")
    last = page.locator("article").last
    last.scroll_into_view_if_needed()
    last.get_by_role("link").last.click()
    expect(page.locator("section.side h2")).to_be_in_viewport()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert operator.axe("/indicators") == []


def test_who_may_read_figures_but_no_cases_is_told_so_and_not_led_there(desk: Callable[..., Desk]) -> None:
    """As the process designer: the server asks for both."""
    leader = desk("leader")

    def without_cases(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["permissions"] = [one for one in told["permissions"] if one != "case.read"]
        route.fulfill(response=answer, json=told)

    leader.tab.route("**/api/v1/me", without_cases)
    page = leader.open("/indicators")
    expect(page.get_by_role("heading", level=1, name="没有权限")).to_be_visible()
    nav = page.get_by_role("navigation", name="主导航")
    expect(nav.get_by_role("link", name="组织")).to_be_visible()
    for name in ("指标", "驾驶舱"):
        expect(nav.get_by_role("link", name=name)).to_have_count(0)
