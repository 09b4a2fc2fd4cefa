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
from msgspec.structs import force_setattr

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


_Never = Annotated[float, msgspec.Meta(gt=0, lt=0)]  # what no item may say, not even null


class _Item(Signal, frozen=True, eq=False, forbid_unknown_fields=True, kw_only=True):
    """An item that says everything itself: read straight into the signal it is, but for a place and a time in another zone."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=SOURCE_LENGTH)]
    device: Annotated[str, msgspec.Meta(max_length=DEVICE_LENGTH)] = ""
    at: Time
    lon: _Never = None  # type: ignore[assignment]
    lat: _Never = None  # type: ignore[assignment]
    trace: _Never = ""  # type: ignore[assignment]
    data: dict[str, Any] | None = msgspec.field(default_factory=dict)  # type: ignore[assignment]
    place: _Place | None = None


_one = msgspec.json.Decoder(_Item).decode
_lines = msgspec.json.Decoder(_Item).decode_lines
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
                if start:
                    await asyncio.sleep(0)
                signals += self._signals(items[start : start + STRIDE])
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

    def _signals(self, items: Sequence[_Item]) -> Sequence[Signal]:
        kinds = {item.kind for item in items}
        if OWN_SOURCE in {item.source for item in items} or not all(map(is_kind, kinds)) or not kinds.isdisjoint(self._keeps):
            raise ValueError
        for item in items:
            if item.at.tzinfo is not UTC:
                force_setattr(item, "at", item.at.astimezone(UTC))
        times = [item.at for item in items]
        if not (self._first <= min(times) and max(times) <= self._last):
            raise ValueError
        if not isfinite(sum([item.value for item in items if item.value is not None])):
            raise ValueError
        return [_with_more(item) if item.place or item.data or item.data is None else item for item in items]


def _with_more(item: _Item) -> Signal:
    """An item that has a place or tells more, as a signal."""
    lon, lat = check_place(item.place.lon, item.place.lat) if item.place else (None, None)
    return Signal(item.id, item.source, item.device, item.kind, item.at, item.value, lon, lat, parse_data(item.data))


def _items(body: bytes, ndjson: bool) -> Sequence[_Item]:
    if not ndjson:
        return _many(body) if body.lstrip()[:1] == b"[" else [_one(body)]
    breaks = body.rstrip(b"\n").count(b"\n")
    if body.count(b"}\n{") != breaks:
        return [_one(line) for line in body.split(b"\n") if line and not line.isspace()]
    found = _lines(body)  # every line ends an object and the next begins one: it would also take several on one
    if len(found) != breaks + 1:
        raise ValueError
    return found
