"""What the database holds of second factors, and what becomes of somebody who lost theirs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.db import connection
from django.test import Client
from pytest_django import Settings

from gridloop.access import actions, sealing
from gridloop.access.auditing import AuditFilter, audit
from gridloop.access.selectors import user_id_of, users
from gridloop.access.tests.conftest import Cast
from gridloop.journal.selectors import chain_facts, scoped
from gridloop.kernel.errors import Forbidden, Invalid, NotNow
from gridloop.kernel.viewer import SYSTEM
from tests.access.test_login import PASSWORD, code_of, enrol, log_in, who

KEY, NEXT = "a key of this deployment", "the key that follows it"


@pytest.fixture(autouse=True)
def _key(cast: Cast, settings: Settings) -> None:
    cache.clear()
    settings.FACTOR_KEY = KEY


def stored() -> str:
    """All that the table of factors says, as somebody who reads the database sees it."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(string_agg(data::text, ' '), '') FROM mfa_authenticator")
        return str(cursor.fetchone()[0])


def second_step(secret: str) -> Client:
    cache.clear()
    fresh = Client()
    log_in(fresh)
    fresh.post("/login/code/", {"code": code_of(secret)})
    return fresh


def seed() -> str:
    with scoped(SYSTEM):
        return str(Authenticator.objects.get(type="recovery_codes").data["seed"])


# --- sealed ------------------------------------------------------------------------------------------------------------------------------


def test_secrets_are_not_to_be_read_in_the_database(client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    codes = set(re.findall(r"\b\d{8}\b", client.get("/accounts/recovery-codes/").content.decode()))
    assert len(codes) == 10
    assert stored().count(sealing.MARK) == 2, "of the authenticator and of the recovery codes"
    assert secret not in stored()
    assert sealing.unseal(seed()) not in stored()
    assert who(second_step(secret)) == "operator"


def test_what_is_older_than_sealing_works_and_is_sealed(client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    plain = sealing.unseal(seed())
    with scoped(SYSTEM):
        Authenticator.objects.filter(type="totp").update(data={"secret": secret})
        Authenticator.objects.filter(type="recovery_codes").update(data={"seed": plain, "used_mask": 1})
    assert who(second_step(secret)) == "operator", "a row of an older version"
    sealing.seal_old()
    assert secret not in stored()
    assert plain not in stored()
    assert '"used_mask": 1' in stored()
    before = stored()
    sealing.seal_old()
    assert stored() == before, "what is sealed stays as it is"
    assert who(second_step(secret)) == "operator"


def test_a_key_is_replaced(client: Client, settings: Settings) -> None:
    log_in(client)
    secret = enrol(client)
    settings.FACTOR_KEY = f"{NEXT},{KEY}"
    assert who(second_step(secret)) == "operator", "the old key opens still"
    sealing.seal_old()
    settings.FACTOR_KEY = NEXT
    assert who(second_step(secret)) == "operator"
    settings.FACTOR_KEY = KEY
    assert who(second_step(secret)) is None


def test_without_a_key_nothing_is_sealed(client: Client, settings: Settings) -> None:
    with scoped(SYSTEM):
        Authenticator.objects.create(user_id=user_id_of("operator"), type="totp", data={"secret": "GEZDGNBVGY3TQOJQ"})
    settings.FACTOR_KEY = settings.NO_SECRET
    sealing.seal_old()
    assert "GEZDGNBVGY3TQOJQ" in stored(), "the word for commands without a deployment is no key"


def test_a_key_that_was_lost_lets_nobody_in_and_is_told(client: Client, settings: Settings) -> None:
    log_in(client)
    secret = enrol(client)
    settings.FACTOR_KEY = "of another deployment"
    answer = client.get("/accounts/recovery-codes/")
    assert (answer.status_code, "读不出" in answer.content.decode()) == (409, True)
    cache.clear()
    fresh = Client()
    log_in(fresh)
    answer = fresh.post("/login/code/", {"code": code_of(secret)})
    assert "读不出" in answer.content.decode()
    assert who(fresh) is None
    sealing.seal_old()
    assert sealing.unreadable() == [user_id_of("operator")], "and it is left for the key to come back"
    settings.FACTOR_KEY = KEY
    assert sealing.unreadable() == []
    assert who(second_step(secret)) == "operator"


# --- lost ------------------------------------------------------------------------------------------------------------------------------


def test_a_lost_factor_is_taken_off_by_the_security_officer(client: Client, cast: Cast) -> None:
    log_in(client)
    enrol(client)
    operator = user_id_of("operator") or 0
    assert [u.username for u in users(cast.viewer("security")) if u.second_factor] == ["operator"]
    officer = Client()
    log_in(officer, "security")
    answer = officer.post(f"/api/v1/users/{operator}/factors/end", {"reason": "手机丢失，已当面核对"}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (200, {"count": 2})
    assert who(client) is None, "whoever has the phone is out"
    assert not [u for u in users(cast.viewer("security")) if u.second_factor]
    fresh = Client()
    assert log_in(fresh) == 302
    assert who(fresh) == "operator", "the password alone, until a new one is set up"
    fact = [f for f in chain_facts(SYSTEM, f"account:{operator}") if f.action == "factors_ended"][-1]
    assert fact.data["kinds"] == ["recovery_codes", "totp"]
    assert "手机" not in str(fact.data), "free text is sealed"
    row = audit(cast.viewer("auditor"), AuditFilter(group="factor"))[0]
    assert (row.action, row.text) == ("factors_ended", "解除二次验证")
    assert row.how == "恢复码+动态验证码 · 手机丢失，已当面核对"
    assert "security" in row.actor_name
    assert set(row.data) == {"user", "kinds"}


def refused(cast: Cast, who_acts: str, whose: str, reason: str = "手机丢失") -> Any:
    return actions.end_factors(cast.viewer(who_acts), user_id_of(whose) or 0, reason)


def test_who_may_not(client: Client, cast: Cast) -> None:
    log_in(client)
    enrol(client)
    with pytest.raises(Forbidden):
        refused(cast, "admin", "operator")  # who sets passwords does not take off what stands beside them
    with pytest.raises(Invalid):
        refused(cast, "security", "operator", " ")
    for whose, key in (("security", "access.factor_own"), ("auditor", "access.officer_account"), ("handler", "access.no_factor")):
        with pytest.raises(NotNow) as fault:
            refused(cast, "security", whose)
        assert fault.value.key == key


def test_whoever_must_have_one_begins_anew(client: Client, cast: Cast, settings: Settings) -> None:
    settings.REQUIRE_MFA_ROLES = frozenset({"operator"})
    log_in(client)
    enrol(client)
    refused(cast, "security", "operator")
    fresh = Client()
    answer = fresh.post("/login/", {"login": "operator", "password": PASSWORD, "next": "/console/"})
    assert answer.headers["Location"] == "/accounts/"
    assert fresh.get("/api/v1/me").json()["permissions"] == []
