"""Session cookies: their flags, and that nothing is changed by a browser's session without the page's own token."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from gridloop.access.models import User
from gridloop.doors.http.api import api

PASSWORD = "correct horse battery"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
UNSAFE = ("post", "put", "patch", "delete")
FILLED = {"code": "X1", "file_id": "0" * 8 + "-0000-7000-8000-" + "0" * 12, "task_id": "0" * 8 + "-0000-7000-8000-" + "0" * 12}


def operations() -> list[tuple[str, str]]:
    """Every unsafe operation of the API with its path filled in."""
    found = []
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method in set(methods) & set(UNSAFE):
            kinds = {p["name"]: p["schema"] for p in methods[method].get("parameters", []) if p["in"] == "path"}
            filled = re.sub(r"\{(\w+)\}", lambda m, kinds=kinds: _value(m[1], kinds.get(m[1], {})), path)
            found.append((method, filled))
    return sorted(found)


def _value(name: str, schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    return "1" if schema.get("type") == "integer" else FILLED.get(name, FILLED["task_id"] if schema.get("format") == "uuid" else "x")


def logged_in(name: str = "admin") -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username=name), BACKEND)
    return client


def test_no_operation_is_done_by_a_session_alone(world: dict[str, Any]) -> None:
    client = logged_in()
    wrong = []
    listed = operations()
    for method, path in listed:
        answer = getattr(client, method)(path, {}, content_type="application/json")
        if (answer.status_code, answer.json().get("type")) != (403, "urn:gridloop:access.csrf"):
            wrong.append(f"{method} {path}: {answer.status_code} {answer.content[:80]!r}")
    assert len(listed) > 40
    assert wrong == []


def test_no_page_and_no_log_in_call_is_either(world: dict[str, Any]) -> None:
    client = logged_in()
    api_of_log_in = "/_allauth/browser/v1"
    for method, path in (
        ("post", "/login/"),
        ("post", "/logout/"),
        ("post", "/login/language/"),
        ("post", "/accounts/sessions/"),
        ("post", "/accounts/password/"),
        ("post", "/accounts/second-factor/"),
        ("post", f"{api_of_log_in}/auth/login"),
        ("delete", f"{api_of_log_in}/auth/session"),
        ("delete", f"{api_of_log_in}/auth/sessions"),
        ("post", f"{api_of_log_in}/account/password/change"),
        ("post", f"{api_of_log_in}/account/authenticators/totp"),
    ):
        assert getattr(client, method)(path, {}, content_type="application/json").status_code == 403, path
    assert client.get("/api/v1/me").status_code == 200, "still logged in"


def flags(client: Client, name: str) -> tuple[bool, bool, str]:
    cookie = client.cookies[name]
    return bool(cookie["secure"]), bool(cookie["httponly"]), str(cookie["samesite"])


@pytest.mark.parametrize("https", [False, True])
def test_cookie_flags(world: dict[str, Any], settings: Settings, https: bool) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.LANGUAGE_COOKIE_SECURE = https
    settings.SAMPLE = True
    client = Client()
    assert client.post("/login/sample/", {"user": "operator"}, secure=https).status_code == 302
    assert client.post("/login/language/", {"lang": "en"}, secure=https).status_code == 302
    client.get("/api/v1/me", secure=https)
    assert flags(client, "sessionid") == (https, True, "Lax")
    assert flags(client, "django_language") == (https, True, "Lax")
    assert flags(client, "csrftoken") == (https, False, "Lax"), "read by our scripts, which send it back in a header"


def test_https_makes_every_cookie_secure(monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy

    from gridloop.project import settings as module

    for given, secure in (("1", True), ("", False)):
        monkeypatch.setenv("GRIDLOOP_HTTPS", given)
        made = runpy.run_path(str(module.__file__))
        assert {made[f"{name}_COOKIE_SECURE"] for name in ("SESSION", "CSRF", "LANGUAGE")} == {secure}


def test_the_session_s_name_binds_it_to_this_host(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Browsers take a ``__Host-`` cookie only with Secure, for the whole host, without a domain."""
    import runpy

    from gridloop.doors.push.app import find_viewer
    from gridloop.project import settings as module

    monkeypatch.setenv("GRIDLOOP_HTTPS", "1")
    made = runpy.run_path(str(module.__file__))
    assert made["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    for name in ("SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"):
        setattr(settings, name, made[name])
    client = Client()
    settings.SAMPLE = True
    assert client.post("/login/sample/", {"user": "operator"}, secure=True).status_code == 302
    cookie = client.cookies["__Host-sessionid"]
    assert (bool(cookie["secure"]), cookie["path"], cookie["domain"]) == (True, "/", "")
    assert "sessionid" not in client.cookies
    assert client.get("/api/v1/me", secure=True).status_code == 200
    assert find_viewer({"cookie": f"__Host-sessionid={cookie.value}"}) is not None, "live screens know it too"


def test_log_in_changes_the_session(world: dict[str, Any]) -> None:
    """A session known before the log-in is worth nothing after it."""
    client = Client()
    with_password = User.objects.get(username="operator")
    client.get("/login/")
    client.force_login(with_password, BACKEND)
    before = client.session.session_key
    client.post("/logout/")
    client.force_login(with_password, BACKEND)
    assert client.session.session_key != before
    stale = Client()
    stale.cookies["sessionid"] = before or ""
    answer = stale.get("/api/v1/me")
    assert answer.status_code == 401
    assert "sessionid" not in answer.cookies, "it may come in after the next log-in's cookie"


def test_who_logs_out_loses_the_cookie(world: dict[str, Any]) -> None:
    client = Client()
    client.force_login(User.objects.get(username="operator"), BACKEND)
    assert client.get("/api/v1/me").status_code == 200
    client.post("/logout/")
    assert client.cookies["sessionid"].value == ""
