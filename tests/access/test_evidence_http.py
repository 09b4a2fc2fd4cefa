"""Evidence over HTTP: receipt, refusal by reason, safe serving, and sight with the case."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from gridloop.access.actions import issue_token
from gridloop.access.selectors import user_id_of
from gridloop.cases import actions as cases
from gridloop.cases import present
from gridloop.cases.messages import Report
from gridloop.cases.tests.kit import HERE, Cast, build
from gridloop.evidence.tests.pictures import picture, with_gps
from gridloop.kernel.viewer import PUBLIC, SYSTEM

API = "/api/v1"


@pytest.fixture
def county(db: None, tmp_path: Path, settings: Settings) -> Cast:
    settings.DATA_DIR = tmp_path
    return build()


def bearer(username: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of(username) or 0)}"}


def send(client: Client, content: bytes, username: str = "handler", **fields: Any) -> Any:
    form = {"file": SimpleUploadedFile("../../etc/passwd.jpg", content, "text/html"), **fields}
    return client.post(f"{API}/evidence", form, headers=bearer(username))


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_receipt_and_clean_copy(county: Cast, client: Client) -> None:
    content = with_gps(HERE[0], HERE[1])
    sha256 = hashlib.sha256(content).hexdigest()
    place = json.dumps({"lon": HERE[0], "lat": HERE[1]})
    answer = send(client, content, at="2026-05-01T08:30:00+08:00", place=place, sha256=sha256, kind="before")
    assert answer.status_code == 201
    assert answer.json()["sha256"] == sha256
    shown = client.get(f"{API}/evidence/{answer.json()['id']}", headers=bearer("handler"))
    assert shown["Content-Type"] == "image/jpeg"
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in shown["Content-Security-Policy"]
    assert shown["Content-Disposition"].startswith("inline")
    assert b"SecretPhoneMaker" not in body_of(shown)


def test_a_document_is_only_ever_downloaded(county: Cast, client: Client) -> None:
    made = send(client, b"%PDF-1.7\n%%EOF", kind="document").json()
    shown = client.get(f"{API}/evidence/{made['id']}", headers=bearer("handler"))
    assert shown["Content-Disposition"].startswith("attachment")
    assert client.get(f"{API}/evidence/{made['id']}/thumb", headers=bearer("handler")).status_code == 404


@pytest.mark.parametrize(
    ("content", "fields", "status", "pointer"),
    [
        (b"<script>alert(1)</script>", {}, 422, "/file"),
        (b"\xff\xd8\xff\xe0broken", {}, 422, "/file"),
        (b"", {}, 422, "/file"),
        (picture(), {"sha256": "0" * 64}, 422, "/sha256"),
        (picture(), {"kind": "selfie"}, 422, "/kind"),
        (picture(), {"place": "here"}, 422, "/place"),
        (picture(), {"place": '{"lon": 200, "lat": 0}'}, 422, "/place"),
        (picture(), {"at": "yesterday"}, 422, "/at"),
        (bytes(25 * 2**20 + 1), {}, 413, None),
    ],
)
def test_refusals_say_what_and_where(
    county: Cast, client: Client, tmp_path: Path, content: bytes, fields: dict[str, str], status: int, pointer: str | None
) -> None:
    answer = send(client, content, **fields)
    assert answer.status_code == status
    assert answer.json()["detail"]
    if pointer:
        assert any(e["pointer"].endswith(pointer) for e in answer.json()["errors"]), answer.json()
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_evidence_is_seen_with_its_case(county: Cast, client: Client) -> None:
    code = cases.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1])).case
    cases.accept(county.operator, code, {})
    task = next(str(t["id"]) for t in present.case_tasks(SYSTEM, code) if t["stage"] == "handle")
    cases.act(county.handler, task, "accept", {})
    made = send(client, picture()).json()
    operator, west = bearer("operator"), bearer("west_operator")
    assert client.get(f"{API}/evidence/{made['id']}", headers=operator).status_code == 404, "not named yet"
    cases.act(county.handler, task, "check_in", {"place": {"lon": HERE[0], "lat": HERE[1]}})
    cases.act(county.handler, task, "submit", {"evidence": [made["id"]], "note": "已更换灯泡"})
    (item,) = client.get(f"{API}/cases/{code}/evidence", headers=operator).json()["items"]
    assert (item["sha256"], item["kind"], item["by"], item["task"]) == (made["sha256"], "after", "张handler", task)
    for address in (item["url"], item["thumb"]):
        assert client.get(address, headers=operator).status_code == 200
        assert client.get(address, headers=west).status_code == 404
        assert client.get(address, headers=bearer("citizen")).status_code == 404
    assert client.get(f"{API}/cases/{code}/evidence", headers=west).json()["items"] == []
    checked = client.get(f"{API}/evidence/{made['id']}/check", headers=operator).json()
    assert checked == {"sha256": made["sha256"], "intact": True}
    trace = [f for f in present.trace(SYSTEM, code, 0, 100) if f["action"] == "evidence_added"]
    assert [f["data"]["sha256"] for f in trace] == [made["sha256"]]


def test_the_original_is_looked_at_with_a_reason(county: Cast, client: Client) -> None:
    content = with_gps(1.0, 2.0)
    made = send(client, content, "operator").json()
    address = f"{API}/evidence/{made['id']}/original"
    operator = bearer("operator")
    assert client.get(address, headers=operator).status_code == 422
    assert client.get(f"{address}?purpose=curiosity&reason=想看", headers=operator).status_code == 422
    opened = client.get(f"{address}?purpose=handle_case&reason=核对拍摄地点", headers=operator)
    assert body_of(opened) == content
    assert opened["Content-Disposition"].startswith("attachment")
    assert opened["Cache-Control"] == "no-store", "a look that is written down is one look"
    (look,) = client.get(f"{API}/looks", headers=operator).json()["items"]
    assert (look["subject"], look["reason"]) == (f"evidence:{made['id']}", "核对拍摄地点")


def test_a_reporter_without_account_sends_photos_inside_the_report(county: Cast, client: Client) -> None:
    form = {"text": "井盖破损", "lon": HERE[0], "lat": HERE[1], "photos": SimpleUploadedFile("a.jpg", with_gps(*HERE))}
    answer = client.post(f"{API}/reports", form)
    assert answer.status_code == 201, answer.content
    (item,) = client.get(f"{API}/cases/{answer.json()['case']}/evidence", headers=bearer("operator")).json()["items"]
    assert (item["kind"], item["by"]) == ("scene", "")
    assert client.get(item["url"]).status_code == 404, "not for everybody"
    broken = client.post(f"{API}/reports", form | {"photos": SimpleUploadedFile("a.jpg", b"no picture")})
    assert broken.status_code == 422


def test_the_reporter_sees_the_result(county: Cast, client: Client) -> None:
    done = cases.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1]))
    cases.accept(county.operator, done.case, {})
    task = next(str(t["id"]) for t in present.case_tasks(SYSTEM, done.case) if t["stage"] == "handle")
    cases.act(county.handler, task, "accept", {})
    cases.act(county.handler, task, "check_in", {"place": {"lon": HERE[0], "lat": HERE[1]}})
    made = send(client, picture()).json()
    cases.act(county.handler, task, "submit", {"evidence": [made["id"]], "note": "好了"})
    page = client.get(f"/track/{done.case}?key={done.key}", headers={"Accept": "application/json"}).json()
    (shown,) = page["evidence"]
    assert client.get(shown["url"]).status_code == 200
    assert client.get(shown["url"] + "x").status_code == 404
