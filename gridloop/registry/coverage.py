"""Which key places are watched: by a device that stands for the place, or by one whose reach holds it. Re-exported by ``selectors``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import shapely
from django.db.models import Q

from gridloop.journal.selectors import reading
from gridloop.kernel import geo
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.briefs import Page
from gridloop.orgs.selectors import number_after, page_limit
from gridloop.registry import scope
from gridloop.registry.briefs import CoveredPlace, CoveringDevice
from gridloop.registry.models import Device, Place

STATES: Final = ("uncovered", "weak", "covered")  # worst first
SPEAKS: Final = "loudspeaker"  # it reaches a place without watching it
MOST_SHOWN: Final = 5  # devices of one place
_ORDER: Final = ("online", "unproved", "silent", "faulty")

_DEVICE = ("code", "name", "kind", "status", "lon", "lat", "coverage", "place_id")
Watching = tuple[str, str, str, str, float | None, float | None, float | None, int | None]


def state_of(devices: Iterable[CoveringDevice]) -> str:
    """``covered`` when one of them is online, ``weak`` when there are only others, ``uncovered`` without any."""
    statuses = {device.status for device in devices}
    return "covered" if Device.Status.ONLINE in statuses else "weak" if statuses else "uncovered"


@reading
def coverage(
    viewer: Viewer,
    *,
    q: str = "",
    region: str = "",
    place_kind: str = "",
    kind: str = "",
    state: str = "",
    limit: int = 50,
    after: str | None = None,
) -> tuple[Page, dict[str, int]]:
    """Key places of the viewer's territory, the unwatched first, with who watches them; and how many there are of each state.

    ``kind``: only devices of this kind count; without it all but loudspeakers. Devices of homes never do: they watch the home.
    """
    where = scope.things(viewer) & Q(region_code__startswith=region)
    if place_kind:
        where &= Q(kind=place_kind)
    if q:
        where &= Q(name__contains=q) | Q(code=q)
    places = list(Place.objects.filter(where).order_by("pk"))
    watched = _watched(viewer, places, kind)
    found = [
        CoveredPlace(p.pk, p.code, p.name, p.kind, p.region_code, p.lon, p.lat, state_of(devices), devices[:MOST_SHOWN], len(devices))
        for p, devices in ((p, watched.get(p.pk, [])) for p in places)
    ]
    counts = {one: sum(p.state == one for p in found) for one in STATES}
    listed = sorted((p for p in found if not state or p.state == state), key=lambda p: (STATES.index(p.state), p.id))
    first, size = number_after(after), page_limit(limit)
    last = first + size  # the cursor is a place in the list: there is no column to go by
    return Page(listed[first:last], str(last) if len(listed) > last else None), counts


def _watched(viewer: Viewer, places: list[Place], kind: str) -> dict[int, list[CoveringDevice]]:
    """Place → its devices: online ones first, then the nearest."""
    where = scope.devices(viewer) & Q(household__isnull=True) & (Q(place__isnull=False) | Q(coverage__gt=0))
    where &= Q(kind=kind) if kind else ~Q(kind=SPEAKS)
    devices: list[Watching] = list(Device.objects.filter(where).order_by("pk").values_list(*_DEVICE))
    found: dict[int, dict[int, CoveringDevice]] = {}
    for (place, device), metres in _reached(places, devices).items():
        found.setdefault(places[place].pk, {})[device] = _covering(devices[device], metres)
    wanted = {p.pk for p in places}
    for n, watching in enumerate(devices):
        if (told := watching[7]) is not None and told in wanted:
            found.setdefault(told, {}).setdefault(n, _covering(watching, None))
    order = {
        status: n for n, status in enumerate((Device.Status.ONLINE, Device.Status.UNPROVED, Device.Status.SILENT, Device.Status.FAULTY))
    }
    return {
        place: sorted(each.values(), key=lambda d: (order[Device.Status(d.status)], d.metres if d.metres is not None else -1.0, d.code))
        for place, each in found.items()
    }


def _covering(device: Watching, metres: float | None) -> CoveringDevice:
    return CoveringDevice(device[0], device[1], device[2], device[3], None if metres is None else round(metres, 1))


def _reached(places: list[Place], devices: list[Watching]) -> dict[tuple[int, int], float]:
    """(place, device) by their numbers in the lists → metres, for every device whose reach holds the place."""
    spots = [(n, p.lon, p.lat) for n, p in enumerate(places) if p.lon is not None and p.lat is not None]
    eyes = [(n, d[4], d[5], d[6]) for n, d in enumerate(devices) if d[4] is not None and d[5] is not None and d[6]]
    if not spots or not eyes:
        return {}
    place_no, x, y = (np.array(column) for column in zip(*spots, strict=True))
    device_no, lon, lat, metres = (np.array(column) for column in zip(*eyes, strict=True))
    wide, high = np.array([geo.reach(float(m), float(at)) for m, at in zip(metres, lat, strict=True)]).T
    tree = shapely.STRtree(shapely.box(lon - wide, lat - high, lon + wide, lat + high))
    spot, eye = tree.query(shapely.points(x, y), predicate="intersects")
    far = geo.distance_m(x[spot], y[spot], lon[eye], lat[eye])
    near = far <= metres[eye]
    return {(int(place_no[s]), int(device_no[e])): float(m) for s, e, m in zip(spot[near], eye[near], far[near], strict=True)}
