"""Server-sent events: in time, in scope, and resumed without loss."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.house.product import crowd
from tests.live.conftest import RIGHTS_SECONDS, Live

pytestmark = pytest.mark.server


class Screen:
    """An open console: collects (id, event, data, when) in a thread of its own."""

    def __init__(self, live: Live, user: str, last: str = "") -> None:
        headers = {"Authorization": f"Bearer {live.token(user)}"} | ({"Last-Event-ID": last} if last else {})
        self.client = httpx.Client(timeout=httpx.Timeout(10, read=30), trust_env=False)
        self.stream = self.client.stream("GET", f"{live.url}/api/v1/live", headers=headers)
        self.response = self.stream.__enter__()
        assert self.response.status_code == 200
        self.events: list[tuple[str, str, dict[str, Any], float]] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        event, data, event_id = "", "", ""
        try:
            for line in self.response.iter_lines():
                if line.startswith("id: "):
                    event_id = line[4:]
                elif line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    data = line[6:]
                elif not line and event:
                    self.events.append((event_id, event, json.loads(data), time.monotonic()))
                    event = ""
        except (httpx.HTTPError, ValueError):
            return

    def cases(self) -> list[str]:
        return [data["code"] for _, event, data, _ in self.events if event == "case"]

    def wait(self, code: str, seconds: float = 10) -> float:
        """When the case appeared (monotonic)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _, event, data, at in list(self.events):
                if event == "case" and data["code"] == code:
                    return at
            time.sleep(0.01)
        raise AssertionError(f"{code} did not appear; saw {self.cases()}")

    def close(self) -> str:
        """Cut the line; the last id seen."""
        last = self.events[-1][0] if self.events else ""
        self.response.close()
        self.client.close()
        return last


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    opened: list[Screen] = []
    yield opened
    for screen in opened:
        screen.client.close()


def opened(live: Live, screens: list[Screen], user: str, last: str = "") -> Screen:
    screen = Screen(live, user, last)
    screens.append(screen)
    end = time.monotonic() + 5
    while not screen.events and time.monotonic() < end:
        time.sleep(0.02)
    return screen


def test_a_report_is_on_the_open_console_within_a_second(live: Live, screens: list[Screen]) -> None:
    screen = opened(live, screens, "operator")
    live.report()
    times = []
    for _ in range(5):
        code, _key = live.report()
        answered = time.monotonic()
        times.append(screen.wait(code) - answered)
    assert sorted(times)[2] < crowd(), times


def test_a_cut_line_resumes_without_loss(live: Live, screens: list[Screen]) -> None:
    screen = opened(live, screens, "operator")
    first, _key = live.report()
    screen.wait(first)
    last = screen.close()
    missed = [live.report()[0] for _ in range(4)]
    again = opened(live, screens, "operator", last)
    for code in missed:
        again.wait(code)
    after, _key = live.report()
    again.wait(after)
    assert all(_place(event_id) > _place(last) for event_id, event, _, _ in again.events if event == "case"), "nothing is told again"


def _place(event_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in event_id.split("."))


def test_changes_come_in_four_frames_a_second_at_most(live: Live, screens: list[Screen]) -> None:
    """However much happens: of each case the latest change, and all of them seen in the end."""
    screen = opened(live, screens, "operator")
    codes = [live.report()[0] for _ in range(3)]
    screen.wait(codes[-1])
    begin = len(screen.events)
    began, urged = time.monotonic(), 0
    while time.monotonic() < began + 3 or (urged <= 12 and time.monotonic() < began + 30):
        live.post(f"/api/v1/cases/{codes[urged % 3]}/urge", "operator", {"note": f"第{urged}次"})
        urged += 1
    time.sleep(1 + crowd() / 4)
    news = [(data["code"], at) for _, event, data, at in screen.events[begin:] if event == "case"]
    frames = [at for n, (_, at) in enumerate(news) if n == 0 or at - news[n - 1][1] > 0.05]
    assert urged > 12, "more happened than frames may tell"
    assert len(frames) <= 4 * (frames[-1] - frames[0]) + 2, frames
    assert len(news) <= 3 * len(frames), "one message of a case in a frame"
    assert {code for code, _ in news} == set(codes)
    last = [data["action"] for _, event, data, _ in screen.events if event == "case"][-1]
    assert last == "urged"


def test_nonsense_as_last_id_means_read_afresh(live: Live, screens: list[Screen]) -> None:
    screen = opened(live, screens, "operator", "not-an-id")
    assert "reset" in [event for _, event, _, _ in screen.events]


def test_a_screen_sees_its_own_scope_only(live: Live, screens: list[Screen]) -> None:
    county, handler = opened(live, screens, "operator"), opened(live, screens, "handler")
    unit = live.get("/api/v1/me", "handler")["unit"]["id"]
    other, own = live.report()[0], live.report()[0]
    county.wait(other)
    live.post(f"/api/v1/cases/{own}/route", "operator", {"unit": unit})
    handler.wait(own)  # the stream keeps the order of the trace: what came before would stand before it
    assert other not in handler.cases(), "not its unit's case"
    live.post(f"/api/v1/cases/{other}/route", "operator", {"unit": unit})
    handler.wait(other)


def test_without_a_login_there_is_no_stream(live: Live) -> None:
    answer = live.call("GET", "/api/v1/live")
    assert answer.status_code == 401
    assert live.call("GET", "/api/v1/live", "citizen").status_code == 403


def test_a_screen_is_closed_when_its_right_is_taken_away(live: Live, screens: list[Screen]) -> None:
    region = live.get("/api/v1/me", "operator")["region"]["code"]
    name = f"leaver-{uuid.uuid4().hex[:8]}"
    user = live.post("/api/v1/users", "admin", {"username": name, "name": "离岗坐席", "machine": True}, status=201)["id"]
    grant = live.post(f"/api/v1/users/{user}/grants", "security", {"role": "operator", "region": region}, status=201)["id"]
    live.tokens[name] = live.post(f"/api/v1/users/{user}/tokens", "security", {"name": "screen", "scopes": ["all"]}, status=201)["token"]
    screen, other = opened(live, screens, name), opened(live, screens, "operator")
    seen = live.report()[0]
    screen.wait(seen)
    assert live.call("DELETE", f"/api/v1/grants/{grant}", "security").status_code == 204
    screen.thread.join(RIGHTS_SECONDS + 60)
    assert not screen.thread.is_alive(), "still open"
    after = live.report()[0]
    other.wait(after)
    assert other.thread.is_alive()
    assert after not in screen.cases()
    assert live.call("GET", "/api/v1/live", name).status_code == 403
