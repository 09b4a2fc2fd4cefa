"""The same headers from Django and from the front door; a view's own policy stands; HTTPS for good only where it is for good."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from gridloop.doors.cli.edge import Edge
from gridloop.kernel.headers import HEADERS, POLICY, STRICT_TRANSPORT


def directives() -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in (part.split() for part in POLICY.split(";"))}


def test_the_policy_allows_no_inline_script_and_no_foreign_origin() -> None:
    policy = directives()
    for name in ("default-src", "script-src", "style-src", "connect-src", "worker-src", "form-action"):
        assert policy[name] == ["'self'"], name
    for name in ("object-src", "base-uri", "frame-ancestors", "script-src-attr", "frame-src"):
        assert policy[name] == ["'none'"], name
    inline = [name for name, values in policy.items() if "'unsafe-inline'" in values]
    assert inline == ["style-src-attr"]
    assert "unsafe-eval" not in POLICY
    assert "http" not in POLICY


def test_the_front_door_sets_them_all_unless_a_process_did(tmp_path: Path) -> None:
    text = Edge(8000, "127.0.0.1", tmp_path, tmp_path).text()
    for name, value in HEADERS.items():
        assert f"?{name} `{value}`" in text
    assert "Strict-Transport-Security" not in text
    strict = Edge(8000, "127.0.0.1", tmp_path, tmp_path, strict_transport=True).text()
    assert f"?Strict-Transport-Security `{STRICT_TRANSPORT}`" in strict
    assert len(re.findall(r"\?[A-Z]", strict)) == 2 * (len(HEADERS) + 1), "on what it refuses itself, too"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login/", "/healthz", "/api/v1/me", "/api/docs", "/static/nothing.js", "/track/x"])
def test_django_alone_sets_them_too(client: Client, path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login/", "/api/v1/me", "/api/v1/cases", "/api/v1/nothing", "/track/x", "/accounts/"])
def test_nothing_keeps_what_is_somebody_s_own(client: Client, path: str) -> None:
    assert "no-store" in client.get(path).headers["Cache-Control"]


@pytest.mark.django_db
def test_https_for_good_only_at_a_public_address(client: Client, settings: Settings) -> None:
    settings.STRICT_TRANSPORT = False
    assert "Strict-Transport-Security" not in client.get("/healthz", secure=True).headers
    settings.STRICT_TRANSPORT = True
    assert client.get("/healthz", secure=True).headers["Strict-Transport-Security"] == STRICT_TRANSPORT
    assert "Strict-Transport-Security" not in client.get("/healthz").headers
