"""The only writes of the registry. Facts carry codes and figures; personal values stay in the rows and can be erased."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection

from gridloop.journal.actions import append, append_each, drop, elevated, scoped, seal, verb
from gridloop.journal.actions import erase as erase_sealed
from gridloop.journal.messages import FactIn
from gridloop.journal.rows import insert
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.hanzi import clean
from gridloop.kernel.ids import secret_key
from gridloop.kernel.retention import kept
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import desk
from gridloop.orgs import selectors as orgs
from gridloop.orgs.loading import STAGE_NAME, Loaded, Progress, Target, load_rows
from gridloop.registry import scope
from gridloop.registry.addresses import parse
from gridloop.registry.briefs import AbsenceView, Known
from gridloop.registry.messages import AddressTold, DeviceRow, RegistryRow
from gridloop.registry.models import (
    Absence,
    AddressPoint,
    Building,
    Device,
    DeviceChange,
    DeviceCredential,
    Household,
    Person,
    Place,
    Vehicle,
)
from gridloop.registry.rules import DEVICE_STATUSES, absence_fault, device_fault
from gridloop.registry.tables import device_target, targets
from gridloop.registry.things import HEARD_IN, hash_secret

SECRET_LENGTH = 32


def load(
    viewer: Viewer, records: Iterable[RegistryRow], *, strict: bool = True, progress: Progress | None = None, dry_run: bool = False
) -> Loaded:
    """Merge records of ``messages`` in bulk, in transactions of at most two seconds; needs ``people.edit``.

    Order them so that what is named comes first: buildings, houses, households, people, enterprises, vehicles, places,
    devices. A record whose natural key is there already is updated. ``strict=False`` collects rejects.
    """
    return load_rows(viewer, "people.edit", targets(_telling), records, strict=strict, progress=progress, dry_run=dry_run)


# --- devices -------------------------------------------------------------------------------------------------------------


def load_devices(
    viewer: Viewer, records: Iterable[DeviceRow], *, strict: bool = False, progress: Progress | None = None, dry_run: bool = False
) -> Loaded:
    """Merge many devices as ``load`` does, each of them one that the viewer may put there or change by ``save_device``."""
    shapes: dict[type, Target] = {DeviceRow: device_target(_telling, _foreign)}
    return load_rows(viewer, "device.edit", shapes, records, strict=strict, progress=progress, dry_run=dry_run)


def _foreign(viewer: Viewer, rows: Sequence[DeviceRow], units: Mapping[str, int]) -> Iterable[tuple[int, FieldFault]]:
    codes = {row.code for row in rows}
    with elevated():
        taken = set(Device.objects.filter(code__in=codes).values_list("code", flat=True))
    taken -= set(Device.objects.filter(scope.devices(viewer), code__in=codes).values_list("code", flat=True))
    mapped = [place for place, row in enumerate(rows) if row.lon is not None and row.lat is not None]
    lons, lats = ([getattr(rows[place], name) for place in mapped] for name in ("lon", "lat"))
    lies = dict(zip(mapped, orgs.regions_at(SYSTEM, lons, lats), strict=True)) if mapped else {}
    for place, row in enumerate(rows):
        if not viewer.may("device.edit", row.region_code, (units.get(row.owner_unit),)):
            yield place, FieldFault("/region_code", "registry.device_foreign")
        elif (there := lies.get(place)) and not viewer.may("device.edit", there, (units.get(row.owner_unit),)):
            yield place, FieldFault("/lat", "registry.device_foreign")  # whatever its row says, it would stand with others
        elif row.code in taken:
            yield place, FieldFault("/code", "registry.device_taken", {"code": row.code})


_STAGED = f"""SELECT d.code, d.kind, d.region_code, d.owner_unit_id, d.interval_seconds,
(d.name, d.lon, d.lat, d.place_id, d.building_id, d.household_id, d.coverage)::text
FROM registry_device d JOIN {STAGE_NAME} s ON s.code = d.code ORDER BY d.code FOR UPDATE OF d"""


def _telling(viewer: Viewer, merge: Callable[[], int]) -> int:
    """Devices of a table tell the trace what those put in by hand do: each that is new, each that is another now."""
    before = _staged()
    count = merge()
    after = _staged()
    told = {}
    for code, now in after.items():
        if now != before.get(code):
            told[_chain(code)] = [_registered(code, *now[:4], known=code in before)]
    append_each(told, viewer)
    return count


def _registered(code: str, kind: str, region: str | None, unit: int | None, interval: int, *, known: bool) -> FactIn:
    """No name in the fact: it may be a household's."""
    data = {"device": code, "kind": kind, "region": region, "unit": unit, "interval": interval}
    return FactIn("device_changed" if known else "device_added", data)


