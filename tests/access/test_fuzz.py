"""Whatever is sent to the API: an answer with a reason, never a failure of the server. Requests are made from the OpenAPI document.

``GRIDLOOP_FUZZ=300`` makes so many requests of every operation instead of a dozen.
"""

from __future__ import annotations

import os
from typing import Any

import requests
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case

from gridloop.doors.http.api import api
from tests.access.test_permissions import operations

EXAMPLES = int(os.environ.get("GRIDLOOP_FUZZ", "12"))


def sent(case: Case, token: str) -> tuple[int, bytes, str]:
    """The answer to one made request; nothing of it stays."""
    made = case.as_transport_kwargs(base_url="http://testserver")
    made.pop("cookies", None)
    whole = requests.Request(**made).prepare()
    kind = whole.headers.get("Content-Type", "application/json")
    with transaction.atomic():
        answer = Client(raise_request_exception=False).generic(
            str(whole.method), whole.path_url, whole.body or b"", kind, headers={"Authorization": f"Bearer {token}"}
        )
        content = b"".join(answer) if answer.streaming else answer.content
        transaction.set_rollback(True)
    return answer.status_code, content, answer.headers.get("Content-Type", "")


def answers(operation: str, token: str) -> list[str]:
    """The made requests of one operation that were not answered with a reason."""
    method, path = operation.split()
    made = schemathesis.openapi.from_dict(api.get_openapi_schema())[f"/api/v1{path}"][method].as_strategy()
    wrong: list[str] = []

    @seed(7)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(case=made)
    def ask(case: Case) -> None:
        status, content, kind = sent(case, token)
        if status >= 500 or (status >= 400 and "json" not in kind):
            wrong.append(f"{status} {kind} {method} {case.formatted_path} {case.query} {str(case.body)[:200]} → {content[:200]!r}")

    ask()
    return wrong


def test_every_made_request_gets_a_reasoned_answer(world: dict[str, Any]) -> None:
    told = operations()
    assert len(told) > 80
    assert [fault for operation in told for fault in answers(operation, world["tokens"]["admin"])] == []
