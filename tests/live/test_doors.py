"""Who may call what is no operation of the API document: the other processes' doors, the reporter's page, the log-in's API, files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.live.conftest import Live

pytestmark = pytest.mark.server
TABLE = Path(__file__).parents[1] / "access" / "permissions.yaml"


def narrow_token(live: Live) -> str:
    """A machine with an operator's role and a token for notices alone."""
    user = live.post("/api/v1/users", "admin", {"username": "narrow-box", "name": "大屏", "machine": True}, status=201)["id"]
    region = live.get("/api/v1/me", "operator")["region"]["code"]
    live.post(f"/api/v1/users/{user}/grants", "security", {"role": "operator", "region": region}, status=201)
    body = {"name": "narrow", "scopes": ["notice.read"]}
    return str(live.post(f"/api/v1/users/{user}/tokens", "security", body, status=201)["token"])


def ask(live: Live, operation: str, body: Any, user: str | None) -> int:
    """The status alone: the live stream never ends."""
    method, path = operation.split()
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {live.token(user)}"} if user else {})
    more = {} if body is None else {"json": body}
    with httpx.stream(method, f"{live.url}{path}", headers=headers, timeout=30, trust_env=False, **more) as answer:
        return answer.status_code


def test_the_table_of_doors_holds(live: Live) -> None:
    given = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    columns = given["door_columns"].split()
    live.tokens["narrow"] = narrow_token(live)
    code, key = live.report()
    values = {"{code}": code, "<key>": key, "<now>": datetime.now(UTC).isoformat()}
    wrong = []
    for row, statuses in given["doors"].items():
        operation, body = row, json.dumps(given["door_requests"].get(row))
        for word, value in values.items():
            operation, body = operation.replace(word, value), body.replace(word, value)
        expected = [int(status) for status in statuses.split()]
        found = [ask(live, operation, json.loads(body), None if column == "anonymous" else column) for column in columns]
        wrong += [f"{row} as {c}: {f}, expected {e}" for c, e, f in zip(columns, expected, found, strict=True) if e != f]
    assert not wrong, "\n".join(wrong)