def _staged() -> dict[str, tuple[Any, ...]]:
    with elevated(), connection.cursor() as cursor:
        cursor.execute(_STAGED)
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _chain(code: str) -> str:
    return f"device:{code}"


@verb("signals.write")
def devices_heard(viewer: Viewer, heard: Sequence[tuple[str, datetime, float | None]]) -> list[str]:
    """Note when devices ``(code, at, value)`` were last heard; older news changes nothing. Returns those that had been silent.

    No fact for being heard (that is the signal log's business), one for coming back.
    """
    latest: dict[str, tuple[datetime, float | None]] = {}
    for code, at, value in heard:
        if code not in latest or latest[code][0] < at:
            latest[code] = (at, value)
    codes = sorted(latest)  # one order for all writers, so that two never wait for each other
    news = codes, [latest[c][0] for c in codes], [None if (value := latest[c][1]) is None else float(value) for c in codes]
    with elevated(), connection.cursor() as cursor:
        cursor.execute(
            "WITH news AS (SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::float8[]) AS n(code, at, value)), "
            "old AS (SELECT d.id, d.code, d.status, n.at, n.value FROM registry_device d JOIN news n ON n.code = d.code "
            "WHERE d.last_seen IS NULL OR d.last_seen < n.at ORDER BY d.code FOR UPDATE OF d) "
            "UPDATE registry_device d SET last_seen = old.at, heard_in = date_bin(%s, old.at, 'epoch'), "
            "last_value = COALESCE(old.value, d.last_value), "
            "status = CASE WHEN old.status IN ('silent', 'unproved') THEN 'online' ELSE d.status END "
            "FROM old WHERE d.id = old.id RETURNING d.code, old.status, d.status, d.id",
            [*news, str(HEARD_IN)],
        )
        back = sorted((code, before, number) for code, before, after, number in cursor.fetchall() if before != after)
        _changed(viewer, back, "online")
    return [code for code, before, _ in back if before == Device.Status.SILENT]


def _changed(viewer: Viewer, devices: Sequence[tuple[str, str, int]], after: str) -> None:
    """Devices (code, status before, id): when a gateway is mended they come back by the thousand."""
    now = clock.now()
    append_each(
        {_chain(code): [FactIn("device_status", {"device": code, "from": before, "to": after})] for code, before, _ in devices}, viewer
    )
    insert([DeviceChange(device_id=number, at=now, before=before, after=after) for _, before, number in devices], numbered=False)


@verb("device.edit")
def set_device_status(viewer: Viewer, code: str, status: str) -> bool:
    """Call a device ``online``, ``silent``, ``faulty`` or ``unproved``; False when it was so already (compare-and-set)."""
    if status not in DEVICE_STATUSES:
        fault = FieldFault("/status", "registry.device_status", {"status": status, "known": ", ".join(DEVICE_STATUSES)})
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    row = Device.objects.select_for_update(of=("self",)).filter(scope.devices(viewer), code=code).first()
    if row is None:
        raise NotFound("registry.device_unknown", code=code)
    if row.status == status:
        return False
    before, row.status = row.status, status
    row.save(update_fields=["status"])
    _changed(viewer, [(code, before, row.pk)], status)
    return True


