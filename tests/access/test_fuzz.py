"""Whatever is sent to the API: an answer with a reason, never a failure of the server. Requests are made from the OpenAPI document.

``GRIDLOOP_FUZZ=300`` makes so many requests of every operation instead of six.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import jsonschema
import orjson
import requests
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, Response
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from gridloop.doors.http.api import api
from tests.access.test_permissions import operations

EXAMPLES = int(os.environ.get("GRIDLOOP_FUZZ", "6"))
CALLERS = (None, "citizen", "handler", "operator", "admin")
EXCLUDED: dict[str, str] = {}  # operation → why it is not asked; the other processes' doors are asked by tests/live/bad_input
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:gridloop:[a-z_]+[.][a-z_0-9]+$"},
        "title": {"type": "string", "minLength": 1},
        "detail": {"type": "string", "minLength": 1, "not": {"pattern": "^[a-z_]+[.][a-z_]+$|{[a-z_]+}"}},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {"pointer": {"type": "string", "pattern": "^(/.*)?$"}, "message": {"type": "string", "minLength": 1}},
            },
        },
    },
}
REAL = {
    "code": ("code", "twin"),
    "task_id": ("task",),
    "file_id": ("photo",),
    "user_id": ("worker",),
    "grant_id": ("grant",),
    "unit_id": ("unit",),
    "staff_id": ("person",),
    "duty_id": ("duty",),
}
load_all_checks()


def sent(case: Case, token: str | None) -> Response:
    """The answer to one made request; nothing of it stays."""
    made = case.as_transport_kwargs(base_url="http://testserver")
    made.pop("cookies", None)
    whole = requests.Request(**made).prepare()
    kind = whole.headers.get("Content-Type", "application/json")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with transaction.atomic():
        answer = Client(raise_request_exception=False).generic(str(whole.method), whole.path_url, whole.body or b"", kind, headers=headers)
        content = b"".join(answer) if answer.streaming else answer.content
        transaction.set_rollback(True)
    heads = {name: [value] for name, value in answer.headers.items()}
    return Response(answer.status_code, heads, content, whole, 0.0, False)


def fault_of(case: Case, answer: Response) -> str:
    """What is wrong with an answer, or ''."""
    if answer.status_code < 400:
        try:
            case.validate_response(answer, checks=CHECKS)
        except (FailureGroup, AssertionError) as wrong:
            return "; ".join(str(one) for one in getattr(wrong, "exceptions", [wrong]))
        return ""
    if answer.status_code >= 500 or answer.headers.get("content-type") != ["application/problem+json"]:
        return f"{answer.status_code} {answer.headers.get('content-type')}"
    try:
        jsonschema.validate(orjson.loads(answer.content), PROBLEM)
    except jsonschema.ValidationError as wrong:
        return f"no problem document: {wrong.message}"
    return ""


@cache
def document() -> Any:
    return schemathesis.openapi.from_dict(api.get_openapi_schema())


def answers(operation: str, world: dict[str, Any]) -> tuple[list[str], set[int]]:
    """The made requests of one operation that were not answered with a reason, and the statuses seen."""
    method, path = operation.split()
    made = document()[f"/api/v1{path}"][method].as_strategy()
    wrong: list[str] = []
    seen: set[int] = set()

    @seed(7)
    @settings(max_examples=EXAMPLES, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(case=made, caller=st.sampled_from(CALLERS), real=st.booleans(), pick=st.integers(0, 1))
    def ask(case: Case, caller: str | None, real: bool, pick: int) -> None:
        if real and case.path_parameters:
            known = {name: world[REAL[name][pick % len(REAL[name])]] for name in case.path_parameters if name in REAL}
            case.path_parameters = {**case.path_parameters, **known}
        answer = sent(case, world["tokens"][caller] if caller else None)
        seen.add(answer.status_code)
        if fault := fault_of(case, answer):
            body = str(case.body)[:200]
            wrong.append(f"{fault} as {caller}: {method} {case.formatted_path} {case.query} {body} → {answer.content[:300]!r}")

    ask()
    return wrong, seen


def test_an_answer_of_another_shape_is_found(world: dict[str, Any]) -> None:
    operation = document()["/api/v1/me"]["GET"]
    case = operation.Case()
    good = sent(case, world["tokens"]["operator"])
    assert fault_of(case, good) == ""
    assert fault_of(case, Response(200, {"Content-Type": ["application/json"]}, b'{"id": "x"}', good.request, 0.0, False))
    assert fault_of(case, Response(422, {"Content-Type": ["application/problem+json"]}, b'{"title": "x"}', good.request, 0.0, False))
    assert fault_of(case, Response(500, {"Content-Type": ["text/html"]}, b"", good.request, 0.0, False))


def test_every_made_request_gets_a_reasoned_answer(world: dict[str, Any]) -> None:
    told = operations()
    assert len(told) > 80
    assert set(EXCLUDED) <= set(told)
    wrong: list[str] = []
    seen: set[int] = set()
    for operation in told:
        if operation not in EXCLUDED:
            faults, statuses = answers(operation, world)
            wrong += faults
            seen |= statuses
    assert wrong == []
    assert {200, 401, 403, 404, 422} <= seen, "requests of every kind were made"
