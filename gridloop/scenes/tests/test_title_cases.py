"""What a case is called: by what was seen and where, without what nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gridloop.scenes.loading import load_all
from gridloop.scenes.rules import match
from gridloop.sdk.signals import Signal

AT = datetime(2026, 11, 2, tzinfo=UTC)
PACKS = {one.name: one.pack for one in load_all()}


@pytest.mark.parametrize(
    ("data", "place", "title"),
    [
        ({"group": "990101100001"}, "文昌路12号", "多台设备同时离线（文昌路12号 等）"),
        ({"group": "990101100001"}, "", "多台设备同时离线"),
        ({}, "文昌路12号", "设备离线或故障（文昌路12号）"),
        ({}, "", "设备离线或故障"),
    ],
)
def test_brackets_go_with_a_place_nobody_knows(data: dict[str, str], place: str, title: str) -> None:
    pack = PACKS["device_care"]
    assert pack is not None
    found = match(pack, 1, Signal("1", "test", "d1", "device_status", AT, 0.0, data=data), lambda signal: place)
    assert found is not None
    assert found.title == title
