"""Shapes of the registry at the HTTP door. Personal columns are masked unless a purpose and a reason came with the request."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from ninja import Field
from pydantic import AwareDatetime

from gridloop.journal.shapes import Schema
from gridloop.orgs.schemas import TEXT, Named, PageQuery


class LookQuery(Schema):
    """``purpose`` (a known one) and ``reason`` open the masked columns; the look is written down."""

    purpose: str = Field("", max_length=40, pattern=TEXT)
    reason: str = Field("", max_length=400, pattern=TEXT)


class ThingQuery(PageQuery, LookQuery):
    pass


class PersonQuery(PageQuery, LookQuery):
    household: str = Field("", max_length=64, pattern=TEXT)


class KindQuery(PageQuery):
    kind: str = Field("", max_length=32, pattern=TEXT)


class ReportCodesQuery(PageQuery):
    """At most 50 codes: each is worked out in up to a tenth of a second."""

    limit: int = Field(24, ge=1, le=50)


class HouseQuery(PageQuery):
    building: str = Field("", max_length=64, pattern=TEXT)


class DeviceQuery(KindQuery):
    status: Literal["", "online", "silent", "faulty", "unproved"] = ""


class DevicePointOut(Schema):
    code: str
    name: str
    lon: float
    lat: float
    status: str


class DeviceMap(Schema):
    """At most 10,000 devices, those that are not well first."""

    items: list[DevicePointOut]


class PointOut(Schema):
    lon: float
    lat: float


class PersonOut(Schema):
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
    region: str
    region_name: str
    masked: bool


class PersonPage(Schema):
    items: list[PersonOut]
    next: str | None


class AbsenceIn(Schema):
    """Nobody is at home from ``since`` to ``till``."""

    since: AwareDatetime
    till: AwareDatetime


class AbsenceOut(AbsenceIn):
    id: int
    household: str
    told_at: datetime


class AbsenceList(Schema):
    """Now and to come, the earliest first."""

    items: list[AbsenceOut]


class HouseOut(Schema):
    id: int
    code: str
    building: str
    building_name: str
    address: str
    floor: int
    room: str
    kind: str
    region: str
    region_name: str
    place: PointOut | None


class HousePage(Schema):
    items: list[HouseOut]
    next: str | None


class EnterpriseOut(Schema):
    id: int
    uscc: str
    name: str
    address: str
    industry: str
    employees: int
    contact_name: str
    contact_phone: str
    region: str
    region_name: str
    place: PointOut | None
    masked: bool


class EnterprisePage(Schema):
    items: list[EnterpriseOut]
    next: str | None


class VehicleOut(Schema):
    id: int
    plate: str
    kind: str
    owner_kind: str
    region: str
    region_name: str
    masked: bool


class VehiclePage(Schema):
    items: list[VehicleOut]
    next: str | None


class PlaceOut(Schema):
    id: int
    code: str
    name: str
    kind: str
    address: str
    tags: list[str]
    region: str
    region_name: str
    place: PointOut | None


class ReportCodeOut(Schema):
    """``svg``: the QR code of ``url``, the page where whoever stands at the place reports it."""

    code: str
    name: str
    address: str
    url: str
    svg: str


class ReportCodePage(Schema):
    items: list[ReportCodeOut]
    next: str | None


class PlacePage(Schema):
    items: list[PlaceOut]
    next: str | None


class Coded(Schema):
    code: str
    name: str


class DeviceOut(Schema):
    """``subject`` is what the device watches: a household, building or key place, by code.

    ``private``: in a household; then ``last_value`` is left out and ``last_seen`` is the day. Readings are opened for a purpose.
    """

    id: int
    code: str
    kind: str
    name: str
    status: str
    region: str
    region_name: str
    place: PointOut | None
    owner_unit: Named | None
    subject: str | None
    key_place: Coded | None
    coverage: float | None
    interval_seconds: int
    last_seen: datetime | None
    last_value: float | None
    private: bool


class DevicePage(Schema):
    items: list[DeviceOut]
    next: str | None
    counts: dict[str, int]


class CoverageQuery(PageQuery):
    """``kind``: only devices of this kind count; ``place_kind`` and ``state``: only such key places are listed."""

    kind: str = Field("", max_length=32, pattern=TEXT)
    place_kind: str = Field("", max_length=32, pattern=TEXT)
    state: Literal["", "uncovered", "weak", "covered"] = ""


class CoveringDeviceOut(Schema):
    """``metres`` to the place; null when the device is only told to watch it."""

    code: str
    name: str
    kind: str
    status: str
    metres: float | None


class CoveredPlaceOut(Schema):
    """``covered``: an online device watches it; ``weak``: only others do; at most five devices are named, the best first."""

    id: int
    code: str
    name: str
    kind: str
    region: str
    region_name: str
    place: PointOut | None
    state: Literal["uncovered", "weak", "covered"]
    devices: list[CoveringDeviceOut]
    device_count: int


class CoveragePage(Schema):
    """Key places, the unwatched first; ``counts`` of each state before ``state`` is asked for."""

    items: list[CoveredPlaceOut]
    next: str | None
    counts: dict[str, int]


class DaysQuery(Schema):
    days: int = Field(30, ge=1, le=90)


class TrendQuery(DaysQuery):
    region: str = Field("", max_length=21, pattern=r"^[0-9]*$")
    kind: str = Field("", max_length=32, pattern=TEXT)


class DayOfDeviceOut(Schema):
    """``online``: share of the day; ``failures``: how often it fell silent or was called faulty."""

    day: date
    online: float
    failures: int


class DeviceHealth(Schema):
    items: list[DayOfDeviceOut]


class DayOfDevicesOut(Schema):
    """``counts``: how many had each status when the day ended; ``failures``: how often one fell silent or was called faulty."""

    day: date
    counts: dict[str, int]
    failures: int


class FailingDeviceOut(Schema):
    code: str
    name: str
    status: str
    failures: int


class DeviceTrend(Schema):
    """Days, today last, of the devices there are today; ``worst``: those that failed most often in them."""

    items: list[DayOfDevicesOut]
    worst: list[FailingDeviceOut]


class DevicePlace(Schema):
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)


class DeviceIn(Schema):
    """What an administrator says of a device; its region follows from the place. ``interval_seconds``: how often it should be heard."""

    kind: str = Field(max_length=32, pattern=TEXT)
    name: str = Field("", max_length=128, pattern=TEXT)
    place: DevicePlace
    owner_unit: int | None = Field(None, ge=0, le=2**62)
    key_place: str = Field("", max_length=64, pattern=TEXT, description="code of the key place it watches")
    coverage: float | None = Field(None, ge=0, le=100_000, description="metres")
    interval_seconds: int = Field(3600, ge=1, le=31_536_000)


class StatusIn(Schema):
    status: Literal["online", "silent", "faulty", "unproved"]


class SecretOut(Schema):
    """Shown this once; it is kept as a hash only."""

    secret: str


# --- units and staff: rows of the orgs room, shown here because their numbers are masked and opened like people's


class UnitQuery(PageQuery, LookQuery):
    """With ``duty`` the competent units come back, most specific first; then ``region`` is where and ``type`` what."""

    duty: str = Field("", max_length=32, pattern=TEXT)
    type: str = Field("", max_length=8, pattern=TEXT)
    kind: str = Field("", max_length=32, pattern=TEXT)
    parent: int | None = Field(None, ge=0, le=2**62)
    retired: bool = Field(False, description="those out of service instead")


class StaffQuery(PageQuery, LookQuery):
    unit: int | None = Field(None, ge=0, le=2**62)
    retired: bool = Field(False, description="those who left instead")


class UnitOut(Schema):
    id: int
    code: str
    name: str
    kind: str
    parent: int | None
    region: str
    region_name: str
    department: str | None
    department_name: str | None
    presence: str
    phone: str
    masked: bool
    active: bool
    post: Named | None = None


class UnitPage(Schema):
    items: list[UnitOut]
    next: str | None


class StaffOut(Schema):
    id: int
    code: str
    name: str
    unit: Named
    phone: str
    masked: bool
    active: bool
    role: str
    on_duty: bool
    duty: str | None
    duty_commander: bool
    shift_until: datetime | None


class StaffPage(Schema):
    items: list[StaffOut]
    next: str | None


class DutyOut(Schema):
    """Who answers for a unit now; ``source`` ``roster``, or ``unit`` when nobody is rostered."""

    unit: int
    presence: str
    source: str
    commander: StaffOut | None
    staff: list[StaffOut]


class TeamOut(Schema):
    region: str
    members: list[StaffOut]
