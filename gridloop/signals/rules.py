"""Pure rules of signals: what a well-formed item is, and when a device is silent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from gridloop.kernel.errors import FieldFault
from gridloop.kernel.hashing import token_of
from gridloop.sdk.signals import Signal

PAST = timedelta(days=400)  # older than any sensible store-and-forward buffer: a device whose clock was reset
OWN_SOURCE = "gridloop"  # signals the platform makes itself, such as a silent device: nobody else may send under this name
FUTURE = timedelta(hours=1)  # more than clock drift: a wrong zone or a wrong year
ID_LENGTH, SOURCE_LENGTH, DEVICE_LENGTH = 128, 64, 64
DATA_BYTES = 16_384
SILENT_LEAST = timedelta(minutes=10)
SILENT_INTERVALS = 3
LOOK_GAP = timedelta(minutes=1)  # real time between two looks at devices beyond which we have been away

_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")
# an identity card, a mobile number, a picture or its address
_NO_PSEUDONYM = re.compile(r"(?<!\d)(\d{17}[\dXx]|1[3-9]\d{9})(?!\d)|^data:|https?://")
PSEUDONYM_LENGTH = 64  # no picture and no template of a face is that short
Keeps = Mapping[str, frozenset[str]]
NOTHING_NARROW: Keeps = {}
Time = Annotated[datetime, msgspec.Meta(tz=True)]  # RFC 3339 with a zone; a fraction finer than microseconds is rounded
_KNOWN = frozenset({"id", "source", "device", "kind", "at", "value", "place", "data"})


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the door knows about the sender: a device's own credential fixes ``device`` and makes ``source``, ``id``, ``at`` optional.

    ``at`` and ``id`` stand for those an item does not say.
    """

    device: str = ""
    kind: str = ""
    at: datetime | None = None
    id: str = ""


class ItemFault(Exception):
    """Why one item is refused; the others of its batch are kept."""

    def __init__(self, pointer: str, key: str, **params: Any) -> None:
        super().__init__(key)
        self.fault = FieldFault(pointer, key, params)


def parse_item(raw: object, now: datetime, defaults: Defaults | None = None, keeps: Keeps = NOTHING_NARROW) -> Signal:
    """The signal an item says, or ``ItemFault``. ``keeps``: kinds of whose data only the named parts may come in."""
    if not isinstance(raw, Mapping):
        raise ItemFault("", "signals.not_an_object")
    known = defaults or Defaults()
    unknown = sorted(str(k) for k in raw.keys() - _KNOWN)
    if unknown:
        raise ItemFault(f"/{unknown[0]}", "signals.unknown_field", field=unknown[0], known=", ".join(sorted(_KNOWN)))
    device = _device(raw, known)
    kind = _text(raw, "kind", 64, known.kind)
    if not is_kind(kind):
        raise ItemFault("/kind", "signals.bad_kind", kind=kind[:64])
    at = _time(raw.get("at"), now, known.at)
    lon, lat = _place(raw.get("place"))
    own = bool(known.device)
    source = _text(raw, "source", SOURCE_LENGTH, "device" if own else "")
    if source == OWN_SOURCE:
        raise ItemFault("/source", "signals.own_source", source=source)
    return Signal(
        id=_text(raw, "id", ID_LENGTH, known.id or (f"{device}:{kind}:{at.isoformat()}" if own else "")),
        source=source,
        device=device,
        kind=kind,
        at=at,
        value=_value(raw.get("value")),
        lon=lon,
        lat=lat,
        data=narrow(kind, parse_data(raw.get("data")), keeps),
    )


def is_kind(text: str) -> bool:
    return _KIND.fullmatch(text) is not None


def _device(raw: Mapping[str, Any], known: Defaults) -> str:
    device = _text(raw, "device", DEVICE_LENGTH, known.device, needed=False)
    if known.device and device != known.device:
        raise ItemFault("/device", "signals.other_device", device=device, own=known.device)
    return device


