"""A small world for the laws of the case: three desks one above the other, people with one role and with two, doubtful photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from gridloop.cases.rules import CaseData, Performer, Scene, TaskData
from gridloop.cases.types import case_types
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Grant, Viewer
from gridloop.scenes.loading import Loaded, load_all
from gridloop.scenes.rules import Candidate, choose, stage_limits

CITY, COUNTY, TOWN, PLACE, ELSEWHERE = "9901", "990101", "990101100", "990101100001001", "990102"
TOWN_DESK, COUNTY_DESK, CITY_DESK, LEAD, HELP_1, HELP_2, CHECKERS, GRID, ABOVE = 3, 1, 2, 10, 11, 12, 20, 30, 40
NOBODY = 999  # no such unit
DESKS = ((TOWN, TOWN_DESK), (COUNTY, COUNTY_DESK), (CITY, CITY_DESK))  # from below
UNITS = {
    **{unit: Performer(unit, f"desk {region}", region=region) for region, unit in DESKS},
    **{unit: Performer(unit, f"unit {unit}", region=COUNTY) for unit in (LEAD, HELP_1, HELP_2, CHECKERS)},
    GRID: Performer(GRID, "grid", staff_id=301, region=PLACE),
    ABOVE: Performer(ABOVE, "supervisors", region=CITY),
}
DESK = frozenset(f"case.{verb}" for verb in ("accept", "route", "urge", "void", "merge", "rate")) | {"task.act"}
WATCH = frozenset({"case.supervise", "case.urge", "case.rate", "task.act"})
WORK = frozenset({"task.act"})
DOUBTFUL = "old"  # a file that speaks against closing


def _person(number: int, *grants: tuple[str, int | None, frozenset[str]]) -> Viewer:
    """``grants``: territory, unit (None: the territory as a whole), permissions."""
    held = tuple(Grant("life", region, frozenset({unit} if unit else ()), permissions) for region, unit, permissions in grants)
    return Viewer(f"p{number}", number, number, grants[0][1], held)


PEOPLE = {
    "town desk": _person(101, (TOWN, None, DESK)),
    "county desk": _person(102, (COUNTY, None, DESK)),
    "city desk": _person(103, (CITY, None, DESK)),
    "desk elsewhere": _person(104, (ELSEWHERE, None, DESK)),
    "handler": _person(110, ("", LEAD, WORK)),
    "second handler": _person(111, ("", LEAD, WORK)),
    "helper": _person(112, ("", HELP_1, WORK)),
    "helper and checker": _person(113, ("", HELP_2, WORK), ("", CHECKERS, WORK)),
    "handler and supervisor": _person(114, ("", LEAD, WORK), (COUNTY, None, WATCH)),
    "handler at the desk": _person(115, ("", LEAD, WORK), (TOWN, None, DESK)),
    "checker": _person(120, ("", CHECKERS, WORK)),
    "supervisor": _person(121, (COUNTY, None, WATCH)),
    "city supervisor": _person(122, (CITY, None, WATCH)),
    "grid worker": _person(301, ("", GRID, WORK)),
    "reporter": Viewer("p500", 500, permissions=frozenset({"case.report", "case.rate", "case.urge"})),
    "public": PUBLIC,
    "system": SYSTEM,
}


@dataclass(slots=True)
class Directory:
    """Who is competent here. ``held`` False: no unit has the duty of handling; ``watched`` False: nobody above supervises."""

    held: bool = True
    watched: bool = True
    days: WorkingCalendar = field(default_factory=WorkingCalendar)

    def competent(self, duty: str, case_type: str, region: str, at: datetime) -> Performer | None:
        if duty == "intake":
            return UNITS[next(unit for own, unit in DESKS if region.startswith(own))]
        found = {"handle": LEAD if self.held else 0, "check": CHECKERS, "verify": GRID, "supervise": ABOVE if self.watched else 0}
        return UNITS.get(found.get(duty, 0))

    def helpers(self, case_type: str, region: str, at: datetime) -> list[Performer]:
        return [UNITS[HELP_1]]

    def unit(self, unit_id: int) -> Performer | None:
        return UNITS.get(unit_id)

    def upper_desk(self, region: str, at: datetime) -> tuple[str, Performer] | None:
        own = next(number for number, (area, _) in enumerate(DESKS) if region.startswith(area))
        return (DESKS[own + 1][0], UNITS[DESKS[own + 1][1]]) if own + 1 < len(DESKS) else None

    def calendar(self, region: str) -> WorkingCalendar:
        return self.days

    def new_picture(self, task: TaskData, evidence: Sequence[str]) -> bool:
        return bool(evidence)

    def doubts(self, case: CaseData, task: TaskData, evidence: Sequence[str], at: datetime, again_s: float) -> list[dict[str, Any]]:
        return [{"why": "photo_old", "file": file, "minutes": 90} for file in evidence if file.startswith(DOUBTFUL)]


@cache
def packs() -> list[Loaded]:
    return [one for one in load_all() if one.pack is not None and one.process is not None]


def scene_of(loaded: Loaded) -> Scene:
    assert loaded.pack is not None
    assert loaded.process is not None
    pack = loaded.pack.pack
    return Scene(loaded.name, pack.version, None, loaded.process, dict(pack.params), stage_limits(loaded.pack))


def scene_for(case_type: str, region: str, data: Mapping[str, Any]) -> tuple[Scene, str]:
    """The scene of a type, as the product finds it; the digest of a process is its pack's name here."""
    candidates = [Candidate(n, one.name, one.pack) for n, one in enumerate(packs()) if one.pack is not None]
    found = choose(candidates, case_type, {})
    if found is None or case_type not in case_types():
        raise NotFound("scenes.not_found", name=case_type)
    return scene_of(packs()[found.version_id]), packs()[found.version_id].name
