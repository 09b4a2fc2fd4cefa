"""Reads of houses, enterprises, vehicles, places and devices. Re-exported by ``selectors``."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Case, Count, F, Q, When
from django.db.models.functions import Least

from gridloop.access.rules import mask_name, mask_phone, mask_plate
from gridloop.journal.rows import ask_together
from gridloop.journal.selectors import reading
from gridloop.kernel import geo
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs.briefs import Page
from gridloop.orgs.selectors import calendar_for, number_after, page_limit, turn
from gridloop.registry import scope
from gridloop.registry.briefs import BuildingView, DeviceKeys, DevicePoint, DeviceView, EnterpriseView, HouseView, PlaceView, VehicleView
from gridloop.registry.models import Absence, Building, Device, Enterprise, House, Household, Place, Vehicle
from gridloop.registry.rules import clean_plate, facts_of_absence, facts_of_home, next_absence

MOST_POINTS = 10_000
HEARD_IN = timedelta(minutes=10)  # of ``Device.heard_in``


@reading
def houses(viewer: Viewer, *, q: str = "", region: str = "", building: str = "", limit: int = 50, after: str | None = None) -> Page:
    """Houses of the viewer's territory by id; ``q`` is part of the building's name or address, or the house's code."""
    where = scope.things(viewer) & Q(pk__gt=number_after(after), region_code__startswith=region)
    if building:
        where &= Q(building__code=building)
    if q:
        where &= Q(building__name__contains=q) | Q(building__address__contains=q) | Q(code=q)
    size = page_limit(limit)
    rows, following = turn(list(House.objects.filter(where).select_related("building").order_by("pk")[: size + 1]), size)
    return Page([_house(r) for r in rows], following)


def _house(row: House) -> HouseView:
    b = row.building
    return HouseView(row.pk, row.code, b.code, b.name, b.address, row.floor, row.room, row.kind, row.region_code, b.lon, b.lat)


@reading
def buildings_near(viewer: Viewer, lon: float, lat: float, radius_m: float = 100, limit: int = 5) -> list[BuildingView]:
    """Buildings around a point, closest first (to their label point)."""
    dx, dy = geo.reach(radius_m, lat)
    rows = list(Building.objects.filter(lon__range=(lon - dx, lon + dx), lat__range=(lat - dy, lat + dy)))
    metres = geo.distance_m([r.lon or 0.0 for r in rows], [r.lat or 0.0 for r in rows], lon, lat).tolist()
    ranked = sorted((m, r.pk, r) for m, r in zip(metres, rows, strict=True) if m <= radius_m)
    return [BuildingView(r.pk, r.code, r.name, r.address, r.floors, r.region_code, r.lon, r.lat, round(m, 1)) for m, _, r in ranked[:limit]]


_CLOSEST = """
SELECT said FROM (
    SELECT id, coalesce(nullif(address, ''), name) AS said, power((lon - %s) * %s, 2) + power((lat - %s) * %s, 2) AS square
    FROM registry_building WHERE lon BETWEEN %s - %s AND %s + %s AND lat BETWEEN %s - %s AND %s + %s) near
WHERE square <= %s ORDER BY square, id LIMIT 1
"""


@reading
def address_at(viewer: Viewer, lon: float, lat: float, radius_m: float = 150) -> str:
    """The address of the closest building, '' when none is near."""
    dx, dy = geo.reach(radius_m, lat)
    box = [lon, dx, lon, dx, lat, dy, lat, dy]
    found = ask_together((_CLOSEST, [lon, radius_m / dx, lat, radius_m / dy, *box, radius_m**2]))[0]
    return str(found[0][0]) if found else ""


@reading
def enterprises(
    viewer: Viewer, *, q: str = "", region: str = "", limit: int = 50, after: str | None = None, purpose: str = "", reason: str = ""
) -> Page:
    """Enterprises of the viewer's territory by id, contacts masked or opened; ``q``: part of the name or the whole code."""
    where = scope.things(scope.opening(viewer, purpose)) & Q(pk__gt=number_after(after), region_code__startswith=region)
    if q:
        where &= Q(name__contains=q) | Q(uscc=q.upper())
    size = page_limit(limit)
    rows, following = turn(list(Enterprise.objects.filter(where).order_by("pk")[: size + 1]), size)
    scope.write_down(viewer, "enterprise", "enterprises", [r.pk for r in rows], purpose, reason)
    return Page([_enterprise(r, masked=not purpose) for r in rows], following)


