"""Getting in and out: pages without scripts, the browser API, limits on guessing, the second factor, ending sessions."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.test import Client
from django.utils.translation import override
from pytest_django import Settings

from gridloop.access import actions, selectors
from gridloop.access.adapter import FactorAdapter
from gridloop.access.language import LANGUAGE_CODES
from gridloop.access.rules import ROLES, factor_roles
from gridloop.access.selectors import user_id_of, viewer_of_session
from gridloop.access.tests.conftest import Cast
from gridloop.journal.selectors import chain_facts
from gridloop.kernel.texts import all_texts
from gridloop.kernel.viewer import SYSTEM

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _empty_counters(cast: Cast) -> None:
    cache.clear()


def log_in(client: Client, username: str = "operator", password: str = PASSWORD) -> int:
    return client.post("/login/", {"login": username, "password": password}).status_code


def who(client: Client) -> str | None:
    session = viewer_of_session(client.session.session_key or "")
    return session.name if session else None


def actions_of(username: str) -> list[tuple[str, str]]:
    return [(f.action, f.data.get("method", "")) for f in chain_facts(SYSTEM, f"account:{user_id_of(username)}")]


def code_of(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time())))))


# --- the page ----------------------------------------------------------------------------------------------------------------------------


def test_the_page_speaks_both_languages(client: Client) -> None:
    assert "用户名" in client.get("/login/").content.decode()
    english = client.get("/login/", headers={"Accept-Language": "en"}).content.decode()
    assert "User name" in english
    assert not re.search(r"access\.page_|[一-鿿]", english.replace("中文", ""))


def test_one_word_for_the_user_name_ours_and_the_library_s(client: Client) -> None:
    page = client.post("/login/", {"login": "operator", "password": "not this one"}, headers={"Accept-Language": "zh-CN"}).content.decode()
    assert page.count("用户名") >= 2, "the field and the fault"
    assert "登录名" not in page
    assert not [key for key, said in all_texts().items() if "登录名" in said["zh"] or "log-in name" in said["en"].lower()]


def test_log_in_and_out_leaves_facts(client: Client) -> None:
    assert log_in(client) == 302
    assert who(client) == "operator"
    assert client.get("/logout/").status_code == 200
    assert who(client) == "operator", "a stray link ends nothing"
    client.post("/logout/")
    assert who(client) is None
    assert actions_of("operator") == [("logged_in", "password"), ("logged_out", "person")]


def test_next_stays_on_this_site(client: Client) -> None:
    form = {"login": "operator", "password": PASSWORD, "next": "/console/"}
    assert client.post("/login/", form).headers["Location"] == "/console/"
    client.post("/logout/")
    assert client.post("/login/", form | {"next": "https://elsewhere.example/"}).headers["Location"] == "/"


def test_a_wrong_password_says_so_and_counts(client: Client) -> None:
    answer = client.post("/login/", {"login": "operator", "password": "wrong"})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert actions_of("operator") == [("login_failed", "password")]


def test_there_is_no_sign_up(client: Client) -> None:
    for address in ("/accounts/signup/", "/_allauth/browser/v1/auth/signup", "/_allauth/app/v1/auth/login"):
        assert client.get(address).status_code == 404


def test_a_stale_page_is_told_kindly(cast: Cast) -> None:
    answer = Client(enforce_csrf_checks=True).post("/login/", {"login": "operator", "password": PASSWORD})
    assert answer.status_code == 403
    assert "刷新" in answer.content.decode()


# --- sample people -----------------------------------------------------------------------------------------------------------------------


def test_sample_buttons_exist_only_in_a_sample_deployment(client: Client, settings: Settings) -> None:
    assert "/login/sample/" not in client.get("/login/").content.decode()
    assert client.post("/login/sample/", {"user": "operator"}).status_code == 404
    settings.SAMPLE = True
    page = client.get("/login/").content.decode()
    assert page.count('name="user"') == 8, "one button per sample person there is"
    assert client.post("/login/sample/", {"user": "stranger"}).status_code == 404
    assert client.post("/login/sample/", {"user": "operator", "next": "/console/"}).headers["Location"] == "/console/"
    assert who(client) == "operator"
    client.post("/login/sample/", {"user": "worker"})
    assert who(client) == "worker", "a click on another person changes over"


def test_sample_buttons_need_csrf(cast: Cast, settings: Settings) -> None:
    settings.SAMPLE = True
    assert Client(enforce_csrf_checks=True).post("/login/sample/", {"user": "operator"}).status_code == 403


# --- guessing ----------------------------------------------------------------------------------------------------------------------------


def test_five_wrong_passwords_lock_the_name_for_every_client(cast: Cast) -> None:
    for number in range(5):
        host = ("127.0.0.1", "localhost")[number % 2]
        Client().post("/login/", {"login": "operator", "password": "wrong"}, headers={"Host": host})
    late = Client()
    log_in(late)
    assert who(late) is None, "even the right password waits"
    other = Client()
    log_in(other, "handler")
    assert who(other) == "handler", "other people are not locked out"


@pytest.mark.django_db(transaction=True)
def test_the_count_is_shared_by_web_processes(cast: Cast, settings: Settings) -> None:
    for _ in range(3):
        Client().post("/login/", {"login": "operator", "password": "wrong"})
    code = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "for _ in range(2): Client().post('/login/', {'login': 'operator', 'password': 'wrong'})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=_environment())
    late = Client()
    log_in(late)
    assert who(late) is None


def _environment() -> dict[str, str]:
    import os

    return os.environ | {"DJANGO_SETTINGS_MODULE": "gridloop.project.settings"}


# --- the browser API ---------------------------------------------------------------------------------------------------------------------


def test_browser_api(client: Client) -> None:
    api = "/_allauth/browser/v1"
    assert client.get(f"{api}/auth/session").status_code == 401
    answer = client.post(f"{api}/auth/login", {"username": "operator", "password": PASSWORD}, content_type="application/json")
    assert answer.status_code == 200
    assert answer.json()["data"]["user"]["username"] == "operator"
    assert client.delete(f"{api}/auth/session").status_code == 401, "the answer after logging out"
    assert who(client) is None


# --- second factor -----------------------------------------------------------------------------------------------------------------------


def enrol(client: Client) -> str:
    again = client.get("/accounts/second-factor/", follow=True)
    assert "请再次确认身份" in again.content.decode()
    form = {"password": PASSWORD, "next": "/accounts/second-factor/"}
    page = client.post("/login/again/", form, follow=True).content.decode()
    found = re.search(r"<code>([A-Z2-7]+)</code>", page)
    assert found
    assert client.post("/accounts/second-factor/", {"code": code_of(found[1])}).status_code == 302
    return found[1]


def test_second_factor_is_enrolled_and_asked_for(client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    assert "恢复码" in client.get("/accounts/recovery-codes/").content.decode()
    client.post("/logout/")
    cache.clear()  # a code is good once: forget that it was just used
    answer = client.post("/login/", {"login": "operator", "password": PASSWORD})
    assert answer.headers["Location"].startswith("/login/code/")
    assert who(client) is None
    assert client.post("/login/code/", {"code": "000000"}).status_code == 200
    assert client.post("/login/code/", {"code": code_of(secret)}).status_code == 302
    assert who(client) == "operator"


def test_one_word_for_recovery_codes_ours_and_the_library_s(client: Client) -> None:
    log_in(client)
    enrol(client)
    said = {
        "zh": ("使用动态验证码或恢复码", "验证码不正确。", "不能生成恢复码。"),
        "en": ("Use a code of your authenticator, or a recovery code", "The code is not correct.", "Recovery codes need"),
    }
    for lang, (way, wrong, none) in said.items():
        client.post("/login/language/", {"lang": lang})
        assert way in client.get("/login/again/").content.decode()
        assert wrong in client.post("/login/again/code/", {"code": "000000"}).content.decode()
        with override(LANGUAGE_CODES[lang]):
            assert none in FactorAdapter().validation_error("cannot_generate_recovery_codes").message


def test_a_lost_generator_is_taken_off_and_asks_no_more(client: Client, django_capture_on_commit_callbacks: Any) -> None:
    log_in(client)
    enrol(client)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/accounts/second-factor/end/").status_code == 302
    assert ("factor_removed", "") in actions_of("operator")
    fresh = Client()
    assert log_in(fresh) == 302
    assert who(fresh) == "operator"


def test_a_code_is_good_once(client: Client) -> None:
    log_in(client)
    secret = enrol(client)
    client.post("/logout/")
    cache.clear()  # the one it was enrolled with was used just now
    used = code_of(secret)
    for expected in ("operator", None):
        fresh = Client()
        fresh.post("/login/", {"login": "operator", "password": PASSWORD})
        fresh.post("/login/code/", {"code": used})
        assert who(fresh) == expected
    assert ("login_failed", "totp") in actions_of("operator")


def test_new_recovery_codes_end_the_old_ones(client: Client) -> None:
    def codes() -> set[str]:
        return set(re.findall(r"\b\d{8}\b", client.get("/accounts/recovery-codes/").content.decode()))

    log_in(client)
    enrol(client)
    first = codes()
    assert client.post("/accounts/recovery-codes/new/").headers["Location"] == "/accounts/recovery-codes/"
    second = codes()
    answer = client.post("/_allauth/browser/v1/account/authenticators/recovery-codes", content_type="application/json")
    assert answer.status_code == 200
    third = set(answer.json()["data"]["unused_codes"])
    assert (len(first), len(second), len(third), len(first | second | third)) == (10, 10, 10, 30)
    client.post("/logout/")
    client.post("/login/", {"login": "operator", "password": PASSWORD})
    assert client.post("/login/code/", {"code": min(second)}).status_code == 200, "an old one"
    assert client.post("/login/code/", {"code": min(third)}).status_code == 302
    client.post("/logout/")
    client.post("/login/", {"login": "operator", "password": PASSWORD})
    assert client.post("/login/code/", {"code": min(third)}).status_code == 200, "good once"


def test_a_role_that_must_have_it_can_do_nothing_before(client: Client, settings: Settings) -> None:
    settings.REQUIRE_MFA_ROLES = ["operator"]
    log_in(client)
    viewer = viewer_of_session(client.session.session_key or "")
    assert viewer is not None
    assert viewer.permissions == frozenset()
    assert viewer.regions == ()
    assert "您的岗位要求二次验证" in client.get("/accounts/").content.decode()
    enrol(client)
    viewer = viewer_of_session(client.session.session_key or "")
    assert viewer is not None
    assert viewer.can("case.accept")
    other = Client()
    log_in(other, "handler")
    viewer = viewer_of_session(other.session.session_key or "")
    assert viewer is not None
    assert viewer.can("task.act"), "only the named roles owe it"


@pytest.mark.parametrize(
    ("environment", "owing"),
    [
        ({"GRIDLOOP_SAMPLE": ""}, ["admin", "auditor", "security_officer"]),
        ({"GRIDLOOP_SAMPLE": "1"}, []),
        ({"GRIDLOOP_SAMPLE": "1", "GRIDLOOP_REQUIRE_MFA_ROLES": "operator, admin"}, ["admin", "operator"]),
        ({"GRIDLOOP_SAMPLE": "", "GRIDLOOP_REQUIRE_MFA_ROLES": "none"}, []),
    ],
    ids=["real", "sample", "named", "none"],
)
def test_who_must_have_one_by_default(environment: dict[str, str], owing: list[str]) -> None:
    code = "from gridloop.project import settings; print(*sorted(settings.REQUIRE_MFA_ROLES))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True, env=_environment() | environment
    )
    assert done.stdout.split() == owing


def test_whoever_holds_rights_over_accounts_owes_one_by_default() -> None:
    watched = {"user.edit", "system.edit", "role.grant", "session.end", "token.issue", "audit.read"}
    assert {role.key for role in ROLES.values() if role.permissions & watched} == factor_roles("", sample=False)
    with pytest.raises(ValueError, match="adminn"):
        factor_roles("adminn", sample=False)


def test_an_officer_begins_where_the_factor_is_set_up(client: Client, settings: Settings) -> None:
    settings.REQUIRE_MFA_ROLES = factor_roles("", sample=False)
    form = {"login": "admin", "password": PASSWORD, "next": "/m/"}
    assert client.post("/login/", form).headers["Location"] == "/accounts/"
    assert client.get("/api/v1/me").json()["second_factor"] is True
    new = {"username": "eve", "name": "Eve"}
    for refused in (
        client.post("/api/v1/users", new, content_type="application/json"),
        client.post(f"/api/v1/users/{user_id_of('handler')}/password", content_type="application/json"),
        client.get("/api/v1/users"),
        client.get("/api/v1/cases"),
    ):
        assert refused.status_code == 403
    enrol(client)
    assert client.post("/api/v1/users", new, content_type="application/json").status_code == 201


# --- one's own account -------------------------------------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended(client: Client) -> None:
    log_in(client)
    elsewhere = Client(headers={"User-Agent": "Phone of the shift"})
    log_in(elsewhere)
    page = client.get("/accounts/").content.decode()
    assert "Phone of the shift" in page
    number = re.search(r'name="session" value="(\d+)"', page)
    assert number
    stranger = Client()
    log_in(stranger, "handler")
    stranger.post("/accounts/sessions/", {"session": number[1]})
    assert who(elsewhere) == "operator"
    assert client.post("/accounts/sessions/", {"session": number[1]}).status_code == 302
    assert who(elsewhere) is None
    assert who(client) == "operator"


def test_own_password_changes_and_keeps_this_session_alone(client: Client) -> None:
    log_in(client)
    elsewhere = Client()
    log_in(elsewhere)
    new = "eine lange Nacht"
    weak = client.post("/accounts/password/", {"oldpassword": PASSWORD, "password1": "short", "password2": "short"})
    assert weak.status_code == 200
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert client.post("/accounts/password/", form).status_code == 302
    assert (who(client), who(elsewhere)) == ("operator", None)
    assert elsewhere.get("/api/v1/me").status_code == 401
    fresh = Client()
    log_in(fresh, password=PASSWORD)
    assert who(fresh) is None
    log_in(fresh, password=new)
    assert who(fresh) == "operator"


def test_a_password_set_by_somebody_else_is_changed_before_anything(client: Client, cast: Cast) -> None:
    given = actions.reset_password(cast.viewer("admin"), user_id_of("handler") or 0)
    answer = client.post("/login/", {"login": "handler", "password": given, "next": "/m/"})
    assert answer.headers["Location"] == "/accounts/password/"
    me = client.get("/api/v1/me").json()
    assert (me["permissions"], me["own_password"]) == ([], True)
    assert client.get("/api/v1/tasks").status_code == 403
    assert "管理员设置" in client.get("/accounts/").content.decode()
    for new, kept in ((given, True), ("eine lange Nacht", False)):
        client.post("/accounts/password/", {"oldpassword": given, "password1": new, "password2": new})
        me = client.get("/api/v1/me").json()
        assert (me["permissions"] == [], me["own_password"]) == (kept, kept), "typed again it is still the administrator's"
    fresh = Client()
    assert fresh.post("/login/", {"login": "handler", "password": "eine lange Nacht", "next": "/m/"}).headers["Location"] == "/m/"


@pytest.mark.parametrize("new", ["short", "elf Zeichen", "operator1234", "password1234", "102938475619", "lang" * 33])
def test_a_password_is_refused_in_the_language_of_the_page(client: Client, new: str) -> None:
    log_in(client)
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    for lang, chinese in (("zh", True), ("en", False)):
        client.post("/login/language/", {"lang": lang})
        told = re.findall(r"""class="wrong" role="alert">([^<]+)""", client.post("/accounts/password/", form).content.decode())
        assert told
        assert {bool(re.search("[一-鿿]", one)) for one in told} == {chinese}, told


def test_language_is_kept_on_the_account(client: Client) -> None:
    log_in(client)
    assert client.post("/login/language/", {"lang": "en", "next": "/accounts/"}).headers["Location"] == "/accounts/"
    assert "Second factor" in client.get("/accounts/").content.decode()
    user_id = user_id_of("operator")
    assert user_id is not None
    assert selectors.viewer_for(user_id).lang == "en"


def test_pages_speak_the_language_chosen_on_the_desk(client: Client) -> None:
    log_in(client)
    assert "二次验证" in client.get("/accounts/").content.decode()
    assert client.post("/api/v1/me", {"lang": "en"}, content_type="application/json").status_code == 204
    for page, word in (("/accounts/", "Second factor"), ("/accounts/password/", "Change password")):
        assert word in client.get(page).content.decode()


def test_a_page_that_is_not_there_says_so_in_words(client: Client) -> None:
    log_in(client)
    for page in ("/nothing", "/accounts/recovery-codes/"):
        answer = client.get(page)
        assert (answer.status_code, "没有这个页面" in answer.content.decode()) == (404, True)


def test_a_session_ended_twice_is_ended(client: Client) -> None:
    other = Client()
    log_in(other)
    log_in(client)
    mine = re.findall(r'name="session" value="(\d+)"', client.get("/accounts/").content.decode())
    for _ in range(2):
        assert client.post("/accounts/sessions/", {"session": mine[0]}).headers["Location"] == "/accounts/"
    assert (who(other), who(client)) == (None, "operator")


def test_a_closed_account_is_out_at_once(client: Client, cast: Cast) -> None:
    log_in(client)
    actions.set_active(cast.viewer("admin"), user_id_of("operator") or 0, False)
    assert who(client) is None
    answer = client.post("/login/", {"login": "operator", "password": PASSWORD}, follow=True)
    assert "账号已停用" in answer.content.decode()
    assert who(client) is None
