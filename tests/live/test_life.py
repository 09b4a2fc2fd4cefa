"""The whole life of a case over HTTP, each call by the person whose turn it is."""

from __future__ import annotations

import hashlib
import uuid

import pytest
import rfc8785

from tests.live.conftest import Live

pytestmark = pytest.mark.server


def test_from_report_to_five_stars(live: Live) -> None:
    code, key = live.report(contact="10012345678")
    detail = live.get(f"/api/v1/cases/{code}", "operator")
    assert "accept" in detail["verbs"]
    assert detail["reporter"]["contact"] == "100****5678"
    lead = live.post(f"/api/v1/cases/{code}/accept", "operator", {})["lead_unit"]
    assert lead == detail["proposal"]["unit"]
    handler = _handler_of(live, code)
    live.act(handler, code, "handle", "accept")
    live.act(handler, code, "handle", "check_in", place={axis: detail["place"][axis] for axis in ("lon", "lat")})
    refused = live.act(handler, code, "handle", "submit", status=422)
    assert refused["errors"][0]["pointer"] == "/evidence"
    live.act(handler, code, "handle", "submit", evidence=[live.photo(handler)], note="已更换灯泡")
    live.act("supervisor", code, "check", "approve")
    track = live.get(f"/track/{code}", None, key=key)
    assert (track["status"], track["can_rate"]) == ("closed", True)
    assert live.post(f"/track/{code}/rate?key={key}", None, {"stars": 5, "note": "很快"})["rating"]["stars"] == 5
    assert live.get(f"/api/v1/cases/{code}", "operator")["rating"]["stars"] == 5
    _chain_holds(live, code)


def _handler_of(live: Live, code: str) -> str:
    """The sample handler's unit is made the lead, as an operator would choose it."""
    me = live.get("/api/v1/me", "handler")
    live.post(f"/api/v1/cases/{code}/route", "operator", {"unit": me["unit"]["id"], "note": "改派"})
    return "handler"


def _chain_holds(live: Live, code: str) -> None:
    """Anyone can verify: SHA-256 over RFC 8785 of the seven fields, chained from 64 zeros."""
    previous = "0" * 64
    facts = live.get(f"/api/v1/cases/{code}/trace", "operator")["items"]
    for number, fact in enumerate(facts, 1):
        entry = {k: fact[k] for k in ("chain", "seq", "at", "actor", "action", "data", "previous_hash")}
        assert (fact["seq"], fact["previous_hash"]) == (number, previous)
        previous = hashlib.sha256(rfc8785.dumps(entry)).hexdigest()
        assert fact["hash"] == previous
    assert "rated" in [f["action"] for f in facts]


def test_a_verb_that_is_not_possible_says_which_are(live: Live) -> None:
    code, _key = live.report()
    live.post(f"/api/v1/cases/{code}/accept", "operator", {})
    answer = live.call("POST", f"/api/v1/cases/{code}/accept", "operator", json={})
    assert answer.status_code == 409
    assert "urge" in answer.json()["allowed"]


def test_the_same_key_has_one_effect(live: Live) -> None:
    place = live.place()
    body = {"text": "井盖坏了", "kind": "01002", "place": place}
    key = uuid.uuid4().hex
    first = live.call("POST", "/api/v1/reports", json=body, headers={"Idempotency-Key": key})
    again = live.call("POST", "/api/v1/reports", json=body, headers={"Idempotency-Key": key})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = live.call("POST", "/api/v1/reports", json={**body, "text": "另一件"}, headers={"Idempotency-Key": key})
    assert other.status_code == 409
    sources = live.get(f"/api/v1/cases/{first.json()['case']}/signals", "operator")["items"]
    assert len(sources) == 1


def test_wrong_key_tells_nothing(live: Live) -> None:
    code, key = live.report()
    assert live.call("GET", f"/track/{code}?key={key}x", headers={"Accept": "application/json"}).status_code == 403
    assert live.call("GET", f"/track/9901019999990000000?key={key}", headers={"Accept": "application/json"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": "", "place": {"lon": 121.6, "lat": 29.2}}, "/text"),
        ({"text": "灯坏了"}, "/place"),
        ({"text": "灯坏了", "place": {"lon": 29.2, "lat": 121.6}}, "/place/lat"),
        ({"text": "灯坏了", "place": {"lon": 10, "lat": 10}}, "/place"),
        ({"text": "灯坏了", "kind": "99999", "place": {"lon": 121.6, "lat": 29.2}}, "/kind"),
        ({"text": "灯" * 6000, "place": {"lon": 121.6, "lat": 29.2}}, "/text"),
    ],
)
def test_bad_report_is_told_what_and_where(live: Live, body: dict[str, object], pointer: str) -> None:
    answer = live.call("POST", "/api/v1/reports", json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
    english = live.call("POST", "/api/v1/reports", json=body, headers={"Accept-Language": "en"})
    assert english.json()["detail"].isascii() or "“" in english.json()["detail"]


def test_malformed_json_and_unknown_address(live: Live) -> None:
    bad = live.call("POST", "/api/v1/reports", content=b'{"text": ', headers={"Content-Type": "application/json"})
    assert bad.status_code in (400, 422)
    assert bad.json()["detail"]
    assert live.call("GET", "/api/v1/nothing-here", "operator").status_code == 404


def test_rare_characters_survive(live: Live) -> None:
    text = "𠮷野家门口的灯坏了😀，请处理"
    code, _key = live.report(text=text)
    assert live.get(f"/api/v1/cases/{code}", "operator")["text"] == text
    assert code in [c["code"] for c in live.get("/api/v1/cases", "operator", q="𠮷野家")["items"]]


def test_lists_count_and_page(live: Live) -> None:
    codes = [live.report()[0] for _ in range(3)]
    page = live.get("/api/v1/cases", "operator", limit=2, count="true")
    assert [c["code"] for c in page["items"]] == codes[::-1][:2]
    following = live.get("/api/v1/cases", "operator", limit=2, after=page["next"])
    assert following["items"][0]["code"] == codes[0]
    assert page["total"] >= 3
    counts = live.get("/api/v1/cases/counts", "operator")
    assert sum(counts["severity"].values()) == page["total"]
    west = page["items"][0]["place"]
    box = f"{west['lon'] - 0.001},{west['lat'] - 0.001},{west['lon'] + 0.001},{west['lat'] + 0.001}"
    points = live.get("/api/v1/cases/map", "operator", bbox=box)["points"]
    assert codes[-1] in [p["code"] for p in points]
    assert live.call("GET", "/api/v1/cases?bbox=1,2,3", "operator").status_code == 422
    assert live.call("GET", "/api/v1/cases?status=handled", "operator").status_code == 422
