"""What the HTTP door does before any room is asked: repeats, unfit values, its own description."""

from __future__ import annotations

from pathlib import Path

import ninja
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from gridloop.cases.tests.kit import HERE, Cast, build
from gridloop.evidence.tests.pictures import picture

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


@pytest.mark.parametrize("path", ["/api/v1/reports"])
def test_a_value_the_database_cannot_hold_is_the_senders(cast: Cast, path: str) -> None:
    answer = Client().post(path, {"text": "a\x00b", "place": PLACE}, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:gridloop:doors.unfit_value")


def test_the_description_needs_no_foreign_origin(cast: Cast) -> None:
    page = Client().get("/api/docs").content.decode()
    assert "://" not in page
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-init.js"):
        assert f"/static/ninja/{name}" in page
        assert (Path(ninja.__file__).parent / "static" / "ninja" / name).is_file()
