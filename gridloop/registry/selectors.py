"""The only reads of the registry. Personal columns are masked; opening them needs the right, a purpose and a reason, and is logged."""

from __future__ import annotations

from datetime import date

import numpy as np
from django.db.models import Q

from gridloop.access.actions import log_look
from gridloop.access.rules import mask_address, mask_citizen_id, mask_name, mask_phone
from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, NotFound
from gridloop.kernel.hanzi import clean
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.briefs import Page
from gridloop.orgs.selectors import calendar_for, number_after, page_limit, region_names, turn
from gridloop.registry import scope
from gridloop.registry.addresses import USELESS_M, Located, Road, locate, parse
from gridloop.registry.briefs import AbsenceView, Contact, DeviceView, PersonView
from gridloop.registry.coverage import coverage
from gridloop.registry.health import device_health, device_trend
from gridloop.registry.models import Absence, AddressPoint, Household, Person, Vehicle
from gridloop.registry.rules import clean_citizen_id, clean_plate
from gridloop.registry.things import (
    address_at,
    buildings_near,
    device,
    device_counts,
    device_keys,
    device_points,
    devices,
    devices_by_code,
    devices_near,
    enterprises,
    heard_since,
    houses,
    key_facts,
    named_place,
    overdue_devices,
    places,
    silent_regions,
    vehicles,
)

__all__ = [
    "absences",
    "address_at",
    "buildings_near",
    "coverage",
    "device",
    "device_counts",
    "device_health",
    "device_keys",
    "device_points",
    "device_trend",
    "devices",
    "devices_by_code",
    "devices_near",
    "enterprises",
    "heard_since",
    "household_contacts",
    "household_region",
    "houses",
    "key_facts",
    "named_place",
    "overdue_devices",
    "people",
    "person",
    "place_of",
    "places",
    "plate_contact",
    "silent_regions",
    "vehicles",
]


def _address(row: Person) -> str:
    """Building address, floor and room, as far as known."""
    house = row.household.house if row.household else None
    if house is None:
        return ""
    base = house.building.address or house.building.name
    return f"{base}{house.room}室" if house.room else base


def _age(birth: date | None, today: date) -> int | None:
    if birth is None:
        return None
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def _view(row: Person, today: date, masked: bool) -> PersonView:
    address = _address(row)
    return PersonView(
        id=row.pk,
        code=row.code,
        name=mask_name(row.name) if masked else row.name,
        sex=row.sex,
        birth=None if masked else row.birth,
        age=_age(row.birth, today),
        citizen_id_no=mask_citizen_id(row.citizen_id_no) if masked else row.citizen_id_no,
        phone=mask_phone(row.phone) if masked else row.phone,
        tags=[] if masked else list(row.tags),
        household=row.household.code if row.household else None,
        address=mask_address(address) if masked else address,
        region_code=row.region_code,
        masked=masked,
    )


_PEOPLE = ("household__house__building",)


@reading
def people(
    viewer: Viewer,
    *,
    q: str = "",
    region: str = "",
    household: str = "",
    limit: int = 50,
    after: str | None = None,
    purpose: str = "",
    reason: str = "",
) -> Page:
    """People of the viewer's territory by id, masked; with a purpose and a reason opened, which is logged with how many were shown.

    ``q`` is the beginning of the name, the whole phone or the whole citizen id.
    """
    where = scope.personal(scope.opening(viewer, purpose)) & Q(pk__gt=number_after(after), region_code__startswith=region)
    if household:
        where &= Q(household__code=household)
    if q:
        where &= Q(name__startswith=q) | Q(phone=q) | Q(citizen_id_no=clean_citizen_id(q))
    size = page_limit(limit)
    rows, following = turn(list(Person.objects.filter(where).select_related(*_PEOPLE).order_by("pk")[: size + 1]), size)
    scope.write_down(viewer, "person", "people", [r.pk for r in rows], purpose, reason)
    today = calendar_for(viewer, region).local(clock.now()).date()
    return Page([_view(r, today, masked=not purpose) for r in rows], following)


@reading
def person(viewer: Viewer, code: str, purpose: str = "", reason: str = "") -> PersonView:
    """One person, masked unless a purpose and a reason are given; NotFound outside of the viewer's territory."""
    row = Person.objects.filter(scope.personal(scope.opening(viewer, purpose)), code=code).select_related(*_PEOPLE).first()
    if row is None:
        raise NotFound("registry.person_unknown", code=code)
    scope.write_down(viewer, "person", "people", [row.pk], purpose, reason)
    today = calendar_for(viewer, row.region_code).local(clock.now()).date()
    return _view(row, today, masked=not purpose)


