"""Every screen also says that there is nothing, that it failed, that one may not, that one is not logged in; in both languages."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Route, expect

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
    code = deployment.api("operator").report(spot)["case"]
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


def test_code_on_site_wins_over_the_place_of_a_report_begun_elsewhere(phone: Callable[..., Phone], spot: Spot) -> None:
    citizen = phone(None)
    citizen.open("/m/report")
    citizen.page.get_by_label("说明").fill("灯坏了")
    citizen.page.get_by_label("地址").fill("家门口")
    citizen.page.wait_for_timeout(300)
    citizen.open(f"/m/report?place={spot[0]},{spot[1]},东街灯杆 12")
    expect(citizen.page.get_by_text("来自现场二维码")).to_be_visible()
    expect(citizen.page.get_by_label("地址")).to_have_value("东街灯杆 12")
    expect(citizen.page.get_by_label("说明")).to_have_value("灯坏了")


def test_words_beyond_what_is_taken_are_told(phone: Callable[..., Phone]) -> None:
    citizen = phone(None)
    citizen.open("/m/report")
    words = citizen.page.get_by_label("说明")
    words.fill("坏" * 4500)
    expect(citizen.page.get_by_text("已写 4500 / 5000 字")).to_be_visible()
    words.fill("坏" * 6000)
    expect(citizen.page.get_by_text("最多 5000 字")).to_be_visible()


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


ENGLISH = {"/cockpit": "main h2", "/cases": "main th", "/admin/org": "main [role=tab]", "/admin/devices": "main th"}
WORDS = "nav a, main th, main h3, main dt, main label, main h2, main [role=tab], main [role=group] button"


def test_desk_speaks_english_and_remembers_it(desk: Callable[..., Desk]) -> None:
    """Names and reports are what people wrote; every word of the house's own is English."""
    leader = desk("leader")
    # the account knows it before another page is asked for
    with leader.page.expect_response(lambda answer: answer.url.endswith("/api/v1/me") and answer.request.method == "POST"):
        leader.page.get_by_role("button", name="English").click()
    try:
        for screen, shown in (
            ("/cockpit", "main h2"),
            ("/indicators", "main h3"),
            ("/cases", "main th"),
            ("/admin/org", "main [role=tab]"),
            ("/admin/devices", "main th"),
        ):
            leader.open(screen)
            expect(leader.page.locator(shown).first).to_be_visible()
            expect(leader.page.get_by_role("button", name="中文")).to_be_visible()
            words = leader.page.locator(WORDS).all_inner_texts()
            assert words
            assert [word for word in words if HAN.search(word)] == [], screen
    finally:
        leader.page.get_by_role("button", name="中文").click()
    expect(leader.page.get_by_role("button", name="English")).to_be_visible()


@pytest.mark.parametrize("screen", ["/console", "/cockpit", "/indicators", "/admin/packs"])
def test_desk_tells_who_may_not(desk: Callable[..., Desk], screen: str) -> None:
    handler = desk("handler")
    handler.open(screen)
    expect(handler.page.get_by_role("heading", level=1, name="没有权限")).to_be_visible()
    expect(handler.page).to_have_url(re.compile(r"/denied\?from="))
    handler.page.get_by_role("link", name="回到首页").click()
    expect(handler.page.get_by_role("heading", name="我的任务")).to_be_visible()


@dataclass(frozen=True)
class View:
    """A screen of the desk: what it waits for, and how it looks when that is there."""

    user: str
    path: str
    call: str  # pattern of the address
    there: str  # selector of something that only the answer brings

    def __str__(self) -> str:
        return self.path.strip("/").replace("/", "-")


VIEWS = (
    View("operator", "/console", r"/api/v1/cases\?", "[role=option]"),
    View("operator", "/cases", r"/api/v1/cases\?", "main tbody tr"),
    View("leader", "/cockpit", r"/api/v1/cockpit", "main .tiles"),
    View("leader", "/indicators", r"/api/v1/indicators", "main article"),
    View("admin", "/admin/org", r"/api/v1/units\?", "main .tree .name"),
    View("admin", "/admin/devices", r"/api/v1/devices\?", "main tbody tr"),
    View("admin", "/admin/packs", r"/api/v1/packs$", "main article"),
)


