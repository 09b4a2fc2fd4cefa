"""The plain case at speed: bodies whose every item is well-formed, and well-formed items beside others.

What is taken here is what ``signals.rules.parse_item`` takes, to the same signal; whatever is in any way unusual is left to it, so that it
alone says what is wrong. A property test holds the two together.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Annotated, Any

import msgspec

from gridloop.doors.ingest.body import BOM, MOST_ITEMS
from gridloop.sdk.signals import Signal
from gridloop.signals.rules import (
    DEVICE_LENGTH,
    FUTURE,
    ID_LENGTH,
    OWN_SOURCE,
    PAST,
    SOURCE_LENGTH,
    ItemFault,
    check_characters,
    check_place,
    is_kind,
    is_time,
    parse_data,
)

STRIDE = 500  # items parsed before other requests have a turn

_NOT_PLAIN = (ValueError, ItemFault, OverflowError, RecursionError)  # what the library says is a ValueError


class _Place(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    lon: float
    lat: float


class _Item(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An item that says everything itself."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=SOURCE_LENGTH)]
    kind: str
    at: str
    device: Annotated[str, msgspec.Meta(max_length=DEVICE_LENGTH)] = ""
    value: float | None = None
    place: _Place | None = None
    data: dict[str, Any] | None = None


_one = msgspec.json.Decoder(_Item).decode
_many = msgspec.json.Decoder(list[_Item]).decode
_known_kind = lru_cache(1024)(is_kind)


class Reader:
    """Makes signals of what senders with a token of their own say at the moment ``now``."""

    def __init__(self, now: datetime) -> None:
        self._first, self._last = now - PAST, now + FUTURE

    async def body(self, body: bytes, ndjson: bool) -> list[Signal] | None:
        """Every signal of a body, or None when any of it is unusual."""
        body = body.removeprefix(BOM)
        if b"\\u0000" in body:  # the only way to write NUL in JSON: strings need no look of their own then
            return None
        try:
            items = _items(body, ndjson)
            if not 0 < len(items) <= MOST_ITEMS:
                return None
            signals: list[Signal] = []
            for start in range(0, len(items), STRIDE):
                signals += map(self._signal, items[start : start + STRIDE])
                await asyncio.sleep(0)
            return signals
        except _NOT_PLAIN:
            return None

    def item(self, raw: object) -> Signal | None:
        """The signal of an item that has been parsed already, or None when it is unusual."""
        try:
            item = msgspec.convert(raw, _Item)
            for text in (item.id, item.source, item.device):
                check_characters(text, "")
            return self._signal(item)
        except _NOT_PLAIN:
            return None

    def _signal(self, item: _Item) -> Signal:
        text = item.at
        if not is_time(text) or not _known_kind(item.kind) or item.source == OWN_SOURCE:
            raise ValueError
        at = datetime.fromisoformat(text).astimezone(UTC)
        if not self._first <= at <= self._last:
            raise ValueError
        value = item.value
        if value is not None and not isfinite(value):
            raise ValueError
        place, data = item.place, item.data
        if place is None and data is None:
            return Signal(item.id, item.source, item.device, item.kind, at, value)
        lon, lat = check_place(place.lon, place.lat) if place else (None, None)
        return Signal(item.id, item.source, item.device, item.kind, at, value, lon, lat, parse_data(data))


def _items(body: bytes, ndjson: bool) -> list[_Item]:
    if ndjson:
        return [_one(line) for line in body.split(b"\n") if line and not line.isspace()]
    return _many(body) if body.lstrip()[:1] == b"[" else [_one(body)]