@verb("device.edit")
def save_device(viewer: Viewer, row: DeviceRow, owner_unit: int | None) -> bool:
    """Put a device on the map, or change what is known of one; True when it is new. Its region follows from its point.

    Invalid with the field for a wrong value, a place that is nobody's or not the viewer's, a code of somebody else's device.
    """
    where = orgs.region_at(SYSTEM, row.lon, row.lat) if row.lon is not None and row.lat is not None else None
    fault = device_fault(replace(row, region_code=where or "-"))
    if fault is None and (where is None or not viewer.may("device.edit", where, (owner_unit,))):
        fault = FieldFault("/place", "registry.device_outside" if where is None else "registry.device_foreign")
    if fault is None and owner_unit is not None and not desk.units_by_id(SYSTEM, [owner_unit]):
        fault = FieldFault("/owner_unit", "registry.unit_unknown", {"unit": owner_unit})
    key_place = Place.objects.filter(scope.things(viewer), code=row.place).first() if row.place else None
    if fault is None and row.place and key_place is None:
        fault = FieldFault("/key_place", "registry.place_unknown", {"place": row.place})
    known = Device.objects.select_for_update(of=("self",)).filter(scope.devices(viewer), code=row.code).first()
    with elevated():
        if fault is None and known is None and Device.objects.filter(code=row.code).exists():
            fault = FieldFault("/code", "registry.device_taken", {"code": row.code})
        if fault is not None:
            raise Invalid(fault.key, errors=(fault,), **fault.params)
        device = known or Device(code=row.code)
        device.kind, device.name, device.region_code = row.kind, row.name, where or ""
        device.lon, device.lat, device.owner_unit_id, device.place = row.lon, row.lat, owner_unit, key_place
        device.coverage, device.interval_seconds = row.coverage, row.interval_seconds
        device.save()
        fact = _registered(row.code, row.kind, where, owner_unit, row.interval_seconds, known=known is not None)
        append_each({_chain(row.code): [fact]}, viewer)
    return known is None


def forget_changes(limit: int = 500, dry: bool = False) -> int:
    """Retention: changes of devices' status that are over."""
    with scoped(SYSTEM):
        return drop(DeviceChange.objects.filter(at__lt=clock.now() - kept("device_changes")), limit, dry)


@verb("device.edit")
def issue_device_secret(viewer: Viewer, code: str) -> str:
    """A new secret for a device, shown once; those before are revoked."""
    row = Device.objects.filter(scope.devices(viewer), code=code).first()
    if row is None:
        raise NotFound("registry.device_unknown", code=code)
    secret = secret_key(SECRET_LENGTH)
    now = clock.now()
    with elevated():
        DeviceCredential.objects.filter(device=row, revoked_at__isnull=True).update(revoked_at=now)
        DeviceCredential.objects.create(device=row, secret_hash=hash_secret(secret), created_at=now)
    append(_chain(code), "device_secret_issued", {"device": code}, viewer)
    return secret


@verb("device.edit")
def revoke_device_secrets(viewer: Viewer, code: str) -> int:
    """The device may not send any more until it gets a new secret; returns how many were revoked."""
    if not Device.objects.filter(scope.devices(viewer), code=code).exists():
        raise NotFound("registry.device_unknown", code=code)
    with elevated():
        count = DeviceCredential.objects.filter(device__code=code, revoked_at__isnull=True).update(revoked_at=clock.now())
    append(_chain(code), "device_secrets_revoked", {"device": code, "count": count}, viewer)
    return count


# --- households ---------------------------------------------------------------------------------------------------------


@verb("people.absence")
def record_absence(viewer: Viewer, household: str, since: datetime, till: datetime) -> AbsenceView:
    """A household tells that nobody will be at home; detectors that ask for it keep quiet meanwhile. The fact does not say when:

    the trace is for good, and who is away when is for nobody to find there.
    """
    home = Household.objects.filter(scope.personal(viewer.within("people.absence")), code=household).first()
    if home is None:
        raise NotFound("registry.household_unknown", code=household)
    now = clock.now()
    fault = absence_fault(since, till, now)
    if fault is not None:
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    row = Absence.objects.create(household=home, since=since, till=till, told_at=now)
    append("org", "absence_recorded", {"absence": row.pk, "household": home.pk}, viewer)
    return AbsenceView(row.pk, household, since, till, now)


@verb("people.absence")
def end_absence(viewer: Viewer, household: str, number: int) -> None:
    """They are back, or do not go: from now on the home is watched as ever. Ending one that is over already is no fault."""
    home = Household.objects.filter(scope.personal(viewer.within("people.absence")), code=household).first()
    row = Absence.objects.select_for_update(of=("self",)).filter(household=home, pk=number).first() if home is not None else None
    if home is None or row is None:
        raise NotFound("registry.household_unknown", code=household)
    if row.till <= clock.now():
        return
    row.delete()
    append("org", "absence_ended", {"absence": number, "household": home.pk}, viewer)


def forget_absences(limit: int = 500, dry: bool = False) -> int:
    """Retention: when nobody was at home."""
    with scoped(SYSTEM):
        return drop(Absence.objects.filter(till__lt=clock.now() - kept("absences")), limit, dry)


