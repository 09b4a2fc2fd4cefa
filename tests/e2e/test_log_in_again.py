"""A session ends on the phone while somebody works: after the log-in they stand where they stood, and nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Phone, Spot
from tests.house.product import until


def _place(handler: Phone) -> str:
    return urlsplit(handler.page.url).path


def _opened(handler: Phone, code: str) -> str:
    """The task's page, and where it is."""
    handler.card(code).get_by_role("link").first.click()
    expect(handler.page.locator("[data-status]")).to_be_visible()
    return _place(handler)


def _handing_back(handler: Phone, why: str) -> Locator:
    """The open sheet on which a task is handed back, with a reason."""
    handler.button("更多").click()
    handler.button("退回").click()
    sheet = handler.page.locator("dialog[open]")
    sheet.get_by_label("说明").fill(why)
    return sheet


def test_a_reason_handed_in_after_the_session_ended_arrives(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    where = _opened(handler, code)
    sheet = _handing_back(handler, "井盖属于通信公司 😀")
    handler.log_in_again(lambda: sheet.get_by_role("button", name="退回").click(), where)
    expect(handler.page.get_by_text("已退回").first).to_be_visible()
    assert "returned" in deployment.api("operator").actions(code)
    assert "井盖属于通信公司 😀" in str(deployment.api("operator").get(f"/api/v1/cases/{code}/trace", limit=200))
    expect(handler.page.locator("dialog[open]")).to_have_count(0)


def test_a_result_with_its_photo_handed_in_after_the_session_ended_arrives_once(
    deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, object], photo_after: dict[str, object], spot: Spot
) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    handler.begin_result(code)
    sheet = handler.page.locator("dialog[open]")
    handler.take("before", photo)
    handler.take("after", photo_after)
    sheet.get_by_role("button", name="已解决").click()
    where = _place(handler)
    handler.log_in_again(lambda: sheet.get_by_role("button", name="反馈结果").click(), where)
    assert until(lambda: deployment.api("operator").case(code)["status"] in ("submitted", "checking"), 60)
    assert deployment.api("operator").actions(code).count("submitted") == 1
    assert len(deployment.api("operator").get(f"/api/v1/cases/{code}/evidence")["items"]) == 2
    expect(handler.page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("reload", [True, False], ids=["reload", "log-in"])
def test_a_sheet_half_filled_in_is_open_again(deployment: Deployment, phone: Callable[..., Phone], spot: Spot, reload: bool) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    where = _opened(handler, code)
    sheet = _handing_back(handler, "还没写完")
    expect(handler.page).to_have_url(re.compile("do=return"))
    if reload:
        handler.page.reload()
    else:
        handler.log_in_again(lambda: handler.page.reload(), where)
    expect(sheet.get_by_label("说明")).to_have_value("还没写完")
    sheet.get_by_role("button", name="关闭").click()
    expect(handler.page).to_have_url(re.compile("^(?!.*do=)"))
    assert deployment.api("operator").case(code)["status"] == "dispatched"


def _reporting(worker: Phone, photo: dict[str, Any], words: str) -> None:
    """A report filled in, with a photo."""
    worker.open("/m/report")
    expect(worker.page.get_by_text("精度 8 米")).to_be_visible()
    worker.take("report", photo)
    worker.page.get_by_label("说明").fill(words)


def _reported(deployment: Deployment, words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deployment.api("operator").get("/api/v1/cases", q=words)["items"]
    return found


def test_a_report_whose_session_has_ended_waits_for_the_log_in(
    deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot
) -> None:
    words = f"登录失效 {spot}"
    worker = phone("worker", spot)
    _reporting(worker, photo, words)
    worker.page.locator(".shot").get_by_role("button").click()  # without a photo nothing else would ask who it is
    worker.page.context.clear_cookies()
    worker.button("提交").click()
    expect(worker.page.get_by_text("登录已失效，还没有上报")).to_be_visible()
    assert _reported(deployment, words) == []
    worker.log_in_again(lambda: worker.button("重新登录").click(), "/m/report")
    expect(worker.page.locator("[data-state=sent]")).to_be_visible()
    assert len(_reported(deployment, words)) == 1


def test_a_report_begun_before_and_sent_after_a_reload_asks_whose_it_is(
    deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot
) -> None:
    words = f"重新登录 {spot}"
    worker = phone("worker", spot)
    _reporting(worker, photo, words)
    worker.page.context.clear_cookies()
    worker.page.reload()
    worker.button("提交").click()
    sheet = worker.page.locator("dialog[open]")
    expect(sheet.get_by_text("填写的内容和照片都已保留")).to_be_visible()
    assert worker.axe("whose report it is") == []
    worker.log_in_again(lambda: sheet.get_by_role("button", name="重新登录").click(), "/m/report")
    expect(worker.page.get_by_label("说明")).to_have_value(words)
    expect(worker.page.locator(".shot")).to_have_count(1)
    worker.button("提交").click()
    expect(worker.page.locator("[data-state=sent]")).to_be_visible()
    assert len(_reported(deployment, words)) == 1


def test_whoever_chooses_it_reports_without_a_name(
    deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot
) -> None:
    words = f"不署名 {spot}"
    worker = phone("worker", spot)
    _reporting(worker, photo, words)
    worker.page.context.clear_cookies()
    worker.button("提交").click()
    expect(worker.page.get_by_text("登录已失效，还没有上报")).to_be_visible()
    worker.button("不署名上报").click()
    expect(worker.page.locator("[data-state=sent]")).to_be_visible()
    (case,) = _reported(deployment, words)
    assert len(deployment.api("operator").get(f"/api/v1/cases/{case['code']}/evidence")["items"]) == 1