@pytest.fixture(scope="module")
def waiting(deployment: Deployment, spots: Iterator[Spot]) -> str:
    """A case at the desk, so that no list is empty by chance."""
    code: str = deployment.api("operator").report(next(spots))["case"]
    return code


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_desk_says_that_it_loads(waiting: str, desk: Callable[..., Desk], view: View) -> None:
    who = desk(view.user)
    held: list[Route] = []
    who.tab.route(re.compile(view.call), lambda route: held.append(route))
    with who.tab.expect_request(re.compile(view.call)):  # the shell says that it loads, too, before the screen asks
        who.open(view.path)
    loading = who.page.get_by_role("status").filter(has_text="正在加载…")
    expect(loading.first).to_be_visible()
    expect(who.page.locator(view.there)).to_have_count(0)
    who.page.unroute(re.compile(view.call))
    for route in held:
        with contextlib.suppress(PlaywrightError):  # the page has dropped this one for a newer one
            route.continue_()
    expect(who.page.locator(view.there).first).to_be_visible()
    expect(loading).to_have_count(0)


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_desk_says_that_it_failed_and_tries_again(waiting: str, desk: Callable[..., Desk], view: View) -> None:
    who = desk(view.user)
    who.tab.route(re.compile(view.call), lambda route: route.fulfill(status=500, json={"title": "出错"}))
    who.open(view.path)
    fault = who.page.get_by_role("alert")
    expect(fault.first).to_contain_text("出错", timeout=20_000)  # after two more tries, a second and two apart
    expect(who.page.locator(view.there)).to_have_count(0)
    who.page.unroute(re.compile(view.call))
    fault.first.get_by_role("button", name="重试").click()
    expect(who.page.locator(view.there).first).to_be_visible()
    expect(fault).to_have_count(0)


@pytest.mark.parametrize(
    ("user", "path", "field", "said"),
    [
        ("operator", "/console", "标题、编号（按 / 键）", "没有待派的事件"),
        ("operator", "/cases", "标题、编号、地址", "没有符合条件的事件"),
        ("admin", "/admin/org", "单位名称、代码", "暂无数据"),
        ("admin", "/admin/devices", "名称、编号", "暂无数据"),
    ],
    ids=["console", "cases", "org", "devices"],
)
def test_desk_says_that_there_is_nothing(waiting: str, desk: Callable[..., Desk], user: str, path: str, field: str, said: str) -> None:
    who = desk(user)
    who.open(path)
    search = who.page.get_by_label(field)
    search.fill("没有这样的东西")
    search.press("Enter")
    expect(who.page.get_by_text(said)).to_be_visible()


def test_desk_says_that_no_pack_is_installed_and_nothing_is_late(desk: Callable[..., Desk]) -> None:
    admin = desk("admin")
    admin.tab.route("**/api/v1/packs", lambda route: route.fulfill(json={"items": [], "next": None}))
    admin.open("/admin/packs")
    expect(admin.page.get_by_text("还没有安装场景")).to_be_visible()
    leader = desk("leader")
    leader.open("/cockpit")
    expect(leader.page.get_by_text("没有超时的事件")).to_be_visible()


@pytest.mark.parametrize(("width", "count"), [(390, 12), (390, 1234), (1920, 128)])
def test_counts_stay_inside_their_tiles(desk: Callable[..., Desk], width: int, count: int) -> None:
    leader = desk("leader")

    def many(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["now"]["severity"] = dict.fromkeys(told["now"]["severity"], count)
        route.fulfill(response=answer, json=told)

    leader.tab.set_viewport_size({"width": width, "height": 844})
    leader.tab.route(re.compile("/api/v1/cockpit"), many)
    tiles = leader.open("/cockpit").locator(".levels a")
    expect(tiles.first).to_contain_text(str(count))
    over = """tile => { const all = document.createRange(); all.selectNodeContents(tile);
        return all.getBoundingClientRect().right - tile.getBoundingClientRect().right }"""
    assert [tile.evaluate(over) <= 0 for tile in tiles.all()] == [True] * 4
    leader.tab.unroute_all(behavior="wait")  # an answer still on its way would fail in the middle of the next test
