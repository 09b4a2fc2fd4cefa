"""The rules' directory on rows: who is competent where, and which calendar runs, from the orgs room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gridloop.cases import selectors
from gridloop.cases.doubting import Doubt, of_cameras, of_copies, of_repeats, of_visits
from gridloop.cases.rules import SURE_PLACE_M, CaseData, Performer, TaskData
from gridloop.evidence.selectors import alike, cameras, new_pictures
from gridloop.journal.selectors import scoped
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import selectors as orgs
from gridloop.orgs.briefs import UnitBrief

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
KEPT_SECONDS = 5.0  # organisation changes are felt after this long at the latest in another process
FIELD_ROLES = ("full_time_grid_worker", "part_time_grid_worker", "grid_leader")

_kept: dict[Hashable, tuple[float, Any]] = {}
_lock = threading.Lock()


def forget() -> None:
    """Drop what this process remembers of the organisation."""
    with _lock:
        _kept.clear()


def _keep(key: Hashable, make: Callable[[], T]) -> T:
    found = _kept.get(key)
    if found is not None and found[0] > time.monotonic():
        value: T = found[1]
        return value
    value = make()
    _remember(key, value)
    return value


def _keep_many(kind: str, keys: Iterable[K], find: Callable[[list[K]], dict[K, T]]) -> dict[K, T]:
    """What is remembered of these keys, and one look-up for the others; what is not there is asked for again."""
    known: dict[K, T] = {}
    missing: list[K] = []
    now = time.monotonic()
    for key in set(keys):
        found = _kept.get((kind, key))
        if found is not None and found[0] > now:
            known[key] = found[1]
        else:
            missing.append(key)
    for key, value in find(missing).items() if missing else ():
        known[key] = value
        _remember((kind, key), value)
    return known


def _remember(key: Hashable, value: Any) -> None:
    with _lock:
        if len(_kept) > 20_000:
            _kept.clear()
        _kept[key] = (time.monotonic() + KEPT_SECONDS, value)


def _performer(unit: UnitBrief, staff_id: int | None = None) -> Performer:
    return Performer(unit.id, unit.name, unit.post_id, staff_id, unit.region_code)


class RowDirectory:
    """The organisation as the rules ask for it. Reads as the system: who is competent is no secret of the viewer's."""

    def competent(self, duty: str, case_type: str, region: str, at: datetime) -> Performer | None:
        """The most specific holder of the duty; for the verification on the spot the grid's own worker."""
        units = self.candidates(duty, case_type, region, at)
        if not units:
            return None
        return _performer(units[0], _keep(("worker", region), lambda: self._grid_worker(region)) if duty == "verify" else None)

    def _grid_worker(self, region: str) -> int | None:
        team = {member.role: member.id for member in reversed(orgs.grid_team(SYSTEM, region).members)}
        return next((team[role] for role in FIELD_ROLES if role in team), None)

    def candidates(self, duty: str, case_type: str, region: str, at: datetime) -> list[UnitBrief]:
        """Every competent unit, best first."""
        return orgs.duty_table(SYSTEM).holders(duty, case_type, region, at, self.calendar(region).local(at).date())

    def helpers(self, case_type: str, region: str, at: datetime) -> list[Performer]:
        departments: dict[int | str | None, UnitBrief] = {}
        for unit in self.candidates("support", case_type, region, at):
            departments.setdefault(unit.department, unit)
        return [_performer(unit) for unit in departments.values()]

    def unit(self, unit_id: int) -> Performer | None:
        brief = self.units([unit_id]).get(unit_id)
        return _performer(brief) if brief else None

    def serving(self, unit_id: int) -> Performer | None:
        """A unit that is in service, as performer."""
        brief = self.units([unit_id]).get(unit_id)
        return _performer(brief) if brief and brief.active else None

    def units(self, ids: list[int]) -> dict[int, UnitBrief]:
        """Units by id; an unknown one is left out."""
        wanted = set(ids)
        known = _keep(("units",), lambda: orgs.unit_table(SYSTEM)).units
        if not wanted <= known.keys():  # made a moment ago, perhaps
            known = orgs.unit_table(SYSTEM).units
        return {unit_id: known[unit_id] for unit_id in wanted if unit_id in known}

    def region_names(self, codes: Iterable[str]) -> dict[str, str]:
        """Names of regions by code; an unknown one is left out."""
        wanted = set(codes)
        known = _keep(("regions",), lambda: orgs.region_table(SYSTEM)).names
        if not wanted <= known.keys():  # made a moment ago, perhaps
            known = orgs.region_table(SYSTEM).names
        return {code: known[code] for code in wanted if code in known}

    def region_name(self, code: str) -> str:
        return self.region_names([code]).get(code, code)

    def staff_names(self, ids: Iterable[int]) -> dict[int, str]:
        """Names of staff by id, those who left included, one look-up for those not remembered."""
        return _keep_many("staff", ids, lambda missing: {k: v.name for k, v in orgs.staff_briefs(SYSTEM, missing).items()})

    def upper_desk(self, region: str, at: datetime) -> tuple[str, Performer] | None:
        """The intake desk above the one that now holds the region."""
        here = self.candidates("intake", "", region, at)
        parents = orgs.region_table(SYSTEM).parents
        level = here[0].region_code if here else region
        while parent := parents.get(level):
            above = self.candidates("intake", "", parent, at)
            if above and (not here or above[0].id != here[0].id):
                return parent, _performer(above[0])
            level = parent
        return None

    def calendar(self, region: str) -> WorkingCalendar:
        return _keep(("calendar", region[:6]), lambda: orgs.calendar_for(SYSTEM, region))

    def new_picture(self, task: TaskData, evidence: Sequence[str]) -> bool:
        return bool(evidence) and new_pictures(SYSTEM, task.case, task.id, evidence) > 0

    def doubts(self, case: CaseData, task: TaskData, evidence: Sequence[str], at: datetime, again_s: float) -> list[Doubt]:
        with scoped(SYSTEM):  # one change of viewer for all the reads
            if task.stage == "check":
                return of_repeats((), again_s, selectors.reported_since(SYSTEM, case.code, task.opened_at))
            return self._doubts(case, task, evidence, at, again_s)

    def _doubts(self, case: CaseData, task: TaskData, evidence: Sequence[str], at: datetime, again_s: float) -> list[Doubt]:
        sure = case.place_m is None or case.place_m <= SURE_PLACE_M  # who comes to a place that was guessed is not far off
        place = (case.lon, case.lat) if sure and case.lon is not None and case.lat is not None else None
        found: list[Doubt] = []
        if evidence:
            found += of_copies(alike(SYSTEM, task.case, task.id, evidence), case.code)
            found += of_cameras(cameras(SYSTEM, task.case, task.id, evidence), place, task.opened_at, self.calendar(case.region).tz)
        again = place if again_s and not case.same_thing else None
        since = case.reported_at - timedelta(seconds=again_s)
        before = selectors.before_closing(SYSTEM, case.code, case.type, again, since, case.reported_at, at)
        for visits in before.people:
            found += of_visits(visits, case.code, place, task.opened_at)
        if again is not None:
            found += of_repeats(before.closed, again_s, 0)
        return found


DIRECTORY = RowDirectory()
