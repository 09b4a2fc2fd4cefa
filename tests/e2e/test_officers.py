"""The screens of the security officer and of the auditor: a role is given, the log tells of it, nobody else gets in."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import httpx
import psycopg
from playwright.sync_api import expect

from tests.e2e.conftest import Deployment
from tests.e2e.people import Desk


def test_a_role_given_stands_in_the_log(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    deployment.api("admin").post("/api/v1/users", {"username": f"newcomer-{uuid.uuid4().hex[:6]}", "name": "新来"})
    officer = desk("security")
    officer.open("/admin/accounts")
    page = officer.page
    page.get_by_label("姓名、用户名").fill("newcomer")
    page.get_by_label("姓名、用户名").press("Enter")
    page.get_by_role("button", name="新来").first.click()
    page.get_by_role("combobox", name="岗位").click()
    page.get_by_role("option", name="值守坐席").click()
    page.get_by_role("button", name="授予").click()
    expect(page.locator("aside li").filter(has_text="值守坐席")).to_be_visible()
    assert officer.axe("accounts") == []

    auditor = desk("auditor")
    auditor.open("/audit")
    row = auditor.page.locator("tbody tr").filter(has_text="newcomer").filter(has_text="授予岗位")
    expect(row.first).to_be_visible()
    expect(row.first).to_contain_text("security")
    assert auditor.axe("audit") == []
    auditor.page.get_by_text("调阅登记").click()
    expect(auditor.page.get_by_label("对象")).to_be_visible()


def test_nobody_else_reads_it(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    admin = desk("admin")
    admin.open("/audit")
    expect(admin.page.get_by_text("没有权限").first).to_be_visible()
    answer = httpx.get(f"{deployment.url}/api/v1/audit", timeout=30)
    assert answer.status_code == 401


def test_a_lost_second_factor_is_taken_off(deployment: Deployment, desk: Callable[..., Desk]) -> None:
    owner = json.loads((deployment.folder / "run.json").read_text(encoding="utf-8"))["urls"]["owner"]
    name = f"lost-{uuid.uuid4().hex[:6]}"
    account = deployment.api("admin").post("/api/v1/users", {"username": name, "name": "丢手机"})["id"]
    with psycopg.connect(owner) as connection:
        connection.execute(
            "INSERT INTO mfa_authenticator (user_id, type, data, created_at) VALUES (%s, 'totp', %s, now())",
            [account, '{"secret": "GEZDGNBVGY3TQOJQ"}'],
        )
    officer = desk("security")
    officer.open("/admin/accounts")
    page = officer.page
    page.get_by_label("姓名、用户名").fill(name)
    page.get_by_label("姓名、用户名").press("Enter")
    page.get_by_role("button", name="丢手机").first.click()
    expect(page.get_by_text("二次验证：已开启")).to_be_visible()
    page.get_by_role("button", name="解除二次验证").click()
    box = page.locator(".el-message-box")
    box.get_by_role("button", name="解除二次验证").click()
    expect(box.get_by_text("请写明理由")).to_be_visible()
    assert officer.axe("factor") == []
    box.get_by_role("textbox").fill("手机丢失，已当面核对")
    box.get_by_role("button", name="解除二次验证").click()
    expect(page.get_by_text("二次验证：未开启")).to_be_visible()

    auditor = desk("auditor")
    auditor.open("/audit")
    row = auditor.page.locator("tbody tr").filter(has_text=name).filter(has_text="解除二次验证").filter(has_text="手机丢失，已当面核对")
    expect(row).to_be_visible()
    admin = desk("admin")
    admin.open("/admin/accounts")
    expect(admin.page.get_by_role("button", name="解除二次验证")).to_have_count(0)
