"""After log-ins, tokens, wrong passwords and reporters' pages no log of the running product holds a secret."""

from __future__ import annotations

import httpx
import pytest

from gridloop.simulation.county.staffing import SAMPLE_PASSWORD
from tests.live.conftest import Live

pytestmark = pytest.mark.server
WRONG = "wrong-password-of-nobody-7788"


def test_no_log_holds_a_secret(live: Live) -> None:
    code, key = live.report()
    token = live.token("operator")
    live.get("/api/v1/me", "operator")
    with httpx.Client(base_url=live.url, timeout=30, trust_env=False) as browser:
        browser.get("/login/")
        secret = browser.cookies["csrftoken"]
        for password in (WRONG, SAMPLE_PASSWORD):
            form = {"login": "supervisor", "password": password, "csrfmiddlewaretoken": secret}
            browser.post("/login/", data=form, headers={"Referer": live.url})
        session = browser.cookies["sessionid"]
        for path in (f"/track/{code}?key={key}", f"/track/{code}?key={key}x", f"/api/v1/nothing?key={key}"):
            browser.get(path, headers={"Accept": "application/json"})
        # lines that are written for sure: what the database refuses, a broken form
        refused = browser.post(f"/api/v1/reports?key={key}", json={"text": f"a\x00{WRONG}", "contact": "x"})
        assert refused.status_code in (403, 422)
        live.post(f"/api/v1/reports?key={key}", None, {"text": "a\x00b", "place": live.place()}, status=422)
    logs = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in (live.folder / "logs").glob("*.log")}
    assert "unfit value" in "".join(logs.values()), "the logs do tell something"
    for name, said in (logs | {"output": live.product.text}).items():
        for kind, value in {"token": token, "key": key, "wrong": WRONG, "session": session, "csrf": secret}.items():
            assert value not in said, f"{kind} stands in {name}"
    assert all(SAMPLE_PASSWORD not in said for said in logs.values())


def test_the_front_door_covers_what_it_logs(live: Live) -> None:
    """A process that does not answer makes the front door write the request down."""
    config = (live.folder / "run" / "Caddyfile").read_text(encoding="utf-8") if (live.folder / "run" / "Caddyfile").exists() else ""
    found = config or "".join(p.read_text(encoding="utf-8") for p in live.folder.rglob("Caddyfile"))
    assert "request>uri query" in found
    assert "replace key" in found
