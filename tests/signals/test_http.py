"""POST /api/v1/signals: what the contract promises."""

from __future__ import annotations

import base64
import gzip
import itertools
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from gridloop.project.jobs import JOBS
from tests.house.product import crowd
from tests.signals.conftest import CITIZEN, NARROW, PARTITIONS, READ_SECONDS, SECRET, TOKEN, Client, item
from tests.signals.servers import until

MANY = 40


def test_one_object_an_array_and_lines(client: Client) -> None:
    assert client.post(item(1)).json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert client.post([item(2), item(3)]).json()["accepted"] == 2
    lines = b"\n".join(orjson.dumps(item(n)) for n in (4, 5)) + b"\n\n"
    assert client.post(lines, content_type="application/x-ndjson").json()["accepted"] == 2
    assert client.post(b"\xef\xbb\xbf" + lines.replace(b"i4", b"i6").replace(b"i5", b"i7")).status_code == 202  # with a BOM, called JSON
    answer = client.post(gzip.compress(orjson.dumps([item(8)])), content_encoding="gzip")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert {"i1", "i2", "i3", "i4", "i5", "i8"} <= {s.id for s in client.logged()}


def test_what_is_answered_202_is_in_the_log(client: Client) -> None:
    sent = [item(n, data={"备注": "水位偏高"}) for n in range(1200)]
    assert client.post(sent).json() == {"accepted": 1200, "duplicates": 0, "rejected": []}
    got = {s.id: s for s in client.logged()}
    assert got.keys() == {s["id"] for s in sent}
    assert got["i7"].value == 7 / 3
    assert got["i7"].data == {"备注": "水位偏高"}


def test_bad_items_are_told_one_by_one_and_the_others_kept(client: Client) -> None:
    bad: list[Any] = [
        item(2, at="1970-01-01T00:00:00Z"),
        item(3, at="2200-01-01T00:00:00Z"),
        item(4, place={"lon": 30.2, "lat": 120.1}),
        item(5, place={"lon": 181, "lat": 20}),
        item(6, id="a\x00b"),
        "text",
        item(7, value="12"),
    ]
    answer = client.post([item(1), *bad, item(8)], accept_language="en-GB,en;q=0.9").json()
    assert answer["accepted"] == 2
    assert [r["index"] for r in answer["rejected"]] == [1, 2, 3, 4, 5, 6, 7]
    assert "check the device's clock" in answer["rejected"][0]["error"]
    assert "swapped" in answer["rejected"][2]["error"]
    assert "写反" in client.post([bad[2]]).json()["rejected"][0]["error"]
    assert {s.id for s in client.logged()} == {"i1", "i8"}


