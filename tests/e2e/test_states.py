"""Every screen also says that there is nothing, that it failed, that one may not, that one is not logged in; in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Desk, Phone, Spot

HAN = re.compile(r"[\u4e00-\u9fff]")


def test_without_log_in_tasks_lead_to_the_log_in_page(phone: Callable[..., Phone]) -> None:
    guest = phone(None)
    guest.open("/m/")
    expect(guest.page).to_have_url(re.compile(r"/login/\?next=%2Fm%2F$"))


def test_citizen_has_no_tasks_but_may_report(phone: Callable[..., Phone]) -> None:
    citizen = phone("citizen")
    expect(citizen.page).to_have_url(re.compile(r"/m/report$"))
    expect(citizen.page.get_by_role("link", name="任务")).to_have_count(0)
    expect(citizen.button("提交")).to_be_visible()


def test_empty_list_says_so(phone: Callable[..., Phone]) -> None:
    inspector = phone("inspector")
    expect(inspector.page.get_by_text("现在没有待办任务")).to_be_visible()


def test_case_of_somebody_else_is_not_shown(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    inspector = phone("inspector")
    inspector.open(f"/m/tasks/{code}")
    expect(inspector.page.get_by_text("没有找到")).to_be_visible()


def test_server_fault_can_be_retried(phone: Callable[..., Phone]) -> None:
    inspector = phone("inspector")
    inspector.page.route("**/api/v1/tasks?**", lambda route: route.fulfill(status=500, json={"title": "出错"}))
    inspector.page.evaluate("indexedDB.deleteDatabase('gridloop-phone')")
    inspector.page.reload()
    expect(inspector.page.get_by_text("没有加载成功")).to_be_visible()
    inspector.page.unroute("**/api/v1/tasks?**")
    inspector.button("重试").click()
    expect(inspector.page.get_by_text("现在没有待办任务")).to_be_visible()


def test_wrong_tracking_key_is_told_plainly(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    code = deployment.api("citizen").report(spot)["case"]
    guest = phone(None)
    for path in (f"/track/{code}?key=wrong", f"/track/{code}", "/track/0000000000000000000?key=x"):
        guest.open(path)
        expect(guest.page.get_by_role("alert")).to_contain_text("链接不对或已失效")


def test_report_without_position_takes_an_address_and_without_anything_a_hint(phone: Callable[..., Phone]) -> None:
    citizen = phone(None)
    citizen.open("/m/report")
    expect(citizen.page.get_by_text("没有定位权限")).to_be_visible()
    citizen.button("提交").click()
    expect(citizen.page.get_by_role("alert")).to_have_text("请拍一张照片，或写几句说明")
    citizen.page.get_by_label("说明").fill("东街路灯不亮")
    expect(citizen.page.get_by_role("alert")).to_have_text("请定位、选点或写地址")
    citizen.page.get_by_label("地址").fill("东街 12 号门前")
    expect(citizen.page.get_by_role("alert")).to_have_count(0)


def test_code_on_site_brings_its_place(phone: Callable[..., Phone], spot: Spot) -> None:
    citizen = phone(None)
    citizen.open(f"/m/report?place={spot[0]},{spot[1]},东街灯杆 12")
    expect(citizen.page.get_by_text("来自现场二维码")).to_be_visible()
    expect(citizen.page.get_by_label("地址")).to_have_value("东街灯杆 12")


def test_phone_speaks_english_and_remembers_it(phone: Callable[..., Phone]) -> None:
    guest = phone(None)
    guest.open("/m/me")
    guest.button("English").click()
    expect(guest.page.get_by_role("button", name="Log in")).to_be_visible()
    for path in ("/m/me", "/m/report", "/track/1?key=2", "/m/nothing"):
        guest.open(path)
        expect(guest.page.locator("h1")).not_to_be_empty()
        guest.page.wait_for_timeout(300)
        shown = guest.page.locator("body").inner_text().replace("中文", "")
        assert not HAN.search(shown), shown


def test_desk_speaks_english_and_refuses_in_words(desk: Callable[..., Desk]) -> None:
    operator = desk("operator")
    operator.page.get_by_role("button", name="English").click()
    expect(operator.page.get_by_role("button", name="中文")).to_be_visible()
    operator.page.reload()
    expect(operator.page.get_by_role("button", name="中文")).to_be_visible()
    operator.page.get_by_role("button", name="中文").click()
    expect(operator.page.get_by_role("button", name="English")).to_be_visible()


def test_desk_tells_who_may_not(desk: Callable[..., Desk]) -> None:
    handler = desk("handler")
    handler.open("/console")
    expect(handler.page.get_by_role("heading", level=1)).to_be_visible()
    expect(handler.page.get_by_role("region", name="事件队列")).to_have_count(0)
