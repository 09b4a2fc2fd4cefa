"""One matter, one case: finding the open case of the same thing, by key or by place, time and type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gridloop.cases.messages import Report
from gridloop.cases.models import Case
from gridloop.cases.rules import END_STATUSES, SURE_PLACE_M
from gridloop.cases.selectors import sealed_values
from gridloop.dispatch.merging import NEAR_M, SHOWN, WITHIN_S, Told, speaks_against, worth_asking
from gridloop.journal.rows import Rows, ask_together
from gridloop.kernel import clock
from gridloop.kernel.geo import distance_m, reach
from gridloop.kernel.viewer import SYSTEM

RADIUS_M = 50.0  # two reports of one type this close, the second within a day, are taken for the same thing
COMPARED = 50  # open cases around, the newest
_CELL = 0.01  # degrees: reports of one type in one such cell come in one after the other


Statement = tuple[str, list[Any]]

_INSIDE = "id = ANY ((SELECT gl_cases_near(%s, %s, %s, %s, %s))::bigint[]) AND status <> ALL(%s)"
_NEAR = Rows(Case, f"WHERE type = %s AND {_INSIDE} AND (NOT %s OR same_thing = '') FOR UPDATE")
_ENDED = ", ".join(f"'{status}'" for status in END_STATUSES)
# written out as the index has it: a plan for any values can not tell that they are those of open cases
_OF_THING = Rows(Case, f"WHERE scene = %s AND same_thing = %s AND NOT same_thing = '' AND NOT status IN ({_ENDED}) FOR UPDATE")
_AROUND = Rows(Case, f"WHERE {_INSIDE} ORDER BY id DESC LIMIT {COMPARED}")


def _locks(texts: Iterable[str]) -> Statement:
    names = list(texts)
    return f"SELECT {', '.join(['pg_advisory_xact_lock(hashtextextended(%s, 7))'] * len(names))}", names


def thing_lock(scene: str, key: str) -> Statement:
    """What tells of one thing is taken one after the other, so that two never open two cases."""
    return _locks([f"thing:{scene}:{key}"])


def open_of_thing(scene: str, key: str) -> Case | None:
    """The open case of a thing, locked; until the transaction ends nobody else takes it, or opens one."""
    return next(iter(_OF_THING.read(ask_together(thing_lock(scene, key), (_OF_THING.sql, [scene, key]))[1])), None)


def place_lock(case_type: str, lon: float, lat: float) -> Statement:
    """The same for what opens a case of one type around a point, report or signal: its cell and those it nearly touches, in one order."""
    edge = 0.1  # of a cell, about 100 m: wider than any usual radius
    cells = {(math.floor(lon / _CELL + dx), math.floor(lat / _CELL + dy)) for dx in (-edge, edge) for dy in (-edge, edge)}
    return _locks(f"place:{case_type}:{x}:{y}" for x, y in sorted(cells))


@dataclass(frozen=True, slots=True)
class Near:
    """Open cases of one type within the scene's radius (m) and time (s) of a point. ``keyless``: only those no device's key has opened."""

    case_type: str
    lon: float
    lat: float
    radius_m: float = RADIUS_M
    within_s: float = WITHIN_S
    keyless: bool = False

    def statement(self) -> Statement:
        """Locks what it finds."""
        return _NEAR.sql, [self.case_type, *_box(self.lon, self.lat, self.radius_m, self.within_s), self.keyless]

    def nearest(self, found: Sequence[tuple[Any, ...]], fits: Callable[[Case], bool] = lambda case: True) -> Case | None:
        """The nearest of the statement's rows that ``fits``."""
        cases = [c for c in _NEAR.read(found) if c.lon is not None and c.lat is not None]
        ranked = sorted((float(distance_m(self.lon, self.lat, c.lon, c.lat)), c.id, c) for c in cases)  # type: ignore[arg-type]  # filtered
        return next((case for metres, _, case in ranked if metres <= self.radius_m and fits(case)), None)


def _box(lon: float, lat: float, metres: float, within_s: float) -> list[Any]:
    d_lon, d_lat = reach(metres, lat)
    return [lon - d_lon, lon + d_lon, lat - d_lat, lat + d_lat, clock.now() - timedelta(seconds=within_s), list(END_STATUSES)]


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


def around(new: Report) -> Statement | None:
    """The open cases around a report that may be the same matter; None when its place or its words say too little."""
    if new.lon is None or new.lat is None or not new.text.strip() or (new.place_m or 0.0) > SURE_PLACE_M:
        return None
    return _AROUND.sql, _box(new.lon, new.lat, NEAR_M, WITHIN_S)


def much_alike(case_type: str, new: Report, found: Sequence[tuple[Any, ...]]) -> list[tuple[str, float]]:
    """Of the cases ``around``, those that may be the same matter, likeliest first: (code, probability), for the desk to merge or not."""
    cases = [case for case in _AROUND.read(found) if case.text_sealed is not None]
    if not cases:
        return []
    texts = sealed_values(SYSTEM, [case.text_sealed for case in cases])
    told = _now_told(case_type, new)
    likely = [(case.code, round(worth_asking(_told(case, texts), told), 2)) for case in cases]
    return sorted((one for one in likely if one[1] > 0), key=lambda one: -one[1])[:SHOWN]
