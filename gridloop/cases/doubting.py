"""What speaks against closing a case: its photos, where and when they were made, the ways of its handlers, its place reported again.

Pure. A doubt is a dictionary ``{"why": …, figures}`` that goes into the trace and is told to whoever checks (texts ``cases.doubt_*``).
Every limit leaves room for honest people: telephones that know their place to 100 m, clocks a few minutes wrong, photos sent late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from gridloop.evidence.messages import Alike, Camera

FAR_M: Final = 500.0  # from the case's place, for a photo or a check-in
EARLY: Final = timedelta(minutes=10)  # before the task was there
FASTEST_M_S: Final = 40.0  # 144 km/h: nobody changes towns faster between two check-ins
APART_M: Final = 2000.0  # nearer check-ins are not judged by speed
NAMED: Final = 3  # codes of other cases in one doubt

Doubt = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody checked in at a place (degrees)."""

    case: str
    at: datetime
    lon: float
    lat: float


def of_copies(copies: Iterable[Alike], case: str) -> list[Doubt]:
    """A photo that was shown before, here or in another case."""
    return [
        {"why": "photo_reused", "file": str(one.file), "earlier": str(one.earlier), "case": one.case, "bits": one.bits}
        if one.case != case
        else {"why": "photo_repeated", "file": str(one.file), "earlier": str(one.earlier), "bits": one.bits}
        for one in copies
    ]


def of_cameras(cameras: Iterable[Camera], place: tuple[float, float] | None, opened_at: datetime, zone: str) -> list[Doubt]:
    """A photo made before the task was there, or far from the case. The camera's word counts, else the sender's."""
    doubts: list[Doubt] = []
    for one in cameras:
        made = _camera_time(one.taken_at, zone) or one.said_at
        if made < opened_at - EARLY:
            doubts.append({"why": "photo_old", "file": str(one.file), "minutes": int((opened_at - made).total_seconds() // 60)})
        lon, lat = (one.taken_lon, one.taken_lat) if one.taken_lon is not None else (one.said_lon, one.said_lat)
        if place is not None and lon is not None and lat is not None and (metres := _metres(place, (lon, lat))) > FAR_M:
            doubts.append({"why": "photo_far", "file": str(one.file), "metres": metres})
    return doubts


def _camera_time(words: str, zone: str) -> datetime | None:
    """``2026:11:25 08:30:00`` as cameras write it, in the time of the place; None for nonsense."""
    try:
        return datetime.strptime(words, "%Y:%m:%d %H:%M:%S").replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        return None


def of_visits(visits: Sequence[Visit], case: str, place: tuple[float, float] | None, opened_at: datetime) -> list[Doubt]:
    """Check-ins of a handler, oldest first, those in other cases before and after too: far off, or nobody travels so fast.

    Only what came since the task was opened speaks against its result: an older check-in was judged with its own.
    """
    doubts: list[Doubt] = []
    here = [v for v in visits if v.case == case and v.at >= opened_at]
    if place is not None and here and (metres := _metres(place, (here[-1].lon, here[-1].lat))) > FAR_M:
        doubts.append({"why": "checked_in_far", "metres": metres})
    for before, after in pairwise(visits):
        if not any(v.case == case and v.at >= opened_at for v in (before, after)):
            continue
        metres, seconds = _metres((before.lon, before.lat), (after.lon, after.lat)), (after.at - before.at).total_seconds()
        if metres > APART_M and metres > FASTEST_M_S * seconds:
            other = before.case if after.case == case else after.case
            doubts.append({"why": "too_fast", "metres": metres, "seconds": int(seconds), "case": other})
            break
    return doubts


def of_repeats(closed_before: Sequence[str], within_s: float, reported_since: int) -> list[Doubt]:
    """The place was reported again: soon after it was closed (codes of those cases), or since the result was handed in (how often)."""
    doubts: list[Doubt] = []
    if closed_before:
        doubts.append({"why": "closed_before", "cases": list(closed_before[:NAMED]), "hours": round(within_s / 3600)})
    if reported_since:
        doubts.append({"why": "reported_since", "times": reported_since})
    return doubts


def _metres(one: tuple[float, float], other: tuple[float, float]) -> int:
    from gridloop.kernel.geo import distance_m  # NumPy: live screens load this module and measure nothing

    return round(float(distance_m(*one, *other)))
