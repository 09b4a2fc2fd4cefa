"""How well devices have been: what share of each day they were online, how often they failed. Re-exported by ``selectors``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count, F, Q
from django.db.models.functions import TruncDate

from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.selectors import calendar_for
from gridloop.registry import scope
from gridloop.registry.briefs import DayOfDevice, DayOfDevices, FailingDevice, StatusChange
from gridloop.registry.models import Device, DeviceChange

FAILED: Final = (Device.Status.SILENT, Device.Status.FAULTY)
WORST: Final = 10  # devices named in a trend


@reading
def device_health(viewer: Viewer, code: str, days: int = 30) -> list[DayOfDevice]:
    """The last days of one device since it was first heard, today last; NotFound when none is in the viewer's territory or units."""
    row = Device.objects.filter(scope.devices(viewer), code=code).first()
    if row is None:
        raise NotFound("registry.device_unknown", code=code)
    calendar, now = calendar_for(viewer, row.region_code), clock.now()
    spans = list(_days(calendar, now, days))
    rows = DeviceChange.objects.filter(device=row, at__gte=spans[0][1]).order_by("at", "pk").values_list("at", "before", "after")
    changes = [StatusChange(*r) for r in rows]
    unproved = Device.Status.UNPROVED
    if (changes[0].before if changes else row.status) == unproved:  # a device that never spoke was not away
        first = next((c.at for c in changes if c.after != unproved), now)
        spans = [(day, max(since, first), until) for day, since, until in spans if until > first]
    return days_of(spans, changes, row.status)


def days_of(spans: Iterable[tuple[date, datetime, datetime]], changes: list[StatusChange], status: str) -> list[DayOfDevice]:
    """What share of each span (day, from, to) was online, by the changes in them, first ones first, and the status at the end."""
    found = []
    for day, since, until in spans:
        at, online, failures = since, timedelta(), 0
        now = next((c.before for c in changes if c.at >= since), status)
        for change in changes:
            if since <= change.at < until:
                online += change.at - at if now == Device.Status.ONLINE else timedelta()
                at, now = change.at, change.after
                failures += change.after in FAILED
        online += until - at if now == Device.Status.ONLINE else timedelta()
        found.append(DayOfDevice(day, round(online / (until - since), 4) if until > since else 0.0, failures))
    return found


@reading
def device_trend(viewer: Viewer, *, region: str = "", kind: str = "", days: int = 30) -> tuple[list[DayOfDevices], list[FailingDevice]]:
    """How the devices of today stood at the end of each of the last days, how many failed in it, and which failed most often.

    Days before any of them was heard are left out: nobody was away then, nobody was there yet. Today always stands.
    """
    where = scope.devices(viewer) & Q(region_code__startswith=region)
    if kind:
        where &= Q(kind=kind)
    calendar, now = calendar_for(viewer, region), clock.now()
    spans = list(_days(calendar, now, days))
    counts = Counter(dict(Device.objects.filter(where).values_list("status").annotate(Count("pk"))))
    changes = DeviceChange.objects.filter(device__in=Device.objects.filter(where), at__gte=spans[0][1])
    by_day = changes.annotate(day=TruncDate("at", tzinfo=calendar.local(now).tzinfo)).values_list("day", "before", "after")
    told: dict[date, list[tuple[str, str, int]]] = {}
    for day, before, after, number in by_day.annotate(Count("pk")):
        told.setdefault(day, []).append((before, after, number))
    found: list[DayOfDevices] = []
    for day, _, _ in reversed(spans):
        if found and not told.get(day) and counts[Device.Status.UNPROVED] == counts.total():
            break
        failures = sum(number for _, after, number in told.get(day, ()) if after in FAILED)
        found.append(DayOfDevices(day, {status: counts[status] for status in Device.Status.values}, failures))
        for before, after, number in told.get(day, ()):  # back to how they stood at the end of the day before
            counts[after] -= number
            counts[before] += number
    failing = changes.filter(after__in=FAILED).values(code=F("device__code"), name=F("device__name"), status=F("device__status"))
    worst = failing.annotate(failures=Count("pk")).order_by("-failures", "code")[:WORST]
    return found[::-1], [FailingDevice(**row) for row in worst]


def _days(calendar: WorkingCalendar, now: datetime, count: int) -> Iterator[tuple[date, datetime, datetime]]:
    """The last days where the territory is, each with its beginning and end; today ends now."""
    today = calendar.local(now).date()
    midnight = datetime.min.time()
    for back in reversed(range(count)):
        day = today - timedelta(days=back)
        yield day, calendar.at(day, midnight), min(calendar.at(day + timedelta(days=1), midnight), now)
