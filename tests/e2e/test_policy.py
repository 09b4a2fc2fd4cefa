"""The content policy holds on every main screen: nothing inline runs, nothing the screens need is refused.

(Every other test of this folder fails on a violation, too: the fixture ``errors`` listens to each page.)
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from gridloop.kernel.headers import HEADERS
from tests.e2e.conftest import STEP_MS, Deployment
from tests.e2e.people import Desk, Phone

SCREENS = {  # path → who opens it, what stands there when all is loaded
    "/console": ("operator", "main"),
    "/cockpit": ("leader", "main .tiles"),
    "/cases": ("commander", "main tbody tr"),
    "/tasks": ("handler", "main"),
    "/admin/org": ("admin", "main .tree .name"),
    "/admin/devices": ("admin", "main tbody tr"),
    "/admin/packs": ("designer", "main article"),
    "/admin/accounts": ("security", "main tbody tr"),
    "/audit": ("auditor", "main tbody tr"),
    "/m/": ("worker", "nav"),
    "/m/me": ("citizen", "section"),
    "/accounts/": ("operator", "#sessions"),
    "/api/docs": ("operator", ".swagger-ui .opblock"),
}


@pytest.fixture(scope="module")
def track(deployment: Deployment, spots: object) -> str:
    """The path of a reporter's page."""
    at = next(spots)  # type: ignore[call-overload]
    body = {"text": "路口井盖碎了", "kind": "01002", "place": {"lon": at[0], "lat": at[1]}}
    answer = deployment.api("citizen").post("/api/v1/reports", body)
    deployment.api("operator").post(f"/api/v1/cases/{answer['case']}/accept")
    return str(answer["track_url"])


@pytest.mark.parametrize("path", SCREENS)
def test_screen(track: str, desk: Callable[..., Desk], phone: Callable[..., Phone], path: str) -> None:
    user, ready = SCREENS[path]
    who = phone(user) if path.startswith("/m/") else desk(user)  # the desk sends people of the phone there, whenever it gets to it
    wait = "networkidle" if path.startswith("/api") else "load"
    answer = who.tab.goto(f"{who.url}{path}", wait_until=wait) or who.tab.reload(wait_until=wait)  # it may stand there already
    assert answer is not None
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    expect(who.tab.locator(ready).first).to_be_visible(timeout=STEP_MS)


def test_console_shows_map_and_process(track: str, desk: Callable[..., Desk]) -> None:
    """The map's worker, its tiles, the chart library's tooltips: what once needed exceptions."""
    who = desk("commander")
    who.open(f"/console/{track.split('/')[-1].partition('?')[0]}")
    expect(who.page.locator("main canvas").first).to_be_visible(timeout=STEP_MS)
    who.open("/cockpit")
    box = who.page.locator("main canvas").first
    expect(box).to_be_visible(timeout=STEP_MS)
    box.hover()


def test_pages_without_an_account(track: str, phone: Callable[..., Phone]) -> None:
    guest = phone(None)
    for path, ready in (("/login/", "button[value=operator]"), ("/m/report", "form"), (track, "ol.steps")):
        guest.open(path)
        expect(guest.page.locator(ready).first).to_be_visible(timeout=STEP_MS)


def test_an_inline_script_does_not_run(deployment: Deployment, contexts: Callable[..., object]) -> None:
    """The check itself can fail: the same browser, told to run something inline, says that the policy forbids it."""
    page = contexts().new_page()  # type: ignore[attr-defined]
    page.goto(f"{deployment.url}/login/")
    seen = page.evaluate("""() => new Promise(done => {
        document.addEventListener("securitypolicyviolation", e => done(e.effectiveDirective));
        const s = document.createElement("script"); s.textContent = "window.ran = true"; document.body.append(s);
        setTimeout(() => done("ran"), 2000); })""")
    assert seen == "script-src-elem"
    assert page.evaluate("() => window.ran") is None
