"""Accessibility and fit: axe finds nothing serious on any screen, and nothing runs out of a narrow phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Desk, Phone, Spot

DESK_SCREENS = {  # and what only stands there when all is loaded
    "/console/{code}": "[data-tour=accept], main .columns canvas",
    "/cockpit": "main .tiles",
    "/indicators": "main article",
    "/cases": "main tbody tr",
    "/cases/{code}": "main .columns, main dl",
    "/admin/org": "main .tree .name",
    "/admin/devices": "main tbody tr",
    "/admin/packs": "main article",
}


@pytest.fixture(scope="module")
def report(deployment: Deployment, spots: object) -> tuple[str, str]:
    """A dispatched case of a report, with the path of its tracking page."""
    at = next(spots)  # type: ignore[call-overload]
    office = deployment.api("operator")
    answer = deployment.api("citizen").post(
        "/api/v1/reports", {"text": "路口井盖碎了", "kind": "01002", "place": {"lon": at[0], "lat": at[1]}, "contact": "13900001234"}
    )
    office.post(f"/api/v1/cases/{answer['case']}/accept")
    return answer["case"], answer["track_url"]


def _fits(page: Page) -> bool:
    wide: bool = page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    return wide


@pytest.mark.parametrize("screen", DESK_SCREENS)
def test_desk(report: tuple[str, str], desk: Callable[..., Desk], screen: str) -> None:
    who = desk("commander")
    who.open(screen.format(code=report[0]))
    expect(who.page.locator(DESK_SCREENS[screen]).first).to_be_visible()
    expect(who.page.get_by_text("正在加载…")).to_have_count(0)
    assert who.axe(screen) == []


def test_pages_before_log_in(deployment: Deployment, phone: Callable[..., Phone]) -> None:
    guest = phone(None)
    guest.open("/login/")
    expect(guest.page.locator("button[value=operator]")).to_be_visible()
    assert guest.axe("login") == []
    assert _fits(guest.page)


@pytest.mark.parametrize("width", [360, 390, 768])
def test_phone(report: tuple[str, str], phone: Callable[..., Phone], spot: Spot, width: int) -> None:
    handler = phone("handler", spot, width)
    expect(handler.card(report[0])).to_be_visible()
    found = handler.axe("tasks")
    assert _fits(handler.page)
    handler.card(report[0]).get_by_role("link").first.click()
    expect(handler.page.locator(".verbs")).to_be_visible()
    found += handler.axe("task")
    assert _fits(handler.page)
    handler.button("更多").click()
    found += handler.axe("more")
    handler.page.locator("dialog[open]").get_by_role("button", name="退回", exact=True).click()
    found += handler.axe("return")
    for path, ready in (("/m/report", "提交"), ("/m/me", "退出登录")):
        handler.open(path)
        expect(handler.button(ready)).to_be_visible()
        found += handler.axe(path)
        assert _fits(handler.page), path
    handler.open(report[1])
    expect(handler.page.locator("ol.steps")).to_be_visible()
    found += handler.axe("track")
    assert _fits(handler.page)
    assert found == []


def test_targets_are_large_and_texts_readable(report: tuple[str, str], phone: Callable[..., Phone], spot: Spot) -> None:
    handler = phone("handler", spot)
    for path, ready in (("/m/", ".card"), (f"/m/tasks/{report[0]}", ".verbs"), ("/m/report", "form"), ("/m/me", "section")):
        handler.open(path)
        expect(handler.page.locator(ready).first).to_be_visible()
        small = handler.page.evaluate("""() => [...document.querySelectorAll('a, button, textarea, input:not([type=file])')]
            .filter(e => { const r = e.getBoundingClientRect(); return r.width > 2 && Math.min(r.width, r.height) < 43.5; })
            .map(e => e.outerHTML.slice(0, 120))""")
        tiny = handler.page.evaluate("""() => [...document.querySelectorAll('body *')]
            .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.getClientRects().length)
            .filter(e => parseFloat(getComputedStyle(e).fontSize) < 16).map(e => e.outerHTML.slice(0, 120))""")
        assert (small, tiny) == ([], []), path
