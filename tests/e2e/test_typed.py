"""What somebody typed, took or chose is neither lost nor done by mistake: reloads, keys, second looks, a network that goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Route, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Desk, Phone, Spot
from tests.house.product import until


def test_a_reason_begun_is_not_a_dispatch(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    """Enter beside the line of a reason, and under the list of keys: neither is the Enter that dispatches."""
    code = deployment.api("operator").report(spot)["case"]
    operator = desk("operator")
    operator.open(f"/console/{code}")
    page = operator.page
    page.get_by_role("button", name="催办", exact=True).click()
    page.get_by_label("理由").fill("群众又来电")
    page.get_by_label("理由").evaluate("field => field.blur()")
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    expect(page.get_by_label("理由")).to_have_value("群众又来电")
    page.get_by_label("理由").press("Escape")
    expect(page.get_by_role("button", name="催办", exact=True)).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    for key in ("Enter", "j", "m"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert deployment.api("operator").case(code)["status"] == "reported"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(f"{deployment.url}/console/{code}")


def test_photos_at_the_desk_outlive_a_reload_and_only_those_that_are_left_are_handed_in(
    deployment: Deployment, desk: Callable[..., Desk], photo: dict[str, Any], photo_after: dict[str, Any], spot: Spot
) -> None:
    code = deployment.api("operator").dispatched(spot)
    handler = desk("handler")
    handler.open(f"/tasks?case={code}")
    page = handler.page
    page.get_by_role("button", name="签收", exact=True).click()
    field = page.locator("input[type=file]")
    held: list[Route] = []
    page.route("**/api/v1/evidence", lambda route: held.append(route))
    field.set_input_files(files=[photo])  # type: ignore[list-item]
    assert until(lambda: page.wait_for_timeout(50) or bool(held), 10)
    page.locator(".verbs button").first.click()
    expect(page.get_by_role("alert").filter(has_text="照片还没有传完")).to_be_visible()
    page.get_by_role("button", name="移除照片").click()
    held[0].continue_()
    page.unroute("**/api/v1/evidence")
    with page.expect_response(lambda answer: answer.url.endswith("/api/v1/evidence")):
        field.set_input_files(files=[photo_after])  # type: ignore[list-item]
    page.get_by_label("办理说明").fill("已换井盖")
    expect(page.locator(".shot")).to_have_count(1)
    expect(page.locator(".shot progress")).to_have_count(0)
    page.reload()
    expect(page.locator(".shot img")).to_have_count(1)
    expect(page.get_by_label("办理说明")).to_have_value("已换井盖")
    page.locator(".verbs button").first.click()
    assert until(lambda: deployment.api("operator").case(code)["status"] in ("submitted", "checking"))
    assert len(deployment.api("operator").get(f"/api/v1/cases/{code}/evidence")["items"]) == 1


def test_a_note_to_urge_stays_with_its_case(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    code = deployment.api("operator").dispatched(spot)
    commander = desk("commander")
    commander.open(f"/cases/{code}")
    note = commander.page.get_by_label("交办意见")
    note.fill("群众又来电")
    commander.page.reload()
    expect(note).to_have_value("群众又来电")


def test_a_log_out_the_server_has_not_heard_of_is_none(desk: Callable[..., Desk], phone: Callable[..., Phone], spot: Spot) -> None:
    leader = desk("leader")
    leader.open("/cases")
    expect(leader.page.locator("main tbody tr").first).to_be_visible()
    leader.page.context.set_offline(True)
    leader.page.get_by_role("button", name="退出", exact=True).click()
    expect(leader.page.get_by_role("alert").filter(has_text="连不上服务器")).to_be_visible()
    expect(leader.page).to_have_url(f"{leader.url}/cases")
    leader.page.context.set_offline(False)
    worker = phone("worker", spot)
    worker.open("/m/me")
    expect(worker.button("退出登录")).to_be_visible()
    worker.offline(True)
    worker.button("退出登录").click()
    worker.page.locator("dialog[open]").get_by_role("button", name="退出登录").click()
    expect(worker.page.get_by_text("还没有退出")).to_be_visible()
    worker.offline(False)
    worker.open("/m/me")
    expect(worker.button("退出登录")).to_be_visible()


def test_a_screen_asked_for_without_a_network_is_told_and_comes_with_it(
    desk: Callable[..., Desk], contexts: Callable[..., BrowserContext]
) -> None:
    admin = desk("admin")
    admin.open("/cases")
    cookies = admin.page.context.cookies()
    page = contexts().new_page()  # whose console may tell of what it could not load
    page.context.add_cookies(cookies)
    page.goto(f"{admin.url}/cases")
    expect(page.locator("main tbody tr").first).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("link", name="场景", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="连不上服务器")).to_be_visible()
    expect(page).to_have_url(f"{admin.url}/cases")
    page.context.set_offline(False)
    page.get_by_role("link", name="场景", exact=True).click()
    expect(page.locator("main h1")).to_contain_text("场景")


def test_the_phone_begins_in_the_browsers_language(deployment: Deployment, browser: Browser) -> None:
    for lang, word in (("en-GB", "Report"), ("fr-FR", "随手报"), ("zh-CN", "随手报")):
        context = browser.new_context(locale=lang)
        page = context.new_page()
        page.goto(f"{deployment.url}/m/me")
        expect(page.get_by_role("link", name=word)).to_be_visible()
        context.close()


def test_the_desk_speaks_as_the_log_in_page_did(deployment: Deployment, browser: Browser) -> None:
    """In the browser's language, as long as nobody has chosen another."""
    for lang, word in (("en-GB", "Cases"), ("zh-CN", "事件广场")):
        context = browser.new_context(locale=lang)
        page = context.new_page()
        page.goto(f"{deployment.url}/login/?next=/cases")
        page.locator("button[value=worker]").click()
        expect(page.locator("main h1")).to_contain_text(word)
        expect(page.locator("html")).to_have_attribute("lang", "en" if lang == "en-GB" else "zh-CN")
        context.close()


