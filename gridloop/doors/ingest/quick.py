"""The plain case at speed: bodies whose every item is well-formed, and well-formed items beside others.

What is taken here is what ``signals.rules.parse_item`` takes, to the same signal; whatever is in any way unusual is left to it, so that it
alone says what is wrong. A property test holds the two together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any

import msgspec

from gridloop.doors.ingest.body import BOM, MOST_ITEMS
from gridloop.sdk.signals import Signal
from gridloop.signals.rules import (
    DEVICE_LENGTH,
    FUTURE,
    ID_LENGTH,
    NOTHING_NARROW,
    OWN_SOURCE,
    PAST,
    SOURCE_LENGTH,
    ItemFault,
    Keeps,
    Time,
    check_characters,
    check_place,
    is_kind,
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
    at: Time
    device: Annotated[str, msgspec.Meta(max_length=DEVICE_LENGTH)] = ""
    value: float | None = None
    place: _Place | None = None
    data: dict[str, Any] | None = None


_one = msgspec.json.Decoder(_Item).decode
_many = msgspec.json.Decoder(list[_Item]).decode


class Reader:
    """Makes signals of what senders with a token of their own say at the moment ``now``."""

    def __init__(self, now: datetime, keeps: Keeps = NOTHING_NARROW) -> None:
        self._keeps = keeps
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
                signals += self._signals(items[start : start + STRIDE])
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
            return self._signals([item])[0]
        except _NOT_PLAIN:
            return None

    def _signals(self, items: Sequence[_Item]) -> list[Signal]:
        kinds = {item.kind for item in items}
        if OWN_SOURCE in {item.source for item in items} or not all(map(is_kind, kinds)) or not kinds.isdisjoint(self._keeps):
            raise ValueError
        first, last, made = self._first, self._last, list[Signal]()
        for item in items:
            at = item.at if item.at.tzinfo is UTC else item.at.astimezone(UTC)
            if not first <= at <= last:
                raise ValueError
            value, place, data = item.value, item.place, item.data
            if value is not None and not isfinite(value):
                raise ValueError
            if place is None and data is None:
                made.append(Signal(item.id, item.source, item.device, item.kind, at, value))
            else:
                lon, lat = check_place(place.lon, place.lat) if place else (None, None)
                made.append(Signal(item.id, item.source, item.device, item.kind, at, value, lon, lat, parse_data(data)))
        return made


def _items(body: bytes, ndjson: bool) -> list[_Item]:
    if ndjson:
        return [_one(line) for line in body.split(b"\n") if line and not line.isspace()]
    return _many(body) if body.lstrip()[:1] == b"[" else [_one(body)]
