"""Each platform's pushes in the shape its maker documents, and the signals they become."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonpath
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gridloop.project.devices import FOLDER, pushes
from gridloop.sdk.pushes import ManifestFault, Push, PushFault, PushMapping, read_manifest
from gridloop.sdk.signals import Signal
from gridloop.signals.rules import Defaults, ItemFault, parse_item

ROOT = FOLDER.parents[2]
NOW = datetime(2026, 5, 2, tzinfo=UTC)
MAPPINGS = pushes()[0]
SENT = sorted(file for file in FOLDER.glob("*/fixtures/*.json") if not file.name.endswith(".signals.json"))


def _told(item: dict[str, Any] | PushFault) -> Any:
    return {"fault": item.key, "pointer": item.pointer} if isinstance(item, PushFault) else item


@pytest.mark.parametrize("sent", SENT, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_a_push_becomes_its_signals(sent: Path) -> None:
    found = MAPPINGS[sent.parts[-3]].items(json.loads(sent.read_text(encoding="utf-8")))
    wanted = json.loads(sent.with_suffix(".signals.json").read_text(encoding="utf-8"))
    assert [_told(item) for item in found] == wanted
    for item in found:
        if not isinstance(item, PushFault):
            assert isinstance(parse_item(item, NOW, Defaults(at=NOW, id="-")), Signal)


@pytest.mark.parametrize("name", sorted(MAPPINGS))
def test_an_adapter_is_whole(name: str) -> None:
    kinds = yaml.safe_load((ROOT / "packs" / "signal_kinds.yaml").read_text(encoding="utf-8"))["kinds"]
    assert {reading.kind for reading in MAPPINGS[name].push.readings} <= kinds.keys()
    readme = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    assert f"?from={name}" in readme
    makes = [json.loads(file.read_text(encoding="utf-8")) for file in (FOLDER / name / "fixtures").glob("*.signals.json")]
    assert any("kind" in item for items in makes for item in items), "no fixture that becomes a signal"


_names = [
    "after",
    "msg",
    "position",
    "payload",
    "object",
    "deviceInfo",
    "devEui",
    "camera",
    "label",
    "value",
    "type",
    "at",
    "dev_id",
    "IMEI",
]
_leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["dataReport", "TMA"]))
_payload = st.recursive(
    _leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_names) | st.text(max_size=6), inner, max_size=5)
)


@given(st.sampled_from(sorted(MAPPINGS)), _payload)
def test_whatever_is_pushed_becomes_items_or_faults(name: str, payload: object) -> None:
    for item in MAPPINGS[name].items(payload):
        if isinstance(item, PushFault):
            continue
        with contextlib.suppress(ItemFault):
            assert parse_item(item, NOW, Defaults(at=NOW, id="-")).source == name


@given(st.sampled_from(["$.a", "$.a.b", "$['a']['b c']", "$.a.b.a"]), _payload | st.dictionaries(st.just("a"), _payload))
def test_a_path_of_names_is_followed_as_the_library_does(path: str, payload: object) -> None:
    push = msgspec.convert({"device": path, "readings": [{"kind": "rain"}]}, Push)
    mapping = PushMapping("x", push)
    assert mapping._names[path]
    found = [] if isinstance(payload, str) else jsonpath.findall(path, payload)  # type: ignore[arg-type]
    assert mapping._first(payload, path) == (found[0] if found else None)


def test_a_text_is_no_event_though_it_holds_json() -> None:
    assert MAPPINGS["onenet"].items("{") == []
    assert MAPPINGS["onenet"].items('{"msg": []}') == []
    assert MAPPINGS["onenet"].items({"msg": ['{"type": 1}', "{"]}) == []


def _mapping(folder: Path, push: dict[str, Any]) -> PushMapping:
    file = folder / "mine" / "manifest.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({"id": "mine", "title": {"zh": "我的", "en": "Mine"}, "described": "https://example.org", "push": push}))
    manifest = read_manifest(file)
    assert manifest.push
    return PushMapping(manifest.id, manifest.push)


def test_times_without_a_zone_are_local(tmp_path: Path) -> None:
    push = {"device": "$.d", "at": {"path": "$.t", "form": "%Y/%m/%d %H:%M"}, "readings": [{"kind": "rain", "value": "$.v", "factor": 0.1}]}
    (item,) = _mapping(tmp_path, push).items({"d": 12, "t": "2026/05/01 08:30", "v": "25"})
    assert not isinstance(item, PushFault)
    assert (item["at"], item["value"], item["device"]) == ("2026-05-01T08:30:00+08:00", 2.5, "12")


def test_events_of_one_second_that_say_something_else_are_two(tmp_path: Path) -> None:
    push = {"device": "$.cam", "at": {"path": "$.t"}, "data": {"plate": "$.plate"}, "readings": [{"kind": "vehicle_stopped"}]}
    seen = [{"cam": "c1", "t": "2026-05-01T00:00:00Z", "plate": plate} for plate in ("A1", "B2", "A1")]
    first, other, again = _mapping(tmp_path, push | {"each": "$[*]"}).items(seen)
    assert first == again != other
    assert isinstance(first, dict)
    assert isinstance(other, dict)
    assert first["id"] != other["id"]


def test_what_says_neither_time_nor_number_gets_no_name_from_its_content(tmp_path: Path) -> None:
    push = {"device": "$.d", "at": {"path": "$.t"}, "readings": [{"kind": "rain", "value": "$.v"}]}
    assert _mapping(tmp_path, push).items({"d": "a", "v": 1}) == [{"source": "mine", "device": "a", "kind": "rain", "value": 1.0}]
    (named,) = _mapping(tmp_path, push | {"id": "$.n"}).items({"d": "a", "v": 1, "n": 12})
    assert isinstance(named, dict)
    assert named["id"] == "12"


def test_what_cannot_be_read_says_where(tmp_path: Path) -> None:
    push = {"device": "$.d", "at": {"path": "$.t"}, "readings": [{"kind": "rain", "value": "$.v"}]}
    found = _mapping(tmp_path, push).items({"d": "a", "t": "gestern", "v": 1})
    found += _mapping(tmp_path, push).items({"d": "a", "t": "2026-05-01T00:00:00Z", "v": "viel"})
    found += _mapping(tmp_path, push).items({"t": "2026-05-01T00:00:00Z", "v": 1})
    assert [(item.key, item.pointer) for item in found if isinstance(item, PushFault)] == [
        ("signals.push_time", "$.t"),
        ("signals.push_number", "$.v"),
        ("signals.push_missing", "$.d"),
    ]


@pytest.mark.parametrize(
    ("push", "said"),
    [
        ({"device": "$.d", "readings": []}, "readings"),
        ({"device": "$.d", "readings": [{"kind": "Rain", "value": "$.v"}]}, "readings[0].kind"),
        ({"device": "$.d", "readings": [{"kind": "rain", "value": "$.["}]}, "selector"),
        ({"device": "d", "readings": [{"kind": "rain"}]}, "push.device"),
        ({"device": "$.d", "readings": [{"kind": "rain"}], "sorce": 1}, "sorce"),
        ({"device": "$.d", "readings": [{"kind": "rain"}], "at": {"path": "$.t", "zone": "Asia/Nowhere"}}, "Asia/Nowhere"),
    ],
)
def test_a_manifest_that_means_nothing_is_refused(tmp_path: Path, push: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestFault, match=r"manifest\.yaml") as refused:
        _mapping(tmp_path, push)
    assert said in str(refused.value)


def test_a_deployment_adds_its_own_and_a_broken_one_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapters").mkdir()
    _mapping(tmp_path / "adapters", {"device": "$.d", "readings": [{"kind": "rain", "value": "$.v"}]})
    broken = tmp_path / "adapters" / "broken" / "manifest.yaml"
    broken.parent.mkdir()
    broken.write_text("id: [")
    monkeypatch.setenv("GRIDLOOP_DATA_DIR", str(tmp_path))
    found, faults = pushes()
    assert found.keys() == MAPPINGS.keys() | {"mine"}
    assert [str(broken) in str(fault) for fault in faults] == [True]