def _enterprise(row: Enterprise, masked: bool) -> EnterpriseView:
    return EnterpriseView(
        id=row.pk,
        uscc=row.uscc,
        name=row.name,
        region_code=row.region_code,
        address=row.address,
        industry=row.industry,
        employees=row.employees,
        lon=row.lon,
        lat=row.lat,
        contact_name=mask_name(row.contact_name) if masked else row.contact_name,
        contact_phone=mask_phone(row.contact_phone) if masked else row.contact_phone,
        masked=masked,
    )


@reading
def vehicles(
    viewer: Viewer, *, q: str = "", region: str = "", limit: int = 50, after: str | None = None, purpose: str = "", reason: str = ""
) -> Page:
    """Vehicles of the viewer's territory by id, plates masked or opened; ``q`` must be the whole plate: nobody leafs through."""
    where = scope.personal(scope.opening(viewer, purpose)) & Q(pk__gt=number_after(after), region_code__startswith=region)
    if q:
        where &= Q(plate=clean_plate(q))
    size = page_limit(limit)
    rows, following = turn(list(Vehicle.objects.filter(where).order_by("pk")[: size + 1]), size)
    scope.write_down(viewer, "vehicle", "vehicles", [r.pk for r in rows], purpose, reason)
    return Page([_vehicle(r, masked=not purpose) for r in rows], following)


def _vehicle(row: Vehicle, masked: bool) -> VehicleView:
    owner = "person" if row.person_id else "enterprise" if row.enterprise_id else ""
    return VehicleView(row.pk, mask_plate(row.plate) if masked else row.plate, row.kind, row.region_code, owner, masked)


@reading
def places(viewer: Viewer, *, q: str = "", region: str = "", kind: str = "", limit: int = 50, after: str | None = None) -> Page:
    """Key places of the viewer's territory by id."""
    where = scope.things(viewer) & Q(pk__gt=number_after(after), region_code__startswith=region)
    if kind:
        where &= Q(kind=kind)
    if q:
        where &= Q(name__contains=q) | Q(code=q)
    size = page_limit(limit)
    rows, following = turn(list(Place.objects.filter(where).order_by("pk")[: size + 1]), size)
    return Page([PlaceView(r.pk, r.code, r.name, r.kind, r.region_code, r.address, r.lon, r.lat, r.tags) for r in rows], following)


# --- devices -------------------------------------------------------------------------------------------------------------

_DEVICE_REFS = ("place", "building", "household")


def _device(row: Device) -> DeviceView:
    return DeviceView(
        id=row.pk,
        code=row.code,
        kind=row.kind,
        name=row.name,
        region_code=row.region_code,
        lon=row.lon,
        lat=row.lat,
        owner_unit_id=row.owner_unit_id,
        place=row.place.code if row.place else None,
        building=row.building.code if row.building else None,
        household=row.household.code if row.household else None,
        coverage=row.coverage,
        interval_seconds=row.interval_seconds,
        status=row.status,
        last_seen=row.last_seen,
        last_value=row.last_value,
        place_name=row.place.name if row.place else "",
        private=row.household_id is not None,
    )


def _shown(viewer: Viewer, rows: Iterable[Device]) -> list[DeviceView]:
    """Staff must see that a device in a home is silent, but not when somebody there opened a door: that is opened for a purpose."""
    views = [_device(row) for row in rows]
    if viewer.system or not any(view.private for view in views):
        return views
    local = calendar_for(viewer).local

    def day(at: datetime | None) -> datetime | None:
        return at and local(at).replace(hour=0, minute=0, second=0, microsecond=0)

    return [replace(view, last_value=None, last_seen=day(view.last_seen)) if view.private else view for view in views]


def _devices(where: Q) -> list[Device]:
    """With a left join: a household hidden by row security must not hide the device."""
    return list(Device.objects.filter(where).select_related(*_DEVICE_REFS).order_by("pk"))


@reading
def devices(
    viewer: Viewer,
    *,
    q: str = "",
    region: str = "",
    kind: str = "",
    status: str = "",
    limit: int = 50,
    after: str | None = None,
) -> Page:
    """Devices of the viewer's territory or units by id; ``q`` is the beginning of the code or part of the name."""
    where = _asked(viewer, q, region, kind, status) & Q(pk__gt=number_after(after))
    size = page_limit(limit)
    rows, following = turn(list(Device.objects.filter(where).select_related(*_DEVICE_REFS).order_by("pk")[: size + 1]), size)
    return Page(_shown(viewer, rows), following)


def _asked(viewer: Viewer, q: str, region: str, kind: str, status: str) -> Q:
    where = scope.devices(viewer)
    if region:  # an empty one would be a condition, too, and the counts would leave the index for it
        where &= Q(region_code__startswith=region)
    if kind:
        where &= Q(kind=kind)
    if status:
        where &= Q(status=status)
    if q:
        where &= Q(code__startswith=q) | Q(name__contains=q)
    return where


