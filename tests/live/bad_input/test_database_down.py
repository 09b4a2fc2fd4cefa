"""The database is killed, or hangs: every door says 503 within 2 s, nothing is kept half, and all goes on by itself."""

from __future__ import annotations

import contextlib
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil
import pytest

from tests.house.product import crowd, until
from tests.live.bad_input.kit import LANGUAGES, check_problem, rows
from tests.live.conftest import Live
from tests.signals.conftest import logged

pytestmark = pytest.mark.server


def family(live: Live) -> list[psutil.Process]:
    head = psutil.Process(live.product.pids()["postgres"])
    return [head, *head.children(recursive=True)]


def tell(processes: list[psutil.Process], word: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(word)


@contextlib.contextmanager
def hanging(live: Live) -> Iterator[None]:
    """Every process of the database stands still: its sockets are open and say nothing."""
    stopped = family(live)
    tell(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        tell(stopped, signal.SIGCONT)


@contextlib.contextmanager
def killed(live: Live) -> Iterator[None]:
    """kill -9 of the head, again whenever it is started, as long as this lasts."""
    goes_on = True

    def kill() -> None:
        while goes_on:
            with contextlib.suppress(psutil.NoSuchProcess, KeyError):
                psutil.Process(live.product.pids()["postgres"]).kill()
            time.sleep(0.05)

    with ThreadPoolExecutor(1) as one:
        done = one.submit(kill)
        time.sleep(0.3)
        try:
            yield
        finally:
            goes_on = False
            done.result()


def batch(name: str, count: int = 3) -> list[dict[str, Any]]:
    at = datetime.now(UTC).isoformat()
    return [{"id": f"{name}-{n}", "source": "outage", "kind": "crowd_note", "at": at} for n in range(count)]


def in_log(live: Live) -> list[str]:
    return [s.id for s in logged(live.product.run()["urls"]["owner"]) if s.source == "outage"]


@pytest.mark.parametrize("how", [hanging, killed], ids=["hanging", "killed"])
@pytest.mark.timeout(600)
def test_every_door_says_so_within_two_seconds_and_all_comes_back(live: Live, how: Any) -> None:
    name = uuid.uuid4().hex
    before, during = batch(f"{name}-before"), batch(f"{name}-during")
    assert live.post("/api/v1/signals", "admin", before, status=202)["accepted"] == 3
    code, key = live.report()
    cases = rows(live, "SELECT count(*) FROM cases_case")
    place = live.place()
    tokens = {user: {"Authorization": f"Bearer {live.token(user)}"} for user in ("admin", "operator")}
    with httpx.Client(base_url=live.url, timeout=30, trust_env=False) as http:

        def ask(method: str, path: str, user: str | None, lang: str, body: Any = None) -> httpx.Response:
            headers = {"Accept-Language": lang, "Accept": "application/json", **(tokens[user] if user else {})}
            began = time.monotonic()
            answer = http.request(method, path, json=body, headers=headers)
            assert time.monotonic() - began < 2 * max(1.0, crowd() / 2), f"{path} took {time.monotonic() - began:.1f} s"
            assert int(answer.headers["retry-after"]) >= 1
            return answer

        ask_nothing = http.get("/healthz")
        assert ask_nothing.status_code == 200
        with how(live):
            for lang in LANGUAGES:
                check_problem(ask("POST", "/api/v1/signals", "admin", lang, during), 503, "signals.unavailable", lang)
                report = {"text": "停电时的上报", "kind": "01037", "place": place}
                check_problem(ask("POST", "/api/v1/reports", None, lang, report), 503, "doors.database_down", lang)
                assert ask("GET", "/api/v1/cases", "operator", lang).status_code == 503
                check_problem(ask("GET", f"/track/{code}?key={key}", None, lang), 503, "doors.database_down", lang)
            assert http.get("/healthz").status_code == 200
    assert until(lambda: live.product.ready(), 60 * crowd())
    assert rows(live, "SELECT count(*) FROM cases_case") == cases, "what was answered 503 was not done"
    sent = live.call("POST", "/api/v1/signals", "admin", json=during)
    for _ in range(20):
        if sent.status_code == 202:
            break
        time.sleep(0.5)
        sent = live.call("POST", "/api/v1/signals", "admin", json=during)
    told = sent.json()
    assert told["accepted"] + told["duplicates"] == 3, "refused is not acknowledged; sent again it is kept once"
    assert sorted(i for i in in_log(live) if i.startswith(name)) == sorted(i["id"] for i in before + during)
    assert live.get(f"/api/v1/cases/{code}", "operator")["status"] in ("reported", "verifying")
    assert live.report()[0] != code


def test_requests_that_were_waiting_when_it_fell_silent_are_let_go(live: Live) -> None:
    """More of them than the application has threads: each gets its 503, and none holds a thread afterwards."""
    token = {"Authorization": f"Bearer {live.token('operator')}"}
    limits = httpx.Limits(max_connections=40)
    with httpx.Client(base_url=live.url, timeout=30, trust_env=False, headers=token, limits=limits) as http, ThreadPoolExecutor(24) as many:
        list(many.map(lambda _: http.get("/api/v1/cases?limit=1").status_code, range(24)))
        with hanging(live):
            began = time.monotonic()
            statuses = list(many.map(lambda _: http.get("/api/v1/cases?limit=1").status_code, range(24)))
            took = time.monotonic() - began
        assert set(statuses) == {503}
        assert took < 6 * crowd()  # two rounds of the two seconds that a silent database is given
    assert until(lambda: live.product.ready(), 60 * crowd())
    assert live.call("GET", "/api/v1/cases?limit=1", "operator").status_code == 200


def test_an_open_screen_is_told_that_it_shows_old_things(live: Live) -> None:
    token = {"Authorization": f"Bearer {live.token('operator')}"}
    with httpx.Client(base_url=live.url, timeout=60, trust_env=False, headers=token) as http, http.stream("GET", "/api/v1/live") as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("event: "))
        assert next(lines) == "event: hello"
        with hanging(live):
            assert "event: stale" in lines
        assert "event: fresh" in lines
    assert until(lambda: live.product.ready(), 60 * crowd())