def test_wrong_encodings_and_broken_lines_lose_only_themselves(client: Client) -> None:
    lines = [
        orjson.dumps(item(1)),
        b'{"id": "x", ',
        orjson.dumps(item(2)).replace(b"meters", "水表".encode("gbk")),
        b"\x00",
        orjson.dumps(item(3)),
    ]
    answer = client.post(b"\n".join(lines), content_type="application/x-ndjson").json()
    assert (answer["accepted"], [r["index"] for r in answer["rejected"]]) == (2, [1, 2, 3])
    array = b"[" + b",".join([lines[0].replace(b"i1", b"i9"), lines[2], b'{"id": "\\ud800"}', b'{"value": NaN}']) + b"]"
    answer = client.post(array, accept_language="en").json()
    assert [r["index"] for r in answer["rejected"]] == [1, 2, 3]
    assert "UTF-8" in answer["rejected"][0]["error"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[{", {}, 400),
        (b"", {}, 400),
        (b"[]", {}, 400),
        ('{"id": "一"}'.encode("utf-16"), {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"not gzip", {"content_encoding": "gzip"}, 400),
        (gzip.compress(b"{}" * 1000)[:-9], {"content_encoding": "gzip"}, 400),
        (b"{}", {"content_encoding": "br"}, 415),
        (gzip.compress(b" " * (17 * 2**20)), {"content_encoding": "gzip"}, 413),
        (b" " * (16 * 2**20 + 1), {}, 413),
        (b"[" + b",".join([b"{}"] * 10_001) + b"]", {}, 413),
        (b"{}\n" * 10_001, {"content_type": "application/x-ndjson"}, 413),
    ],
    ids=["cut", "empty", "no-item", "utf-16", "deep", "no-gzip", "cut-gzip", "brotli", "gzip-bomb", "16MB", "10001", "10001-lines"],
)
def test_bodies_that_cannot_be_taken(client: Client, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = client.post(body, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]
    assert client.post(item(1)).status_code == 202


def test_a_body_that_drips_is_given_up_and_holds_up_nobody(client: Client) -> None:
    head = (
        f"POST /api/v1/signals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nAccept-Language: en\r\nContent-Length: 900\r\n\r\n["
    )
    began = time.monotonic()
    lines = [socket.create_connection(("127.0.0.1", client.door.port), timeout=20) for _ in range(40)]
    for line in lines:
        line.sendall(head.encode())
    asked = time.monotonic()
    assert client.post(item(1)).status_code == 202
    assert time.monotonic() - asked < crowd()
    for line in lines:
        told = b"".join(iter(lambda line=line: line.recv(65536), b""))  # type: ignore[misc]
        assert told.startswith(b"HTTP/1.1 408")
        assert b"doors.too_slow" in told
        assert b"too slowly" in told
        line.close()
    assert time.monotonic() - began < (READ_SECONDS + 3) * crowd()
    assert {s.id for s in client.logged()} == {"i1"}


def test_who_may_send(client: Client) -> None:
    assert client.post(item(1), token="wrong").status_code == 401
    assert client.http.post("/api/v1/signals", content=b"{}").status_code == 401
    assert client.post(item(1), token=CITIZEN).status_code == 403
    assert client.post(item(1), token=NARROW).status_code == 403
    assert client.http.get("/api/v1/signals").status_code == 405
    assert client.logged() == []


def basic(device: str, secret: str = SECRET) -> str:
    return "Basic " + base64.b64encode(f"{device}:{secret}".encode()).decode()


def test_a_device_sends_for_itself_only(client: Client) -> None:
    own = client.post({"kind": "smoke", "value": 1, "at": item(0)["at"]}, authorization=basic("cam-1"))
    assert own.json()["accepted"] == 1
    other = client.post(item(1, device="cam-2"), authorization=basic("cam-1"), accept_language="en")
    assert "cam-1" in other.json()["rejected"][0]["error"]
    assert client.post(item(1), authorization=basic("cam-1", "wrong")).status_code == 401
    assert client.post(item(1), authorization="Basic !!!").status_code == 401
    assert client.post(item(1), authorization=basic("nobody\x00")).status_code == 401
    assert [(s.device, s.source) for s in client.logged()] == [("cam-1", "device")]


def test_repeats_are_counted_and_not_stored(client: Client) -> None:
    first = [item(n) for n in range(10)]
    client.post(first)
    assert client.post(first).json() == {"accepted": 0, "duplicates": 10, "rejected": []}
    assert client.post({**first[3], "id": "another id, the same reading"}).json()["duplicates"] == 1
    alarm = {"id": "a1", "source": "hotline", "kind": "report", "at": first[0]["at"], "data": {"text": "路灯不亮"}}
    assert client.post([alarm, alarm]).json() == {"accepted": 1, "duplicates": 1, "rejected": []}
    assert len(client.logged()) == 11


def test_the_same_item_sent_by_many_at_once_is_stored_once(client: Client) -> None:
    same = [item(n) for n in range(50)]
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: client.post(same).json(), range(8)))
    assert sum(a["accepted"] for a in answers) == 50
    assert sum(a["duplicates"] for a in answers) == 350
    assert len(client.logged()) == 50


def batches(owner_url: str) -> tuple[int, int]:
    """Rows of the log, and signals in them."""
    with psycopg.connect(owner_url) as owner:
        found = owner.execute("SELECT count(*), coalesce(sum(count), 0) FROM signals_batch").fetchone()
    assert found
    return int(found[0]), int(found[1])


def test_concurrent_requests_share_batches(client: Client, database_urls: Any) -> None:
    def send(number: int) -> int:
        """As a client does it: a busy door (503, nothing kept) is tried again."""
        for _ in range(20):
            if (status := int(client.post(item(number)).status_code)) != 503:
                break
        return status

    client.post([item(n) for n in range(1000, 1040)])
    before = batches(database_urls.owner)
    with ThreadPoolExecutor(MANY) as many:
        with psycopg.connect(database_urls.owner) as owner:  # while the log stands, requests gather behind the append that waits for it
            owner.execute("SELECT * FROM signals_partition FOR UPDATE")
            answers = many.map(send, range(MANY))
            until(lambda: client.door.writer._waiting >= MANY // 2, what="half of the requests waiting")
        assert set(answers) == {202}
    rows, signals = (after - earlier for after, earlier in zip(batches(database_urls.owner), before, strict=True))
    assert signals == MANY
    assert rows <= MANY - MANY // 2 + 2 * PARTITIONS, "those that waited together share a row for each partition"


def test_overload_is_told_with_a_time_to_wait(client: Client, database_urls: Any) -> None:
    client.post([item(n) for n in range(40)])
    client.door.writer._most = 100
    numbers = itertools.count(100, 40)

    def told() -> httpx.Response | None:
        """Four at once with 40 signals each: two may wait, so somebody is sent away."""
        with ThreadPoolExecutor(4) as many:
            answers = list(
                many.map(lambda start: client.post([item(n) for n in range(start, start + 40)]), [next(numbers) for _ in "1234"])
            )
        return next((a for a in answers if a.status_code == 429), None)

    with psycopg.connect(database_urls.owner) as owner:  # the log stands still: a lock holds every partition
        owner.execute("SELECT * FROM signals_partition FOR UPDATE")
        answer = next(filter(None, (told() for _ in range(10))))
    assert int(answer.headers["retry-after"]) >= 1
    until(lambda: client.post([item(n) for n in range(9000, 9040)]).json().get("accepted") == 40, what="the door open again")


def test_a_standing_log_is_503_within_two_seconds_and_nothing_half_kept(client: Client, database_urls: Any) -> None:
    client.post([item(n) for n in range(40)])
    before = len(client.logged())
    sent = [item(n) for n in range(100, 160)]
    with psycopg.connect(database_urls.owner) as owner:
        owner.execute("SELECT * FROM signals_partition WHERE partition = 2 FOR UPDATE")
        started = time.monotonic()
        answer = client.post(sent)  # answered while the log still stands
        took = time.monotonic() - started
    assert answer.status_code == 503
    assert took < 2.2 * crowd()
    assert "retry-after" in answer.headers
    assert len(client.logged()) == before
    assert client.post(sent).json() == {"accepted": 60, "duplicates": 0, "rejected": []}


def test_a_broken_connection_is_made_anew(client: Client, database_urls: Any) -> None:
    client.post(item(1))
    with psycopg.connect(database_urls.ingest, autocommit=True) as ingest:
        ingest.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name LIKE 'test%%'"
        )
    time.sleep(0.6)
    assert client.post(item(2)).status_code == 202


def test_health_and_figures(client: Client) -> None:
    client.post(item(1))
    assert client.http.get("/healthz").json() == {"status": "ok"}
    assert "gridloop_signals_accepted_total" in client.http.get("/metrics").text
    assert client.http.get("/other").status_code == 404


def test_what_was_appended_is_hinted_to_the_workers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(10)
        monkeypatch.setenv("GRIDLOOP_WORKER_HINT", f",{ear.getsockname()[1]}")
        assert client.post(item(1)).status_code == 202
        assert ear.recv(100).decode() in {name for name, _, _ in JOBS}