# --- people --------------------------------------------------------------------------------------------------------------


@verb("people.erase")
def marks_of(viewer: Viewer, code: str) -> Known:
    """By what a person to be erased is known outside of the registry; NotFound out of the viewer's territory.

    The name is not among it, as others may bear it. Neither is a telephone number that somebody else has too.
    """
    row = _person(viewer, code)
    with elevated():
        words = {row.citizen_id_no, *Vehicle.objects.filter(person=row).values_list("plate", flat=True)}
        if not Person.objects.filter(phone=row.phone).exclude(pk=row.pk).exists():
            words.add(row.phone)
        alone = row.household_id is not None and Person.objects.filter(household=row.household_id).count() == 1
        devices = Device.objects.filter(household=row.household_id).values_list("code", flat=True) if alone else ()
        return Known(row.pk, frozenset(words - {""}), frozenset(devices))


@verb("people.erase")
def erase_person(viewer: Viewer, code: str, rule: str, reason: str = "") -> int:
    """Delete a person, their vehicles and every sealed value about them; returns how many values went.

    The trace keeps the id and the rule. The reason is sealed: it may name the very person.
    """
    row = _person(viewer, code)
    number = row.pk
    with elevated():
        Vehicle.objects.filter(person=row).delete()
        if row.household_id is not None and not Person.objects.filter(household=row.household_id).exclude(pk=number).exists():
            Absence.objects.filter(household=row.household_id).delete()
        row.delete()
        count = erase_sealed(viewer, f"person:{number}", rule)
        data: dict[str, Any] = {"person": number, "rule": rule, "values": count}
        if reason.strip():
            data["reason"] = seal(reason.strip(), subject=f"erasure:{number}", purpose="erasure_reason")
        append("org", "person_erased", data, viewer)
    return count


def _person(viewer: Viewer, code: str) -> Person:
    row = Person.objects.filter(scope.personal(viewer), code=code).first()
    if row is None:
        raise NotFound("registry.person_unknown", code=code)
    return row


# --- addresses -----------------------------------------------------------------------------------------------------------

ADDRESS_CHUNK = 2_000
ROADS_AT_ONE_POINT = 4  # a point so many roads share is where a geocoder puts what it does not know


def learn_addresses(points: Iterable[AddressTold]) -> int:
    """Note where addresses are, as the system; what names no road is passed over. Returns how many were noted."""
    rows = {row.ref: row for told in points if (row := _address_point(told)) is not None}
    with scoped(SYSTEM):
        kept = [row for row in rows.values() if not _is_default_place(row)]
        AddressPoint.objects.bulk_create(
            kept,
            update_conflicts=True,
            unique_fields=["ref"],
            update_fields=["region_code", "road", "lane", "alley", "number", "lon", "lat"],
        )
    return len(kept)


def _address_point(told: AddressTold) -> AddressPoint | None:
    found = parse(clean(told.address))
    if found is None or found.crossing:
        return None
    place = {"region_code": told.region, "lon": told.lon, "lat": told.lat}
    return AddressPoint(ref=told.ref, road=found.road, lane=found.lane, alley=found.alley, number=found.number, **place)


def _is_default_place(row: AddressPoint) -> bool:
    here = AddressPoint.objects.filter(lon=row.lon, lat=row.lat).exclude(road=row.road)
    return not row.ref.startswith("building:") and here.values("road").distinct().count() >= ROADS_AT_ONE_POINT


def forget_addresses(refs: Iterable[str]) -> None:
    """What cases told of addresses goes with their reporters."""
    with scoped(SYSTEM):
        AddressPoint.objects.filter(ref__in=list(refs)).delete()


def index_buildings() -> bool:
    """Job: addresses of buildings that are not known yet. True when there may be more."""
    with scoped(SYSTEM):
        chunk = list(Building.objects.filter(address_seen=False).order_by("pk")[:ADDRESS_CHUNK])
        learn_addresses(
            AddressTold(f"building:{b.code}", b.region_code, b.address, b.lon, b.lat)
            for b in chunk
            if b.lon is not None and b.lat is not None
        )
        Building.objects.filter(pk__in=[b.pk for b in chunk]).update(address_seen=True)
    return len(chunk) == ADDRESS_CHUNK
