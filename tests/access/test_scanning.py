"""Uploads on their way past a scanner: what it finds is refused and written down; while it is down nothing is taken and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from gridloop.access.actions import issue_token
from gridloop.access.auditing import AuditFilter, audit
from gridloop.access.selectors import user_id_of
from gridloop.adapters.scanners.clamd.tests.servers import BAD, KINDS, NAME, Small, running
from gridloop.cases.tests.kit import HERE, Cast, build
from gridloop.evidence.models import File
from gridloop.evidence.selectors import doctor
from gridloop.evidence.tests.pictures import picture
from gridloop.journal.selectors import chain_facts, scoped
from gridloop.kernel.hashing import sha256_hex
from gridloop.kernel.viewer import SYSTEM

API = "/api/v1"
INFECTED = picture() + BAD  # opens as a photo all the same


@pytest.fixture
def county(db: None, tmp_path: Path, settings: Settings) -> Cast:
    settings.DATA_DIR = tmp_path
    return build()


@pytest.fixture(params=KINDS)
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small | None]:
    with running(request.param) as (path, server):
        monkeypatch.setenv("GRIDLOOP_SCANNER", f"clamd:{path}")
        yield server


def bearer(username: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of(username) or 0)}"}


def send(content: bytes, head: dict[str, str] | None = None) -> Any:
    return Client().post(f"{API}/evidence", {"file": SimpleUploadedFile("a.jpg", content)}, headers=head or bearer("handler"))


def report(content: bytes, key: str = "") -> Any:
    form = {"text": "路灯不亮", "type": "01037", "lon": HERE[0], "lat": HERE[1], "photos": SimpleUploadedFile("a.jpg", content)}
    return Client().post(f"{API}/reports", form, headers={"Idempotency-Key": key} if key else {})


def kept() -> int:
    with scoped(SYSTEM):
        return File.objects.count()


def found(user: int) -> list[dict[str, Any]]:
    return [f.data for f in chain_facts(SYSTEM, f"account:{user}") if f.action == "upload_refused"]


def test_what_the_scanner_finds_is_refused_and_written_down(county: Cast, scanner: Small | None, tmp_path: Path) -> None:
    assert send(picture()).status_code == 201
    head = bearer("handler") | {"Idempotency-Key": "one photo"}
    answer = send(INFECTED, head)
    assert answer.status_code == 422
    assert NAME in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == "/file"
    handler = user_id_of("handler") or 0
    assert found(handler) == [{"sha256": sha256_hex(INFECTED), "size": len(INFECTED), "found": NAME}]
    assert kept() == 1
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and BAD in p.read_bytes()], "nothing of it lies on the disk"
    assert send(picture(size=(9, 9)), head).status_code == 201, "the key is free for another photo"
    assert [r.text for r in audit(SYSTEM, AuditFilter(group="file"))] == ["拒收带病毒的文件"]


def test_a_report_of_nobody_known(county: Cast, scanner: Small | None) -> None:
    assert report(INFECTED, "r1").status_code == 422
    assert report(INFECTED, "r2").status_code == 422
    assert len(found(0)) == 1, "a flood does not fill the trace"
    assert kept() == 0
    assert report(picture(), "r3").status_code == 201
    assert kept() == 1


def test_while_it_is_down_nothing_is_taken_and_the_same_try_works_later(
    county: Cast, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with running("small") as (path, server):
        assert server is not None
        monkeypatch.setenv("GRIDLOOP_SCANNER", f"clamd:{path}")
        server.answer = lambda content: None
        answer = report(picture(), "kept on the phone")
        assert (answer.status_code, answer["Retry-After"]) == (503, "60")
        assert "稍后再传" in answer.json()["detail"]
        assert kept() == 0
        server.answer = lambda content: b"stream: OK\0"
        assert report(picture(), "kept on the phone").status_code == 201
        assert report(picture(), "kept on the phone")["Idempotent-Replayed"] == "true"
        assert kept() == 1


def test_a_deployment_may_take_them_unseen(county: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("GRIDLOOP_SCANNER", "clamd:/nowhere/clamd.ctl")
    monkeypatch.setenv("GRIDLOOP_SCANNER_DOWN", "take")
    assert send(picture()).status_code == 201
    assert "could not be scanned" in caplog.text


def test_who_is_not_logged_in_costs_the_scanner_nothing(county: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with running("small") as (path, server):
        assert server is not None
        monkeypatch.setenv("GRIDLOOP_SCANNER", f"clamd:{path}")
        assert Client().post(f"{API}/evidence", {"file": SimpleUploadedFile("a.jpg", picture())}).status_code == 401
        assert send(picture(), {"Authorization": "Bearer nonsense"}).status_code == 401
        assert server.seen == []


def test_the_doctor_says_whether_it_answers(db: None, scanner: Small | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [line[:2] for line in doctor(SYSTEM)] == [("ok", "scanner")]
    monkeypatch.setenv("GRIDLOOP_SCANNER", "clamd:/nowhere/clamd.ctl")
    assert [line[:2] for line in doctor(SYSTEM)] == [("BAD", "scanner")]
    monkeypatch.delenv("GRIDLOOP_SCANNER")
    assert doctor(SYSTEM) == []


@pytest.mark.parametrize(
    ("name", "value"), [("GRIDLOOP_SCANNER", "avast:x"), ("GRIDLOOP_SCANNER", "clamd:x"), ("GRIDLOOP_SCANNER_DOWN", "shrug")]
)
def test_a_setting_nobody_understands_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"scanner|GRIDLOOP_SCANNER"):
        Client().get("/login/")
