"""POST /api/v1/signals through the front door: every bad item loses itself only, every bad body is told what it is."""

from __future__ import annotations

import gzip
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from tests.house.product import crowd
from tests.live.bad_input.kit import LANGUAGES, check_problem, in_language, kept, memory, rows, spoken
from tests.live.conftest import Live

pytestmark = pytest.mark.server


def item(source: str, **changes: Any) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"id": uuid.uuid4().hex, "source": source, "kind": "crowd_note", "at": at, "data": {"text": "𠮷野家😀"}} | changes


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


BAD: dict[str, tuple[Callable[[dict[str, Any]], bytes], str]] = {
    "1970": (lambda i: orjson.dumps(i | {"at": "1970-01-01T00:00:00Z"}), "/at"),
    "2200": (lambda i: orjson.dumps(i | {"at": "2200-01-01T00:00:00+08:00"}), "/at"),
    "401 days ago": (lambda i: orjson.dumps(i | {"at": in_days(-401)}), "/at"),
    "no zone": (lambda i: orjson.dumps(i | {"at": "2026-05-01T08:00:00"}), "/at"),
    "swapped": (lambda i: orjson.dumps(i | {"place": {"lon": 29.2, "lat": 121.6}}), "/place"),
    "outside": (lambda i: orjson.dumps(i | {"place": {"lon": 181.5, "lat": 20}}), "/place"),
    "null island": (lambda i: orjson.dumps(i | {"place": {"lon": 0, "lat": 0}}), "/place"),
    "NUL": (lambda i: orjson.dumps(i | {"data": {"a": ["b\x00"]}}), "/data/a/0"),
    "GBK": (lambda i: orjson.dumps(i | {"data": {"a": "@"}}).replace(b"@", "水表".encode("gbk")), "/data/a"),
    "surrogate": (lambda i: orjson.dumps(i | {"data": {"a": "@"}}).replace(b"@", b"\\ud83d"), "/data/a"),
    "NaN": (lambda i: orjson.dumps(i | {"value": 7}).replace(b":7", b":NaN"), "/value"),
    "1e999": (lambda i: orjson.dumps(i | {"value": 7}).replace(b":7", b":1e999"), "/value"),
    "a path": (lambda i: orjson.dumps(i | {"kind": "../../etc/passwd"}), "/kind"),
    "unknown field": (lambda i: orjson.dumps(i | {"colour": "red"}), "/colour"),
    "text": (lambda i: b'"text"', ""),
    "deep": (lambda i: orjson.dumps(i)[:-1] + b',"value":' + b"[" * 40 + b"]" * 40 + b"}", "/value"),
}


def send(live: Live, body: bytes | Iterator[bytes], lang: str, kind: str = "application/json", **headers: str) -> httpx.Response:
    heads = {"Content-Type": kind, "Accept-Language": lang} | {k.replace("_", "-"): v for k, v in headers.items()}
    return live.call("POST", "/api/v1/signals", "admin", content=body, headers=heads)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("form", ["array", "lines", "gzip"])
def test_bad_items_are_told_one_by_one_and_their_neighbours_kept(live: Live, form: str, lang: str) -> None:
    source = f"bad-{form}-{lang}"
    good = [item(source) for _ in range(len(BAD) + 1)]
    bad = [make(item(source)) for make, _ in BAD.values()]
    mixed = [orjson.dumps(good[0])]
    for one, neighbour in zip(bad, good[1:], strict=True):
        mixed += [one, orjson.dumps(neighbour)]
    array = b"[" + b",".join(mixed) + b"]"
    if form == "lines":
        answer = send(live, b"\n".join(mixed), lang, "application/x-ndjson")
    else:
        coding = {"Content_Encoding": "gzip"} if form == "gzip" else {}
        answer = send(live, gzip.compress(array) if form == "gzip" else array, lang, **coding)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["accepted"] == len(good)
    assert [r["index"] for r in told["rejected"]] == list(range(1, 2 * len(bad), 2))
    assert [r["pointer"] for r in told["rejected"]] == [pointer for _, pointer in BAD.values()]
    assert all(in_language(r["error"], lang) for r in told["rejected"]), told
    assert kept(live, source) == {i["id"] for i in good}


def test_one_object_alone_is_refused_with_its_reason(live: Live) -> None:
    answer = send(live, orjson.dumps(item("alone", at="1970-01-01T00:00:00Z")), "en").json()
    assert answer["accepted"] == 0
    assert "clock" in answer["rejected"][0]["error"]


