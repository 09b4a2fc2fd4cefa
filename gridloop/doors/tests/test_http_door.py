"""What the HTTP door does before any room is asked: repeats, unfit values, its own description."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ninja
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.access.models import User
from gridloop.cases.models import Source
from gridloop.cases.tests.kit import HERE, Cast, build
from gridloop.evidence.tests.pictures import picture
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db
PLACE = {"lon": HERE[0], "lat": HERE[1]}


@pytest.fixture
def cast() -> Cast:
    return build()


def report(text: str, photo: bytes, key: str) -> tuple[int, str]:
    form = {"text": text, **{k: str(v) for k, v in PLACE.items()}, "photos": SimpleUploadedFile("p.jpg", photo, "image/jpeg")}
    answer = Client().post("/api/v1/reports", form, headers={"Idempotency-Key": key})
    return answer.status_code, answer.json().get("case", "")


def test_a_form_sent_again_is_known_by_its_fields_and_files(cast: Cast) -> None:
    first, other = picture(), picture(size=(320, 240))
    status, case = report("路灯坏了", first, "1")
    assert status == 201
    assert report("路灯坏了", first, "1") == (201, case), "its boundary differs, what it says does not"
    assert report("路灯坏了", other, "1")[0] == 409
    assert report("井盖坏了", first, "1")[0] == 409, "another person with the same key gets nobody else's answer"


def say(client: Client, text: str = "路灯坏了", key: str = "k-1", **headers: str) -> Any:
    body = {"text": text, "kind": "01037", "place": PLACE}
    return client.post("/api/v1/reports", body, content_type="application/json", headers={"Idempotency-Key": key, **headers})


def logged_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name), "allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_a_phone_that_logs_in_again_gets_the_answer_it_lost(cast: Cast) -> None:
    first = say(logged_in("worker"))
    again = say(logged_in("worker"))  # another session of the same person
    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    token = issue_token(SYSTEM, cast.worker.user_id or 0, name="phone")
    assert say(Client(), Authorization=f"Bearer {token}").content == first.content
    with scoped(SYSTEM):
        assert Source.objects.count() == 1
    assert say(logged_in("handler")).content != first.content, "somebody else with the same key is somebody else"


def test_a_report_sent_by_nobody_and_again_after_log_in_is_the_same(cast: Cast) -> None:
    first = say(Client())
    assert say(logged_in("worker")).content == first.content
    with scoped(SYSTEM):
        assert Source.objects.count() == 1
    other = say(logged_in("worker"), text="井盖坏了")
    assert other.status_code == 201
    assert "Idempotent-Replayed" not in other.headers, "known by key and content together"


def test_a_report_in_somebodys_name_is_not_taken_as_nobodys(cast: Cast) -> None:
    def named(client: Client) -> Any:
        body = {"text": "路灯坏了", "place": PLACE, "account": "worker"}
        return client.post("/api/v1/reports", body, content_type="application/json", headers={"Idempotency-Key": "k-1"})

    for client in (Client(), logged_in("handler")):  # the session has ended, or is somebody else's
        refused = named(client)
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:gridloop:access.session_over")
    with scoped(SYSTEM):
        assert Source.objects.count() == 0
    assert named(logged_in("worker")).status_code == 201, "the same key goes through after the log-in"


def test_nobody_reads_the_answer_of_an_account(cast: Cast) -> None:
    first = say(logged_in("worker"))
    assert "Idempotent-Replayed" not in say(Client()).headers
    narrow = issue_token(SYSTEM, cast.worker.user_id or 0, name="box", scopes=["signals"])
    assert say(Client(), Authorization=f"Bearer {narrow}").content != first.content
    assert say(Client(), Authorization="Bearer gl_revoked").status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/reports"])
def test_a_value_the_database_cannot_hold_is_the_senders(cast: Cast, path: str) -> None:
    answer = Client().post(path, {"text": "a\x00b", "place": PLACE}, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:gridloop:doors.nul")


def test_the_description_needs_no_foreign_origin(cast: Cast) -> None:
    page = Client().get("/api/docs").content.decode()
    assert "://" not in page
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-init.js"):
        assert f"/static/ninja/{name}" in page
        assert (Path(ninja.__file__).parent / "static" / "ninja" / name).is_file()


def test_who_is_refused_is_told_in_the_log(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    worker, secret = logged_in("worker"), "11010119900101002X"
    assert worker.get("/api/v1/audit").status_code == 403
    assert worker.get(f"/api/v1/cases/{secret}").status_code == 404
    assert Client().get("/api/v1/me", headers={"Authorization": "Bearer gl_wrong"}).status_code == 401
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("refused")]
    assert said == [
        f"refused GET api/v1/audit: access.forbidden audit.read, account {cast.worker.user_id}",
        "refused GET api/v1/me: access.bad_token, account 0",
    ]
    assert secret not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("gridloop"))


def test_what_fails_inside_is_told_by_a_number_and_nothing_else(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("inner words of /opt/gridloop")

    monkeypatch.setattr("gridloop.access.api.selectors.me", broken)
    client = logged_in("worker")
    client.raise_request_exception = False
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    said = next(record.getMessage() for record in caplog.records if record.getMessage().startswith("incident"))
    assert said.split()[1] in answer.json()["detail"]
    assert not re.search("inner|opt|RuntimeError|Traceback", answer.content.decode())


def test_a_parameter_given_twice_counts_once(cast: Cast) -> None:
    client = logged_in("operator")
    assert client.get("/api/v1/cases?limit=1&limit=0").status_code == 422, "the last one counts"
    assert client.get("/api/v1/cases?limit=0&limit=1").status_code == 200
    once = client.post("/api/v1/me?lang=fr", b'{"lang": "fr", "lang": "en"}', content_type="application/json")
    assert once.status_code == 204
    assert client.get("/api/v1/me").json()["lang"] == "en", "of the body, not of the address"


def test_what_no_room_is_asked_about_is_refused_as_a_problem_too() -> None:
    client = Client()
    for method, path, status in (
        ("get", "/api/v1/nothing", 404),
        ("post", "/api/v1/units/-1/active", 404),
        ("delete", "/api/v1/cases", 405),
        ("get", "/track/no/such/page", 404),
    ):
        answer = getattr(client, method)(path, headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), path
        assert answer.json()["detail"], path
    assert "GET" in client.delete("/api/v1/cases").headers["Allow"]


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/api/v1/reports", "/api/v1/evidence"])
def test_a_broken_form_is_the_senders_to_mend(kind: str, path: str) -> None:
    answer = Client().generic("POST", path, b'--x\r\nContent-Disposition: form-data; name="file"; filename="a', kind)
    assert answer.status_code in (400, 401, 422), answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
