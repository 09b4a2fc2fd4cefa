"""Which key places are watched: by a device that stands for the place, or by one whose reach holds it. Re-exported by ``selectors``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
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

STATES: Final = ("uncovered", "weak", "covered")  # worst first: without any device, with others only, with one that is online
SPEAKS: Final = "loudspeaker"  # it reaches a place without watching it
MOST_SHOWN: Final = 5  # devices of one place
_ORDER: Final = ("online", "unproved", "silent", "faulty")

Spot = tuple[int, float | None, float | None]  # of a place: id, where
Eye = tuple[int, int | None, str, float | None, float | None, float | None]  # of a device: id, its place, status, where, reach
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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

    Of all of them only numbers are read, where they are and how far they reach; rows of the page alone. The database, asked to measure
    distances itself, took three times as long.
    """
    where = scope.things(viewer) & Q(region_code__startswith=region)
    if place_kind:
        where &= Q(kind=place_kind)
    if q:
        where &= Q(name__contains=q) | Q(code=q)
    watching = scope.devices(viewer) & Q(household__isnull=True) & (Q(place__isnull=False) | Q(coverage__gt=0))
    watching &= Q(kind=kind) if kind else ~Q(kind=SPEAKS)
    spots = list(Place.objects.filter(where).order_by("pk").values_list("pk", "lon", "lat"))
    eyes = list(Device.objects.filter(watching).order_by("pk").values_list("pk", "place_id", "status", "lon", "lat", "coverage"))
    pairs = _pairs(spots, eyes)
    ranks = _ranks(len(spots), pairs, np.array([eye[2] == Device.Status.ONLINE for eye in eyes], np.bool_))
    number = np.bincount(ranks, minlength=len(STATES)).tolist()
    order = np.argsort(ranks, kind="stable")
    if state:
        order = order[ranks[order] == STATES.index(state)] if state in STATES else order[:0]
    first, size = number_after(after), page_limit(limit)
    shown = order[first : first + size]
    found = _told(shown.tolist(), ranks, spots, eyes, pairs)
    # the cursor is a place in the list: there is no column to go by
    return Page(found, str(first + size) if len(order) > first + size else None), dict(zip(STATES, number, strict=True))


class Pairs(NamedTuple):
    """Places and who watches them, by their numbers in the lists; ``metres``: NaN of one that stands for the place, however far."""

    place: Ints
    device: Ints
    metres: Floats


def _pairs(spots: Sequence[Spot], eyes: Sequence[Eye]) -> Pairs:
    number = {spot[0]: n for n, spot in enumerate(spots)}
    near = _reached(spots, eyes)
    known = set(zip(near.place.tolist(), near.device.tolist(), strict=True))
    told = [(number[eye[1]], n) for n, eye in enumerate(eyes) if eye[1] in number and (number[eye[1]], n) not in known]
    place, device = (np.array([pair[side] for pair in told], np.int64) for side in (0, 1))
    return Pairs(
        np.concatenate((near.place, place)),
        np.concatenate((near.device, device)),
        np.concatenate((near.metres, np.full(len(told), np.nan))),
    )


def _reached(spots: Sequence[Spot], eyes: Sequence[Eye]) -> Pairs:
    """Every device whose reach holds the place."""
    placed = [(n, lon, lat) for n, (_, lon, lat) in enumerate(spots) if lon is not None and lat is not None]
    reaching = [(n, lon, lat, far) for n, (*_, lon, lat, far) in enumerate(eyes) if lon is not None and lat is not None and far]
    if not placed or not reaching:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    place_no, x, y = (np.array(column) for column in zip(*placed, strict=True))
    device_no, lon, lat, metres = (np.array(column) for column in zip(*reaching, strict=True))
    wide, high = np.array([geo.reach(float(m), float(at)) for m, at in zip(metres, lat, strict=True)]).T
    tree = shapely.STRtree(shapely.box(lon - wide, lat - high, lon + wide, lat + high))
    spot, eye = tree.query(shapely.points(x, y), predicate="intersects")
    far = geo.distance_m(x[spot], y[spot], lon[eye], lat[eye])
    near = far <= metres[eye]
    return Pairs(place_no[spot[near]], device_no[eye[near]], far[near])


def _ranks(places: int, pairs: Pairs, online: Bools) -> Ints:
    """The number of each place's state in ``STATES``."""
    ranks = np.zeros(places, np.int64)
    ranks[pairs.place] = 1
    ranks[pairs.place[online[pairs.device]]] = 2
    return ranks


def _told(shown: Sequence[int], ranks: Ints, spots: Sequence[Spot], eyes: Sequence[Eye], pairs: Pairs) -> list[CoveredPlace]:
    """Those of the page, with their devices: online ones first, then the nearest."""
    places = Place.objects.in_bulk([spots[n][0] for n in shown])
    here = np.flatnonzero(np.isin(pairs.place, shown))
    rows = Device.objects.in_bulk([eyes[n][0] for n in np.unique(pairs.device[here]).tolist()])
    watched: dict[int, list[CoveringDevice]] = {}
    for place, device, metres in zip(pairs.place[here].tolist(), pairs.device[here].tolist(), pairs.metres[here].tolist(), strict=True):
        one = rows[eyes[device][0]]
        told = CoveringDevice(one.code, one.name, one.kind, one.status, None if math.isnan(metres) else round(metres, 1))
        watched.setdefault(place, []).append(told)
    found = []
    for n in shown:
        p, devices = places[spots[n][0]], sorted(watched.get(n, []), key=_best)
        at = (p.code, p.name, p.kind, p.region_code, p.lon, p.lat)
        found.append(CoveredPlace(p.pk, *at, STATES[ranks[n]], devices[:MOST_SHOWN], len(devices)))
    return found


def _best(one: CoveringDevice) -> tuple[int, float, str]:
    return _ORDER.index(one.status), -1.0 if one.metres is None else one.metres, one.code
