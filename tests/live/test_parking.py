"""K2: a car in the way. The owner is told first; gone means closed; the camera's many looks are one case."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gridloop.simulation.county.county import SEED, generate
from tests.live.conftest import SCALE, Live

pytestmark = pytest.mark.server


def look(live: Live, camera: dict[str, Any], plate: str, standing: float, **more: Any) -> None:
    """One look of the camera."""
    at = datetime.now(UTC).isoformat()
    item = {
        "id": f"look-{plate}-{standing}",
        "source": "test-camera",
        "device": camera["code"],
        "kind": "vehicle_stopped",
        "at": at,
        "value": standing,
        "place": camera["place"],
        "data": {"plate": plate, **more},
    }
    answer = live.call("POST", "/api/v1/signals", "admin", json=item)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}


def wait_for(found: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def case_of(live: Live, camera: dict[str, Any]) -> dict[str, Any] | None:
    here = (
        f"{camera['place']['lon'] - 1e-5},{camera['place']['lat'] - 1e-5},{camera['place']['lon'] + 1e-5},{camera['place']['lat'] + 1e-5}"
    )
    items: list[dict[str, Any]] = live.get("/api/v1/cases", "operator", type="09009", bbox=here)["items"]
    return items[0] if items else None


def messages_to(live: Live, plate: str) -> list[dict[str, Any]]:
    outbox = live.folder / "outbox" / "sms.jsonl"
    lines = outbox.read_text(encoding="utf-8").splitlines() if outbox.exists() else []
    return [m for m in map(json.loads, lines) if plate in m["text"]]


def test_owner_is_told_and_gone_closes_by_itself(live: Live) -> None:
    car = next(v for v in generate(SEED, SCALE).vehicles if v.person)
    camera = live.get("/api/v1/devices", "admin", kind="camera", limit=200)["items"][-1]
    look(live, camera, car.plate, 120)
    snapshot = live.photo("admin", camera["place"])
    look(live, camera, car.plate, 200, evidence=[snapshot], boxes=[[0.1, 0.2, 0.5, 0.6]])
    case = wait_for(lambda: case_of(live, camera))
    assert case["scene"] == "illegal_parking"
    shown = live.get(f"/api/v1/cases/{case['code']}/evidence", "operator")["items"]
    assert [(e["id"], e["kind"]) for e in shown] == [(snapshot, "scene")]
    assert live.call("GET", shown[0]["url"], "operator").headers["content-type"] == "image/jpeg"
    (message,) = wait_for(lambda: messages_to(live, car.plate))
    assert "5" in message["text"]
    assert "驶离" in message["text"]
    look(live, camera, car.plate, 320)
    wait_for(lambda: live.get(f"/api/v1/cases/{case['code']}", "operator")["sources"][0]["count"] >= 2)
    look(live, camera, car.plate, 0)
    wait_for(lambda: live.get(f"/api/v1/cases/{case['code']}", "operator")["status"] == "closed")
    trace = live.get(f"/api/v1/cases/{case['code']}/trace", "operator")["items"]
    assert [f["data"]["reason"] for f in trace if f["action"] == "closed"] == ["left"]
    assert len(messages_to(live, car.plate)) == 1, "told once"
    assert car.plate not in json.dumps(trace, ensure_ascii=False), "no personal data in facts"
