"""An administrator keeps the organisation true: units, duties, people, roster, teams and territory, each on the screen."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Desk

MAP_MS = 20_000


def pick(page: Page, field: Locator, typed: str, option: str) -> None:
    """Search in a field that asks the server, and take what it offers."""
    field.click(force=True)
    field.fill(typed)
    page.get_by_role("option").filter(has_text=option).first.click()


def organisation(desk: Callable[..., Desk], tab: str | None = None) -> Desk:
    admin = desk("admin")
    admin.open("/admin/org")
    if tab:
        admin.page.get_by_role("tab", name=tab).click()
    return admin


def test_a_unit_its_duty_its_people_and_its_week(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    mark = uuid.uuid4().hex[:6]
    name, person = f"河道巡查站{mark}", f"欧阳{mark}"
    api = deployment.api("admin")
    county = api.get("/api/v1/regions", level="county")["items"][0]
    admin = organisation(desk)
    page = admin.page

    page.get_by_role("button", name="新增单位").click()
    form = page.get_by_role("dialog", name="新增单位")
    expect(form.get_by_label("编号")).to_be_visible()
    assert admin.axe("the form of a unit") == []
    form.get_by_label("编号").fill(f"river-{mark}")
    form.get_by_label("名称").fill(name)
    form.get_by_role("combobox", name="单位类别").click(force=True)  # the shown value lies over the field
    page.get_by_role("option", name="站所").click()
    pick(page, form.get_by_role("combobox", name="区域"), county["code"], county["code"])
    form.get_by_role("button", name="保存").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()

    page.get_by_role("button", name="新增职责").click()
    form = page.get_by_role("dialog", name="新增职责")
    form.get_by_role("button", name="保存").click()
    expect(page.locator(".lines").get_by_text("办理", exact=True)).to_be_visible()

    page.get_by_role("button", name="新增人员").click()
    form = page.get_by_role("dialog", name="新增人员")
    form.get_by_label("工号").fill(f"R-{mark}")
    form.get_by_label("姓名").fill(person)
    form.get_by_label("电话").fill("13800001234")
    form.get_by_role("button", name="保存").click()
    expect(page.locator(".people").get_by_text(person)).to_be_visible()
    expect(page.locator(".people").get_by_text("138****1234")).to_be_visible()

    today = (datetime.now(UTC) + timedelta(hours=8)).date().isoformat()
    page.get_by_role("button", name=f"加一班 {today}").click()
    shift = page.locator(".shift").last
    shift.get_by_role("combobox", name="姓名").click(force=True)
    page.get_by_role("option").filter(has_text=person).click()
    shift.get_by_label("角色").select_option("duty_commander")
    shift.get_by_label("开始").fill(f"{today}T00:00")
    page.get_by_role("button", name="保存本周").click()
    expect(page.get_by_text("排班已保存")).to_be_visible()
    expect(page.locator(".duty strong")).to_have_text(person)

    page.locator(".titles").get_by_role("button", name="停用").click()
    page.get_by_role("button", name="是的").or_(page.get_by_role("button", name="确定")).click()
    expect(page.get_by_text("1 名人员、1 项职责")).to_be_visible()

    unit = api.get("/api/v1/units", q=name)["items"][0]
    assert (unit["name"], unit["active"], unit["region"]) == (name, True, county["code"])
    duty = api.get(f"/api/v1/units/{unit['id']}/duty")
    assert duty["commander"]["name"] == person


def test_a_duty_half_filled_in_outlives_a_refusal_a_reload_and_the_session(desk: Callable[..., Desk]) -> None:
    admin = organisation(desk)
    page = admin.page

    def opened() -> Locator:
        page.locator("main .tree .name").first.click()
        page.get_by_role("button", name="新增职责").click()
        return page.get_by_role("dialog", name="新增职责")

    form = opened()
    pick(page, form.get_by_role("combobox", name="类型"), "01002", "01002")
    form.get_by_label("从", exact=True).fill("08:30")
    form.get_by_label("到", exact=True).fill("17:30")
    page.route("**/duties", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    form.get_by_role("button", name="保存").click()
    expect(form.get_by_role("alert")).to_have_text("连不上服务器，请检查网络后重试")
    page.unroute("**/duties")
    page.reload()
    form = opened()
    expect(form.get_by_text("已恢复上次填写")).to_be_visible()
    expect(form.get_by_label("从", exact=True)).to_have_value("08:30")

    admin.log_in_again(lambda: form.get_by_role("button", name="保存").click(), "/admin/org")
    form = opened()
    expect(form.get_by_label("到", exact=True)).to_have_value("17:30")
    expect(form.locator(".el-select").filter(has_text="01002")).to_be_visible()
    form.get_by_role("button", name="重新填写").click()
    expect(form.get_by_label("从", exact=True)).to_have_value("")


def test_a_week_half_rostered_outlives_another_page_and_the_session(desk: Callable[..., Desk]) -> None:
    admin = organisation(desk)
    page = admin.page
    today = (datetime.now(UTC) + timedelta(hours=8)).date().isoformat()

    def opened() -> Locator:
        page.locator("main .tree .name").first.click()
        expect(page.locator(".days .day")).to_have_count(7)  # what is counted next has come
        return page.locator(".days")

    week = opened()
    before = week.locator(".shift").count()
    page.get_by_role("button", name=f"加一班 {today}").click()
    week.get_by_role("combobox", name="姓名").click(force=True)
    page.locator(".el-select-dropdown__item:visible").first.click()
    week.get_by_label("结束").last.fill(f"{today}T23:15")
    admin.open("/admin/devices")
    admin.open("/admin/org")
    week = opened()
    expect(week.get_by_text("已恢复上次填写")).to_be_visible()
    page.get_by_role("button", name="下一周").click()
    expect(week.get_by_text("已恢复上次填写")).to_have_count(0)  # each week is a form of its own
    page.get_by_role("button", name="本周", exact=True).click()
    expect(week.get_by_text("已恢复上次填写")).to_be_visible()

    admin.log_in_again(lambda: page.get_by_role("button", name="保存本周").click(), "/admin/org")
    week = opened()
    expect(week.locator(".shift")).to_have_count(before + 1)
    assert f"{today}T23:15" in [field.input_value() for field in week.get_by_label("结束").all()]
    week.get_by_role("button", name="重新填写").click()
    expect(week.locator(".shift")).to_have_count(before)
    expect(page.get_by_role("button", name="保存本周")).to_be_disabled()


def test_a_week_that_somebody_else_has_changed_meanwhile_is_told_and_nothing_is_lost(
    deployment: Deployment, desk: Callable[..., Desk]
) -> None:
    api = deployment.api("admin")
    mark = uuid.uuid4().hex[:6]
    unit, region = f"week-{mark}", api.get("/api/v1/regions", level="county")["items"][0]["code"]
    number = api.post("/api/v1/units", {"code": unit, "name": f"轮值站{mark}", "kind": "station", "region": region})["id"]
    for code, name in ((f"A-{mark}", "甲某"), (f"B-{mark}", "乙某")):
        api.post("/api/v1/staff", {"code": code, "name": name, "unit": number})
    day = datetime.now(UTC) + timedelta(hours=8)
    monday = (day - timedelta(days=day.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    today = day.date().isoformat()

    def theirs(*codes: str) -> None:
        span = {"starts_at": f"{today}T09:00:00+08:00", "ends_at": f"{today}T12:00:00+08:00"}
        week = {"start": f"{monday:%Y-%m-%dT%H:%M:%S}+08:00", "end": f"{monday + timedelta(days=7):%Y-%m-%dT%H:%M:%S}+08:00"}
        api.post(
            f"/api/v1/units/{number}/roster", {**week, "shifts": [{"staff": f"{one}-{mark}", "role": "member", **span} for one in codes]}
        )

    admin = organisation(desk)
    page = admin.page
    week = page.locator(".days")
    note = week.get_by_role("alert")

    def opened() -> None:
        search = page.get_by_label("单位名称、代码")
        search.fill(unit)
        search.press("Enter")
        page.locator("main .tree .name").filter(has_text=f"轮值站{mark}").click()

    def typed() -> None:
        page.get_by_role("button", name=f"加一班 {today}").click()
        week.get_by_role("combobox", name="姓名").last.click(force=True)
        page.locator(".el-select-dropdown__item:visible").filter(has_text="甲某").click()

    opened()
    typed()
    theirs("B")
    page.get_by_role("button", name="保存本周").click()  # looks again first
    expect(note).to_contain_text(re.compile("已被别人改过.*新增：乙某", re.DOTALL))
    expect(page.get_by_role("button", name="保存本周")).to_be_disabled()
    assert admin.axe("a week that two have changed") == []
    admin.open("/admin/org")  # and a reload loses neither what was typed nor what is to be told
    opened()
    expect(note).to_contain_text("新增：乙某")
    expect(week.locator(".shift")).to_have_count(1)
    note.get_by_role("button", name="两边合在一起").click()
    expect(week.locator(".shift")).to_have_count(2)
    page.get_by_role("button", name="保存本周").click()
    expect(page.get_by_text("排班已保存")).to_be_visible()

    week.get_by_role("button", name="删除").last.click()  # theirs; they take mine off
    theirs("B")
    page.get_by_role("button", name="保存本周").click()
    expect(note).to_contain_text("去掉：甲某")
    note.get_by_role("button", name="用对方的").click()
    expect(note).to_have_count(0)
    expect(week.locator(".shift")).to_have_count(1)

    def sooner(route: Route) -> None:
        if route.request.method == "POST":
            theirs("A", "B")
        route.continue_()

    week.get_by_role("button", name="删除").click()
    page.route("**/roster", sooner)  # between the look and the saving: the server refuses, the screen tells the same
    page.get_by_role("button", name="保存本周").click()
    expect(note).to_contain_text("新增：甲某")
    page.unroute("**/roster")
    note.get_by_role("button", name="只保留我的").click()
    page.get_by_role("button", name="保存本周").click()
    expect(page.get_by_text("排班已保存").last).to_be_visible()
    expect(week.locator(".shift")).to_have_count(0)


def test_territory_changes_from_a_day_on_and_the_old_map_stays(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    api = deployment.api("admin")
    grid = api.get("/api/v1/regions", level="grid", limit=200)["items"][-1]  # far from the sample worker's
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    before = api.get(f"/api/v1/regions/{grid['code']}")
    past = api.get(f"/api/v1/regions/{grid['code']}", at=yesterday)["below"]
    micro = past[-1]
    mark = uuid.uuid4().hex[:6]
    admin = organisation(desk, "区域")
    page = admin.page
    page.get_by_label("区域名称、拼音、代码").fill(micro["code"])
    page.keyboard.press("Enter")
    page.get_by_role("row").filter(has_text=micro["code"]).get_by_role("button").click()
    page.get_by_role("button", name="拆分", exact=True).click()
    sheet = page.get_by_role("dialog", name="拆分")
    canvas = sheet.locator("canvas")
    expect(canvas).to_be_visible(timeout=MAP_MS)
    cut_across(page, canvas, sheet)
    sheet.get_by_label("偏西北的一块 名称").fill(f"西北{mark}")
    sheet.get_by_label("偏东南的一块 名称").fill(f"东南{mark}")
    page.reload()  # neither the line nor the names are lost
    page.get_by_role("tab", name="区域").click()
    page.get_by_label("区域名称、拼音、代码").fill(micro["code"])
    page.keyboard.press("Enter")
    page.get_by_role("row").filter(has_text=micro["code"]).get_by_role("button").click()
    page.get_by_role("button", name="拆分", exact=True).click()
    expect(sheet.get_by_text("已恢复上次填写")).to_be_visible()
    expect(sheet.get_by_text("已点 2 个点")).to_be_visible()
    expect(sheet.get_by_label("偏东南的一块 名称")).to_have_value(f"东南{mark}")
    sheet.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存")).to_be_visible()

    after = api.get(f"/api/v1/regions/{grid['code']}")
    names = [r["name"] for r in after["below"]]
    assert f"西北{mark}" in names
    assert f"东南{mark}" in names
    assert len(names) == len(before["below"]) + 1
    assert api.get(f"/api/v1/regions/{grid['code']}", at=yesterday)["below"] == past

    page.get_by_label("区域名称、拼音、代码").fill(grid["code"])
    page.keyboard.press("Enter")
    page.get_by_role("row").filter(has_text=grid["code"]).first.get_by_role("button").click()
    expect(page.get_by_role("row").filter(has_text=f"东南{mark}")).to_be_visible()
    page.get_by_label("区划日期").fill(yesterday)
    expect(page.get_by_text("只能查看")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=f"东南{mark}")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text=micro["code"])).to_be_visible()


def cut_across(page: Page, canvas: Locator, sheet: Locator) -> None:
    """Two clicks, left and right of the middle, after the map has gone to the outline."""
    box: Any = canvas.bounding_box()
    expect(sheet.locator(".gl")).to_have_attribute("data-ready", "true", timeout=MAP_MS)
    for share in (0.1, 0.9):
        page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.5)
    expect(sheet.get_by_text("已点 2 个点")).to_be_visible()


def test_a_grid_team_is_joined_and_left(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    api = deployment.api("admin")
    grid = api.get("/api/v1/regions", level="grid", limit=200)["items"][-2]
    person = api.get("/api/v1/staff", limit=200)["items"][-1]
    admin = organisation(desk, "区域")
    page = admin.page

    def opened() -> Locator:
        page.get_by_label("区域名称、拼音、代码").fill(grid["code"])
        page.keyboard.press("Enter")
        page.get_by_role("row").filter(has_text=grid["code"]).first.get_by_role("button").click()
        return page.locator(".side")

    team = opened()
    pick(page, team.get_by_role("combobox", name="姓名"), person["name"], person["code"])
    team.get_by_role("combobox", name="角色").click(force=True)
    page.get_by_role("option", name="网格指导员").click()
    page.reload()  # neither the person nor the role is lost
    page.get_by_role("tab", name="区域").click()
    team = opened()
    expect(team.locator(".el-select").filter(has_text=person["name"])).to_be_visible()
    expect(team.locator(".el-select").filter(has_text="网格指导员")).to_be_visible()
    team.get_by_role("button", name="加入").click()
    expect(page.get_by_text("已加入网格团队")).to_be_visible()
    expect(team.locator(".members").get_by_text(person["name"])).to_be_visible()
    assert person["id"] in [m["id"] for m in api.get(f"/api/v1/regions/{grid['code']}/team")["members"]]
    team.get_by_role("button", name=f"退出 {person['name']}").click()
    page.get_by_role("button", name="是的").or_(page.get_by_role("button", name="确定")).click()
    expect(team.locator(".members").get_by_text(person["name"])).to_have_count(0)


def test_who_may_not_edit_sees_no_buttons(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    operator = desk("operator")
    operator.open("/admin/org")
    expect(operator.page.locator("main .tree .name").first).to_be_visible()
    operator.page.locator("main .tree .name").first.click()
    expect(operator.page.get_by_role("heading", name="职责")).to_be_visible()
    for word in ("新增单位", "新增人员", "新增职责", "停用", "保存本周"):
        expect(operator.page.get_by_role("button", name=word)).to_have_count(0)
