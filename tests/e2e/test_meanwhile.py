"""What others do meanwhile: a second tab, a colleague, the other half of a merge. Nothing typed is lost, nothing wrong is said."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.e2e.conftest import Deployment, beside
from tests.e2e.people import Desk, Phone, Spot


def test_a_task_that_others_end_stays_with_what_was_typed(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    """The next task of the list would come under the same buttons: a reason for the one would end the other."""
    office, colleague = deployment.api("operator"), deployment.api("handler")
    code, other = office.dispatched(spot), office.dispatched(beside(spot))
    task = office.task(code, "handle")["id"]
    handler = desk("handler")
    page = handler.open(f"/tasks/{task}")
    page.get_by_label("办理说明").fill("不是我们的井")
    colleague.post(f"/api/v1/tasks/{task}/return", {"note": "供电的井"})
    expect(page.get_by_text("这项任务已由他人办理或取消")).to_be_visible()
    expect(page.get_by_label("您写了、还没有提交的内容")).to_have_value("不是我们的井")
    expect(page.get_by_role("button", name="退回", exact=True)).to_have_count(0)
    expect(page).to_have_url(f"{deployment.url}/tasks/{task}")
    assert office.case(other)["status"] == "dispatched"


def test_a_task_ended_here_makes_room_for_the_next(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    office = deployment.api("operator")
    first, second = office.dispatched(spot), office.dispatched(beside(spot))
    task = office.task(first, "handle")["id"]
    page = desk("handler").open(f"/tasks/{task}")
    page.get_by_label("办理说明").fill("供电的井")
    page.get_by_role("button", name="退回", exact=True).click()
    expect(page).not_to_have_url(f"{deployment.url}/tasks/{task}")
    expect(page.get_by_role("button", name="签收", exact=True)).to_be_visible()
    page.get_by_role("button", name="已完成", exact=True).click()
    expect(page.get_by_role("button", name="签收", exact=True)).to_have_count(0)
    assert office.case(second)["status"] == "dispatched"


def test_a_sheet_half_filled_in_says_that_its_task_has_ended(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    office, colleague = deployment.api("operator"), deployment.api("handler")
    code = office.dispatched(spot)
    task = office.task(code, "handle")["id"]
    page = phone("handler", spot).open(f"/m/tasks/{task}?case={code}&do=return")
    sheet = page.get_by_role("dialog", name="退回任务")
    sheet.get_by_label("补充说明").fill("不是我们的井")
    colleague.post(f"/api/v1/tasks/{task}/return", {"note": "供电的井"})
    expect(sheet.get_by_role("alert")).to_contain_text("这项任务已由他人办理或取消")
    expect(sheet.get_by_label("补充说明")).to_have_value("不是我们的井")


def test_a_merge_of_what_has_ended_meanwhile_is_no_longer_offered(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    """Neither into a case that is void by now, nor, unasked, into the next one near by, nor of a case that has ended itself."""
    office = deployment.api("operator")
    own, twin = office.report(spot)["case"], office.report(beside(spot))["case"]  # those of one kind are offered first
    office.report(spot, "井盖旁边的灯坏了", "01037")
    page = desk("operator").open(f"/console/{own}")
    expect(page.locator("[data-tour=accept]")).to_be_visible()
    page.keyboard.press("m")
    merge = page.get_by_role("region", name="合并同一件事")
    merge.get_by_role("group", name="附近事件").get_by_title(twin).click()
    into = merge.get_by_role("button", name=f"并入 {twin}")
    expect(into).to_be_enabled()
    office.post(f"/api/v1/cases/{twin}/void", {"note": "误报"})
    expect(into).to_have_count(0)
    expect(merge.get_by_role("button", name="并入", exact=True)).to_be_disabled()
    office.post(f"/api/v1/cases/{own}/void", {"note": "误报"})
    expect(merge).to_have_count(0)
    expect(page.get_by_role("list", name="办理进度").get_by_role("listitem").last).to_contain_text("已作废")


def test_the_cockpit_opens_the_cases_it_counts(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    office = deployment.api("operator")
    office.report(spot)
    office.post(f"/api/v1/cases/{office.report(beside(spot))['case']}/void", {"note": "误报"})
    page = desk("leader").open("/cockpit")
    tile = page.get_by_role("link").filter(has_text="上报").first
    expect(tile).to_be_visible()
    counted = deployment.api("leader").get("/api/v1/cockpit")["today"]["reported"]
    tile.click()
    expect(page.get_by_role("heading", name="事件广场")).to_contain_text(f"共 {counted} 件")
    expect(page.get_by_role("main").get_by_text("不含作废、不予受理")).to_be_visible()


def test_the_reporter_of_a_merged_case_is_told_its_new_number(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    office = deployment.api("operator")
    into = office.report(spot)["case"]
    told = deployment.api("citizen").report(spot, "井盖旁边的灯坏了", "01037", source="citizen")
    office.post(f"/api/v1/cases/{told['case']}/merge", {"into": into})
    page = phone(None).open(told["track_url"])
    expect(page.get_by_text("现按上面的新编号办理")).to_be_visible()
    for number in (into, told["case"]):
        expect(page.get_by_role("definition").filter(has_text=number)).to_be_visible()


def test_letters_follow_the_browser_and_a_bad_code_is_told(deployment: Deployment, phone: Callable[..., Phone], spot: Spot) -> None:
    someone = phone(None, spot)
    page = someone.open(f"/m/report?place={spot[0]},{spot[1]},东街")
    expect(page.get_by_text("来自现场二维码")).to_be_visible()
    page.wait_for_timeout(600)  # the draft is kept
    someone.open("/m/report?place=somewhere")
    expect(page.get_by_text("二维码里的位置读不出来")).to_be_visible()
    expect(page.get_by_text("来自现场二维码")).to_have_count(0)
    size = "e => parseFloat(getComputedStyle(e).fontSize)"
    note = page.get_by_text("人命关天")
    assert note.evaluate(size) == 16
    page.evaluate("document.documentElement.style.fontSize = '24px'")  # what a browser set to larger letters comes to
    assert note.evaluate(size) == 24
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_units_found_for_an_earlier_word_do_not_stand_under_a_later_one(
    deployment: Deployment, desk: Callable[..., Desk], spot: Spot
) -> None:
    """Whoever types and takes the first would send the case to a wrong department."""
    code = deployment.api("operator").dispatched(spot)
    page = desk("operator").open(f"/console/{code}")

    held: list[Route] = []  # the list without a word, asked for as the field opens
    page.route("**/api/v1/units?*", lambda route: route.continue_() if "q=" in route.request.url else held.append(route))
    units = page.get_by_role("combobox", name="搜索单位")
    units.click()
    units.fill("交通")
    found = page.locator(".el-select-dropdown__item").filter(visible=True)
    expect(found).to_have_text(["云澜县交通运输局"])
    assert held
    for route in held:
        route.continue_()
    page.wait_for_timeout(1000)
    expect(found).to_have_text(["云澜县交通运输局"])


def test_a_note_too_long_is_told_by_the_word_of_its_field(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    code = deployment.api("operator").report(spot)["case"]
    page = desk("operator").open(f"/console/{code}")
    page.get_by_role("button", name="作废", exact=True).click()
    page.get_by_label("理由").fill("误" * 2100)
    page.get_by_role("button", name="作废", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="“说明” 最多 2000 个字").first).to_be_visible()
    expect(page.get_by_label("理由")).to_have_value("误" * 2100)
