"""Bearer tokens and sessions at the door, one's own account, and the administrator's verbs over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from gridloop.access.actions import issue_token
from gridloop.access.selectors import check_bearer, user_id_of
from gridloop.access.tests.conftest import COUNTY, TOWN, Cast
from gridloop.kernel.viewer import SYSTEM

API = "/api/v1"


def bearer(username: str, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of(username) or 0, scopes or ('all',))}"}


def post(client: Client, path: str, body: Any, **kwargs: Any) -> Any:
    return client.post(f"{API}{path}", body, content_type="application/json", **kwargs)


def test_me(cast: Cast, client: Client) -> None:
    body = client.get(f"{API}/me", headers=bearer("handler")).json()
    assert (body["user"], body["name"], body["roles"], body["lang"]) == ("handler", "孙丽", ["handler"], "zh")
    assert body["unit"] == {"id": cast.team, "name": "青石中队"}
    assert "task.act" in body["permissions"]
    assert set(body["clock"]) == {"now", "rate"}
    assert body["second_factor"] is False


def test_me_shows_what_the_token_may(cast: Cast, client: Client) -> None:
    body = client.get(f"{API}/me", headers=bearer("operator", "signals")).json()
    assert body["permissions"] == ["signals.read", "signals.write"]


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Bearer " + "x" * 5000, "bearer gl_ä"])
def test_a_bad_token_is_never_taken_for_the_public(cast: Cast, client: Client, header: str) -> None:
    for method, path in (("get", "/me"), ("get", "/case-types"), ("post", "/reports")):
        answer = getattr(client, method)(f"{API}{path}", headers={"Authorization": header.encode().decode("latin-1")})
        assert answer.status_code == 401, path
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_a_bearer_check_is_one_query(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    token = issue_token(SYSTEM, user_id_of("operator") or 0)
    with django_assert_num_queries(1):
        assert check_bearer(token) is not None


def test_a_session_needs_csrf_for_unsafe_requests_and_a_token_does_not(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    page = strict.get("/login/")
    form = {"login": "operator", "password": "correct horse battery", "csrfmiddlewaretoken": page.cookies["csrftoken"].value}
    assert strict.post("/login/", form).status_code == 302
    answer = strict.get(f"{API}/me")
    assert answer.json()["user"] == "operator"
    refused = post(strict, "/me", {"lang": "en"})
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:gridloop:access.csrf"
    token = strict.cookies["csrftoken"].value
    assert post(strict, "/me", {"lang": "en"}, headers={"X-CSRFToken": token}).status_code == 204
    assert strict.get(f"{API}/me").json()["lang"] == "en"
    assert post(Client(enforce_csrf_checks=True), "/me", {"lang": "zh"}, headers=bearer("operator")).status_code == 204


def test_the_public_may_be_the_public_beside_a_stale_session(cast: Cast) -> None:
    client = Client()
    client.cookies["sessionid"] = "no-such-session"
    assert client.get(f"{API}/case-types").status_code == 200
    assert client.get(f"{API}/me").status_code == 401


def test_an_account_from_nothing_to_work_and_back(cast: Cast, client: Client) -> None:
    admin = bearer("admin")
    security = bearer("security")
    made = post(client, "/users", {"username": "zhao", "name": "赵新", "machine": True}, headers=admin)
    assert made.status_code == 201
    user = made.json()["id"]
    assert post(client, "/users", {"username": "zhao", "name": "赵新"}, headers=admin).status_code == 409
    grant = post(client, f"/users/{user}/grants", {"role": "grid_worker", "region": f"{TOWN}001001"}, headers=security)
    assert grant.status_code == 201
    token = post(client, f"/users/{user}/tokens", {"scopes": ["task", "case.read"], "days": 30}, headers=security).json()["token"]
    own = {"Authorization": f"Bearer {token}"}
    assert client.get(f"{API}/me", headers=own).json()["permissions"] == ["case.read", "task.act", "task.read"]
    password = client.post(f"{API}/users/{user}/password", headers=admin).json()["password"]
    assert client.post("/login/", {"login": "zhao", "password": password}).status_code == 302
    assert client.get(f"{API}/me").json()["user"] == "zhao"
    assert client.delete(f"{API}/grants/{grant.json()['id']}", headers=security).status_code == 204
    assert client.get(f"{API}/me").json()["permissions"] == []
    assert post(client, f"/users/{user}/active", {"active": False}, headers=admin).status_code == 204
    assert client.get(f"{API}/me").status_code == 401
    assert client.get(f"{API}/me", headers=own).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/users", {"username": "", "name": "x"}, "/username"),
        ("/users", {"username": "a b", "name": "x"}, "/username"),
        ("/users/{id}/grants", {"role": "emperor"}, "/role"),
        ("/users/{id}/grants", {"role": "handler", "region": COUNTY, "unit": 10**12}, "/unit"),
        ("/users/{id}/tokens", {"scopes": ["everything"]}, "/scopes"),
        ("/users/{id}/tokens", {"scopes": []}, "/scopes"),
        ("/me", {"lang": "fr"}, "/lang"),
    ],
)
def test_wrong_input_names_its_place(cast: Cast, client: Client, path: str, body: dict[str, Any], pointer: str) -> None:
    who = "security" if path.startswith("/users/{id}") else "admin"
    answer = post(client, path.replace("{id}", str(user_id_of("worker"))), body, headers=bearer(who))
    assert answer.status_code == 422
    assert any(e["pointer"].endswith(pointer) for e in answer.json()["errors"]), answer.json()


def test_lists_go_on_from_their_cursor(cast: Cast, client: Client) -> None:
    admin = bearer("admin")
    seen: list[str] = []
    after = "0"
    while after is not None:
        page = client.get(f"{API}/users?limit=2&after={after}", headers=admin).json()
        seen += [u["username"] for u in page["items"]]
        after = page["next"]
    assert seen == ["admin", "operator", "handler", "worker", "citizen", "supervisor"]
    assert client.get(f"{API}/users?limit=0", headers=admin).status_code == 422


def test_second_factor_owed_over_http(cast: Cast, client: Client, settings: Any) -> None:
    settings.REQUIRE_MFA_ROLES = ["operator"]
    client.post("/login/", {"login": "operator", "password": "correct horse battery"})
    body = client.get(f"{API}/me").json()
    assert body["second_factor"] is True
    assert body["permissions"] == []
    assert client.get(f"{API}/looks").json()["items"] == []
