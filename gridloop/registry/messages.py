"""Record shapes of the registry: what loaders and importers take. References are codes (plates, USCC); the loader finds the ids.

``region_code`` may be left '' where a building, house or household gives it. Coordinates are WGS-84 degrees, footprints WKB bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class BuildingRow:
    code: str
    region_code: str
    name: str
    address: str = ""
    floors: int = 1
    lon: float | None = None
    lat: float | None = None
    footprint: bytes | None = None


@dataclass(frozen=True, slots=True)
class HouseRow:
    code: str
    building: str
    room: str
    floor: int = 1
    kind: str = "home"  # home | rented | shop | office | vacant …
    region_code: str = ""


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    code: str
    house: str = ""
    region_code: str = ""
    doorplate: str = ""


@dataclass(frozen=True, slots=True)
class PersonRow:
    code: str
    name: str
    household: str = ""
    region_code: str = ""
    sex: str = "U"  # M | F | U
    birth: date | None = None
    citizen_id_no: str = ""
    phone: str = ""
    tags: tuple[str, ...] = ()  # lone_elder, child_at_risk, left_behind …
    pinyin: str = ""


@dataclass(frozen=True, slots=True)
class EnterpriseRow:
    uscc: str
    name: str
    region_code: str
    address: str = ""
    industry: str = ""
    employees: int = 0
    lon: float | None = None
    lat: float | None = None
    contact_name: str = ""
    contact_phone: str = ""
    building: str = ""


@dataclass(frozen=True, slots=True)
class VehicleRow:
    """At most one of ``person`` (code) and ``enterprise`` (USCC)."""

    plate: str
    region_code: str = ""
    kind: str = "car"
    person: str = ""
    enterprise: str = ""


@dataclass(frozen=True, slots=True)
class PlaceRow:
    code: str
    name: str
    kind: str
    region_code: str
    address: str = ""
    lon: float | None = None
    lat: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceRow:
    code: str
    kind: str
    region_code: str
    name: str = ""
    lon: float | None = None
    lat: float | None = None
    owner_unit: str = ""  # unit code
    place: str = ""
    building: str = ""
    household: str = ""
    coverage: float | None = None  # metres
    interval_seconds: int = 3600
    status: str = "unproved"  # online | silent | faulty | unproved
    last_seen: datetime | None = None
    last_value: float | None = None


RegistryRow = BuildingRow | HouseRow | HouseholdRow | PersonRow | EnterpriseRow | VehicleRow | PlaceRow | DeviceRow


@dataclass(frozen=True, slots=True)
class AddressTold:
    """An address and where it is; ``ref``: ``building:CODE`` or ``case:CODE``."""

    ref: str
    region: str
    address: str
    lon: float
    lat: float