def _text(raw: Mapping[str, Any], name: str, longest: int, default: str = "", *, needed: bool = True) -> str:
    value = raw.get(name)
    if value is None or value == "":
        if default or not needed:
            return default
        raise ItemFault(f"/{name}", "signals.missing", field=name)
    if not isinstance(value, str):
        raise ItemFault(f"/{name}", "signals.not_text", field=name)
    if len(value) > longest:
        raise ItemFault(f"/{name}", "signals.too_long", field=name, most=longest)
    check_characters(value, f"/{name}")
    return value


def check_characters(value: str, pointer: str) -> None:
    """NUL cannot be stored; a lone surrogate is what is left of bytes that were not UTF-8."""
    if "\x00" in value:
        raise ItemFault(pointer, "signals.nul")
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise ItemFault(pointer, "signals.encoding")


def _time(value: object, now: datetime, default: datetime | None) -> datetime:
    if value is None and default is not None:
        at = default
    else:
        if value is None or value == "":
            raise ItemFault("/at", "signals.missing", field="at")
        try:
            at = msgspec.convert(value, Time).astimezone(UTC)
        except (ValueError, OverflowError):  # what the library says is a ValueError
            raise ItemFault("/at", "signals.bad_time", at=str(value)[:40]) from None
    if at < now - PAST:
        raise ItemFault("/at", "signals.too_old", at=at.isoformat(), now=now.isoformat(timespec="seconds"), days=PAST.days)
    if at > now + FUTURE:
        raise ItemFault("/at", "signals.in_future", at=at.isoformat(), now=now.isoformat(timespec="seconds"))
    return at


def _number(value: object, pointer: str, name: str) -> float:
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float):
        raise ItemFault(pointer, "signals.not_number", field=name)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ItemFault(pointer, "signals.not_finite", field=name)
    return number


def _value(value: object) -> float | None:
    return None if value is None else _number(value, "/value", "value")


def _place(place: object) -> tuple[float | None, float | None]:
    if place is None:
        return None, None
    if not isinstance(place, Mapping) or not {"lon", "lat"} <= place.keys():
        raise ItemFault("/place", "signals.bad_place")
    return check_place(_number(place["lon"], "/place/lon", "lon"), _number(place["lat"], "/place/lat", "lat"))


def check_place(lon: float, lat: float) -> tuple[float, float]:
    """A longitude and a latitude that can be meant, or ``ItemFault``."""
    if abs(lat) > 90 and abs(lon) <= 90 and abs(lat) <= 180:
        raise ItemFault("/place", "signals.swapped", lon=lon, lat=lat)
    if abs(lon) > 180 or abs(lat) > 90:
        raise ItemFault("/place", "signals.outside", lon=lon, lat=lat)
    if lon == 0 and lat == 0:
        raise ItemFault("/place", "signals.null_island")
    return lon, lat