@reading
def household_region(viewer: Viewer, code: str) -> str | None:
    """Where a household lies, None when it is unknown or out of sight."""
    return Household.objects.filter(scope.personal(viewer), code=code).values_list("region_code", flat=True).first()


@reading
def absences(viewer: Viewer, household: str) -> list[AbsenceView]:
    """When nobody is at home, now and to come, the earliest first; NotFound for a household out of the viewer's reach."""
    if household_region(viewer.within("people.absence"), household) is None:
        raise NotFound("registry.household_unknown", code=household)
    rows = Absence.objects.filter(household__code=household, till__gt=clock.now()).order_by("since", "pk")
    return [AbsenceView(row.pk, household, row.since, row.till, row.told_at) for row in rows]


@reading
def household_contacts(viewer: Viewer, code: str, purpose: str, reason: str) -> list[Contact]:
    """Who lives in a household and can be called, eldest first; opened for a purpose and logged."""
    where = scope.personal(scope.opening(viewer, purpose)) & Q(household__code=code)
    rows = Person.objects.filter(where).exclude(phone="").order_by("birth", "pk")
    found = [Contact(f"person:{r.pk}", r.name, r.phone, r.region_code) for r in rows]
    if found:
        log_look(viewer, f"household:{code}", purpose, reason, len(found))
    return found


@reading
def household_watched(viewer: Viewer, device: DeviceView, purpose: str, reason: str) -> bool:
    """Whether what a device in a household says may be shown: for a purpose, in the viewer's reach, and written down."""
    if not purpose or not device.household:
        return False
    seen = scope.personal(scope.opening(viewer, purpose)) & Q(code=device.household)
    if not Household.objects.filter(seen).exists():
        raise Forbidden("registry.may_not_unmask")
    log_look(viewer, f"household:{device.household}", purpose, reason)
    return True


@reading
def plate_contact(viewer: Viewer, plate: str, purpose: str, reason: str) -> Contact | None:
    """The owner of a vehicle, to be told something; None when the plate or a phone is not known. Opened for a purpose and logged."""
    where = scope.personal(scope.opening(viewer, purpose)) & Q(plate=clean_plate(plate))
    row = Vehicle.objects.filter(where).select_related("person", "enterprise").first()
    if row is None:
        return None
    if row.person is not None:
        found = Contact(f"person:{row.person.pk}", row.person.name, row.person.phone, row.region_code)
    elif row.enterprise is not None:
        found = Contact(f"enterprise:{row.enterprise.pk}", row.enterprise.name, row.enterprise.contact_phone, row.region_code)
    else:
        return None
    if not found.phone:
        return None
    log_look(viewer, found.subject, purpose, reason)
    return found


# --- places from addresses -----------------------------------------------------------------------------------------------

MOST_POINTS = 5_000  # of one road: more say nothing new
TOWN_DIGITS = 9
TOWN_WORDS = ("镇", "乡", "街道")
_NOWHERE = Road(np.empty((0, 5)))


@reading
def place_of(viewer: Viewer, text: str, region: str = "") -> Located | None:
    """Where the address in a text is, by what buildings and cases have told; None when it names none, or one that could be anywhere.

    ``region``: the territory it must lie in. A road of that name in several towns is told apart by the town the text names.
    """
    said = parse(clean(text))
    if said is None:
        return None
    roads = _towns_of(said.road, region)
    if roads and said.area:
        names = region_names(viewer, list(roads))
        named = {town: road for town, road in roads.items() if said.area in names.get(town, "")}
        roads = named if named or said.area.endswith(TOWN_WORDS) else roads  # another town's road is not ours; counties say less
    if len(roads) != 1:
        return None
    town, road = next(iter(roads.items()))
    crossing = _towns_of(said.crossing, town).get(town, _NOWHERE) if said.crossing else None
    found = locate(said, road, crossing)
    return found if found is not None and found.metres <= USELESS_M else None


def _towns_of(road: str, region: str) -> dict[str, Road]:
    """What is known of a road by town, inside the territory."""
    rows = AddressPoint.objects.filter(road=road, region_code__startswith=region).values_list(
        "region_code", "lane", "alley", "number", "lon", "lat"
    )
    found: dict[str, list[tuple[float, ...]]] = {}
    for code, *numbers in rows[:MOST_POINTS]:
        found.setdefault(code[:TOWN_DIGITS], []).append(tuple(float(n) for n in numbers))
    return {town: Road(np.array(points)) for town, points in found.items()}
