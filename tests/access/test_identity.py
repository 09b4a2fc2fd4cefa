"""Log-in by a real OpenID Connect provider on this machine: it opens accounts that exist, links them for good, and makes none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import oidc_provider_mock
import pytest
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from gridloop.access import actions
from gridloop.access.models import User
from gridloop.access.selectors import user_id_of, viewer_of_session
from gridloop.access.tests.conftest import Cast
from gridloop.journal.selectors import chain_facts
from gridloop.kernel.viewer import SYSTEM

CLIENT = {"provider_id": "city", "name": "统一身份认证", "client_id": "gridloop", "secret": "a-secret"}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(autouse=True)
def city(provider: str, cast: Cast, settings: Settings) -> str:
    cache.clear()
    app = CLIENT | {"settings": {"server_url": provider}}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    settings.OIDC_ON = True
    registry.register(OpenIDConnectProvider)  # as the installed app does, which the settings name for a city with its own log-in
    settings.OIDC = {"NAME": "统一身份认证", "CLAIM": "preferred_username", "MATCH": "username"}
    return provider


def knows(provider: str, subject: str, **claims: str) -> None:
    answer = httpx.put(f"{provider}/users/{subject}", json=claims)
    assert answer.is_success, answer.text


def log_in(subject: str, client: Client | None = None) -> tuple[Client, Any]:
    """The whole way: our page, the provider's form, back with the code."""
    client = client or Client(HTTP_HOST="localhost")
    away = client.get("/login/city/?next=/console/")
    assert away.status_code == 302, away.content
    assert "code_challenge=" in away["Location"]
    back = httpx.post(away["Location"], data={"sub": subject})
    assert back.status_code == 302, back.text
    where = urlsplit(back.headers["Location"])
    assert where.path == "/login/city/callback/"
    return client, client.get(f"{where.path}?{where.query}")


def who(client: Client) -> str | None:
    viewer = viewer_of_session(client.session.session_key or "")
    return viewer.name if viewer else None


def test_an_account_that_exists_is_linked_and_opened(city: str) -> None:
    assert "统一身份认证" in Client().get("/login/").content.decode()
    knows(city, "s-1", preferred_username="operator", name="周敏")
    client, answer = log_in("s-1")
    assert answer.status_code == 302, answer.content.decode()
    assert answer["Location"] == "/console/"
    assert who(client) == "operator"
    acts = [(f.action, f.data["method"]) for f in chain_facts(SYSTEM, f"account:{user_id_of('operator')}")]
    assert [a for a, _ in acts] == ["identity_linked", "logged_in"]
    link = SocialAccount.objects.get()
    assert (link.uid, link.extra_data) == ("s-1", {}), "nothing of what the provider tells is kept"
    knows(city, "s-1", preferred_username="renamed")
    assert who(log_in("s-1")[0]) == "operator", "linked by the subject, whatever its name is now"
    assert SocialAccount.objects.get().extra_data == {}


def test_a_name_given_to_somebody_else_opens_nothing(city: str) -> None:
    knows(city, "s-1", preferred_username="operator")
    log_in("s-1")
    knows(city, "s-2", preferred_username="operator")
    client, answer = log_in("s-2")
    assert answer.status_code == 403
    assert who(client) is None


@pytest.mark.parametrize("claims", [{"preferred_username": "stranger.from.elsewhere"}, {"name": "没有登录名"}, {"preferred_username": ""}])
def test_whoever_has_no_account_is_told_and_gets_none(city: str, claims: dict[str, str]) -> None:
    before = User.objects.count()
    knows(city, "s-3", **claims)
    client, answer = log_in("s-3")
    assert answer.status_code == 403
    assert "没有对应的账号" in answer.content.decode()
    assert who(client) is None
    assert (User.objects.count(), SocialAccount.objects.count()) == (before, 0)
    assert chain_facts(SYSTEM, "account:0")[0].data["reason"] == "not_linked"


def test_closed_accounts_and_machines_stay_closed(city: str, cast: Cast) -> None:
    actions.set_active(cast.viewer("admin"), user_id_of("handler") or 0, False)
    actions.create_user(cast.viewer("admin"), "gateway", "网关", machine=True)
    for number, name in enumerate(("handler", "gateway")):
        knows(city, f"s-1{number}", preferred_username=name)
        client, answer = log_in(f"s-1{number}")
        assert (answer.status_code, who(client)) == (403, None), name


def test_by_staff_code(city: str, settings: Settings) -> None:
    settings.OIDC = settings.OIDC | {"CLAIM": "employee", "MATCH": "staff"}
    knows(city, "s-4", employee="S1")
    assert who(log_in("s-4")[0]) == "handler"


def test_a_forged_return_is_refused(city: str) -> None:
    client = Client(HTTP_HOST="localhost")
    answer = client.get("/login/city/callback/?code=abc&state=forged")
    assert answer.status_code == 403
    assert "没有完成" in answer.content.decode()
    knows(city, "s-5", preferred_username="operator")
    away = client.get("/login/city/")
    back = urlsplit(httpx.post(away["Location"], data={"sub": "s-5"}).headers["Location"])
    other = Client(HTTP_HOST="localhost")
    assert other.get(f"{back.path}?{back.query}").status_code == 403, "the answer to somebody else's log-in"
    assert who(other) is None


def test_without_a_provider_there_is_no_door(settings: Settings) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": []}}
    settings.OIDC_ON = False
    assert "/login/city/" not in Client().get("/login/").content.decode()
    assert Client().get("/login/city/").status_code == 404
