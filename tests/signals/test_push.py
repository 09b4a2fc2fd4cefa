"""Platforms that push in their own words, through the door and into the log."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson

from gridloop.doors.ingest.app import parse
from gridloop.doors.ingest.auth import Sender
from gridloop.kernel import clock
from gridloop.project.devices import pushes
from tests.signals.conftest import Client, item


def _meter(number: int, value: Any, stream: str = "water_m3") -> dict[str, Any]:
    at = int((clock.now() - timedelta(seconds=number)).timestamp() * 1000)
    return {"at": at, "type": 1, "ds_id": stream, "value": value, "dev_id": 2016617}


def test_a_push_is_taken_in_its_own_words_and_once(client: Client) -> None:
    body = {"msg": [_meter(1, 0.012), _meter(2, "340", "energy_wh"), {"type": 2, "status": 1, "dev_id": 1}], "nonce": "8t2x"}
    assert client.post(body, query={"from": "onenet"}).json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    assert client.post(body, query={"from": "onenet"}).json() == {"accepted": 0, "duplicates": 2, "rejected": []}
    assert sorted((s.source, s.device, s.kind, s.value) for s in client.logged()) == [
        ("onenet", "2016617", "electricity_use", 0.34),
        ("onenet", "2016617", "water_use", 12.0),
    ]


def test_what_cannot_be_read_is_told_and_the_rest_is_kept(client: Client) -> None:
    answer = client.post({"msg": [_meter(1, "n/a"), _meter(2, 1)]}, query={"from": "onenet"}, accept_language="en")
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    (rejected,) = answer.json()["rejected"]
    assert (rejected["index"], rejected["pointer"]) == (0, "$.value")
    assert "n/a" in rejected["error"]
    assert "words" in rejected["error"]


def test_without_a_time_and_a_number_each_event_counts(client: Client) -> None:
    alarm = {"type": 1, "ds_id": "smoke", "value": 1, "dev_id": 7}
    assert client.post({"msg": [alarm, alarm]}, query={"from": "onenet"}).json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    assert client.post({"msg": alarm}, query={"from": "onenet"}).json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    found = client.logged()
    assert {(s.device, s.kind, s.value) for s in found} == {("7", "smoke", 1.0)}
    assert len({s.identity for s in found}) == len({s.reading_key for s in found}) == 3


def test_an_index_is_the_senders_event_whatever_is_read_of_the_others(client: Client) -> None:
    """Events that say nothing count, and one of which two readings cannot be taken is one event."""
    at = clock.now().isoformat()
    seen = {"deviceInfo": {"devEui": "a1"}, "time": at, "object": {"temperature": "warm", "smoke": "maybe"}}
    events = [{"type": 2}, _meter(1, 1), {"msg": "?"}, _meter(2, "n/a"), _meter(3, 3)]
    answer = client.post({"msg": events}, query={"from": "onenet"}).json()
    assert (answer["accepted"], [one["index"] for one in answer["rejected"]]) == (2, [3])
    lines = b"\n".join(orjson.dumps(one) for one in (seen | {"object": {"temperature": 20, "smoke": 1}}, {"type": "joined"}, seen))
    answer = client.post(lines, query={"from": "chirpstack"}).json()
    assert (answer["accepted"], {one["index"] for one in answer["rejected"]}) == (2, {2})


def test_a_push_without_a_reading_is_answered_well(client: Client) -> None:
    assert client.post({"type": "joined"}, query={"from": "chirpstack"}).json() == {"accepted": 0, "duplicates": 0, "rejected": []}


def test_what_one_payload_may_hold_is_bounded_and_is_read_beside_others(client: Client) -> None:
    many = orjson.dumps({"msg": [_meter(n, n) for n in range(3_000)]})

    async def read_beside() -> tuple[int, int]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        found, rejected = await parse(many, False, Sender(), "en", pushes()[0]["onenet"])
        beside.cancel()
        assert rejected == []
        return len(found), turns

    found, turns = asyncio.run(read_beside())
    assert found == 3_000
    assert turns >= 60, "others have a turn after every few events"
    for events in ([_meter(n, n) for n in range(10_001)], [{}] * 10_001):
        answer = client.post({"msg": events}, query={"from": "onenet"})
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:gridloop:signals.too_many")
    assert client.logged() == []


def test_an_adapter_that_is_not_there(client: Client) -> None:
    answer = client.post({}, query={"from": "chirpstuck"}, accept_language="zh")
    assert answer.status_code == 404
    assert "chirpstack" in answer.json()["detail"]


def test_a_body_nested_too_deep_is_refused(client: Client) -> None:
    answer = client.post(b"[" * 100_000 + b"]" * 100_000, query={"from": "frigate"})
    assert answer.status_code == 400


def test_one_kind_of_body_does_not_disturb_the_other(client: Client) -> None:
    assert client.post([item(1)]).json()["accepted"] == 1
    assert client.post({"msg": _meter(1, 1)}, query={"from": "onenet"}).json()["accepted"] == 1
    assert len(client.logged()) == 2
