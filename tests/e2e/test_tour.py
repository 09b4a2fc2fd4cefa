"""The five-step tour, played from its button to five stars: each step by the log-in the tour itself changes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import SEND_MS, Desk, Spot


def _card(page: Page, step: int) -> Locator:
    """The tour's card, which has seen that its case went on."""
    card = page.get_by_role("complementary", name="从报警到五星")
    expect(card.get_by_text(f"第 {step} 步，共 5 步")).to_be_visible(timeout=SEND_MS)
    return card


def _verb(page: Page, name: str) -> None:
    page.locator("[data-tour=task-act]").get_by_role("button", name=name, exact=True).click()


def _to_the_check(deployment: Deployment, page: Page, photo: dict[str, Any]) -> str:
    """The tour up to its fourth step; the case."""
    page.get_by_role("button", name="导览").click()
    _card(page, 1).get_by_role("button", name="产生一条演示上报").click()

    code = _card(page, 2).locator(".mono").inner_text()
    expect(page).to_have_url(f"{deployment.url}/console/{code}")
    expect(page.get_by_role("button", name="派遣").first).to_be_visible()
    page.locator("[data-tour=accept]").click()

    _card(page, 3).get_by_role("button", name="切换为部门经办继续").click()
    page.wait_for_url(f"**/tasks?case={code}")
    _verb(page, "签收")
    _verb(page, "到场签到")
    page.set_input_files("[data-tour=task-act] input[type=file]", photo)
    expect(page.locator(".shot")).to_have_count(1)
    expect(page.locator(".shot progress")).to_have_count(0, timeout=SEND_MS)
    page.get_by_label("办理说明").fill("换了灯泡，已亮")
    _verb(page, "提交")

    return code


def test_five_steps_from_alarm_to_five_stars(deployment: Deployment, desk: Callable[..., Desk], photo_after: dict[str, Any]) -> None:
    page = desk("operator").page
    code = _to_the_check(deployment, page, photo_after)
    _card(page, 4).get_by_role("button", name="切换为值班长继续").click()
    page.wait_for_url(f"**/tasks?case={code}")
    _verb(page, "通过")

    _card(page, 5).get_by_role("button", name="切换为群众继续").click()
    page.wait_for_url(f"**/track/{code}?key=**")
    page.locator(".stars label").nth(4).click()
    page.get_by_role("button", name="提交评价").click()
    expect(page.get_by_text("谢谢您的评价")).to_be_visible()
    assert deployment.api("operator").case(code)["rating"]["stars"] == 5


def test_the_tour_goes_on_through_a_review(
    deployment: Deployment, desk: Callable[..., Desk], photo_after: dict[str, Any], spot: Spot
) -> None:
    """Who takes the same picture for each tour sees the guard at work, and is led on."""
    citizen = deployment.api("citizen")
    citizen.report(spot, source="citizen", evidence=[citizen.upload(photo_after)])
    page = desk("operator").page
    code = _to_the_check(deployment, page, photo_after)
    _card(page, 4).get_by_role("button", name="切换为值班长继续").click()
    page.wait_for_url(f"**/tasks?case={code}")
    _verb(page, "通过")
    card = _card(page, 4)
    expect(card.get_by_role("heading", name="结案存疑，复核")).to_be_visible()
    card.get_by_role("button", name="切换为值守坐席继续").click()
    page.wait_for_url(f"**/tasks?case={code}")
    expect(page.get_by_role("region", name="结案存疑，需复核")).to_be_visible()
    _verb(page, "通过")
    expect(_card(page, 5)).to_be_visible()
    assert deployment.api("operator").case(code)["status"] == "closed"
