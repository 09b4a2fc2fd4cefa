"""What the desk shows of sensors: where they stand, how many a search finds, and what each detector waits for, wherever it is named."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Api, Desk, Spot
from tests.house.product import until

TILE = 512  # pixels of the whole world at zoom 0
ZOOM = 14  # where the map goes with a device that is picked in the list
EAST = 0.004  # degrees, some 90 pixels there
ALARM_S = 120
HELD_S = 45  # readings so old are soon past the minute in which late ones are waited for, and still in time


def _head_only(route: Route) -> None:
    """The file's head comes at once; what is asked of it afterwards waits."""
    if route.request.headers.get("range", "bytes=0-").startswith("bytes=0-"):
        route.continue_()


def test_the_map_shows_devices_where_they_are_and_a_click_opens_one(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    mark = f"on-map-{uuid.uuid4().hex[:6]}"
    api = deployment.api("admin")
    api.device(spot, f"{mark}-west", f"西侧井盖{mark}")
    api.device((spot[0] + EAST, spot[1]), f"{mark}-east", f"东侧井盖{mark}")
    asked = api.get("/api/v1/devices/map", q=mark)["items"]
    assert [(round(one["lon"], 6), one["lat"]) for one in sorted(asked, key=lambda one: one["lon"])] == [
        spot,
        (round(spot[0] + EAST, 6), spot[1]),
    ]
    admin = desk("admin")
    page = admin.page
    page.route("**/county.pmtiles", _head_only)  # a busy server: the tiles below never come, the devices are there all the same
    admin.open("/admin/devices")
    page.get_by_label("名称、编号").fill(mark)
    with page.expect_response(re.compile(r"/devices/map\?.*on-map")):
        page.get_by_label("名称、编号").press("Enter")
    expect(page.locator("main tbody tr")).to_have_count(2)
    expect(page.locator("aside .gl")).to_have_attribute("data-ready", "true")
    shown = page.locator("aside dl")
    page.get_by_role("button", name=f"西侧井盖{mark}").click()
    expect(shown).to_contain_text(f"{mark}-west")

    def opened() -> bool:
        """The picked device stands in the middle of the map; the other one so many pixels to the right, and nothing to the left."""
        canvas: Any = page.locator("aside canvas").bounding_box()
        middle = (canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2)
        away = EAST / 360 * TILE * 2**ZOOM
        page.mouse.click(middle[0] - away, middle[1])
        page.wait_for_timeout(300)
        assert f"{mark}-west" in shown.inner_text()
        page.mouse.click(middle[0] + away, middle[1])
        page.wait_for_timeout(300)
        return f"{mark}-east" in shown.inner_text()

    assert until(opened, 30)
    page.mouse.click(0, 0)
    assert admin.axe("the devices and their map") == []


def test_the_counts_above_the_devices_are_of_what_the_search_finds(deployment: Deployment, desk: Callable[..., Desk], spot: Spot) -> None:
    mark = f"counted-{uuid.uuid4().hex[:6]}"
    api = deployment.api("admin")
    for number in range(3):
        api.device(spot, f"{mark}-{number}", f"待验井盖{number}")
    api.post(f"/api/v1/devices/{mark}-2/status", {"status": "faulty"})
    admin = desk("admin")
    admin.open("/admin/devices")
    page = admin.page
    page.get_by_label("名称、编号").fill(mark)
    page.get_by_label("名称、编号").press("Enter")
    chips = page.get_by_role("radiogroup", name="状态")
    expect(chips).to_contain_text(re.compile(r"在线 0\s*失联 0\s*故障 1\s*未验证 2$"))
    chips.get_by_text("故障 1").click()
    expect(page.locator("main tbody tr")).to_have_count(1)
    expect(chips).to_contain_text(re.compile(r"故障 1\s*未验证 2$"))  # the others stay to choose from


@pytest.fixture(scope="module")
def flooded(deployment: Deployment, home: list[Spot]) -> tuple[str, str]:
    """A gauge whose readings have made a case, and the case."""
    api, gauge = deployment.api("admin"), f"gauge-{uuid.uuid4().hex[:6]}"
    api.device(home[-1], gauge, f"水位计{gauge[-6:]}", "water_level")
    now = datetime.now(UTC)
    told = [
        {
            "id": f"{gauge}-{n}",
            "source": "e2e",
            "device": gauge,
            "kind": "water_level",
            "value": 4.5,
            "at": (now - timedelta(seconds=HELD_S + n)).isoformat(),
        }
        for n in range(3)
    ]
    assert api.post("/api/v1/signals", told)["accepted"] == 3
    assert until(lambda: _case_of(deployment.api("operator"), gauge), ALARM_S)
    return gauge, _case_of(deployment.api("operator"), gauge)


def _case_of(operator: Api, gauge: str) -> str:
    for one in operator.get("/api/v1/cases", box="open", limit=200)["items"]:
        if one["scene"] == "water_level" and gauge in str(operator.case(one["code"])["source_rows"]):
            return str(one["code"])
    return ""


@pytest.fixture(scope="module")
def printed(deployment: Deployment) -> dict[str, str]:
    """The sentence of the high water, made from the pack's definition, in both languages."""
    packs = deployment.api("admin").get("/api/v1/packs")["items"]
    found: dict[str, str] = next(d for p in packs if p["name"] == "water_level" for d in p["detectors"] if d["name"] == "high_water")
    return found


@pytest.mark.parametrize("where", ["packs", "detectors", "case", "device"])
def test_what_a_detector_waits_for_stands_wherever_it_is_named(
    desk: Callable[..., Desk], flooded: tuple[str, str], printed: dict[str, str], where: str
) -> None:
    gauge, code = flooded
    user, path, around = {
        "packs": ("admin", "/admin/packs", "article"),
        "detectors": ("admin", "/admin/packs/water_level/detectors", ".said"),
        "case": ("operator", f"/cases/{code}", "section"),
        "device": ("admin", "/admin/devices", "aside .outcomes"),
    }[where]
    who = desk(user)
    who.open(path)
    page = who.page
    if where == "device":
        page.get_by_label("名称、编号").fill(gauge)
        page.get_by_label("名称、编号").press("Enter")
        page.locator("main tbody").get_by_role("button").click()
    if where == "detectors":
        page.get_by_role("button", name="按现状试运行").click()
        expect(page.locator(".report .rules")).to_contain_text(printed["sentence_zh"], timeout=90_000)
    said = page.locator(around).filter(has_text=printed["title_zh"]).get_by_text(printed["sentence_zh"], exact=True)
    expect(said.first).to_be_visible()
    with page.expect_response(lambda answer: answer.url.endswith("/api/v1/me") and answer.request.method == "POST"):
        page.get_by_role("button", name="English").click()
    try:
        expect(page.locator(around).get_by_text(printed["sentence_en"], exact=True).first).to_be_visible()
    finally:
        page.get_by_role("button", name="中文").click()
        expect(said.first).to_be_visible()
