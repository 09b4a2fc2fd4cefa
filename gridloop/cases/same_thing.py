"""One matter, one case: finding the open case of the same thing, by key or by place, time and type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from gridloop.cases.messages import Report
from gridloop.cases.models import Case
from gridloop.cases.rules import END_STATUSES, SURE_PLACE_M
from gridloop.cases.selectors import sealed_values
from gridloop.dispatch.merging import NEAR_M, SHOWN, WITHIN_S, Told, speaks_against, worth_asking
from gridloop.kernel import clock
from gridloop.kernel.geo import distance_m, reach
from gridloop.kernel.viewer import SYSTEM

RADIUS_M = 50.0  # two reports of one type this close, the second within a day, are taken for the same thing
COMPARED = 50  # open cases around, the newest
_CELL = 0.01  # degrees: reports of one type in one such cell come in one after the other


def _lock(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [text])


def lock_thing(scene: str, key: str) -> None:
    """Signals of one thing are taken one after the other, so that two never open two cases."""
    _lock(f"thing:{scene}:{key}")


def lock_place(case_type: str, lon: float | None, lat: float | None) -> None:
    """The same for what opens a case of one type around a point, report or signal: its cell and those it nearly touches, in one order."""
    if lon is None or lat is None:
        return
    edge = 0.1  # of a cell, about 100 m: wider than any usual radius
    cells = {(math.floor(lon / _CELL + dx), math.floor(lat / _CELL + dy)) for dx in (-edge, edge) for dy in (-edge, edge)}
    for x, y in sorted(cells):
        _lock(f"place:{case_type}:{x}:{y}")


def find_near(
    case_type: str,
    lon: float | None,
    lat: float | None,
    now: datetime,
    params: Mapping[str, Any],
    keyless: bool = False,
    fits: Callable[[Case], bool] = lambda case: True,
) -> Case | None:
    """The nearest open case of the type within the scene's radius (m) and time (s) that ``fits``, locked; None without a point.

    ``keyless``: only cases that no device's key has opened.
    """
    if lon is None or lat is None:
        return None
    radius = float(params.get("radius_m") or RADIUS_M)
    since = now - timedelta(seconds=float(params.get("within_s") or WITHIN_S))
    d_lon, d_lat = reach(radius, lat)
    near = (
        Case.objects.select_for_update()
        .filter(type=case_type, lon__range=(lon - d_lon, lon + d_lon), lat__range=(lat - d_lat, lat + d_lat), reported_at__gte=since)
        .exclude(status__in=END_STATUSES)
    )
    if keyless:
        near = near.filter(same_thing="")
    found = [(float(distance_m(lon, lat, c.lon, c.lat)), c.id, c) for c in near if c.lon is not None and c.lat is not None]
    found = [f for f in found if f[0] <= radius]
    return next((case for _, _, case in sorted(found, key=lambda one: one[:2]) if fits(case)), None)


# ---- by what is learned of reports -----------------------------------------------------------------------------------


def _told(case: Case, texts: Mapping[str, Any]) -> Told:
    """What the first report of a case said, with its address."""
    words = f"{case.address} {texts.get(str(case.text_sealed)) or ''}".strip()
    return Told(case.type, words, case.lon or 0.0, case.lat or 0.0, case.reported_at)


def _now_told(case_type: str, new: Report) -> Told:
    return Told(case_type, f"{new.address} {new.text}".strip(), new.lon or 0.0, new.lat or 0.0, clock.now())


def is_another(case: Case, case_type: str, new: Report) -> bool:
    """Near and of one type, yet the addresses in the words say that it is another thing."""
    if not (new.text.strip() or new.address.strip()):
        return False
    return speaks_against(_told(case, sealed_values(SYSTEM, [case.text_sealed])), _now_told(case_type, new))


def much_alike(case_type: str, new: Report) -> list[tuple[str, float]]:
    """Open cases around that may be the same matter, likeliest first: (code, probability), for the desk to merge or not."""
    if new.lon is None or new.lat is None or not new.text.strip() or (new.place_m or 0.0) > SURE_PLACE_M:
        return []
    d_lon, d_lat = reach(NEAR_M, new.lat)
    since = clock.now() - timedelta(seconds=WITHIN_S)
    box = {"lon__range": (new.lon - d_lon, new.lon + d_lon), "lat__range": (new.lat - d_lat, new.lat + d_lat)}
    around = list(Case.objects.filter(reported_at__gte=since, **box).exclude(status__in=END_STATUSES).order_by("-id")[:COMPARED])
    if not around:
        return []
    texts = sealed_values(SYSTEM, [case.text_sealed for case in around])
    told = _now_told(case_type, new)
    found = [(case.code, round(worth_asking(_told(case, texts), told), 2)) for case in around if case.text_sealed is not None]
    return sorted((one for one in found if one[1] > 0), key=lambda one: -one[1])[:SHOWN]
