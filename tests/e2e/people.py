"""What people do on their screens, in their words; and the same deployment over HTTP, to look behind the screens."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Error, Locator, Page, expect

AXE = (Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
_RUN_AXE = """async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})).violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => `${v.impact} ${v.id}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')}`)"""
SEND_MS = 30_000  # two large photos travel first
MANHOLE = "01002"
Spot = tuple[float, float]  # longitude, latitude


class Api:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **query: Any) -> Any:
        answer = self._client.get(path, params=query)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self._client.post(path, json=body if body is not None else {})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def case(self, code: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/v1/cases/{code}")
        return found

    def actions(self, code: str) -> list[str]:
        """Of all its facts: a case that many signals joined has more than one page of them."""
        found: list[str] = []
        after: str | None = "0"
        while after is not None:
            page = self.get(f"/api/v1/cases/{code}/trace", limit=200, after=after)
            found += [fact["action"] for fact in page["items"]]
            after = page["next"]
        return found

    def task(self, code: str, stage: str) -> dict[str, Any]:
        """The live task of a stage."""
        found: dict[str, Any] = next(
            t for t in self.get(f"/api/v1/cases/{code}/tasks")["items"] if t["stage"] == stage and t["status"] in ("open", "accepted")
        )
        return found

    def upload(self, photo: dict[str, Any]) -> str:
        """A picture, to be named in a report or a task."""
        answer = self._client.post("/api/v1/evidence", files={"file": (photo["name"], photo["buffer"], photo["mimeType"])})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def device(self, at: Spot, code: str, name: str, kind: str = "manhole") -> None:
        """On record, by its name: that is what the titles of its cases say."""
        body = {"kind": kind, "name": name, "place": {"lon": at[0], "lat": at[1]}}
        answer = self._client.put(f"/api/v1/devices/{code}", json=body)
        assert answer.is_success, answer.text

    def signal(self, at: Spot, device: str = "") -> str:
        """A sensor says that a facility is broken; the answer is the signal's id."""
        name = f"e2e-{uuid.uuid4().hex[:12]}"
        body = {
            "id": name,
            "source": "e2e",
            "device": device or name,
            "kind": "facility_damaged",
            "at": datetime.now(UTC).isoformat(),
            "value": 1,
            "place": {"lon": at[0], "lat": at[1]},
        }
        assert self.post("/api/v1/signals", body)["accepted"] == 1
        return name

    def report(self, at: Spot, text: str = "路口井盖碎了", kind: str = MANHOLE, **more: Any) -> dict[str, Any]:
        body = {"text": text, "kind": kind, "place": {"lon": at[0], "lat": at[1]}, "source": "department", **more}
        answer: dict[str, Any] = self.post("/api/v1/reports", body)
        return answer

    def dispatched(self, at: Spot, **more: str) -> str:
        """A case that has reached its handler."""
        answer = self.report(at, **more)
        assert not answer["merged"], f"{at} is another test's place: {answer}"
        code: str = answer["case"]
        self.post(f"/api/v1/cases/{code}/accept")
        assert self.case(code)["status"] == "dispatched"
        return code


