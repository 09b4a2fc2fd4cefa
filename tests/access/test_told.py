"""People are told of what becomes of their account: in the app, in their language, on the page of their account."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from gridloop.access import actions as access
from gridloop.access.auditing import AuditFilter, audit
from gridloop.access.selectors import user_id_of, viewer_for
from gridloop.access.tests.conftest import Cast
from gridloop.adapters.channels.file.channel import FileChannel
from gridloop.journal.selectors import scoped, verify
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices import actions, handlers, selectors
from gridloop.notices.models import Delivery
from gridloop.orgs import actions as orgs
from tests.access.test_login import PASSWORD, code_of, enrol, log_in

NEW = "eine lange Nacht"


class Book:
    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, FileChannel(folder)

    def channel(self, kind: str) -> FileChannel:
        return self.file

    def all(self) -> list[Any]:
        return [self.file]

    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for path in sorted(self.folder.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def outbox(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Book:
    cache.clear()
    settings.FACTOR_KEY = "a key of this deployment"
    book = Book(tmp_path / "outbox")
    monkeypatch.setattr(actions, "channels", lambda: book)
    return book


def work() -> None:
    while handlers.run():
        pass
    while actions.deliver():
        pass


def told(username: str) -> list[tuple[str, str]]:
    return [(n.template, n.text) for n in selectors.of_account(viewer_for(user_id_of(username) or 0))]


@pytest.mark.django_db(transaction=True)
def test_each_change_is_told_once(outbox: Book, cast: Cast, client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    client.post("/accounts/password/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    client.post("/accounts/recovery-codes/new/")
    cache.clear()
    stranger = Client()
    for _ in range(2):
        log_in(stranger, password=NEW)
        stranger.post("/login/code/", {"code": "000000"})
    access.end_factors(cast.viewer("security"), user_id_of("operator") or 0, "手机丢失")
    access.reset_password(cast.viewer("admin"), user_id_of("operator") or 0)
    work()
    work()
    names = [name for name, _ in told("operator")]
    once = ["factors_ended", "factor_renewed", "password_changed", "password_reset", "wrong_code"]
    assert sorted(n for n in names if n != "factor_added") == sorted(once), "wrong codes once an hour"
    assert "factor_added" in names
    lines = [line for line in outbox.lines() if line["kind"] == "app"]
    assert len(lines) == len(names)
    assert all("请立即联系安全管理员" in text and "operator" in text for _, text in told("operator"))
    assert secret not in str(lines)
    assert told("handler") == [], "nobody else's"
    desk = client_of("operator")
    desk.post("/login/language/", {"lang": "en"})
    assert desk.get("/accounts/").content.decode().count("tell the security officer") == len(names), "in the language of the page"
    desk.post("/login/language/", {"lang": "zh"})
    page = desk.get("/accounts/").content.decode()
    assert page.count("请立即联系安全管理员") == len(names)
    rows = [r for r in audit(cast.viewer("auditor"), AuditFilter(group="factor")) if r.action == "account_told"]
    assert {r.text for r in rows} == {"通知本人"}
    assert {"修改密码", "重置密码", "解除二次验证", "验证码错误"} < {r.how for r in rows}
    assert verify(SYSTEM)[1] is None


def client_of(username: str) -> Client:
    fresh = Client()
    user = user_id_of(username)
    from django.contrib.auth import get_user_model

    fresh.force_login(get_user_model().objects.get(pk=user), backend="allauth.account.auth_backends.AuthenticationBackend")
    return fresh


@pytest.mark.django_db(transaction=True)
def test_a_code_used_twice_is_told(outbox: Book, client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    cache.clear()
    code = code_of(secret)
    for _ in range(2):
        fresh = Client()
        log_in(fresh)
        fresh.post("/login/code/", {"code": code})
    work()
    assert "wrong_code" in dict(told("operator"))


@pytest.mark.django_db(transaction=True)
def test_who_has_no_staff_record_is_told_in_their_language(outbox: Book, cast: Cast) -> None:
    access.set_language(viewer_for(user_id_of("security") or 0), "en")
    access.change_password(viewer_for(user_id_of("security") or 0), NEW)
    work()
    ((name, text),) = told("security")
    assert name == "password_changed"
    assert [line["text"] for line in outbox.lines()] == [text]
    assert re.fullmatch(r"The password of your account security was changed on [\d: -]+\. If this was not you, .+", text)


@pytest.mark.django_db(transaction=True)
def test_a_changed_telephone_is_told_to_whose_it_is(outbox: Book, cast: Cast) -> None:
    staff = cast.viewer("handler").staff_id
    assert staff
    orgs.change_staff(cast.viewer("admin"), staff, {"name": "孙丽"})
    work()
    assert told("handler") == []
    orgs.change_staff(cast.viewer("admin"), staff, {"phone": "13800009999"})
    work()
    assert [name for name, _ in told("handler")] == ["phone_changed"]
    with scoped(SYSTEM):
        assert "13800009999" not in str(list(Delivery.objects.values())), "addresses are sealed"