@reading
def device_points(viewer: Viewer, *, q: str = "", region: str = "", kind: str = "", status: str = "") -> list[DevicePoint]:
    """Where the devices of the same question stand, at most ``MOST_POINTS``, those that are not well first."""
    rows = Device.objects.filter(_asked(viewer, q, region, kind, status), lon__isnull=False, lat__isnull=False)
    worst = Case(When(status__in=(Device.Status.SILENT, Device.Status.FAULTY), then=0), default=1)
    columns = ("code", "name", "lon", "lat", "status")
    found = rows.order_by(worst, "pk").values_list(*columns)[:MOST_POINTS]
    return [DevicePoint(*row) for row in found]


@reading
def device(viewer: Viewer, code: str) -> DeviceView:
    """One device; NotFound when there is none in the viewer's territory or units."""
    found = _devices(scope.devices(viewer) & Q(code=code))
    if not found:
        raise NotFound("registry.device_unknown", code=code)
    return _shown(viewer, found)[0]


@reading
def devices_by_code(viewer: Viewer, codes: Collection[str]) -> dict[str, DeviceView]:
    """Many devices at once, for those who read signals; unknown codes are left out."""
    return {view.code: view for view in _shown(viewer, _devices(scope.devices(viewer) & Q(code__in=set(codes))))}


@reading
def device_keys(viewer: Viewer, codes: Collection[str] | None = None, after: int = 0, limit: int = 20_000) -> list[DeviceKeys]:
    """What detectors go by: of the named devices, or of so many by id, those after one."""
    where = scope.devices(viewer) & (Q(pk__gt=after) if codes is None else Q(code__in=set(codes)))
    columns = ("pk", "code", "region_code", "interval_seconds", "household__code", "place__code", "building__code")
    rows = Device.objects.filter(where).order_by("pk").values_list(*columns)
    return [DeviceKeys(*row) for row in (rows[:limit] if codes is None else rows)]


_FACTS = """
SELECT h.code, count(p.id), bool_or(p.tags ? 'lone_elder'), bool_or(p.birth <= %s), max(house.kind)
FROM registry_household h LEFT JOIN registry_person p ON p.household_id = h.id LEFT JOIN registry_house house ON house.id = h.house_id
GROUP BY h.code
"""
ELDER_YEARS = 60


@reading
def key_facts(viewer: Viewer, grouping: str, at: datetime) -> dict[str, dict[str, float]]:
    """What detectors may ask of homes, places and devices: code → fact → 1 or 0, or a number. A device has those of its home and place."""
    homes = _facts_of_homes(at) if grouping in ("household", "subject", "device") else {}
    places = {code: {"key_place": 1.0} for code in Place.objects.filter(scope.things(viewer)).values_list("code", flat=True)}
    if grouping == "device":
        rows = Device.objects.filter(scope.devices(viewer)).values_list("code", "household__code", "place__code")
        return {code: {"key_place": 0.0} | homes.get(home or "", {}) | places.get(place or "", {}) for code, home, place in rows}
    return {"household": homes, "place": places, "subject": homes | places}.get(grouping, {})


def _facts_of_homes(at: datetime) -> dict[str, dict[str, float]]:
    born = at.date().replace(year=at.year - ELDER_YEARS, day=min(at.day, 28))
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [born])
        homes = {code: facts_of_home(people, bool(lone), bool(old), kind) for code, people, lone, old, kind in cursor.fetchall()}
    told: dict[str, list[tuple[datetime, datetime]]] = {}
    for code, since, till in Absence.objects.filter(till__gt=at).values_list("household__code", "since", "till"):
        told.setdefault(code, []).append((since, till))
    for code, times in told.items():
        if (away := next_absence(times, at)) is not None:
            homes[code] |= facts_of_absence(*away)
    return homes


_INTERVALS = """
WITH RECURSIVE one AS (
    SELECT min(interval_seconds) AS seconds FROM registry_device WHERE status = 'online'
    UNION ALL
    SELECT (SELECT min(interval_seconds) FROM registry_device WHERE status = 'online' AND interval_seconds > one.seconds)
    FROM one WHERE one.seconds IS NOT NULL
) SELECT seconds FROM one WHERE seconds IS NOT NULL LIMIT %s"""
_MOST_INTERVALS = 100


@reading
def _intervals(viewer: Viewer) -> list[int]:
    """How often the devices called online should be heard, each length once: a jump along the index for each."""
    with connection.cursor() as cursor:
        cursor.execute(_INTERVALS, [_MOST_INTERVALS + 1])
        return [int(row[0]) for row in cursor.fetchall()]


