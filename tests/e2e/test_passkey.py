"""Passkeys in a real browser with a virtual authenticator: added, used instead of a password, used as second factor, renamed, removed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from gridloop.simulation.county.staffing import SAMPLE_PASSWORD
from tests.e2e.conftest import Deployment, Errors

WHO = "mediator"


@pytest.fixture
def site(deployment: Deployment) -> str:
    """Browsers take ``localhost`` for safe without a certificate, an address they do not."""
    return deployment.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def page(contexts: Callable[..., BrowserContext], errors: Errors) -> Page:
    page = contexts(viewport={"width": 1440, "height": 900}).new_page()
    errors.watch(page)
    return page


def authenticator(page: Page, verified: bool = True) -> tuple[CDPSession, str]:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verified,
    }
    return session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def with_password(page: Page, site: str, path: str = "/accounts/", user: str = WHO) -> None:
    page.goto(f"{site}/login/?next={path}")
    page.get_by_label("用户名").fill(user)
    page.get_by_label("密码").fill(SAMPLE_PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()


def confirm(page: Page) -> None:
    """Who changes how an account is entered confirms that it is them."""
    page.get_by_label("密码").fill(SAMPLE_PASSWORD)
    page.get_by_role("button", name="确认").click()


def test_a_passkey_from_first_to_last(page: Page, site: str) -> None:
    session, key = authenticator(page)
    with_password(page, site)
    page.get_by_role("link", name="管理通行密钥").click()
    confirm(page)
    expect(page.get_by_text("尚未添加通行密钥")).to_be_visible()
    page.get_by_label("给它起个名字").fill("办公电脑")
    page.get_by_role("button", name="在这台设备上添加").click()
    expect(page.get_by_role("cell", name="办公电脑", exact=True)).to_be_visible()
    assert len(session.send("WebAuthn.getCredentials", {"authenticatorId": key})["credentials"]) == 1
    page.get_by_role("button", name="在这台设备上添加").click()
    expect(page.get_by_role("alert")).to_have_text("这台设备上已经有您的通行密钥，无需再添加。")

    page.context.clear_cookies()
    page.goto(f"{site}/login/?next=/accounts/passkeys/")
    page.get_by_role("button", name="用通行密钥登录").click()
    page.get_by_role("link", name="使用通行密钥").click()
    page.get_by_role("button", name="使用通行密钥").click()
    expect(page.get_by_role("heading", name="通行密钥")).to_be_visible()

    page.context.clear_cookies()
    with_password(page, site)
    expect(page.get_by_role("heading", name="输入动态验证码")).to_be_visible()  # a password alone is no longer enough
    page.get_by_role("button", name="使用通行密钥").click()
    page.wait_for_url(lambda url: "/login/" not in url)

    page.goto(f"{site}/accounts/passkeys/")
    if "/again/" in page.url:
        confirm(page)
    page.get_by_role("button", name="改名 办公电脑").click()
    page.get_by_label("新名字").fill("值班室电脑")
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="值班室电脑", exact=True)).to_be_visible()
    for key in ("Escape", "Enter"):  # Enter is on the button that cancels
        page.get_by_role("button", name="删除 值班室电脑").click()
        expect(page.get_by_role("dialog")).to_contain_text("不能再用“值班室电脑”登录")
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="删除 值班室电脑")).to_be_focused()
    page.get_by_role("button", name="删除 值班室电脑").click()
    page.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(page.get_by_text("尚未添加通行密钥")).to_be_visible()
    page.context.clear_cookies()
    page.goto(f"{site}/login/")
    page.get_by_role("button", name="用通行密钥登录").click()
    # the device still offers it; the server knows it no more
    expect(page.get_by_role("alert")).to_have_text("通行密钥没有通过验证，请重试或改用密码。")


def test_a_device_that_does_not_know_its_holder_is_refused(page: Page, site: str) -> None:
    authenticator(page, verified=False)
    with_password(page, site, "/accounts/passkeys/", "inspector")
    confirm(page)
    page.get_by_role("button", name="在这台设备上添加").click()
    expect(page.get_by_role("alert")).to_have_text("操作已取消或超时，请重试。")


def test_a_second_click_is_not_answered_instead_of_the_first(page: Page, site: str) -> None:
    """It would say that the old password is wrong: it has just been changed."""
    with_password(page, site, "/accounts/password/", "auditor")
    expect(page.get_by_role("heading", name="修改密码")).to_be_visible()
    new = "yunlan-1029-bridge"
    for field, password in (("当前密码", SAMPLE_PASSWORD), ("新密码", new), ("新密码（重复）", new)):
        page.get_by_label(field, exact=True).fill(password)
    page.get_by_role("button", name="保存").dblclick()
    expect(page.get_by_role("heading", name="登录中的设备")).to_be_visible()


def test_a_server_out_of_reach_is_told_in_the_pages_language(page: Page, site: str) -> None:
    authenticator(page)
    page.goto(f"{site}/login/")
    page.context.set_offline(True)
    page.get_by_role("button", name="用通行密钥登录").click()
    expect(page.get_by_role("alert")).to_have_text("连不上服务器，请检查网络后重试。")


def test_in_english(browser: Browser, site: str) -> None:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{site}/login/")
    expect(page.get_by_role("button", name="Log in with a passkey")).to_be_visible()
    context.close()
