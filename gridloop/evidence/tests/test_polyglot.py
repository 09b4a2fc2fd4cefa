"""Files that are two things at once: what is shown is made anew from pixels, what is kept as sent is only ever downloaded, in a sandbox."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from gridloop.access.actions import issue_token
from gridloop.cases.tests.kit import Cast, build
from gridloop.evidence import rules
from gridloop.evidence.tests.pictures import picture
from gridloop.kernel.errors import Invalid
from gridloop.kernel.headers import FILE_POLICY
from gridloop.kernel.viewer import SYSTEM

SCRIPT = b"<script>fetch('/api/v1/users')</script>"


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("index.html", SCRIPT)
    return out.getvalue()


def _png_with_text() -> bytes:
    """A whole PNG with the script in a text chunk after its header."""
    whole = picture("PNG")
    body = b"tEXt" + b"Comment\0" + SCRIPT
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return whole[:33] + chunk + whole[33:]


def _jpeg_with_comment() -> bytes:
    whole = picture("JPEG")
    return whole[:2] + b"\xff\xfe" + (len(SCRIPT) + 2).to_bytes(2, "big") + SCRIPT + whole[2:]


POLYGLOTS = {
    "page behind a JPEG": picture("JPEG") + SCRIPT,
    "page in a JPEG's comment": _jpeg_with_comment(),
    "page in a PNG's text": _png_with_text(),
    "page behind a GIF": picture("GIF", mode="P") + b"*/=1;" + SCRIPT,
    "archive behind a PNG": picture("PNG") + _zip(),
}
NO_PICTURES = {
    "drawing with script": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "drawing without a head": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "page": b"<!doctype html>" + SCRIPT,
    "page that begins like a GIF": b"GIF89a/*" + SCRIPT + b"*/=alert(1)",
    "page that begins like a JPEG": b"\xff\xd8\xff" + SCRIPT,
    "page before a picture": SCRIPT + picture("JPEG"),
    "archive": _zip(),
    "program": b"MZ\x90\x00" + bytes(64),
    "postscript": b"%!PS-Adobe-3.0\n",
}


@pytest.mark.parametrize("name", POLYGLOTS)
def test_the_shown_copy_keeps_nothing_but_pixels(name: str) -> None:
    content = POLYGLOTS[name]
    assert SCRIPT in content or b"index.html" in content, "the file is what the test says"
    checked = rules.check(content)
    for copy in (checked.view, checked.thumb):
        assert copy is not None
        assert copy.startswith(b"\xff\xd8\xff")
        assert b"<script" not in copy
        assert b"PK\x03\x04" not in copy


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_only_pretends_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check(NO_PICTURES[name])
    assert refused.value.errors[0].pointer == "/file"


@pytest.fixture
def county(db: None, tmp_path: Path, settings: Settings) -> Cast:
    settings.DATA_DIR = tmp_path
    return build()


@pytest.mark.parametrize(
    ("name", "content"), [("photo.html", POLYGLOTS["page behind a JPEG"]), ("doc.svg", b"%PDF-1.7\n" + SCRIPT + b"\n%%EOF")]
)
def test_the_file_as_sent_is_downloaded_into_a_sandbox(county: Cast, client: Client, name: str, content: bytes) -> None:
    head = {"Authorization": f"Bearer {issue_token(SYSTEM, county.worker.user_id or 0)}"}
    form = {"file": SimpleUploadedFile(name, content, "image/svg+xml"), "kind": "document"}
    made = client.post("/api/v1/evidence", form, headers=head).json()
    why = {"purpose": "audit", "reason": "核对原件"}
    for path, query in (("", {}), ("/original", why)):
        answer = client.get(f"/api/v1/evidence/{made['id']}{path}", query, headers=head)
        assert answer.status_code == 200, answer.content
        assert answer["Content-Type"] in ("image/jpeg", "application/pdf"), "never what the sender called it"
        assert answer["Content-Security-Policy"] == FILE_POLICY
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert name not in answer["Content-Disposition"]
        if path or content.startswith(b"%PDF"):
            assert answer["Content-Disposition"].startswith("attachment")
        else:
            assert SCRIPT not in answer.getvalue()
