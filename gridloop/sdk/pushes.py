"""What an outside platform pushes, as signals: said in an adapter's ``manifest.yaml`` by JSONPath (RFC 9535), not by a program.

One payload holds one event or many (``each``); of an event every reading that is there becomes one signal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import jsonpath
import msgspec
import yaml
from jsonpath.segments import JSONPathChildSegment
from jsonpath.selectors import NameSelector

from gridloop.kernel import plain_yaml

Item = dict[str, Any]
Words = dict[str, str]
PathText = Annotated[str, msgspec.Meta(pattern=r"^\$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class ManifestFault(ValueError):
    """A manifest that says nothing we understand; its text names the file and the place in it."""


class PushFault(Exception):
    """Why an event gives no signal: a text key with its parameters, and the path it is about."""

    def __init__(self, pointer: str, key: str, **params: Any) -> None:
        super().__init__(key)
        self.pointer, self.key, self.params = pointer, key, params


class When(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``path`` finds something, one of ``is`` when that is given."""

    path: PathText
    one_of: list[str | float | bool] | None = msgspec.field(name="is", default=None)


class Moment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``form``: rfc3339, seconds, milliseconds (since 1970), or a pattern of ``strptime``; ``zone`` for times that say none."""

    path: PathText
    form: str = "rfc3339"
    zone: str = "Asia/Shanghai"


class Place(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Degrees, WGS84."""

    lon: PathText
    lat: PathText


