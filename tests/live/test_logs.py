"""By its code one finds a case's lines in every process, and nothing in them that nobody should read."""

from __future__ import annotations

import json
from typing import Any

from tests.house.product import until
from tests.live.conftest import Live

WORDS, CONTACT = "三楼王老五家门口路灯不亮", "13900001111"


def lines(live: Live) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted((live.folder / "logs").glob("*.log")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found.append((path.stem, json.loads(line)))
    return found


def test_the_lines_of_a_case_are_found_by_its_code(live: Live) -> None:
    body = {"text": WORDS, "kind": "01037", "place": live.place(), "contact": f"王老五 {CONTACT}"}
    answer = live.call("POST", "/api/v1/reports", json=body, headers={"X-Request-ID": "report-1"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["X-Request-ID"] == "report-1"
    code = answer.json()["case"]
    accepted = live.call("POST", f"/api/v1/cases/{code}/accept", "operator", json={}, headers={"X-Request-ID": "not one word"})
    assert accepted.status_code == 200, accepted.text
    assert len(accepted.headers["X-Request-ID"]) == 32, "what is no word is replaced"

    def of_case() -> list[tuple[str, dict[str, Any]]]:
        return [(process, line) for process, line in lines(live) if line.get("case") == code]

    assert until(lambda: any(p == "worker" and line.get("job") == "notices.deliver" for p, line in of_case()), 60)
    assert until(lambda: sum(line["event"] == "request" for p, line in of_case() if p == "web") == 2)
    web = [line for process, line in of_case() if process == "web"]
    report = next(line for line in web if line["event"] == "request" and line["request"] == "report-1")
    assert (report["route"], report["status"], report["verb"]) == ("api/v1/reports", 201, "reports")
    accept = next(line for line in web if line["event"] == "request" and line["verb"] == "accept")
    assert accept["user"]
    assert accept["request"] == accepted.headers["X-Request-ID"]
    assert {line["action"] for line in web if line["event"] == "fact" and line["request"] == accept["request"]} >= {"filed", "dispatched"}
    track_key = answer.json()["track_url"].partition("key=")[2]
    assert live.call("GET", f"/track/{code}", params={"key": track_key}).status_code == 200
    assert until(lambda: any(str(line.get("route", "")).startswith("track/") for _, line in lines(live))), "its line is written"
    everything = "".join(path.read_text(encoding="utf-8") for path in (live.folder / "logs").glob("*.log*"))
    for secret in (WORDS, CONTACT, "王老五", track_key, live.token("operator")):
        assert secret not in everything
