"""What the selectors of the registry hand out. ``masked`` says whether personal columns are hidden."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class PersonView:
    """Masked: surname only, partial numbers, address to the building, no date of birth and no tags (they may name special groups)."""

    id: int
    code: str
    name: str
    sex: str
    birth: date | None
    age: int | None
    citizen_id_no: str
    phone: str
    tags: list[str]
    household: str | None
    address: str
    region_code: str
    masked: bool


@dataclass(frozen=True, slots=True)
class HouseView:
    id: int
    code: str
    building: str
    building_name: str
    address: str
    floor: int
    room: str
    kind: str
    region_code: str
    lon: float | None
    lat: float | None


@dataclass(frozen=True, slots=True)
class BuildingView:
    id: int
    code: str
    name: str
    address: str
    floors: int
    region_code: str
    lon: float | None
    lat: float | None
    distance_m: float | None = None


@dataclass(frozen=True, slots=True)
class EnterpriseView:
    id: int
    uscc: str
    name: str
    region_code: str
    address: str
    industry: str
    employees: int
    lon: float | None
    lat: float | None
    contact_name: str
    contact_phone: str
    masked: bool


@dataclass(frozen=True, slots=True)
class VehicleView:
    id: int
    plate: str
    kind: str
    region_code: str
    owner_kind: str  # person | enterprise | ''
    masked: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """Someone who may be written to: opened for a purpose and logged. ``subject`` is the id for seals and looks."""

    subject: str
    name: str
    phone: str
    region_code: str


@dataclass(frozen=True, slots=True)
class PlaceView:
    id: int
    code: str
    name: str
    kind: str
    region_code: str
    address: str
    lon: float | None
    lat: float | None
    tags: list[str]


@dataclass(frozen=True, slots=True)
class DevicePoint:
    """A device on the map."""

    code: str
    name: str
    lon: float
    lat: float
    status: str


@dataclass(frozen=True, slots=True)
class DeviceView:
    """``private``: in a household, whether or not the viewer sees which. What it says tells of a life: except for the platform itself

    ``last_value`` is left out and ``last_seen`` is the day.
    """

    id: int
    code: str
    kind: str
    name: str
    region_code: str
    lon: float | None
    lat: float | None
    owner_unit_id: int | None
    place: str | None
    building: str | None
    household: str | None
    coverage: float | None
    interval_seconds: int
    status: str
    last_seen: datetime | None
    last_value: float | None
    place_name: str = ""
    private: bool = False


class AbsenceView(NamedTuple):
    """A time for which a household has told that nobody is at home."""

    id: int
    household: str
    since: datetime
    till: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True)
class CoveringDevice:
    """A device that watches a place; ``metres`` between them, None when it is only told that it does."""

    code: str
    name: str
    kind: str
    status: str
    metres: float | None


@dataclass(frozen=True, slots=True)
class CoveredPlace:
    """A key place with those who watch it, the best first, and how many they are in all; ``state``: covered, weak, uncovered."""

    id: int
    code: str
    name: str
    kind: str
    region_code: str
    lon: float | None
    lat: float | None
    state: str
    devices: list[CoveringDevice]
    device_count: int


@dataclass(frozen=True, slots=True)
class StatusChange:
    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DayOfDevice:
    """``online``: share of the day, 0 to 1; ``failures``: how often it fell silent or was called faulty."""

    day: date
    online: float
    failures: int


@dataclass(frozen=True, slots=True)
class DayOfDevices:
    """How many devices had each status at the day's end, and how often one failed in it."""

    day: date
    counts: dict[str, int]
    failures: int


@dataclass(frozen=True, slots=True)
class FailingDevice:
    code: str
    name: str
    status: str
    failures: int


class DeviceKeys(NamedTuple):
    """What detectors need to know of a device: where it is, how often it should be heard, and whose it is."""

    id: int
    code: str
    region: str
    interval_seconds: int
    household: str | None
    place: str | None
    building: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """By what a person to be erased is known elsewhere: words nobody else of the registry bears, and devices that watched them alone."""

    number: int
    words: frozenset[str]
    devices: frozenset[str]
