"""The quick way and the exact one: the same signals, the same refusals, whatever is sent."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gridloop.doors.ingest import body as bodies
from gridloop.doors.ingest.app import parse
from gridloop.doors.ingest.auth import Sender
from gridloop.doors.ingest.quick import Reader
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault
from gridloop.kernel.texts import say
from gridloop.sdk.signals import Signal
from gridloop.signals.rules import ItemFault, parse_item

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
GOOD: dict[str, Any] = {"id": "1", "source": "meters", "device": "d1", "kind": "water_use", "at": "2026-05-01T15:59:00+08:00", "value": 3}
LONG = ["x" * n for n in (64, 65, 128, 129)] + ["水" * n for n in (64, 65, 128)]
ODD_TEXTS = ["", "a\x00b", "\ud800", "\ud83d\ude00", "\t", "gridloop", "水表", " "]
ODD_TIMES = [
    "2026-05-01T08:00:00Z",
    "2026-05-01 08:00:00z",
    "2026-05-01t08:00:00.123456789+00:00",
    "2026-05-01T08:00:00.9999999Z",
    "2026-05-01T08:00:00",
    "2026-05-01T08:00Z",
    "2026-05-01T08:00:00+0800",
    "2026-05-01T08:00:00+08",
    "20260501T080000Z",
    "2026-W18-5T08:00:00Z",
    "2026-02-30T08:00:00Z",
    "2026-05-01T24:00:00Z",
    "2026-05-01T08:00:60Z",
    "2026-05-01T08:00:00-00:00",
    "2026-05-01T08:00:00,5Z",
    "２０２６-05-01T08:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    (NOW - timedelta(days=400)).isoformat(),
    (NOW - timedelta(days=400, microseconds=1)).isoformat(),
    (NOW + timedelta(hours=1)).isoformat(),
    (NOW + timedelta(hours=1, microseconds=1)).isoformat(),
    "2026-05-01T08:00:00Z\n",
]
ODD_NUMBERS = [0, -0.0, True, 2**53 + 1, 2**63, 2**64, 10**400, 1e308, float("nan"), float("inf"), "3", "", 0.1, -180, 180, 181, 90, 91]

numbers = st.sampled_from(ODD_NUMBERS) | st.floats() | st.integers()
texts = st.sampled_from(LONG + ODD_TEXTS) | st.text(st.characters(), max_size=4)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts, lambda s: st.lists(s, max_size=3) | st.dictionaries(texts, s, max_size=3), max_leaves=8
)
places = st.fixed_dictionaries({"lon": numbers, "lat": numbers}, optional={"alt": anything})
values: dict[str, st.SearchStrategy[Any]] = {
    "id": texts,
    "source": texts,
    "device": texts,
    "kind": st.sampled_from(["smoke", "a" * 64, "a" * 65, "Smoke", "1a", "a\n", "水", ""]),
    "at": st.sampled_from(ODD_TIMES),
    "value": numbers,
    "place": places,
    "data": st.dictionaries(texts, anything, max_size=3) | st.just({"a": "x" * 16_384}),
}
changes = st.fixed_dictionaries({}, optional={name: known | anything for name, known in values.items()} | {"colour": anything})
items = st.builds(lambda c, gone: {k: v for k, v in (GOOD | c).items() if k != gone}, changes, st.sampled_from(["", "", *GOOD])) | anything
bytes_of = st.builds(lambda value, ascii: json.dumps(value, ensure_ascii=ascii).encode("utf-8", "surrogatepass"), items, st.booleans())


def whole(parts: list[bytes], ndjson: bool, hurt: tuple[int, bytes] | None) -> tuple[bytes, bool]:
    """Items as a body, perhaps with some bytes of it replaced."""
    body = b"\n".join(parts) if ndjson else b"[" + b",".join(parts) + b"]"
    if hurt:
        place = hurt[0] % (len(body) + 1)
        body = body[:place] + hurt[1] + body[place + 1 :]
    return body, ndjson


wounds = st.sampled_from([b"", b"\xff", b"\n", b"\x00", b"{", b"0", b"\\", b",", b'"', b"}"])
hurts = st.none() | st.none() | st.tuples(st.integers(0, 2**16), wounds)
all_bodies = st.builds(whole, st.lists(bytes_of, max_size=4), st.booleans(), hurts)
Told = tuple[list[str], list[tuple[int, str, str]]] | str


def words(signal: Signal) -> str:
    """A signal by its words: a float that is -0.0 is not 0.0, and an int no float."""
    return repr([getattr(signal, name) for name in Signal.__struct_fields__])


def told(signals: list[Signal], rejected: list[dict[str, Any]]) -> Told:
    return [words(s) for s in signals], [(r["index"], r["error"], r["pointer"]) for r in rejected]


def exactly(body: bytes, ndjson: bool) -> Told:
    """Every item by the exact rules alone."""
    signals, rejected = list[Signal](), list[dict[str, Any]]()
    try:
        found = bodies.items(body, ndjson)
    except Fault as fault:
        return repr((fault.key, fault.params))
    for index, raw in enumerate(found):
        try:
            if isinstance(raw, ItemFault):
                raise raw
            signals.append(parse_item(raw, NOW))
        except ItemFault as refused:
            f = refused.fault
            rejected.append({"index": index, "error": say(f.key, "en", **f.params), "pointer": f.pointer})
    return told(signals, rejected)


def taken(body: bytes, ndjson: bool) -> Told:
    """As the door does it."""
    try:
        return told(*asyncio.run(parse(body, ndjson, Sender(), "en")))
    except Fault as fault:
        return repr((fault.key, fault.params))


@pytest.fixture(autouse=True)
def _at_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(all_bodies)
@example((b'[{"id":"a\tb","source":"s","kind":"k","at":"2026-05-01T08:00:00Z"}]', False))
@example((b'[{"id":"a","source":"s","kind":"k","at":"2026-05-01T08:00:00Z","data":{"b":-0,"c":18446744073709551616}}]', False))
@example((b'[{"id":"a","id":"b","source":"s","kind":"k","at":"2026-05-01T08:00:00Z","value":1e400}]', False))
@example((b'{"id":"a",\n"source":"s","kind":"k","at":"2026-05-01T08:00:00Z"}', True))
@example((b'{"id":"a","source":"s","kind":"k","at":"2026-05-01T08:00:00Z"} {}', True))
@example((b"[" * 2000 + b"]" * 2000, False))
@example((b"\xef\xbb\xbf[]", False))
def test_the_door_answers_as_the_exact_rules_do(body: tuple[bytes, bool]) -> None:
    assert taken(*body) == exactly(*body)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(items)
def test_an_item_taken_quickly_is_the_exact_one(item: object) -> None:
    quick = Reader(NOW).item(item)
    if quick is not None:
        assert words(parse_item(item, NOW)) == words(quick)


def test_what_is_plain_takes_the_quick_way() -> None:
    reader = Reader(NOW)
    alarm = GOOD | {"place": {"lon": 120, "lat": 30.5}, "data": {"车牌": "浙A12345", "n": [1, {"a": None}]}}
    lines = [json.dumps(one, ensure_ascii=False).encode() for one in (GOOD, alarm, {k: v for k, v in GOOD.items() if k != "device"})]
    for body, ndjson in ((b"[" + b",".join(lines) + b"]", False), (b"\n".join(lines) + b"\n\n", True)):
        found = asyncio.run(reader.body(body, ndjson))
        assert found is not None
        assert [words(s) for s in found] == exactly(body, ndjson)[0]
    assert asyncio.run(reader.body(lines[0], False))
    assert reader.item(alarm) is not None


def test_a_bad_item_sends_only_itself_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[object]()

    def exact(raw: object, *rest: Any) -> Signal:
        asked.append(raw)
        return parse_item(raw, *rest)

    monkeypatch.setattr("gridloop.doors.ingest.app.parse_item", exact)
    signals, rejected = asyncio.run(parse(json.dumps([GOOD, GOOD | {"value": "3"}, GOOD | {"id": "2"}]).encode(), False, Sender(), "zh"))
    assert ([s.id for s in signals], [r["index"] for r in rejected]) == (["1", "2"], [1])
    assert asked == [GOOD | {"value": "3"}]
