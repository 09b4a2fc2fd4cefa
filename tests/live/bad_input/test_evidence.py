"""Files that are not what they say, that would unpack to more than fits, that carry a way out: told, and nothing of them stays."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator

import pytest
from PIL import ExifTags, Image

from gridloop.evidence.tests.pictures import picture, with_gps
from gridloop.evidence.tests.test_rules import _png
from tests.house.product import crowd
from tests.live.bad_input.kit import LANGUAGES, check_problem, memory, rows
from tests.live.conftest import Live

pytestmark = pytest.mark.server


@pytest.fixture(params=LANGUAGES)
def lang(live: Live, request: pytest.FixtureRequest) -> Iterator[str]:
    """An account is answered in its own language."""
    live.post("/api/v1/me", "handler", {"lang": request.param}, status=204)
    yield request.param
    live.post("/api/v1/me", "handler", {"lang": "zh"}, status=204)


def _jpeg_bomb() -> bytes:
    """A small JPEG whose head claims 65,500 × 65,500 pixels."""
    content = bytearray(picture("JPEG", (64, 64)))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = b"\xff\xdc\xff\xdc"
    return bytes(content)


FILES: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("a page", lambda: b"<!doctype html><script>alert(1)</script>", 422, "evidence.not_a_picture"),
    ("a drawing with a script", lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", 422, "evidence.not_a_picture"),
    ("a program", lambda: b"MZ" + bytes(300), 422, "evidence.not_a_picture"),
    ("a zip", lambda: b"PK\x03\x04" + bytes(300), 422, "evidence.not_a_picture"),
    ("nothing", lambda: b"", 422, "evidence.empty"),
    ("HEIC", lambda: b"\x00\x00\x00\x18ftypheic" + bytes(200), 422, "evidence.heic"),
    ("half a JPEG", lambda: picture("JPEG")[:-400], 422, "evidence.broken_picture"),
    ("a JPEG bomb", _jpeg_bomb, 422, "evidence.too_many_pixels"),
    ("a PNG bomb", lambda: _png(100_000, 100_000), 422, "evidence.too_many_pixels"),
    ("a real PNG bomb", lambda: _png(12_000, 12_000, bytes(12_000 * 36_001)), 422, "evidence.too_many_pixels"),
    ("26 MB", lambda: b"\xff\xd8\xff" + bytes(26 * 2**20), 413, "evidence.too_large"),
    ("50 MB", lambda: b"\xff\xd8\xff" + bytes(50 * 2**20), 413, "doors.body_too_large"),
]


@pytest.mark.parametrize(("make", "status", "key"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_that_is_no_picture_is_told_so(live: Live, lang: str, make: Callable[[], bytes], status: int, key: str) -> None:
    before = rows(live, "SELECT count(*) FROM evidence_file")
    content = make()
    began = time.monotonic()
    files = {"file": ("now.jpg", content, "image/jpeg")}
    answer = live.call("POST", "/api/v1/evidence", "handler", files=files, headers={"Accept-Language": lang})
    assert time.monotonic() - began < 4 * crowd()
    check_problem(answer, status, key, lang, "/file" if status == 422 else None)
    assert rows(live, "SELECT count(*) FROM evidence_file") == before


def test_bombs_cost_no_memory(live: Live) -> None:
    bombs = [_jpeg_bomb(), _png(12_000, 12_000, bytes(12_000 * 36_001)), _png(100_000, 100_000)]
    held = []
    for _ in range(3):
        for bomb in bombs:
            assert live.call("POST", "/api/v1/evidence", "handler", files={"file": ("a", bomb)}).status_code == 422
        held.append(memory(live, "web"))
    assert held[-1] - held[0] < 60 * 2**20


NAMES = [
    "../../../../tmp/gl-escaped.jpg",
    "C:\\windows\\x.jpg",
    "/etc/passwd",
    "a\u0000b.jpg",
    "𠮷😀.jpg",
    "x" * 5000 + ".jpg",
    "",
    "CON",
    "a\r\nX-Evil: 1.jpg",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_files_own_name_leads_nowhere(live: Live, name: str) -> None:
    answer = live.call("POST", "/api/v1/evidence", "handler", files={"file": (name, picture(size=(40, 30)), "image/jpeg")})
    if answer.status_code != 201:
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return
    made = answer.json()["id"]
    shown = live.call("GET", f"/api/v1/evidence/{made}", "handler")
    assert shown.status_code == 200
    assert "X-Evil" not in shown.headers
    assert made[:8] in shown.headers["content-disposition"] or "evidence" in shown.headers["content-disposition"]
    blobs = [path for path in live.folder.rglob("*") if path.is_file() and path.name in ("gl-escaped.jpg", "passwd", "x.jpg", "CON")]
    assert blobs == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"place": '{"lon": 29.2, "lat": 121.6}'}, "/place"),
        ({"place": '{"lon": NaN, "lat": 29}'}, "/place"),
        ({"place": "here"}, "/place"),
        ({"at": "yesterday"}, "/at"),
        ({"sha256": "0" * 64}, "/sha256"),
        ({"kind": "../x"}, "/kind"),
    ],
)
def test_what_is_said_beside_a_file_is_checked(live: Live, lang: str, fields: dict[str, str], pointer: str) -> None:
    files = {"file": ("a.jpg", picture(size=(40, 30)), "image/jpeg")}
    answer = live.call("POST", "/api/v1/evidence", "handler", files=files, data=fields)
    check_problem(answer, 422, str(answer.json()["type"]).removeprefix("urn:gridloop:"), lang, pointer)


def test_where_a_photo_was_taken_stays_inside(live: Live) -> None:
    """Outward no camera data; the original, opened for a reason, has all of it; the database has no open coordinates."""
    content = with_gps(121.5, 29.2)
    code, _key = live.report()
    files = {"photos": ("a.jpg", content, "image/jpeg")}
    place = live.place()
    form = {"text": "看图", "lon": str(place["lon"]), "lat": str(place["lat"])}
    code = live.call("POST", "/api/v1/reports", files=files, data=form).json()["case"]
    (item,) = live.get(f"/api/v1/cases/{code}/evidence", "operator")["items"]
    for address in (item["url"], item["thumb"]):
        shown = live.call("GET", address, "operator").content
        assert b"SecretPhoneMaker" not in shown
        assert b"Exif" not in shown[:200]
        with Image.open(io.BytesIO(shown)) as clean:
            assert not clean.getexif()
    opened = live.call("GET", f"/api/v1/evidence/{item['id']}/original?purpose=handle_case&reason=核实位置", "operator")
    assert opened.status_code == 200, opened.text
    with Image.open(io.BytesIO(opened.content)) as original:
        assert original.getexif().get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLongitude][0] == 121.5
    assert opened.content == content
    trace = live.call("GET", f"/api/v1/cases/{code}/trace", "operator").text
    assert "121.5" not in trace
