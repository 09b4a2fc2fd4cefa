"""Which items are signals, and why others are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.kernel.texts import all_texts, say
from gridloop.sdk.signals import pack, unpack
from gridloop.signals.rules import Defaults, ItemFault, parse_item, silent_after

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
GOOD: dict[str, Any] = {"id": "1", "source": "meters", "device": "d1", "kind": "water_use", "at": "2026-05-01T15:59:00+08:00", "value": 3}


def refused(**changes: Any) -> tuple[str, str]:
    item = {k: v for k, v in (GOOD | changes).items() if v is not ...}
    with pytest.raises(ItemFault) as caught:
        parse_item(item, NOW)
    fault = caught.value.fault
    for lang in ("zh", "en"):
        sentence = say(fault.key, lang, **fault.params)
        assert sentence != fault.key
        assert "{" not in sentence.replace("{…}", "").replace('{"lon"', "")
    return fault.key, fault.pointer


def test_a_good_item() -> None:
    signal = parse_item(GOOD | {"place": {"lon": 120.5, "lat": 30.1}, "data": {"unit": "L"}}, NOW)
    assert (signal.at, signal.value, signal.lon, signal.lat) == (datetime(2026, 5, 1, 7, 59, tzinfo=UTC), 3.0, 120.5, 30.1)
    assert not signal.is_reading
    assert parse_item(GOOD, NOW).is_reading


def test_nobody_speaks_in_the_platforms_own_name() -> None:
    assert refused(source="gridloop", kind="device_status") == ("signals.own_source", "/source")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"id": ...}, "missing"),
        ({"source": ""}, "missing"),
        ({"kind": ...}, "missing"),
        ({"at": ...}, "missing"),
        ({"id": 7}, "not_text"),
        ({"id": "x" * 129}, "too_long"),
        ({"kind": "Water Use"}, "bad_kind"),
        ({"colour": "red"}, "unknown_field"),
        ({"at": "yesterday"}, "bad_time"),
        ({"at": "2026-05-01T08:00:00"}, "bad_time"),
        ({"at": "2026-02-30T08:00:00Z"}, "bad_time"),
        ({"at": 1777622400}, "bad_time"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "bad_time"),
        ({"at": "1970-01-01T00:00:00Z"}, "too_old"),
        ({"at": "2200-01-01T00:00:00Z"}, "in_future"),
        ({"at": "2026-05-01T16:00:00Z"}, "in_future"),
        ({"value": "3"}, "not_number"),
        ({"value": float("nan")}, "not_finite"),
        ({"value": 10**400}, "not_finite"),
        ({"place": [1, 2]}, "bad_place"),
        ({"place": {"lon": 30.1, "lat": 120.5}}, "swapped"),
        ({"place": {"lon": 200, "lat": 30}}, "outside"),
        ({"place": {"lon": 120, "lat": -91}}, "outside"),
        ({"place": {"lon": 0, "lat": 0}}, "null_island"),
        ({"place": {"lon": "120", "lat": 30}}, "not_number"),
        ({"data": [1]}, "data_not_object"),
        ({"data": {"a": "x" * 20_000}}, "data_too_big"),
        ({"data": {"a": "\x00"}}, "nul"),
        ({"data": {"a": ["\ud800"]}}, "encoding"),
        ({"id": "a\x00b"}, "nul"),
        ({"source": "\udcff"}, "encoding"),
    ],
)
def test_a_bad_item_is_told_what_is_wrong(changes: dict[str, Any], key: str) -> None:
    assert refused(**changes)[0] == f"signals.{key}"


@pytest.mark.parametrize("item", [None, 3, "text", [GOOD]])
def test_only_objects_are_items(item: object) -> None:
    with pytest.raises(ItemFault):
        parse_item(item, NOW)


def test_a_device_fills_in_what_its_credential_says() -> None:
    signal = parse_item({"value": True}, NOW, Defaults(device="d9", kind="smoke", at=NOW))
    assert (signal.device, signal.kind, signal.source, signal.at, signal.value) == ("d9", "smoke", "device", NOW, 1.0)
    assert signal.id == "d9:smoke:2026-05-01T08:00:00+00:00"
    with pytest.raises(ItemFault):
        parse_item(GOOD, NOW, Defaults(device="d9"))


def test_deep_data_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": deep}
    assert refused(data=deep)[0] == "signals.data_too_deep"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
)


@given(st.dictionaries(st.sampled_from([*GOOD, "place", "data", "x"]), json_values))
def test_anything_is_either_a_signal_that_can_be_stored_or_refused(item: dict[str, Any]) -> None:
    try:
        signal = parse_item(GOOD | item, NOW)
    except ItemFault as fault:
        known = fault.fault.key in all_texts()
    else:
        known = unpack(pack([signal])) == (signal,)
    assert known


def test_silence() -> None:
    assert silent_after(60) == timedelta(minutes=10)
    assert silent_after(3600) == timedelta(hours=3)
