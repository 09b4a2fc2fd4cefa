"""Every operation of the HTTP API for every kind of caller. The table is ``permissions.yaml``; a new operation without a row is red.

The world is one county with two towns; the case, device, person and file of the requests lie in the east town.
Each request runs in a transaction of its own that is rolled back, so rows do not depend on each other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from gridloop.doors.http.api import api, track_api
from gridloop.evidence.tests.pictures import picture

TABLE = Path(__file__).with_name("permissions.yaml")
METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> list[str]:
    """``GET /me`` and so on, as the OpenAPI document has them, without the common beginning."""
    paths: dict[str, dict[str, Any]] = api.get_openapi_schema()["paths"]
    found = [f"{m.upper()} {path.removeprefix('/api/v1')}" for path, methods in paths.items() for m in METHODS if m in methods]
    return sorted(found, key=lambda o: o.split()[::-1])


def table() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return loaded


def _filled(value: Any, world: dict[str, Any]) -> Any:
    """``<case>`` in a request of the table becomes the world's own."""
    if isinstance(value, dict):
        return {k: _filled(v, world) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, world) for v in value]
    if isinstance(value, str):
        return re.sub(r"<(\w+)>", lambda m: str(world[m.group(1)]), value)
    return value


def ask(operation: str, request: dict[str, Any], token: str | None, world: dict[str, Any]) -> int:
    """The status of one request; nothing of it stays."""
    method, path = operation.split()
    values = {
        "code": "<code>",
        "task_id": "<task>",
        "file_id": "<photo>",
        "user_id": "<worker>",
        "grant_id": "<grant>",
        "unit_id": "<unit>",
        "staff_id": "<person>",
        "duty_id": "<duty>",
    }
    values |= {"token_id": "999999999"} | request.get("path", {})
    for name, value in _filled(values, world).items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{operation}: give the table a value for {path}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    extra: dict[str, Any] = {}
    if "json" in request:
        extra = {"data": _filled(request["json"], world), "content_type": "application/json"}
    elif request.get("upload"):
        extra = {"data": {"file": SimpleUploadedFile("a.jpg", picture(size=(8, 8)))}}
    elif "table" in request:
        extra = {"data": {"file": SimpleUploadedFile("table.csv", request["table"].encode())}}
    with transaction.atomic():
        address = f"/api/v1{path}" + (f"?{_filled(request['query'], world)}" if "query" in request else "")
        status = getattr(Client(), method.lower())(address, headers=headers, **extra).status_code
        transaction.set_rollback(True)
    return int(status)


def test_no_row_without_its_operation() -> None:
    gone = set(table()["operations"]) - set(operations())
    assert not gone, "take these rows out of tests/access/permissions.yaml"


def test_the_table_holds(world: dict[str, Any]) -> None:
    """A new operation is red until somebody has written down who may call it; the message shows who can now."""
    given = table()
    columns = given["columns"].split()
    wrong = []
    for operation in operations():
        request = given["requests"].get(operation, {})
        found = [ask(operation, request, world["tokens"].get(column), world) for column in columns]
        if operation not in given["operations"]:
            wrong.append(f"{operation}: has no row; callers get {' '.join(map(str, found))}: is that right?")
            continue
        expected = [int(status) for status in given["operations"][operation].split()]
        assert len(expected) == len(columns), operation
        wrong += [f"{operation} as {c}: {f}, expected {e}" for c, e, f in zip(columns, expected, found, strict=True) if e != f]
    assert not wrong, "\n".join(wrong)


def test_every_call_of_the_reporters_page_has_a_row_among_the_doors() -> None:
    """Those rows are asked on the running product by tests/live/test_doors.py."""
    rows = table()["doors"]
    paths: dict[str, dict[str, Any]] = track_api.get_openapi_schema(path_prefix="/track/")["paths"]
    calls = [f"{m.upper()} {path}" for path, methods in paths.items() for m in METHODS if m in methods]
    assert calls
    assert [call for call in calls if not any(row.startswith(f"{call}?") for row in rows)] == []
