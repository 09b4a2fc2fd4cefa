"""What else the desk does, beyond the loop's way: merge, hand down, the map, packs, organisation and devices."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from PIL import Image
from playwright.sync_api import Response, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import MANHOLE, Desk, Spot
from tests.house.product import until

LAMP = "01037"
COLOURS = 12  # an empty canvas has one; roads, water, names and points have many


def test_operator_merges_a_case_into_its_twin(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    office = deployment.api("operator")
    twin, own = office.report(spot, "路口井盖碎了", MANHOLE)["case"], office.report(spot, "井盖旁边的灯也坏了", LAMP)["case"]
    assert twin != own
    operator = desk("operator")
    operator.open(f"/console/{own}")
    expect(operator.page.locator("[data-tour=accept]")).to_be_visible()
    operator.page.keyboard.press("m")
    sheet = operator.page.get_by_role("region", name="合并同一件事")
    near = sheet.get_by_role("group", name="附近事件").get_by_role("button")
    near.filter(has_text=office.case(twin)["title"]).filter(has_text=re.compile(r"(?<!\d)0 米")).click()
    expect(sheet.get_by_role("button", name=twin)).to_be_enabled()
    sheet.get_by_role("button", name=twin).click()
    assert until(lambda: office.case(own)["status"] == "voided")
    assert office.case(own)["merged_into"] == twin
    assert "merged" in office.actions(own)
    assert "absorbed" in office.actions(twin)
    assert sum(s["count"] for s in office.case(twin)["sources"]) == 2, "both reporters are kept"


def test_operator_hands_a_case_down_to_the_towns_desk(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    """What came up to the county's desk goes back to the desk of its place."""
    office, handler = deployment.api("operator"), deployment.api("handler")
    code = office.dispatched(spot)
    task = next(t for t in handler.get("/api/v1/tasks", mine="true", status="live", limit=200)["items"] if t["case"] == code)
    handler.post(f"/api/v1/tasks/{task['id']}/escalate", {"note": "需要县里协调"})
    town, case = office.case(code)["region"][:9], office.case(code)
    desks = office.get("/api/v1/units", duty="intake", type=case["type"], region=case["region"])["items"]
    below = next(unit for unit in desks if unit["region"] == town)
    operator = desk("operator")
    operator.open(f"/console/{code}")
    operator.page.get_by_role("button", name=f"下派 {below['name']}").click()
    expect(operator.page.get_by_text(f"已下派 {below['name']}")).to_be_visible()
    assert "handed_down" in office.actions(code)
    task = next(t for t in office.get(f"/api/v1/cases/{code}/tasks")["items"] if t["stage"] == "intake" and t["status"] == "open")
    assert task["unit"]["id"] == below["id"]


