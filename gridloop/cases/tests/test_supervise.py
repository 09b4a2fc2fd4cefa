"""督办, and what a verb does not know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.access.selectors import user_id_of
from gridloop.cases import actions, present
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import act, handled, report, task_of
from gridloop.kernel.errors import Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db
IN_THREE_DAYS = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0).isoformat()


def bearer(username: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of(username) or 0, ('all',))}"}


def test_a_supervisors_order_stands_in_the_detail_of_those_who_hold_the_case(cast: Cast) -> None:
    code = report()
    actions.accept(cast.operator, code, {})
    assert "supervise" in present.case_detail(cast.supervisor, code)["verbs"]
    actions.supervise(cast.supervisor, code, {"note": "三天内办结", "reply_by": IN_THREE_DAYS})
    actions.supervise(cast.supervisor, code, {})
    latest, first = present.case_detail(cast.handler, code)["supervision"]
    assert (first["note"], first["by"], first["reply_by"]) == ("三天内办结", "张supervisor", IN_THREE_DAYS)
    assert (latest["note"], latest["reply_by"]) == ("", None)
    fact = next(f for f in present.trace(SYSTEM, code, 0, 500) if f["action"] == "supervised")
    assert fact["data"]["tasks"] == [task_of(SYSTEM, code, "handle")["id"]]


def test_who_may_not_supervise(cast: Cast) -> None:
    code = report()
    for who in (cast.operator, cast.handler, cast.citizen):
        with pytest.raises((Forbidden, NotFound)):
            actions.supervise(who, code, {"note": "快"})
    handled(cast, code)
    act(cast.supervisor, code, "check", "approve")
    with pytest.raises(NotNow):
        actions.supervise(cast.supervisor, code, {"note": "快"})


def test_over_http_with_a_time_to_answer_by(cast: Cast, client: Client) -> None:
    code = report()
    body = {"note": "请核实", "reply_by": IN_THREE_DAYS}
    answer = client.post(f"/api/v1/cases/{code}/supervise", body, content_type="application/json", headers=bearer("supervisor"))
    assert answer.status_code == 200, answer.content
    assert answer.json()["supervision"][0]["reply_by"].startswith(IN_THREE_DAYS[:19])


def test_a_time_to_answer_by_lies_ahead(cast: Cast, client: Client) -> None:
    code = report()
    body = {"note": "请核实", "reply_by": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    for verb in ("supervise", "urge"):
        answer = client.post(f"/api/v1/cases/{code}/{verb}", body, content_type="application/json", headers=bearer("supervisor"))
        assert answer.status_code == 422, answer.content
        assert answer.json()["errors"][0]["pointer"] == "/reply_by"
    assert present.case_detail(cast.supervisor, code)["supervision"] == []


def test_a_field_a_verb_does_not_know_is_refused(cast: Cast, client: Client) -> None:
    code = report(kind="28002")
    actions.accept(cast.operator, code, {"unit": cast.units["MUNICIPAL"]})
    task = task_of(SYSTEM, code, "handle")["id"]
    head = bearer("handler")
    for body in ({"note": "转", "to": cast.units["URBAN"]}, {"note": "转", "unti": 1}):
        answer = client.post(f"/api/v1/tasks/{task}/return", body, content_type="application/json", headers=head)
        assert answer.status_code == 422, answer.content
    answer = client.post(f"/api/v1/tasks/{task}/delegate", {"to": 1}, content_type="application/json", headers=head)
    assert answer.status_code == 409, "not offered: 409 with what is"
    answer = client.post(f"/api/v1/cases/{code}/route", {"unitt": 1}, content_type="application/json", headers=bearer("operator"))
    assert answer.status_code == 422
    with pytest.raises(Invalid) as refused:
        actions.act(cast.handler, str(task), "return", {"note": "转", "to": 1})
    assert refused.value.errors[0].pointer == "/to"
