"""The security log: every log-in and what surrounds it, with where it came from; nobody changes it, the auditor alone reads it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client

from gridloop.access import actions
from gridloop.access.actions import issue_token
from gridloop.access.messages import SampleLogin
from gridloop.access.models import LookLog
from gridloop.access.selectors import user_id_of
from gridloop.access.tests.conftest import COUNTY, TOWN, Cast
from gridloop.journal.actions import erase
from gridloop.journal.models import Fact
from gridloop.journal.selectors import chain_facts, scoped, verify
from gridloop.kernel.viewer import SYSTEM
from tests.access.test_login import enrol

PASSWORD = "correct horse battery"
FROM = {"X-Forwarded-For": "203.0.113.44", "User-Agent": "Desk of the shift/1.0"}


@pytest.fixture(autouse=True)
def _empty_counters(cast: Cast) -> None:
    cache.clear()


def log_in(client: Client, name: str = "operator", password: str = PASSWORD) -> int:
    return client.post("/login/", {"login": name, "password": password}, headers=FROM).status_code


def asked(name: str = "auditor", **query: Any) -> Any:
    head = {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of(name) or 0)}"}
    return Client().get("/api/v1/audit", query, headers=head)


def log(**query: Any) -> list[tuple[str, str, str]]:
    """(action, account, how) oldest first, without the auditor's own token."""
    items = asked(**query).json()["items"]
    return [(i["action"], i["account_name"], i["how"]) for i in reversed(items) if "auditor" not in i["account_name"]]


def test_every_log_in_and_every_refusal_stands_there_with_its_origin(cast: Cast) -> None:
    client = Client()
    log_in(client, password="wrong")
    log_in(client)
    client.post("/logout/", headers=FROM)
    log_in(client, "nobody")
    actions.set_active(cast.viewer("admin"), user_id_of("handler") or 0, False)
    log_in(client, "handler")
    assert log(group="log_in") == [
        ("login_failed", "周敏 (operator)", "密码 · 密码错误"),
        ("logged_in", "周敏 (operator)", "密码"),
        ("logged_out", "周敏 (operator)", "person"),
        ("login_failed", "（不存在的用户名）", "密码 · 没有这个用户名"),
        ("login_failed", "孙丽 (handler)", "密码 · 账号已停用"),
    ]
    for item in asked(group="log_in").json()["items"]:
        assert (item["address"], item["agent"]) == ("203.0.113.44", "Desk of the shift/1.0")
    assert "203.0.113.44" not in str(list(_facts())), "facts are for ever: the address is sealed beside them"
    assert "nobody" not in str(list(_facts())), "people type passwords into the field of the name"


def _facts() -> list[dict[str, Any]]:
    with scoped(SYSTEM):
        return [dict(f.data) for f in Fact.objects.filter(chain__startswith="account:")]


def test_a_locked_name_is_told_once(cast: Cast) -> None:
    for _ in range(9):
        log_in(Client(), password="wrong")
    assert [a for a, _, _ in log(group="log_in")] == ["login_failed"] * 5 + ["login_locked"]
    actions.unlock(cast.viewer("security"), user_id_of("operator") or 0)
    assert log_in(Client()) == 302, "unlocked at once"
    assert [a for a, _, _ in log(group="log_in")][-2:] == ["account_unlocked", "logged_in"]


def test_guessing_names_does_not_fill_the_trace(cast: Cast) -> None:
    for number in range(25):
        log_in(Client(), f"nobody{number}")
    counts = [f.data.get("count", 1) for f in chain_facts(SYSTEM, "account:0")]
    assert counts == [1, 10]


