"""What the loop's way does not show: doubts, returns, missing proof, rework."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import MANHOLE, Phone, Spot
from tests.house.product import until


def test_grid_worker_verifies_a_public_report(deployment: Deployment, phone: Callable[..., Phone], worker_spot: Spot) -> None:
    worker = phone("worker", worker_spot)
    body = {"text": "井盖松动", "kind": MANHOLE, "place": {"lon": worker_spot[0], "lat": worker_spot[1]}}
    code = deployment.api("citizen").post("/api/v1/reports", body)["case"]
    worker.card(code).get_by_role("button", name="去核实").click()
    worker.button("不属实").click()
    sheet = worker.page.locator("dialog[open]")
    sheet.get_by_role("button", name="不属实").click()
    expect(sheet.get_by_text("请选一个原因，或写几句说明")).to_be_visible()
    sheet.get_by_role("button", name="现场未发现").click()
    sheet.get_by_role("button", name="不属实").click()
    expect(worker.page.get_by_text("已报不属实")).to_be_visible()
    assert deployment.api("operator").case(code)["stage"] == "intake"


def test_grid_worker_says_why_a_sensors_alarm_was_none(deployment: Deployment, phone: Callable[..., Phone], worker_spot: Spot) -> None:
    admin = deployment.api("admin")
    admin.device(worker_spot, "e2e-smoke", "灶间探头")
    at = datetime.now(UTC).isoformat()
    admin.post("/api/v1/signals", {"id": f"e2e-{at}", "source": "e2e", "device": "e2e-smoke", "kind": "smoke", "at": at, "value": 1})
    worker = phone("worker", worker_spot)
    card = worker.page.get_by_role("article").filter(has_text="灶间探头")
    card.get_by_role("button", name="去核实").click()
    spoke = worker.page.locator("dd", has_text="e2e-smoke").get_by_role("link", name="灶间探头")
    expect(spoke).to_have_attribute("href", "/admin/devices?device=e2e-smoke")
    worker.button("不属实").click()
    sheet = worker.page.locator("dialog[open]")
    sheet.get_by_role("button", name="正常活动").click()
    sheet.get_by_role("textbox").fill("炒菜油烟 😀")
    code = worker.page.url.partition("case=")[2].partition("&")[0]
    worker.page.reload()  # the sheet opens by itself; nothing chosen or typed is lost
    expect(sheet.get_by_role("button", name="正常活动")).to_have_attribute("aria-pressed", "true")
    expect(sheet.get_by_role("textbox")).to_have_value("炒菜油烟 😀")
    sheet.get_by_role("button", name="不属实").click()
    expect(worker.page.get_by_text("已报不属实")).to_be_visible()

    def told() -> tuple[str, str]:
        (one,) = deployment.api("operator").get(f"/api/v1/cases/{code}/outcome")["alarms"]
        return one["outcome"], one["reason"]

    assert until(lambda: told() == ("false", "normal"), 20)


def test_result_without_photo_is_stopped_with_a_hint(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    card = handler.card(code)
    card.get_by_role("button", name="签收").click()
    card.get_by_role("button", name="到场签到").click()
    card.get_by_role("button", name="反馈结果").click()
    sheet = handler.page.locator("dialog[open]")
    sheet.get_by_role("button", name="反馈结果").click()
    expect(sheet.get_by_role("alert")).to_have_text("请先拍照：处置后")
    assert deployment.api("operator").case(code)["status"] == "handling"


def test_whoever_has_accepted_opens_the_number_to_call_back(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot, contact="139 0000 1234")
    handler = phone("handler", spot)
    handler.card(code).get_by_role("link").first.click()
    expect(handler.page.get_by_text("139****1234")).to_be_visible()
    expect(handler.button("打电话")).to_have_count(0)
    handler.button("签收").click()
    handler.button("打电话").click()
    expect(handler.page.get_by_role("link", name="拨打 13900001234")).to_have_attribute("href", "tel:13900001234")
    looks = deployment.api("handler").get("/api/v1/looks")["items"]
    assert [look["subject"] for look in looks if code in look["subject"]] == [f"case:{code}/reporter"]


@pytest.fixture
def begun(deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot) -> Phone:
    """A handler's phone with a result half written: a photo and some words."""
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    handler.begin_result(code)
    handler.take("after", photo)
    handler.page.locator("#submit-note").fill("换了新井盖")
    return handler