def test_map_draws_the_county_from_its_one_file(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    code = deployment.api("operator").report(spot)["case"]
    operator = desk("operator")
    answers: list[Response] = []
    operator.page.on("response", lambda answer: answers.append(answer) if "county.pmtiles" in answer.url else None)
    operator.open(f"/console/{code}")
    canvas = operator.page.locator(".map canvas")
    expect(canvas).to_be_visible()

    def drawn() -> bool:
        picture = Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")
        operator.page.wait_for_timeout(200)  # lets the page's events in
        return len(picture.getcolors(maxcolors=1 << 24) or []) > COLOURS

    assert until(drawn), "the canvas stays empty"
    assert {answer.status for answer in answers} == {206}, "ranges of one file"
    assert len(answers) > 1, "its head and its tiles"
    assert deployment.api("operator").get("/api/v1/cases/map", bbox=_around(spot), zoom=16)["points"]


def _around(spot: Spot) -> str:
    return ",".join(f"{value:.5f}" for value in (spot[0] - 0.001, spot[1] - 0.001, spot[0] + 0.001, spot[1] + 0.001))


def test_admin_switches_a_pack_off_and_on_and_sees_its_process(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    office = deployment.api("admin")

    def on() -> bool:
        return bool(next(p for p in office.get("/api/v1/packs")["items"] if p["name"] == "device_care")["enabled"])

    admin = desk("admin")
    admin.open("/admin/packs")
    card = admin.page.locator("article").filter(has_text="device_care")
    card.locator(".el-switch").click()
    asked = admin.page.get_by_role("dialog").filter(has_text="全域不再有新信号按「感知设备维护」立案")
    asked.get_by_role("button", name="取消").click()  # a slip of the hand switches nothing off
    expect(asked).to_be_hidden()
    assert on()
    card.locator(".el-switch").click()
    try:
        asked.get_by_role("button", name="停用", exact=True).click()
        assert until(lambda: not on())
        expect(card.get_by_text("已停用")).to_be_visible()
    finally:
        office.post("/api/v1/packs/device_care/switch", {"on": True})
    assert until(on)
    card.get_by_role("button", name=re.compile("流程")).click()
    expect(admin.page.get_by_role("dialog").locator("svg").first).to_be_visible()


HELD = (
    "INSERT INTO signals_helddetector (detector, since, alarms) VALUES (%s, now(), 12000)",
    "12000 条",
    "恢复发出",
)
ASIDE = (  # of the present version, so that it is not at work until it is let go on
    "INSERT INTO signals_asidedetector (detector, version, since, fault, lane, until, position) "
    "SELECT %s, max(id), now(), 'IndexError: index 7 is out of bounds', '', now(), '{}' FROM scenes_packversion WHERE name = 'silent_home'",
    "index 7 is out of bounds",
    "再试一次",
)


@pytest.mark.parametrize(("row", "why", "button"), [HELD, ASIDE], ids=["too many alarms", "a fault"])
def test_admin_releases_a_detector_that_was_held_back(
    deployment: Deployment, desk: Callable[..., Desk], row: str, why: str, button: str
) -> None:
    office = deployment.api("admin")
    name = "silent_home.no_trace"  # one that is wanted: what is held of others is over in a moment
    owner = json.loads((deployment.folder / "run.json").read_text(encoding="utf-8"))["urls"]["owner"]
    with psycopg.connect(owner, autocommit=True) as rows:
        rows.execute("SELECT set_config('gridloop.system', 'on', false)")
        rows.execute(row, [name])
    admin = desk("admin")
    admin.open("/admin/packs" if row == HELD[0] else "/admin/packs/silent_home/detectors")
    expect(admin.page.get_by_role("heading", name="独居户久无动静").first).to_be_visible()  # what comes in later moves the button
    # its own line: what other work of the deployment holds back beside it stays there
    held = admin.page.get_by_role("region", name="已暂停发出的检测器").get_by_role("listitem").filter(has_text=name)
    expect(held).to_contain_text(why)
    held.get_by_role("button", name=button).click()
    admin.page.get_by_role("button", name="是的").or_(admin.page.get_by_role("button", name="确定")).click()
    assert until(lambda: name not in [one["name"] for one in office.get("/api/v1/detectors/held")["items"]])
    expect(held).to_have_count(0)


def test_admin_rehearses_a_scene_and_sees_whose_work_it_would_be(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    admin = desk("admin")
    office = deployment.api("admin")
    device = office.get("/api/v1/devices", kind="water_level", limit=1)["items"][0]["code"]
    times = [(datetime.now(UTC) - timedelta(seconds=n)).isoformat() for n in range(3)]
    rising = [{"id": at, "source": "e2e", "device": device, "kind": "water_level", "value": 4.5, "at": at} for at in times]
    assert office.post("/api/v1/signals", rising)["accepted"] == 3
    time.sleep(5)  # what was received a moment ago still waits for what is late
    admin.open("/admin/packs/water_level/detectors")
    expect(admin.page.get_by_text("若同一设备")).not_to_have_count(0)
    admin.page.get_by_role("button", name="按现状试运行").click()
    report = admin.page.locator(".report")
    expect(report).to_contain_text("水位超警戒", timeout=90_000)
    expect(report).to_contain_text("主办处置（属实的才有）")
    expect(report.get_by_text("受理", exact=True)).not_to_have_count(0)
    admin.page.set_viewport_size({"width": 390, "height": 844})
    assert admin.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_admin_finds_a_unit_and_who_is_on_duty_there(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    unit = deployment.api("operator").get("/api/v1/me")["unit"]
    admin = desk("admin")
    admin.open("/admin/org")
    admin.page.get_by_label("单位名称、代码").fill(unit["name"])
    admin.page.get_by_label("单位名称、代码").press("Enter")
    admin.page.locator(".tree .name").filter(has_text=unit["name"]).first.click()
    expect(admin.page.get_by_role("heading", name=unit["name"])).to_be_visible()
    person = deployment.api("admin").get("/api/v1/staff", unit=unit["id"], limit=1)["items"][0]
    expect(admin.page.locator(".people").get_by_text(person["code"])).to_be_visible()


def test_admin_finds_a_device_and_its_last_reading(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    device = deployment.api("admin").get("/api/v1/devices", kind="water_level", limit=1)["items"][0]
    admin = desk("admin")
    admin.open("/admin/devices")
    admin.page.get_by_label("名称、编号").fill(device["code"])
    admin.page.get_by_label("名称、编号").press("Enter")
    expect(admin.page.locator("main tbody tr")).to_have_count(1)
    admin.page.locator("main tbody").get_by_role("button").click()
    expect(admin.page.locator("aside dl")).to_contain_text(device["code"])


def test_operator_opens_the_number_of_whoever_is_on_duty(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    office = deployment.api("operator")
    unit = office.get("/api/v1/me")["unit"]
    commander = office.get(f"/api/v1/units/{unit['id']}/duty")["commander"]
    assert "*" in commander["phone"]
    operator = desk("operator")
    operator.open("/admin/org")
    operator.page.get_by_label("单位名称、代码").fill(unit["name"])
    operator.page.get_by_label("单位名称、代码").press("Enter")
    operator.page.locator(".tree .name").filter(has_text=unit["name"]).first.click()
    box = operator.page.locator("section.duty")
    expect(box.get_by_text(commander["phone"])).to_be_visible()
    box.get_by_role("button", name="查看号码").click()
    form = operator.page.locator("form").filter(has_text="调阅会先留痕").locator("visible=true")
    form.get_by_label("事由").fill("夜间请示")
    form.get_by_role("button", name="调阅").click()
    expect(box.get_by_text(re.compile(r"1\d{10}")).first).to_be_visible()
    expect(box.get_by_text(commander["phone"])).to_have_count(0)
    looks = deployment.api("auditor").get("/api/v1/looks", limit=20)["items"]
    assert any(one["reason"] == "夜间请示" and one["purpose"] == "handle_case" for one in looks)


def test_operator_opens_a_reporter_for_a_purpose(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    office = deployment.api("operator")
    told = {"text": "灯不亮，请打 13800001234", "kind": LAMP, "contact": "13800001234", "name": "陈小雨"}
    report = {**told, "place": {"lon": spot[0], "lat": spot[1]}}
    code = deployment.api("citizen").post("/api/v1/reports", report)["case"]
    operator = desk("operator")
    operator.open(f"/console/{code}")
    operator.page.get_by_role("button", name="调阅上报人").click()
    expect(operator.page.get_by_label("事由")).to_have_value(code)
    operator.page.get_by_role("button", name="调阅", exact=True).click()
    expect(operator.page.get_by_role("link", name="13800001234")).to_have_attribute("href", "tel:13800001234")
    expect(operator.page.get_by_text("灯不亮，请打 13800001234")).to_be_visible()
    assert office.case(code)["reporter"]["contact"] != "13800001234"


def test_codes_for_citizens_are_printed_and_lead_to_the_report_of_their_place(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    admin = desk("admin")
    admin.open("/admin/org")
    admin.page.get_by_role("tab", name="区域").click()
    admin.page.get_by_role("button", name="云澜县").click()
    admin.page.get_by_role("link", name="上报二维码").click()
    cards = admin.page.locator("main li")
    expect(cards.first).to_contain_text("扫一扫，随手报")
    expect(admin.page.get_by_role("button", name="打印")).to_be_enabled()
    picture = cards.nth(1).get_by_role("img")
    assert picture.evaluate("i => i.complete && i.naturalWidth > 100")
    name, url = cards.nth(1).locator("b").inner_text(), picture.get_attribute("alt") or ""
    citizen = admin.page.context.browser.new_context(locale="zh-CN").new_page()  # type: ignore[union-attr]
    citizen.goto(url)
    expect(citizen.get_by_text("来自现场二维码")).to_be_visible()
    expect(citizen.get_by_role("textbox", name="地址")).to_have_value(re.compile(re.escape(name)))
    citizen.context.close()


def _say(deployment: Deployment, device: str, count: int) -> None:
    now = datetime.now(UTC)
    readings = [
        {"id": f"{device}-{n}", "source": "e2e", "device": device, "kind": "crowd_count", "value": n + 1, "at": at.isoformat()}
        for n, at in enumerate(now - timedelta(hours=n) for n in range(count))
    ]
    assert deployment.api("admin").post("/api/v1/signals", readings)["accepted"] == count


def test_admin_adds_a_device_and_gives_it_a_secret(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    admin = desk("admin")
    admin.open("/admin/devices")
    admin.page.get_by_role("button", name="登记设备").click()
    sheet = admin.page.get_by_role("dialog", name="登记设备")
    sheet.get_by_label("编号").fill("cam 测试")
    sheet.get_by_role("combobox", name="类别").click()
    admin.page.get_by_role("option", name="摄像头").click()
    sheet.get_by_label("名称", exact=True).fill("河边新装摄像头")
    sheet.get_by_label("位置（经度, 纬度）").fill(f"{spot[0]}, {spot[1]}")
    sheet.get_by_role("spinbutton", name="覆盖半径（米）").fill("30")
    sheet.get_by_role("button", name="保存").click()
    expect(sheet.get_by_text("只能含字母、数字")).to_be_visible()
    expect(sheet.get_by_label("名称", exact=True)).to_have_value("河边新装摄像头")
    code = f"cam-{int(spot[0] * 1e6)}-{int(spot[1] * 1e6)}"
    sheet.get_by_label("编号").fill(code)
    sheet.get_by_role("button", name="保存").click()
    detail = admin.page.locator("aside dl")
    expect(detail).to_contain_text(code)
    readings = admin.page.get_by_role("region", name="读数")
    expect(readings).to_contain_text("这段时间没有读数")
    detail.get_by_role("button", name="发放密钥").click()
    expect(detail.get_by_role("status")).to_contain_text(re.compile(r"[\w-]{32}"))
    detail.get_by_role("button", name="标为故障").click()
    expect(detail).to_contain_text("恢复在线")
    saved = deployment.api("admin").get(f"/api/v1/devices/{code}")
    assert (saved["name"], saved["status"], saved["kind"]) == ("河边新装摄像头", "faulty", "camera")
    _say(deployment, code, 6)
    readings.get_by_text("一周").click()
    expect(readings.get_by_role("img", name="人数（人）：6 次，最低 1，最高 6")).to_be_visible()
    # all but one of them were hours old when they came: the detectors passed them over, and the page says so
    assert until(lambda: deployment.api("admin").get(f"/api/v1/devices/{code}/doubts")["items"], 90)
    admin.open("/admin/devices")
    admin.page.get_by_label("名称、编号").fill(code)
    admin.page.get_by_label("名称、编号").press("Enter")
    expect(admin.page.locator("main tbody tr")).to_have_count(1)
    admin.page.locator("main tbody").get_by_role("button").click()
    expect(admin.page.get_by_role("region", name=re.compile("今天|近 2 天"))).to_contain_text("最近一天 5 条读数（83%）迟到")
    admin.page.set_viewport_size({"width": 390, "height": 844})
    detail.get_by_role("button", name="修改设备").click()
    sheet = admin.page.get_by_role("dialog", name="修改设备")
    expect(sheet.get_by_label("编号")).to_have_value(code)
    expect(sheet.get_by_role("spinbutton", name="覆盖半径（米）")).to_have_value("30")
    sheet.get_by_label("名称", exact=True).fill("河边摄像头")
    sheet.get_by_role("button", name="保存").click()
    expect(detail).to_contain_text("河边摄像头")
    assert deployment.api("admin").get(f"/api/v1/devices/{code}")["coverage"] == 30


def test_what_the_operator_typed_outlives_a_refusal_and_a_reload(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    code = deployment.api("operator").report(spot)["case"]
    operator = desk("operator")
    operator.open(f"/console/{code}")
    page = operator.page
    page.get_by_role("button", name="催办", exact=True).click()
    page.get_by_label("理由").fill("群众又来电 😀")
    page.route("**/urge", lambda route: route.abort())
    page.locator("form.ask button[type=submit]").click()
    expect(page.get_by_role("alert").filter(has_text="连不上服务器")).to_be_visible()
    expect(page.get_by_label("理由")).to_have_value("群众又来电 😀")
    page.unroute("**/urge")
    page.reload()
    page.get_by_role("button", name="催办", exact=True).click()
    expect(page.get_by_label("理由")).to_have_value("群众又来电 😀")
    page.locator("form.ask button[type=submit]").click()
    expect(page.get_by_label("理由")).to_have_count(0)
    page.get_by_role("button", name="催办", exact=True).click()
    expect(page.get_by_label("理由")).to_have_value("")


def test_units_are_named_whole_on_a_narrow_screen(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    code = deployment.api("operator").report(spot)["case"]
    operator = desk("operator")
    operator.page.set_viewport_size({"width": 390, "height": 844})
    operator.open(f"/console/{code}")
    names = operator.page.locator(".choices strong")
    expect(names.first).to_be_visible()
    for cut in ("e => e.scrollWidth > e.clientWidth + 1", "e => getComputedStyle(e).textOverflow === 'ellipsis'"):
        assert not any(names.evaluate_all(f"all => all.map({cut})")), names.all_inner_texts()


def test_the_queue_follows_the_words_while_they_are_typed(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    code = deployment.api("operator").report(spot, "东街三棵树倒了")["case"]
    operator = desk("operator")
    operator.open("/console")
    operator.page.get_by_label("标题、编号（按 / 键）").fill(code[-7:])
    expect(operator.page.get_by_role("option")).to_have_count(1)


def test_everybody_reaches_their_account_from_the_desk(desk: Callable[..., Desk]) -> None:
    officer = desk("security")
    who = officer.page.locator("a.who")
    expect(who).to_contain_text("安全管理员")
    who.click()
    expect(officer.page.get_by_role("heading", name="通行密钥")).to_be_visible()
