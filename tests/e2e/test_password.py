"""A field of a password: looked at on demand, weighed while a new one is typed, sent as a password whatever it showed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from gridloop.simulation.county.staffing import SAMPLE_PASSWORD
from tests.e2e.conftest import Deployment, Errors


@pytest.fixture
def page(contexts: Callable[..., BrowserContext], errors: Errors) -> Page:
    page = contexts(viewport={"width": 390, "height": 844}).new_page()
    errors.watch(page)
    return page


def test_a_password_can_be_looked_at(page: Page, deployment: Deployment) -> None:
    page.goto(f"{deployment.url}/login/?next=/accounts/password/")
    page.get_by_label("用户名").fill("leader")
    field = page.get_by_label("密码")
    field.fill(SAMPLE_PASSWORD)
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="显示密码").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="隐藏密码").click()
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="显示密码").click()
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.get_by_role("heading", name="修改密码")).to_be_visible()


def test_a_new_password_is_weighed_while_it_is_typed(page: Page, deployment: Deployment) -> None:
    page.goto(f"{deployment.url}/login/?next=/accounts/password/")
    page.locator("button[value=leader]").click()
    field = page.get_by_label("新密码", exact=True)
    told = page.get_by_role("status").filter(has_text="弱").or_(page.get_by_role("status").filter(has_text="强"))
    for typed, word in (("short", "弱"), ("aaaaaaaaaaaaaaaa", "弱"), ("correct horse battery", "强")):
        field.fill(typed)
        expect(told.first).to_have_text(word)
    expect(page.locator("meter")).to_have_count(1)
    page.get_by_role("button", name="English").click()
    page.get_by_label("New Password", exact=True).fill("short")
    expect(page.get_by_text("weak", exact=True)).to_be_visible()
    page.get_by_role("button", name="中文").click()  # it is kept with the account, which others use after us
    expect(page.get_by_label("新密码", exact=True)).to_be_visible()