def _of_each_interval(heard: Callable[[int], Q]) -> Q:
    """A condition on ``heard_in`` by interval, so that an index finds the few it is true of among a million that are in time.

    Where there are more lengths than anybody would choose, no condition: all are looked at.
    """
    lengths = _intervals(SYSTEM)
    if len(lengths) > _MOST_INTERVALS:
        return Q()
    unknown = Q(heard_in=None)  # not heard since there is the column
    found = Q(pk__in=[])
    for seconds in lengths:
        found |= Q(interval_seconds=seconds) & (heard(seconds) | unknown)
    return found


@reading
def overdue_devices(viewer: Viewer, at: datetime, least: timedelta = timedelta(0), limit: int = 500) -> list[DeviceView]:
    """Devices still called online that have not been heard for three of their own intervals and for ``least``, longest silent first."""
    latest = at - F("interval_seconds") * timedelta(seconds=3)
    where = scope.devices(viewer) & Q(status=Device.Status.ONLINE, last_seen__lt=Least(latest, at - least))
    where &= _of_each_interval(lambda seconds: Q(heard_in__lt=at - max(timedelta(seconds=3 * seconds), least)))
    return _shown(viewer, Device.objects.filter(where).select_related(*_DEVICE_REFS).order_by("last_seen", "pk")[:limit])


@reading
def devices_near(viewer: Viewer, kind: str, lon: float, lat: float, metres: float, limit: int) -> list[DeviceView]:
    """Devices of a kind that reach the place (``coverage``, at most ``metres``) and are not faulty, nearest first."""
    north = metres / 110_574
    east = metres / (111_320 * max(0.01, math.cos(math.radians(lat))))
    where = scope.devices(viewer) & Q(kind=kind, lon__range=(lon - east, lon + east), lat__range=(lat - north, lat + north))
    rows = list(Device.objects.filter(where).exclude(status=Device.Status.FAULTY).select_related(*_DEVICE_REFS))
    far = geo.distance_m(lon, lat, [row.lon or 0.0 for row in rows], [row.lat or 0.0 for row in rows]).tolist()
    reached = [(d, row) for d, row in zip(far, rows, strict=True) if d <= min(metres, row.coverage or metres)]
    return _shown(viewer, (row for _, row in sorted(reached, key=lambda one: (one[0], one[1].code))[:limit]))


_HOME = ("household__house__building",)


@reading
def named_place(viewer: Viewer, device: str, *, household: str = "", place: str = "", building: str = "") -> str:
    """What people call the place of which a device or an alarm speaks; '' when the registry has no word for it.

    A key place by its name, a home by its building, neither room nor people: those who see cases need not see who lives where.
    """
    row = Device.objects.filter(scope.devices(viewer), code=device).select_related("place", "building", *_HOME).first() if device else None
    spot = Place.objects.filter(scope.things(viewer), code=place).first() if place else row.place if row else None
    if spot is not None:
        return str(spot.name)
    home = Household.objects.filter(scope.personal(viewer), code=household).select_related("house__building").first() if household else None
    home = home or (row.household if row else None)
    house = home.house.building if home and home.house else row.building if row else None
    if building and (house is None or house.code != building):
        house = Building.objects.filter(scope.things(viewer), code=building).first() or house
    said = (house.address or house.name) if house else ""
    return str(said or (row.name if row and not home else ""))


@reading
def device_counts(viewer: Viewer, *, q: str = "", region: str = "", kind: str = "") -> dict[str, int]:
    """How many devices of the same question have each status, whichever status is asked for; one statement."""
    rows = Device.objects.filter(_asked(viewer, q, region, kind, "")).values_list("status").annotate(Count("pk"))
    return dict.fromkeys(Device.Status.values, 0) | dict(rows)


@reading
def heard_since(viewer: Viewer, at: datetime) -> bool:
    """Whether any device that is called online was heard after a moment."""
    recent = _of_each_interval(lambda _: Q(heard_in__gt=at - HEARD_IN))
    return Device.objects.filter(scope.devices(viewer) & recent & Q(status=Device.Status.ONLINE, last_seen__gte=at)).exists()


@reading
def silent_regions(viewer: Viewer, since: datetime) -> dict[str, int]:
    """How many devices of each region are silent and were heard last after ``since``."""
    where = scope.devices(viewer) & Q(status=Device.Status.SILENT, last_seen__gte=since)
    return dict(Device.objects.filter(where).values_list("region_code").annotate(Count("pk")))


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