def test_an_unknown_device_costs_nobody_else_anything(live: Live) -> None:
    """A signal of a device nobody has registered yet is kept; it has no effect of a device and does not hold up its neighbours."""
    known = live.get("/api/v1/devices", "admin", kind="camera", limit=1)["items"][0]["code"]
    sent = [item("unknown", device=d, value=1) for d in ("nobody-knows", known, "../../x")]
    assert send(live, orjson.dumps(sent), "zh").json()["accepted"] == 3
    assert kept(live, "unknown") == {i["id"] for i in sent}
    end = time.monotonic() + 30 * crowd()
    while not rows(live, "SELECT 1 FROM registry_device WHERE code = %s AND last_seen > now() - interval '1 minute'", known):
        assert time.monotonic() < end, "the known device was heard"
        time.sleep(0.2)
    assert rows(live, "SELECT count(*) FROM signals_trouble WHERE source = 'unknown'") == [(0,)]
    refused = live.call("POST", "/api/v1/signals", json=sent, headers={"Authorization": "Basic bm9ib2R5OnNlY3JldA=="})
    check_problem(refused, 401, "signals.bad_credential", "zh")


def pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * 2**20


BODIES: list[tuple[str, Callable[[], bytes | Iterator[bytes]], dict[str, str], int, str]] = [
    ("cut", lambda: b'[{"id": ', {}, 400, "signals.malformed"),
    ("empty", lambda: b"", {}, 400, "signals.empty"),
    ("utf-16", lambda: '{"id": "一"}'.encode("utf-16"), {}, 400, "signals.malformed"),
    ("deep", lambda: b"[" * 200_000, {}, 400, "signals.too_deep"),
    ("no gzip", lambda: b"plain", {"Content_Encoding": "gzip"}, 400, "signals.bad_gzip"),
    ("brotli", lambda: b"{}", {"Content_Encoding": "br"}, 415, "signals.bad_coding"),
    ("17 MB", lambda: b" " * (17 * 2**20), {}, 413, "signals.too_large"),
    ("50 MB", lambda: b" " * (50 * 2**20), {}, 413, "doors.body_too_large"),
    ("50 MB in pieces", lambda: pieces(50), {}, 413, "signals.too_large"),
    ("gzip bomb", lambda: gzip.compress(bytes(300 * 2**20), 1), {"Content_Encoding": "gzip"}, 413, "signals.too_large"),
    ("10,001 items", lambda: b"[" + b",".join([b"{}"] * 10_001) + b"]", {}, 413, "signals.too_many"),
]


@pytest.mark.parametrize(("make", "headers", "status", "key"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
def test_a_body_that_cannot_be_taken_is_a_problem_in_the_asked_language(
    live: Live, make: Callable[[], Any], headers: dict[str, str], status: int, key: str
) -> None:
    for lang in LANGUAGES:
        body = make()
        began = time.monotonic()
        answer = send(live, body, lang, **headers)
        assert time.monotonic() - began < 3 * crowd()
        check_problem(answer, status, key, lang)


def test_bombs_and_large_bodies_cost_little_memory(live: Live) -> None:
    bomb = gzip.compress(bytes(500 * 2**20), 1)
    held = []
    for _ in range(4):
        assert send(live, b" " * (50 * 2**20), "zh").status_code == 413
        assert send(live, pieces(50), "zh").status_code == 413
        assert send(live, bomb, "zh", Content_Encoding="gzip").status_code == 413
        large = live.call("POST", "/api/v1/reports", content=pieces(50), headers={"Content-Type": "application/json"})
        check_problem(large, 413, "doors.body_too_large", "zh")
        held.append(memory(live, "ingest", "web"))
    assert held[-1] - held[0] < 200 * 2**20, "450 MB and three bombs of 500 MB came in between"
    assert memory(live, "edge") < 500 * 2**20, "what it holds back is bounded; its collector gives room back when it likes"


@pytest.mark.parametrize(
    "head",
    [
        b"Authorization: Basic c(am\xd3\xcd\xff",
        b"Authorization: Bearer \xff\xfe\x01",
        b"Authorization: Basic " + b"QUJD" * 3000,
        b"Accept-Language: " + b"\xe4" * 500 + b"\r\nAuthorization: nothing",
    ],
    ids=["not ascii", "binary token", "long", "odd language"],
)
@pytest.mark.parametrize("path", ["/api/v1/signals", "/api/v1/evidence", "/api/v1/live"])
def test_any_bytes_in_a_head_are_refused_as_not_logged_in(live: Live, path: str, head: bytes) -> None:
    method = "GET" if path.endswith("live") else "POST"
    text = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nConnection: close\r\n".encode() + head + b"\r\n\r\n{}"
    answer = spoken(live.product.port, text)
    assert answer.split(b" ", 2)[1] in (b"400", b"401"), answer[:300]


def test_the_door_is_open_to_good_signals_after_all_that(live: Live) -> None:
    good = item("after")
    assert send(live, orjson.dumps(good), "zh").json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert kept(live, "after") == {good["id"]}