def test_second_factor_tokens_rights_and_looks_are_there(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    client = Client(headers=FROM)
    log_in(client)
    with django_capture_on_commit_callbacks(execute=True):
        enrol(client)
    user = actions.create_user(cast.viewer("admin"), "box", "网关", machine=True)
    actions.grant_role(cast.viewer("security"), user, "integrator", region=COUNTY)
    token = issue_token(cast.viewer("security"), user, ["case.read"])
    for _ in range(3):
        assert Client().get("/api/v1/cases", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    actions.log_look(cast.viewer("operator"), "person:7", "visit", "入户走访")
    assert ("factor_added", "周敏 (operator)", "动态验证码") in log(group="factor")
    assert [a for a, name, _ in log(group="token") if "box" in name] == ["token_issued", "token_first_used"], "once"
    assert ("role_granted", "网关 (box)", "对接平台") in log(group="right")
    assert ("looked", "周敏 (operator)", "visit") in log(group="look")


def test_a_first_use_that_was_rolled_back_is_told_at_the_next(cast: Cast) -> None:
    user = actions.create_user(cast.viewer("admin"), "box", "网关", machine=True)
    actions.grant_role(cast.viewer("security"), user, "integrator", region=COUNTY)
    head = {"Authorization": f"Bearer {issue_token(cast.viewer('security'), user, ['case.read'])}"}
    failed = Client().post("/api/v1/users", {}, content_type="application/json", headers={**head, "Idempotency-Key": "k1"})
    assert failed.status_code in (403, 422)
    assert Client().get("/api/v1/cases", headers=head).status_code == 200
    assert [a for a, name, _ in log(group="token") if "box" in name] == ["token_issued", "token_first_used"]


def test_sessions_that_were_ended(cast: Cast) -> None:
    client = Client()
    log_in(client)
    assert actions.end_sessions_of(cast.viewer("security"), user_id_of("operator") or 0) == 1
    assert client.get("/api/v1/me").status_code == 401
    assert log(group="log_in")[-1][0] == "session_ended"
    assert asked(group="log_in").json()["items"][0]["actor_name"].startswith("严守")


def test_of_sessions_that_are_over_no_address_is_kept(cast: Cast) -> None:
    over, still = Client(), Client()
    log_in(over)
    log_in(still)
    assert UserSession.objects.count() == 2
    Session.objects.filter(session_key=over.session.session_key).update(expire_date=datetime(2020, 1, 1, tzinfo=UTC))
    assert actions.forget_sessions(dry=True) == 2, "the session, and from where it was opened"
    assert actions.forget_sessions() == 2
    assert [s.session_key for s in UserSession.objects.all()] == [still.session.session_key]
    assert actions.forget_sessions() == 0
    assert still.get("/api/v1/me").status_code == 200


def test_only_the_auditor_reads_it(cast: Cast) -> None:
    for name in ("admin", "security", "operator", "supervisor", "citizen"):
        assert asked(name).status_code == 403, name
    assert asked(group="nonsense").status_code == 422


def test_an_auditor_of_a_town_sees_the_accounts_of_the_town(cast: Cast) -> None:
    actions.load_users([SampleLogin("town_auditor", "镇审计", None, "auditor", TOWN, None)])
    actions.log_look(cast.viewer("worker"), "person:7", "visit", "入户走访")
    actions.log_look(cast.viewer("operator"), "person:8", "visit", "入户走访")
    log_in(Client(), "nobody")
    seen = {i["account_name"] for i in asked("town_auditor").json()["items"]}
    assert seen == {"陈强 (worker)", "镇审计 (town_auditor)"}


def test_it_is_read_page_by_page_and_by_time(cast: Cast) -> None:
    for _ in range(3):
        log_in(Client())
    first = asked(group="log_in", limit=2).json()
    rest = asked(group="log_in", limit=2, before=first["next"]).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    assert asked(group="log_in", since="2199-01-01T00:00:00Z").json()["items"] == []


def test_the_file_says_the_same_and_taking_it_is_written_down(cast: Cast) -> None:
    client = Client(headers={"User-Agent": "=cmd|' /C calc'!A0"})
    client.post("/login/", {"login": "operator", "password": PASSWORD})
    head = {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of('auditor') or 0)}"}
    answer = Client().get("/api/v1/audit.csv", {"group": "log_in"}, headers=head)
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode().removeprefix("\ufeff"))))
    assert rows[0][:3] == ["时间", "动作", "账号"]
    assert rows[1][1:3] == ["登录", "周敏 (operator)"]
    assert rows[1][6].startswith("'="), "no formula"
    taken = asked(group="look").json()["items"][0]
    assert (taken["action"], taken["data"]) == ("audit_exported", {"group": "log_in"})


def test_a_file_of_an_unknown_group_is_refused_before_it_begins(cast: Cast) -> None:
    head = {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of('auditor') or 0)}"}
    answer = Client().get("/api/v1/audit.csv", {"group": "nonsense"}, headers=head)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/group")
    assert asked(group="look").json()["items"] == [], "nothing was taken"


def test_nobody_changes_it(cast: Cast) -> None:
    """Not even the system's own role: the trigger refuses, and the chain would tell."""
    log_in(Client())
    actions.log_look(cast.viewer("operator"), "person:7", "visit", "入户走访")
    for statement in ("UPDATE journal_fact SET action = 'x'", "DELETE FROM journal_fact", "TRUNCATE journal_fact"):
        with pytest.raises(DatabaseError), transaction.atomic(), scoped(SYSTEM), connection.cursor() as cursor:
            cursor.execute(statement)
    with scoped(SYSTEM):
        assert LookLog.objects.update(reason="x") == 0
    count, broken = verify(SYSTEM)
    assert count > 2
    assert broken is None


def test_an_erased_address_leaves_the_log_whole(cast: Cast) -> None:
    log_in(Client())
    assert erase(SYSTEM, f"account:{user_id_of('operator')}", "到期") == 1
    (item,) = asked(group="log_in").json()["items"]
    assert (item["action"], item["address"], item["agent"]) == ("logged_in", "", "")
    assert verify(SYSTEM)[1] is None
