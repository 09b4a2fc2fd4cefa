"""Flooding and guessing: every refusal is 429, says how long to wait, in the caller's language, and is counted for all processes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from pytest_django import Settings

from gridloop.access.actions import issue_token
from gridloop.access.limits import Meter, network_of
from gridloop.access.selectors import user_id_of
from gridloop.access.tests.conftest import Cast
from gridloop.cases.tests.kit import HERE, build
from gridloop.doors.http.limits import WRONG_KEYS
from gridloop.kernel.viewer import SYSTEM

PASSWORD = "correct horse battery"
PLACE = {"lon": HERE[0], "lat": HERE[1]}


def from_address(address: str, **more: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, **more}


def report(address: str, **headers: str) -> Any:
    body = {"text": "路灯坏了", "place": PLACE}
    return Client().post("/api/v1/reports", body, content_type="application/json", headers=from_address(address, **headers))


def refused(answer: Any, words: str) -> None:
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert words in answer.content.decode()


@pytest.mark.django_db
def test_reports_without_an_account_are_limited_by_address(settings: Settings) -> None:
    build()
    settings.REPORTS_PER_MINUTE = 2
    assert [report("203.0.113.5").status_code for _ in range(2)] == [201, 201]
    refused(report("203.0.113.5"), "匿名上报太多")
    refused(report("203.0.113.5", **{"Accept-Language": "en"}), "Too many reports")
    assert report("203.0.113.6").status_code == 201, "somebody else"
    token = issue_token(SYSTEM, user_id_of("citizen") or 0)
    assert report("203.0.113.5", Authorization=f"Bearer {token}").status_code == 201, "an account answers for itself"
    assert report("203.0.113.5", Authorization="Bearer gl_wrong").status_code == 401
    settings.REPORTS_PER_MINUTE = 0
    assert report("203.0.113.5").status_code == 201


@pytest.mark.django_db
def test_keys_of_reporters_pages_cannot_be_tried_out() -> None:
    build()
    url = report("203.0.113.7").json()["track_url"]
    head = from_address("2001:db8:1:2::77")
    for number in range(WRONG_KEYS.most):
        assert Client().get(f"{url}{number}", headers=head).status_code == 403
    for method in ("get", "post"):
        path = url if method == "get" else url.replace("?", "/urge?")
        more = {} if method == "get" else {"data": {"note": "请快一些"}, "content_type": "application/json"}
        refused(getattr(Client(), method)(path, headers=head, **more), "查询码连续有误")
    refused(Client().get(url, headers=from_address("2001:db8:1:2::abcd", **{"Accept-Language": "en"})), "Too many wrong keys")
    for _ in range(40):
        assert Client().get(url, headers=from_address("203.0.113.8")).status_code == 200, "right keys are not counted"


@pytest.fixture
def guessed(cast: Cast) -> None:
    cache.clear()
    for _ in range(5):
        Client().post("/login/", {"login": "operator", "password": "wrong"})


def test_a_locked_name_is_told_so_on_the_page(guessed: None) -> None:
    refused(Client().post("/login/", {"login": "operator", "password": PASSWORD}), "次数过多")
    english = Client().post("/login/", {"login": "operator", "password": PASSWORD}, headers={"Accept-Language": "en"})
    refused(english, "Too many failed")


def test_a_locked_name_is_told_so_by_the_browser_api(guessed: None) -> None:
    body = {"username": "operator", "password": PASSWORD}
    refused(Client().post("/_allauth/browser/v1/auth/login", body, content_type="application/json"), "too_many_login_attempts")


def test_an_address_that_tries_many_names_is_stopped(cast: Cast) -> None:
    cache.clear()
    for number in range(30):
        Client().post("/login/", {"login": f"nobody{number}", "password": "wrong"}, headers=from_address("203.0.113.9"))
    late = Client().post("/login/", {"login": "handler", "password": PASSWORD}, headers=from_address("203.0.113.9"))
    refused(late, "次数过多")
    elsewhere = Client().post("/login/", {"login": "handler", "password": PASSWORD}, headers=from_address("203.0.113.10"))
    assert elsewhere.status_code == 302


def test_a_wrong_code_of_the_second_factor_counts_too(cast: Cast) -> None:
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    cache.clear()
    from gridloop.access.models import User

    TOTP.activate(User.objects.get(username="operator"), generate_totp_secret())
    client = Client()
    client.post("/login/", {"login": "operator", "password": PASSWORD})
    answers = [client.post("/login/code/", {"code": f"{number:06d}"}) for number in range(6)]
    assert [a.status_code for a in answers[:5]] == [200] * 5
    refused(answers[5], "次数过多")


@pytest.mark.django_db(transaction=True)
def test_meters_are_shared_by_processes() -> None:
    meter = Meter("test", 3, 60)
    meter.count("a")
    code = "import django; django.setup()\nfrom gridloop.access.limits import Meter\nfor _ in range(2): Meter('test', 3, 60).count('a')\n"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "gridloop.project.settings"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
    assert meter.wait("a") > 0
    assert meter.wait("b") == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE access_meter SET ends = now() - interval '1 second'")
    assert meter.wait("a") == 0
    assert meter.count("a") == (1, 60), "a new span"
    meter.forget("a")
    assert meter.count("a")[0] == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unix:", "unix:"),
    ],
)
def test_one_caller_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
