"""Without a network nothing is lost and nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Route, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Phone, Spot
from tests.house.product import until


def _installed(citizen: Phone) -> None:
    """The service worker has the shell."""
    citizen.page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")


def _fill(citizen: Phone, photo: dict[str, Any], words: str) -> None:
    citizen.open("/m/report")
    expect(citizen.page.get_by_text("精度 8 米")).to_be_visible()
    citizen.take("report", photo)
    citizen.page.get_by_label("说明").fill(words)
    citizen.button("井盖破损").click()


def test_report_survives_reload_without_network_and_goes_once(
    deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot
) -> None:
    citizen = phone(None, spot)
    _fill(citizen, photo, f"离线上报 {spot}")
    _installed(citizen)
    citizen.offline(True)
    citizen.button("提交").click()
    expect(citizen.page.get_by_text("已存在手机上")).to_be_visible()
    citizen.page.reload()
    expect(citizen.page.locator("header").get_by_text("离线 · 待传 1")).to_be_visible()

    citizen.offline(False)
    citizen.all_sent()
    cases = deployment.api("operator").get("/api/v1/cases", q=f"离线上报 {spot}")["items"]
    assert len(cases) == 1
    citizen.page.get_by_role("link", name="我的").click()
    citizen.page.get_by_role("link", name=cases[0]["code"]).click()
    expect(citizen.page.get_by_text(cases[0]["title"])).to_be_visible()


def test_a_network_that_leads_nowhere_is_no_network(phone: Callable[..., Phone], spot: Spot) -> None:
    """The browser says on-line, as it does in every network; no request comes through."""
    citizen = phone(None, spot)
    citizen.open("/m/report")
    state = citizen.page.locator("header").get_by_role("status")
    expect(state).to_have_text("在线")
    for path in ("**/api/**", "**/healthz"):
        citizen.page.route(path, lambda route: route.abort("internetdisconnected"))
    citizen.page.reload()
    expect(state).to_have_text("离线")
    assert citizen.page.evaluate("navigator.onLine")
    citizen.page.unroute("**/api/**")
    citizen.page.unroute("**/healthz")
    expect(state).to_have_text("在线", timeout=20_000)  # the door is asked every five seconds


def test_lost_answer_makes_no_second_case(deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot) -> None:
    citizen = phone(None, spot)
    _fill(citizen, photo, f"答复丢失 {spot}")
    keys: list[str] = []

    def lose_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            route.continue_()
            return
        route.fetch()  # the server does its work …
        route.abort("connectionreset")  # … and the phone never hears of it

    citizen.page.route("**/api/v1/reports", lose_first)
    citizen.button("提交").click()
    expect(citizen.page.locator("[data-state=sent]")).to_be_visible()
    assert len(keys) == 2
    assert keys[0] == keys[1]
    cases = deployment.api("operator").get("/api/v1/cases", q=f"答复丢失 {spot}")["items"]
    assert [c["code"] for c in cases] == [citizen.page.locator(".code").inner_text()]
    assert sum(s["count"] for s in cases[0]["sources"]) == 1


def test_photos_go_first_and_none_goes_twice(
    deployment: Deployment, phone: Callable[..., Phone], photo: dict[str, Any], spot: Spot
) -> None:
    worker = phone("worker", spot)
    _fill(worker, photo, f"两张照片 {spot}")
    worker.take("report", photo)
    sent: list[str] = []

    def cut_second(route: Route) -> None:
        sent.append(route.request.headers["idempotency-key"])
        if len(sent) == 2:
            route.abort("connectionreset")
        else:
            route.continue_()

    worker.page.route("**/api/v1/evidence", cut_second)
    worker.button("提交").click()
    expect(worker.page.locator("[data-state=sent]")).to_be_visible()
    assert len(sent) == 3, "the first photo, the second cut off, the second again"
    assert sent[0] != sent[1]
    assert sent[1] == sent[2]
    code = worker.page.locator(".code").inner_text()
    kept = deployment.api("operator").get(f"/api/v1/cases/{code}/evidence")["items"]
    assert len(kept) == 2
    assert all(abs(e["lon"] - spot[0]) < 1e-5 and len(e["sha256"]) == 64 for e in kept)
    assert max(max(e["width"], e["height"]) for e in kept) == 1600


def test_task_list_opens_and_a_verb_waits_without_network(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    expect(handler.card(code)).to_be_visible()
    _installed(handler)
    handler.offline(True)
    handler.page.reload()
    handler.card(code).get_by_role("button", name="签收").click()
    expect(handler.page.get_by_text("已保存，联网后自动上传")).to_be_visible()
    assert deployment.api("operator").case(code)["status"] == "dispatched"
    handler.offline(False)
    handler.all_sent()
    expect(handler.card(code).get_by_role("button", name="到场签到")).to_be_visible()
    assert deployment.api("operator").case(code)["status"] == "accepted"


def test_what_one_person_keeps_another_does_not_send(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = phone("handler", spot)
    expect(handler.card(code)).to_be_visible()
    handler.offline(True)
    handler.card(code).get_by_role("button", name="签收").click()
    expect(handler.page.locator("header").get_by_text("待传 1")).to_be_visible()
    handler.page.context.clear_cookies()
    handler.offline(False)
    handler.open("/login/?next=/m/").locator("button[value=worker]").click()
    expect(handler.page.locator("header").get_by_text("待传 1")).to_be_visible()
    assert deployment.api("operator").case(code)["status"] == "dispatched"
    handler.page.context.clear_cookies()
    handler.open("/login/?next=/m/").locator("button[value=handler]").click()
    assert until(lambda: deployment.api("operator").case(code)["status"] == "accepted")