class Reading(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One signal of an event: a ``value`` found by a path, always the same, or none; its ``words`` as numbers; times ``factor``."""

    kind: Name
    value: PathText | float | None = None
    words: dict[str, float] = {}
    factor: float = 1.0
    when: list[When] = []
    data: dict[Name, PathText] = {}


class Push(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How events are found and read. Paths in it begin at the event, ``each`` at the payload."""

    device: PathText
    readings: Annotated[list[Reading], msgspec.Meta(min_length=1)]
    each: PathText = "$"
    id: PathText | None = None
    at: Moment | None = None
    place: Place | None = None
    when: list[When] = []
    data: dict[Name, PathText] = {}


class Title(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Both languages."""

    zh: str
    en: str


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A device adapter: one that is told by HTTP (``push``), or one that reads by itself (``reader.py`` beside it).

    ``described``: where the platform's maker, or the standard, says what is sent.
    """

    id: Name
    title: Title
    described: str
    push: Push | None = None


def read_manifest(file: Path) -> Manifest:
    """Raises ``ManifestFault``."""
    try:
        found = msgspec.convert(plain_yaml.read(file), Manifest)
        if found.push:
            PushMapping(found.id, found.push)
    except (OSError, ValueError, LookupError, yaml.YAMLError) as fault:
        raise ManifestFault(f"{file}: {str(fault).splitlines()[0]}") from fault
    if found.id != file.parent.name:
        raise ManifestFault(f"{file}: id {found.id!r} is not the folder's name {file.parent.name!r}")
    return found


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("$"):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _paths(inner)


class PushMapping:
    """A ``push`` at work; its signals come from ``source``. Raises ``ValueError`` for a path or zone that is none."""

    def __init__(self, source: str, push: Push) -> None:
        self.source, self.push = source, push
        try:
            self._compiled = {path: jsonpath.compile(path) for path in _paths(msgspec.to_builtins(push))}
        except jsonpath.JSONPathError as fault:
            raise ValueError(str(fault).splitlines()[0]) from fault
        self._names = {path: names for path, compiled in self._compiled.items() if (names := _plain(compiled))}
        self._zone = ZoneInfo(push.at.zone if push.at else "UTC")

    def items(self, payload: Any) -> list[Item | PushFault]:
        """All that ``events`` finds in one list."""
        return [item for items in self.events(payload) for item in items]

    def events(self, payload: Any) -> Iterator[list[Item | PushFault]]:
        """What ``POST /api/v1/signals`` takes, event by event; an unreadable one stands as its fault, one that says nothing is empty.

        An item without ``id`` and ``at`` is of an event that has neither: it happened when it came, and each coming is one.
        """
        for event in self._events(payload):
            try:
                yield [*self._of(event)]
            except PushFault as fault:
                yield [fault]

    def _events(self, payload: Any) -> Iterator[Any]:
        if isinstance(payload, str):
            return
        for match in self._compiled[self.push.each].finditer(payload):
            yield from match.obj if isinstance(match.obj, list) else [match.obj]

    def _of(self, event: Any) -> list[Item]:
        push = self.push
        if not self._holds(event, push.when):
            return []
        meant = [one for one in push.readings if self._holds(event, one.when)]
        readings = [(one, value) for one in meant if (value := self._value(event, one)) is not None or one.value is None]
        if not readings:
            return []
        device = self._first(event, push.device)
        if device is None or isinstance(device, Mapping | list):
            raise PushFault(push.device, "signals.push_missing", path=push.device)
        common: Item = {"source": self.source, "device": str(device)} | self._at(event) | self._place(event)
        number = self._first(event, push.id) if push.id else None
        return [self._item(event, common, one, value, number) for one, value in readings]

    def _item(self, event: Any, common: Item, one: Reading, value: float | None, number: Any) -> Item:
        item = common | {"kind": one.kind} | ({} if value is None else {"value": value})
        data = {name: told for name, path in (self.push.data | one.data).items() if (told := self._first(event, path)) is not None}
        if data:
            item["data"] = data
        if number is not None:
            return item | {"id": f"{number}:{one.kind}" if len(self.push.readings) > 1 else str(number)}
        if "at" not in item:  # nothing tells a second event from the first one sent again: who receives it gives it a name
            return item
        said = json.dumps(item, sort_keys=True)  # the same push sent again is the same signal
        return item | {"id": sha256(said.encode()).hexdigest()[:32]}

    def _first(self, event: Any, path: str) -> Any:
        """What the path leads to first, None for nothing. A text has no parts: the library would read it as a document of JSON."""
        names = self._names.get(path)
        if names is None:
            return None if isinstance(event, str) else next((match.obj for match in self._compiled[path].finditer(event)), None)
        for name in names:
            if not isinstance(event, dict):
                return None
            event = event.get(name)
        return event

    def _holds(self, event: Any, conditions: list[When]) -> bool:
        for one in conditions:
            found = self._first(event, one.path)
            if found is None or (one.one_of is not None and not any(_same(found, wanted) for wanted in one.one_of)):
                return False
        return True

    def _value(self, event: Any, one: Reading) -> float | None:
        if not isinstance(one.value, str):
            return one.value
        found = self._first(event, one.value)
        if found is None:
            return None
        if one.words:
            if str(found) not in one.words:
                raise PushFault(one.value, "signals.push_word", path=one.value, value=str(found)[:40], known=", ".join(one.words))
            return one.words[str(found)]
        try:
            return float(found) * one.factor
        except (TypeError, ValueError, OverflowError):
            raise PushFault(one.value, "signals.push_number", path=one.value, value=str(found)[:40]) from None

    def _at(self, event: Any) -> Item:
        told = self.push.at
        found = self._first(event, told.path) if told else None
        if told is None or found is None:
            return {}
        try:
            return {"at": _moment(told, found, self._zone).isoformat()}
        except (TypeError, ValueError, OverflowError, OSError):
            raise PushFault(told.path, "signals.push_time", path=told.path, value=str(found)[:40], form=told.form) from None

    def _place(self, event: Any) -> Item:
        told = self.push.place
        lon, lat = (self._first(event, told.lon), self._first(event, told.lat)) if told else (None, None)
        if told is None or lon is None or lat is None:
            return {}
        try:
            return {"place": {"lon": float(lon), "lat": float(lat)}}
        except (TypeError, ValueError, OverflowError):
            raise PushFault(told.lon, "signals.bad_place") from None


def _plain(path: Any) -> list[str]:
    """The names of a path of nothing else, such as ``$.position.speed``: they are followed at a tenth of the library's cost."""
    if not isinstance(path, jsonpath.JSONPath) or path.pseudo_root:
        return []
    names = []
    for segment in path.segments:
        selector = segment.selectors[0]
        if not isinstance(segment, JSONPathChildSegment) or len(segment.selectors) > 1 or not isinstance(selector, NameSelector):
            return []
        names.append(selector.name)
    return names


def _same(found: Any, wanted: str | float | bool) -> bool:
    """A flag is no number: ``true`` is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def _moment(told: Moment, found: Any, zone: ZoneInfo) -> datetime:
    if told.form in ("seconds", "milliseconds"):
        return datetime.fromtimestamp(float(found) / (1000 if told.form == "milliseconds" else 1), zone)
    at = msgspec.convert(found, datetime) if told.form == "rfc3339" else datetime.strptime(found, told.form)  # noqa: DTZ007 (the next line)
    return at if at.tzinfo else at.replace(tzinfo=zone)