class Screen:
    """A tab of somebody's. Whoever has logged in once on any screen brings that session along; home is where a tab without a path goes.

    ``sessions``: cookies by log-in name, of the whole run.
    """

    def __init__(self, tab: Page, url: str, user: str | None, home: str, sessions: dict[str, Any]) -> None:
        self.tab, self.url, self.user, self._home, self._sessions = tab, url, user, home, sessions
        self._there = user is None
        if user and not self._known():
            self._log_in()

    def _known(self) -> bool:
        if self.user not in self._sessions:
            return False
        self.tab.context.add_cookies(self._sessions[self.user])
        return self.tab.context.request.get(f"{self.url}/api/v1/me").ok  # not ended meanwhile

    def _log_in(self) -> None:
        self.tab.context.clear_cookies()
        self.tab.goto(f"{self.url}/login/?next={self._home}")
        self.tab.locator(f"button[value={self.user}]").click()
        self._arrive()
        self._sessions[str(self.user)] = self.tab.context.cookies()

    def _arrive(self) -> None:
        self.tab.wait_for_url(lambda where: where.startswith(self.url + self._home) and not where.startswith(f"{self.url}/login/"))
        self._there = True

    def log_in_again(self, act: Callable[[], None], back_at: str) -> None:
        """The session has ended unseen; ``act`` finds it out and is asked to log in, and whoever does stands where they stood."""
        self.tab.context.clear_cookies()
        act()
        self.tab.wait_for_url(re.compile(r"/login/\?next="))
        self.tab.locator(f"button[value={self.user}]").click()
        self.tab.wait_for_url(re.compile(re.escape(self.url + back_at) + r"(\?.*)?$"))
        self._sessions[str(self.user)] = self.tab.context.cookies()

    @property
    def page(self) -> Page:
        """The tab, at home unless it has been somewhere already."""
        if not self._there:
            self.tab.goto(self.url + self._home)
            self._arrive()
        return self.tab

    def open(self, path: str) -> Page:
        self._there = True
        try:
            self.tab.goto(self.url + path)
        except Error as fault:  # the page was just going somewhere by itself, to the log-in say
            if "ERR_ABORTED" not in str(fault):
                raise
            self.tab.goto(self.url + path)
        return self.tab

    def axe(self, where: str) -> list[str]:
        """Serious and critical faults of what is shown now."""
        self.page.evaluate(AXE)
        found: list[str] = self.page.evaluate(_RUN_AXE)
        return [f"{where}: {fault}" for fault in found]


class Desk(Screen):
    def __init__(self, tab: Page, url: str, user: str, sessions: dict[str, Any]) -> None:
        super().__init__(tab, url, user, "/", sessions)

    def row(self, text: str) -> Locator:
        return self.page.get_by_role("option").filter(has_text=text)


class Phone(Screen):
    def __init__(self, tab: Page, url: str, user: str | None, sessions: dict[str, Any]) -> None:
        super().__init__(tab, url, user, "/m/", sessions)

    def card(self, code: str) -> Locator:
        return self.page.locator(f'[data-case="{code}"]')

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def begin_result(self, code: str) -> None:
        """From the card of a task to its open sheet for the result: signed for and checked in."""
        for name in ("签收", "到场签到", "反馈结果"):
            self.card(code).get_by_role("button", name=name).click()

    def take(self, label: str, photo: dict[str, Any]) -> None:
        """One photo with the camera; it has been shrunk and stored when this returns."""
        before = self.page.locator(".shot").count()
        self.page.set_input_files(f"input[data-photo={label}]", photo)
        expect(self.page.locator(".shot")).to_have_count(before + 1)

    def offline(self, off: bool) -> None:
        self.page.context.set_offline(off)

    def all_sent(self) -> None:
        expect(self.page.locator("header").get_by_text("待传")).to_have_count(0)

    def submit_result(self, code: str, photo: dict[str, Any], before: dict[str, Any] | None = None) -> None:
        """Accept, check in, and hand in the result with photos: the handler's whole way."""
        card = self.card(code)
        card.get_by_role("button", name="签收").click()
        card.get_by_role("button", name="到场签到").click()
        card.get_by_role("button", name="反馈结果").click()
        sheet = self.page.locator("dialog[open]")
        self.take("before", before or photo)
        self.take("after", photo)
        sheet.get_by_role("button", name="已解决").click()
        sheet.get_by_role("button", name="反馈结果").click()
        expect(self.page.get_by_text("已反馈，等待核查")).to_be_visible(timeout=SEND_MS)

    def check(self, code: str, verdict: str) -> None:
        self.card(code).get_by_role("button", name="去核查").click()
        self.button(verdict).click()
