"""Reports and verbs: JSON and forms that cannot be taken are told by place, in the language asked for; nothing of them stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from gridloop.evidence.tests.pictures import scene
from tests.live.bad_input.kit import LANGUAGES, check_problem, rows
from tests.live.conftest import Live

pytestmark = pytest.mark.server

JSON: list[tuple[str, bytes, str, str]] = [
    ("cut", b'{"text": ', "doors.bad_json", "/"),
    ("GBK", '{"text": "路灯不亮"}'.encode("gbk"), "doors.bad_json", "/"),
    ("utf-16", '{"text": "灯"}'.encode("utf-16"), "doors.bad_json", "/"),
    ("surrogate", b'{"text": "\\ud83d"}', "doors.bad_json", "/"),
    ("NaN", b'{"text": "a", "place": {"lon": NaN, "lat": 29}}', "doors.bad_json", "/"),
    ("deep", b"[" * 100_000, "doors.bad_json", "/"),
    ("list", b"[]", "doors.not_an_object", "/"),
    ("null", b"null", "doors.not_an_object", "/"),
    ("NUL", b'{"text": "a\\u0000b", "place": {"lon": 121, "lat": 29}}', "doors.nul", "/text"),
    ("NUL deep", b'{"text": "a", "evidence": ["x", "\\u0000"]}', "doors.nul", "/evidence/1"),
    ("swapped", b'{"text": "a", "place": {"lon": 29.2, "lat": 121.6}}', "doors.bad_field", "/place/lat"),
    ("outside", b'{"text": "a", "place": {"lon": 10, "lat": 10}}', "cases.place_outside", "/place"),
    ("not text", b'{"text": 7}', "doors.bad_field", "/text"),
    ("long", b'{"text": "a", "address": "' + b"x" * 301 + b'"}', "doors.bad_field", "/address"),
    ("kind", b'{"text": "a", "kind": "../../x", "place": {"lon": 121, "lat": 29}}', "doors.bad_field", "/kind"),
    ("source", b'{"text": "a", "source": "king"}', "doors.bad_field", "/source"),
    ("many", b'{"text": "a", "evidence": [' + b",".join([b'"x"'] * 10) + b"]}", "doors.bad_field", "/evidence"),
]


def count(live: Live) -> tuple[int, ...]:
    return tuple(rows(live, f"SELECT count(*) FROM {table}")[0][0] for table in ("cases_case", "cases_source", "evidence_file"))


@pytest.mark.parametrize(("body", "key", "pointer"), [j[1:] for j in JSON], ids=[j[0] for j in JSON])
def test_json_that_cannot_be_taken(live: Live, body: bytes, key: str, pointer: str) -> None:
    before = count(live)
    for lang in LANGUAGES:
        answer = live.call("POST", "/api/v1/reports", content=body, headers={"Content-Type": "application/json", "Accept-Language": lang})
        check_problem(answer, 422, key, lang, pointer)
    assert count(live) == before


def test_a_body_in_pieces_is_read_like_any_other(live: Live) -> None:
    body = orjson.dumps({"text": "路灯𠮷不亮😀", "kind": "01037", "place": live.place()})

    def pieces() -> Iterator[bytes]:
        yield body[:20]
        yield body[20:]

    answer = live.call("POST", "/api/v1/reports", content=pieces(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    assert live.get(f"/api/v1/cases/{answer.json()['case']}", "operator")["text"] == "路灯𠮷不亮😀"


FORMS: list[tuple[str, bytes, str, int, str]] = [
    ("no boundary", b"--x\r\n", "multipart/form-data", 400, "doors.bad_form"),
    ("long head", b"--x\r\n" + b"a" * 100_000, "multipart/form-data; boundary=x", 400, "doors.bad_form"),
    ("fields", b"text=" + b"x" * 100 + b"&lon=here&lat=29", "application/x-www-form-urlencoded", 422, "doors.bad_field"),
    ("NUL", b"text=a%00b&lon=121&lat=29", "application/x-www-form-urlencoded", 422, "doors.nul"),
    ("many fields", b"&".join([b"a=1"] * 2000), "application/x-www-form-urlencoded", 400, "doors.bad_form"),
    ("31 MB", b"x" * (31 * 10**6), "multipart/form-data; boundary=x", 413, "doors.body_too_large"),
    ("13 MB of fields", b"text=" + b"x" * (13 * 10**6), "application/x-www-form-urlencoded", 413, "doors.body_too_large"),
]


@pytest.mark.parametrize(("body", "kind", "status", "key"), [f[1:] for f in FORMS], ids=[f[0] for f in FORMS])
def test_forms_that_cannot_be_taken(live: Live, body: bytes, kind: str, status: int, key: str) -> None:
    before = count(live)
    for lang in LANGUAGES:
        answer = live.call("POST", "/api/v1/reports", content=body, headers={"Content-Type": kind, "Accept-Language": lang})
        check_problem(answer, status, key, lang)
    assert count(live) == before


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_report_with_one_photo_that_is_none_is_refused_whole(live: Live, lang: str) -> None:
    before = count(live)
    photos = [("photos", ("good.jpg", scene(7), "image/jpeg")), ("photos", ("bad.jpg", b"<script>", "image/jpeg"))]
    place = live.place()
    fields = {"text": "灯坏了", "lon": str(place["lon"]), "lat": str(place["lat"])}
    answer = live.call("POST", "/api/v1/reports", files=photos, data=fields, headers={"Accept-Language": lang})
    check_problem(answer, 422, "evidence.not_a_picture", lang, "/file")
    assert count(live) == before, "no case, no half of the photos: the phone still has them all and sends again"


VERBS: list[tuple[str, bytes, str, str]] = [
    ("cut", b'{"note"', "doors.bad_json", "/"),
    ("list", b"[1]", "doors.bad_field", "/"),
    ("NUL", b'{"note": "a\\u0000"}', "doors.nul", "/note"),
    ("unknown", b'{"colour": "red"}', "doors.bad_field", "/colour"),
    ("severity", b'{"severity": 9}', "doors.bad_field", "/severity"),
    ("not a number", b'{"unit": "west"}', "doors.bad_field", "/unit"),
    ("long", b'{"note": "' + b"x" * 2001 + b'"}', "doors.bad_field", "/note"),
    ("huge", b'{"unit": 99999999999999999999999}', "doors.bad_field", "/unit"),
]


@pytest.fixture(params=LANGUAGES)
def operator_lang(live: Live, request: pytest.FixtureRequest) -> Iterator[str]:
    """An account is answered in its own language."""
    live.post("/api/v1/me", "operator", {"lang": request.param}, status=204)
    yield request.param
    live.post("/api/v1/me", "operator", {"lang": "zh"}, status=204)


def test_verbs_tell_what_is_wrong_and_do_nothing(live: Live, operator_lang: str) -> None:
    code, _key = live.report()
    of_case = "SELECT count(*) FROM journal_fact WHERE chain = %s"
    facts = rows(live, of_case, f"case:{code}")
    for name, body, key, pointer in VERBS:
        if name == "huge":  # a whole number, only no unit has it
            continue
        for path in (f"/api/v1/cases/{code}/accept", f"/api/v1/cases/{code}/route"):
            answer = live.call("POST", path, "operator", content=body, headers={"Content-Type": "application/json"})
            check_problem(answer, 422, key, operator_lang, pointer)
    huge = live.call("POST", f"/api/v1/cases/{code}/route", "operator", content=VERBS[-1][1], headers={"Content-Type": "application/json"})
    assert huge.status_code in (404, 422), huge.text
    task = live.task(code, "verify")["id"]
    for body, key, pointer in ((b'{"place": {"lon": 29, "lat": 121}}', "doors.bad_field", "/place/lat"), (b"{", "doors.bad_json", "/")):
        answer = live.call("POST", f"/api/v1/tasks/{task}/check_in", "operator", content=body, headers={"Content-Type": "application/json"})
        check_problem(answer, 422, key, operator_lang, pointer)
    assert rows(live, of_case, f"case:{code}") == facts
    assert live.get(f"/api/v1/cases/{code}", "operator")["status"] in ("reported", "verifying")


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\x", "a\x00b", "𠮷", "%2e%2e%2f", "x" * 3000, "'; DROP TABLE cases_case;--"])
def test_a_name_in_an_address_is_never_a_path(live: Live, name: str) -> None:
    for path in ("/api/v1/cases/{}", "/api/v1/devices/{}", "/api/v1/people/{}", "/track/{}", "/static/{}", "/m/{}", "/assets/{}"):
        headers = {"Accept": "application/json"}
        answer = live.call("GET", path.format(quote(name, safe="")), "operator", headers=headers)
        assert answer.status_code in (200, 301, 302, 308, 400, 403, 404, 414, 422), (path, answer.status_code, answer.text[:200])
        assert b"root:" not in answer.content


@pytest.mark.parametrize(
    ("query", "key", "pointer"),
    [
        ("bbox=nan,0,1,1", "doors.bad_bbox", "/bbox"),
        ("bbox=29,121,30,122", "doors.bad_bbox", "/bbox"),
        ("bbox=122,29,121,30", "doors.bad_bbox", "/bbox"),
        ("bbox=a,b", "doors.bad_bbox", "/bbox"),
        ("after=%00", "cases.bad_cursor", "/after"),
        ("limit=0", "doors.bad_field", "/limit"),
        ("limit=99999999999999999999", "doors.bad_field", "/limit"),
        ("since=yesterday", "doors.bad_field", "/since"),
        ("since=2026-11-01", "doors.bad_field", "/since"),
        ("since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z", "cases.bad_span", "/until"),
        ("severity=x", "doors.bad_field", "/severity"),
    ],
)
def test_queries_that_make_no_sense(live: Live, operator_lang: str, query: str, key: str, pointer: str) -> None:
    check_problem(live.call("GET", f"/api/v1/cases?{query}", "operator"), 422, key, operator_lang, pointer)


def test_a_reporters_formula_leaves_as_text(live: Live) -> None:
    formulas = ['=HYPERLINK("http://x")', "+1+1|cmd", "-2+3", "@SUM(A1)", "\t=1", "＝1+1"]
    codes = []
    for formula in formulas:
        answer = live.call("POST", "/api/v1/reports", json={"text": "x", "kind": "01037", "place": live.place(), "address": formula})
        codes.append(answer.json()["case"])
    sheet = live.call("GET", f"/api/v1/cases.csv?codes={','.join(codes)}", "operator").text
    cells: list[Any] = [cell.strip('"') for line in sheet.splitlines()[1:] for cell in line.split(",")]
    assert len(sheet.splitlines()) == len(formulas) + 1
    assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "＝")] == []