def parse_data(data: object) -> Mapping[str, Any]:
    """What else an item tells, or ``ItemFault``."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise ItemFault("/data", "signals.data_not_object")
    size = _check_tree(data, "/data", 0)
    if size > DATA_BYTES:
        raise ItemFault("/data", "signals.data_too_big", most=DATA_BYTES)
    return data


def narrow(kind: str, data: Mapping[str, Any], keeps: Keeps) -> Mapping[str, Any]:
    """Data of a kind that must not say more than it needs, or ``ItemFault``: what is refused here is never written down."""
    allowed = keeps.get(kind)
    if allowed is None:
        return data
    for name, value in data.items():
        if name not in allowed:
            raise ItemFault(f"/data/{name}", "signals.data_not_kept", kind=kind, field=name, known=", ".join(sorted(allowed)))
        if not isinstance(value, str) or _NO_PSEUDONYM.search(value) or len(value) > PSEUDONYM_LENGTH:
            raise ItemFault(f"/data/{name}", "signals.no_pseudonym", field=name, most=PSEUDONYM_LENGTH)
    return data


def _check_tree(value: object, pointer: str, depth: int) -> int:
    """Characters stand, figures finite, not too deep; answers the rough size in bytes."""
    if depth > 16:
        raise ItemFault("/data", "signals.data_too_deep")
    if isinstance(value, str):
        check_characters(value, pointer)
        return len(value) if value.isascii() else 3 * len(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        _number(value, pointer, pointer)
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ItemFault(pointer, "signals.not_finite", field=pointer)
        return 8
    if isinstance(value, Mapping):
        return sum(_check_tree(k, pointer, depth + 1) + _check_tree(v, f"{pointer}/{k}", depth + 1) for k, v in value.items())
    if isinstance(value, list):
        return sum(_check_tree(v, f"{pointer}/{i}", depth + 1) for i, v in enumerate(value))
    return 4


def silent_after(interval_seconds: int) -> timedelta:
    """How long a device may be unheard before it counts as silent."""
    return max(SILENT_INTERVALS * timedelta(seconds=interval_seconds), SILENT_LEAST)


@dataclass(frozen=True, slots=True)
class Watch:
    """Since when this worker has been looking without a break: what was not heard before that may be our own absence."""

    since: datetime
    looked: datetime

    @classmethod
    def again(cls, before: Watch | None, now: datetime, rate: float) -> Watch:
        """One more look. After a standstill, or a jump of the deployment's clock, the watch begins anew."""
        if before is None or not timedelta(0) <= now - before.looked <= LOOK_GAP * max(rate, 1.0):
            return cls(now, now)
        return cls(before.since, now)

    def silent(self, last_seen: datetime, interval_seconds: int) -> bool:
        """Whether a device has had its time while we were there to hear it."""
        return self.looked - max(last_seen, self.since) > silent_after(interval_seconds)


@dataclass(frozen=True, slots=True)
class Marks:
    """What a signal of a person to be erased is known by."""

    identities: frozenset[tuple[str, str]] = frozenset()
    devices: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()

    def hit(self, signal: Signal) -> bool:
        return signal.identity in self.identities or (signal.device in self.devices and bool(signal.device)) or self.named_in(signal.data)

    def named_in(self, value: object) -> bool:
        """Whether any text of the data holds one of the words."""
        if isinstance(value, str):
            return any(word in value for word in self.words)
        if isinstance(value, Mapping):
            return any(self.named_in(k) or self.named_in(v) for k, v in value.items())
        return isinstance(value, list) and any(self.named_in(v) for v in value)


ERASED_TEXT = r'^\{"erased":"[^"\\]*"\}$'  # of the data of an erased signal, as it stands in the files of history


def erased(signal: Signal, rule: str) -> Signal:
    """What stays of an erased signal: that there was one, when and of which kind."""
    return replace(signal, lon=None, lat=None, data={"erased": rule})


def was_erased(data: Mapping[str, object]) -> bool:
    """Whether it is the data of an erased signal: nobody learns from it any more."""
    return len(data) == 1 and isinstance(data.get("erased"), str)


TOKENS = ("token", "plate", "zone")  # of a signal's data: what it names, the first there is


def token_in(data: Mapping[str, Any]) -> int:
    return token_of(token_text(data))


def token_text(data: Mapping[str, Any]) -> str:
    """What the token of a signal is made of; empty for none."""
    for name in TOKENS:
        if isinstance(found := data.get(name), str | int) and found != "":
            return str(found)
    return ""


def named(number: str, source: str) -> int:
    """Readings are the same by device, kind and time, all else by source and id, as for their effects."""
    return int.from_bytes(blake2b(f"{source}\0{number}".encode(), digest_size=8).digest()) >> 1


class Row(NamedTuple):
    """A signal of the history and when it arrived."""

    signal: Signal
    arrived: datetime


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def row_key(row: Row) -> tuple[object, ...]:
    """What makes two rows of the history the same one."""
    return row.signal.reading_key if row.signal.is_reading else row.signal.identity