def test_a_case_can_be_read_at_twice_the_size(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    """1440 × 900 at 200 %: queue and case take turns, and the words of the case come into sight."""
    code = deployment.api("operator").report(spot, "井盖旁边的灯也坏了")["case"]
    operator = desk("operator", 720, 450)
    operator.open(f"/console/{code}")
    words = operator.page.locator(".body .text").first
    expect(words).to_have_text("井盖旁边的灯也坏了")
    words.scroll_into_view_if_needed()
    shown = (
        "e => { const r = e.getBoundingClientRect(); return document.elementFromPoint(r.x + 5, r.y + r.height / 2) === e && r.width > 500 }"
    )
    assert words.evaluate(shown)


def test_the_names_of_the_levels_stay_inside_their_tiles(desk: Callable[..., Desk]) -> None:
    """English words are longer."""
    leader = desk("leader", 1024, 768)
    leader.open("/cockpit")
    words = leader.page.locator(".levels a > span")
    expect(words).to_have_count(4)
    words.evaluate_all("all => all.forEach(one => (one.textContent = 'Important'))")
    over = """e => { const words = document.createRange(); words.selectNodeContents(e);
        return words.getBoundingClientRect().right - e.parentElement.getBoundingClientRect().right }"""
    assert [word.evaluate(over) < 0 for word in words.all()] == [True] * 4


def test_stars_and_words_of_a_rating_outlive_a_reload(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    told = deployment.api("operator").report(spot)
    citizen = phone(None)
    link = told["track_url"][told["track_url"].index("/track/") :]
    seen: dict[str, Any] = {}

    def closed(route: Route) -> None:
        answer = route.fetch()
        seen.update(answer.json(), can_rate=True)
        route.fulfill(response=answer, json=seen)

    citizen.tab.route("**/track/*as=json*", closed)
    citizen.open(link)
    citizen.page.get_by_role("radio").nth(3).check(force=True)
    note = citizen.page.get_by_label("想说几句（可不填）")
    note.fill("来得很快")
    citizen.page.reload()
    expect(note).to_have_value("来得很快")
    expect(citizen.page.get_by_role("radio").nth(3)).to_be_checked()


def test_days_typed_the_wrong_way_round_are_put_in_order_and_an_address_with_such_days_is_told(desk: Callable[..., Desk]) -> None:
    """The fields kept both in sight and the list took neither; of an address it was empty without a word."""
    operator = desk("operator")
    page = operator.page
    for leave in (lambda: page.keyboard.press("Enter"), lambda: page.get_by_role("heading", name="事件广场").click()):
        operator.open("/cases")
        page.get_by_placeholder("开始日期").click()
        page.keyboard.type("2026-12-20")
        page.keyboard.press("Tab")
        page.keyboard.type("2026-11-01")
        leave()
        page.wait_for_url("**/cases?since=2026-11-01&until=2026-12-20")
        expect(page.get_by_placeholder("开始日期")).to_have_value("2026-11-01")
    operator.open("/cases?since=2026-12-20&until=2026-11-01")
    expect(page.get_by_role("alert")).to_contain_text("结束时间须晚于开始时间")
