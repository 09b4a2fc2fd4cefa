"""Households tell when nobody is at home: where the desk finds a home, what a silent or smoking home's case offers, and the phone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Api, Desk, Phone, Spot
from tests.house.product import command


@pytest.fixture
def resident(deployment: Deployment) -> dict[str, Any]:
    """Somebody of the worker's grid whose home is known, masked."""
    people = deployment.api("worker").get("/api/v1/people", limit=50)["items"]
    found: dict[str, Any] = next(one for one in reversed(people) if one["household"])
    return found


def told(api: Api, home: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"/api/v1/households/{home}/absences")["items"]
    return items


def local(at: datetime) -> str:
    return (at + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")


def test_the_desk_finds_a_home_records_an_absence_and_ends_it(
    deployment: Deployment, desk: Callable[..., Desk], resident: dict[str, Any]
) -> None:
    home = resident["household"]
    operator = desk("operator")
    page = operator.page
    page.get_by_role("link", name="住户", exact=True).click()
    expect(page.get_by_text("先查找住在这一户的人")).to_be_visible()
    search = page.get_by_role("search")
    search.get_by_role("textbox").fill("没有这个人")
    search.get_by_role("button", name="查找").click()
    expect(page.get_by_text("辖区内没有找到")).to_be_visible()
    search.get_by_role("textbox").fill(resident["name"][0])
    search.get_by_role("button", name="查找").click()
    expect(page.get_by_role("button", name=resident["name"][0]).first).to_be_visible()
    assert operator.axe("homes") == []

    operator.open(f"/homes/{home}")
    panel = page.get_by_role("region", name="住户外出")
    expect(panel.get_by_text("没有登记外出")).to_be_visible()
    panel.get_by_role("button", name="登记外出").click()
    now = datetime.now(UTC)
    panel.get_by_label("返回时间").fill(local(now - timedelta(days=1)))
    panel.get_by_role("button", name="保存").click()
    expect(panel.get_by_role("alert")).to_have_text("返回时间须晚于离开时间")
    panel.get_by_label("返回时间").fill(local(now + timedelta(days=2)))
    panel.get_by_role("button", name="保存").click()
    expect(panel.get_by_text("已登记外出")).to_be_visible()
    expect(panel.get_by_text("外出中")).to_be_visible()
    assert operator.axe("an absence") == []
    assert len(told(deployment.api("operator"), home)) == 1
    panel.get_by_role("button", name="已回家").click()
    panel.get_by_role("button", name="确定结束").click()
    expect(panel.get_by_text("已结束，恢复看护")).to_be_visible()
    assert told(deployment.api("operator"), home) == []


def test_a_home_nobody_knows_and_somebody_who_may_not(desk: Callable[..., Desk]) -> None:
    operator = desk("operator")
    operator.open("/homes/no-such-home")
    expect(operator.page.get_by_role("alert")).to_have_text("没有这一户，或者不在您的辖区")
    handler = desk("handler")
    expect(handler.page.get_by_role("link", name="住户", exact=True)).to_have_count(0)
    handler.open("/homes")
    expect(handler.page.get_by_text("这个页面不在您的权限之内")).to_be_visible()


def test_the_worker_records_it_from_the_case_on_the_phone(
    deployment: Deployment,
    phone: Callable[..., Phone],
    desk: Callable[..., Desk],
    worker_spot: Spot,
    resident: dict[str, Any],
    tmp_path: Path,
) -> None:
    device, home = f"smoke-{uuid.uuid4().hex[:8]}", resident["household"]
    table = tmp_path / "devices.csv"
    row = f"{device},smoke,{resident['region']},{home},{worker_spot[0]},{worker_spot[1]}"
    table.write_text(f"code,kind,region_code,household,lon,lat\n{row}\n", encoding="utf-8")
    kept = command("import", "devices", str(table), "--data-dir", str(deployment.folder))
    assert kept.returncode == 0, kept.stdout + kept.stderr
    alarm = {"id": device, "source": "e2e", "device": device, "kind": "smoke", "at": datetime.now(UTC).isoformat(), "value": 1}
    assert deployment.api("admin").post("/api/v1/signals", alarm)["accepted"] == 1
    worker = phone("worker", worker_spot)
    card = worker.page.locator("[data-case]").filter(has_text="烟感报警").first
    expect(card).to_be_visible()
    expect(card).not_to_contain_text(device)
    code = card.get_attribute("data-case") or ""
    assert deployment.api("operator").case(code)["household"] == home
    assert deployment.api("handler").get("/api/v1/me")["permissions"].count("people.absence") == 0
    card.get_by_role("link").first.click()
    panel = worker.page.get_by_role("region", name="住户外出")
    panel.get_by_role("button", name="登记外出").click()
    panel.get_by_role("button", name="保存").click()
    expect(panel.get_by_text("已登记外出")).to_be_visible()
    assert worker.axe("an absence on the phone") == []
    operator = desk("operator")
    operator.open(f"/cases/{code}")
    panel = operator.page.get_by_role("region", name="住户外出")
    expect(panel.get_by_text("外出中")).to_be_visible()
    panel.get_by_role("button", name="已回家").click()
    panel.get_by_role("button", name="确定结束").click()
    expect(panel.get_by_text("没有登记外出")).to_be_visible()
    assert told(deployment.api("operator"), home) == []