def still_there(handler: Phone) -> None:
    expect(handler.page.locator("#submit-note")).to_have_value("换了新井盖")
    expect(handler.page.locator(".shot")).to_have_count(1)


def test_draft_of_a_result_survives_a_closed_page(begun: Phone) -> None:
    begun.page.reload()
    still_there(begun)


PHOTOS = """() => new Promise((resolve) => {
    const opening = indexedDB.open("gridloop-phone");
    opening.onsuccess = () => {
        const asked = opening.result.transaction("photos").objectStore("photos").getAllKeys();
        asked.onsuccess = () => { opening.result.close(); resolve(asked.result.length); };
    };
})"""
AGED = """(days) => new Promise((resolve) => {
    for (const key of Object.keys(localStorage).filter((key) => key.startsWith("typed:draft:"))) {
        const row = JSON.parse(localStorage.getItem(key));
        localStorage.setItem(key, JSON.stringify({ ...row, at: row.at - days * 86400000 }));
    }
    const opening = indexedDB.open("gridloop-phone");
    opening.onsuccess = () => {
        const change = opening.result.transaction("photos", "readwrite");
        const each = change.objectStore("photos").openCursor();
        each.onsuccess = () => {
            if (!each.result) return;
            const photo = each.result.value;
            each.result.update({ ...photo, at: new Date(Date.parse(photo.at) - days * 86400000).toISOString() });
            each.result.continue();
        };
        change.oncomplete = () => { opening.result.close(); resolve(null); };
    };
})"""


def test_what_was_begun_a_month_ago_leaves_the_phone_with_its_photos(begun: Phone) -> None:
    begun.page.evaluate(AGED, 20)
    begun.page.reload()
    still_there(begun)
    begun.open("/m/me")  # a form that is open counts as typed in
    begun.page.evaluate(AGED, 31)
    begun.page.reload()
    assert until(lambda: begun.page.evaluate(PHOTOS) == 0, 20)
    assert begun.page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('typed:draft:'))") == []


def test_handler_returns_with_a_reason(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    handler.card(code).get_by_role("link").first.click()
    handler.button("更多").click()
    handler.page.locator("dialog[open]").get_by_role("button", name="退回", exact=True).click()
    sheet = handler.page.get_by_role("dialog", name="退回任务")
    sheet.get_by_role("button", name="不属本单位职责").click()
    sheet.get_by_label("补充说明").fill("这是供电的井")
    sheet.get_by_role("button", name="退回", exact=True).click()
    expect(handler.page.get_by_text("已退回")).to_be_visible()
    expect(handler.card(code)).to_have_count(0)
    facts = deployment.api("operator").get(f"/api/v1/cases/{code}/trace", limit=200)["items"]
    assert "不属本单位职责：这是供电的井" in [f["text"] for f in facts if f["action"] == "returned"]


def test_checker_sends_back_and_the_handler_does_it_again(
    deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot
) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    handler.submit_result(code, photo)
    checker = phone("supervisor", spot)
    checker.check(code, "不通过，退回返工")
    sheet = checker.page.get_by_role("dialog", name="退回返工")
    sheet.get_by_role("button", name="问题未解决").click()
    sheet.get_by_role("button", name="不通过，退回返工").click()
    expect(checker.card(code)).to_have_count(0)
    expect(handler.card(code)).to_be_visible()
    assert deployment.api("operator").case(code)["reworks"] == 1


def test_check_in_without_position_needs_a_reason(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler")
    card = handler.card(code)
    card.get_by_role("button", name="签收").click()
    card.get_by_role("button", name="到场签到").click()
    sheet = handler.page.get_by_role("dialog", name="到场签到")
    sheet.get_by_label("为什么没有定位").fill("手机没有信号")
    sheet.get_by_role("button", name="到场签到").click()
    expect(handler.page.get_by_text("已签到")).to_be_visible()
    assert "checked_in" in deployment.api("operator").actions(code)
