"""One matter, one case: finding the open case of the same thing, by key or by place, time and type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from gridloop.cases.models import Case
from gridloop.cases.rules import END_STATUSES
from gridloop.kernel.geo import distance_m, reach

RADIUS_M = 50.0  # two reports of one type this close are taken for the same thing …
WITHIN_S = 24 * 3600.0  # … when the second comes within a day
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
    case_type: str, lon: float | None, lat: float | None, now: datetime, params: Mapping[str, Any], keyless: bool = False
) -> Case | None:
    """The nearest open case of the type within the scene's radius (m) and time (s), locked; None without a point.

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
    return min(found)[2] if found else None
