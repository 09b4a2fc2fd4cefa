"""A deployment in memory for stories: cases, an organisation of a few units, and a clock that is moved by hand.

The rules, processes and packs are the real ones; only rows, people and time are stand-ins.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gridloop.cases.machine import Machine
from gridloop.cases.messages import SceneMatch
from gridloop.cases.rules import END_STATUSES, CaseData, NewCase, Performer, Scene, Situation, TaskData
from gridloop.cases.types import case_types, type_name
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import Invalid, NotFound
from gridloop.kernel.geo import distance_m
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Grant, Viewer
from gridloop.registry.rules import absence_fault
from gridloop.scenes.loading import Loaded
from gridloop.scenes.rules import Candidate, again_seconds, choose, match, stage_limits, within_seconds
from gridloop.scenes.stories.sensing import Senses
from gridloop.scenes.stories.story import Register
from gridloop.sdk.pack import Pack
from gridloop.sdk.signals import Signal

REGION, TOWN, COUNTY = "990101100001001", "990101100", "990101"
TOWN_DESK, COUNTY_DESK, LEAD, SUPPORT_1, SUPPORT_2, CHECKERS, GRID = 1, 2, 10, 11, 12, 20, 30
UNITS = {
    TOWN_DESK: Performer(TOWN_DESK, "镇街指挥室", region=TOWN),
    COUNTY_DESK: Performer(COUNTY_DESK, "县指挥中心", region=COUNTY),
    LEAD: Performer(LEAD, "主办单位", region=COUNTY),
    SUPPORT_1: Performer(SUPPORT_1, "协办单位一", region=COUNTY),
    SUPPORT_2: Performer(SUPPORT_2, "协办单位二", region=COUNTY),
    CHECKERS: Performer(CHECKERS, "核查组", region=COUNTY),
    GRID: Performer(GRID, "网格", staff_id=301, region=REGION),
}
DUTIES = {"handle": LEAD, "check": CHECKERS, "verify": GRID}
FIELD = ("GRID", "COMMUNITY")  # departments that verify and do not support
NEAR_M, NEAR_S = 50.0, 24 * 3600.0
NOTHING = Register()


def _person(name: str, number: int, units: tuple[int, ...], *permissions: str) -> Viewer:
    return Viewer(name, number, number, units[0], (Grant("story", "", frozenset(units), frozenset(permissions)),))


PEOPLE = {
    "受理": _person("desk", 101, (TOWN_DESK, COUNTY_DESK), "case.accept", "case.route", "case.urge", "case.void", "case.merge", "task.act"),
    "主办": _person("handler", 110, (LEAD,), "task.act"),
    "协办1": _person("support1", 111, (SUPPORT_1,), "task.act"),
    "协办2": _person("support2", 112, (SUPPORT_2,), "task.act"),
    "核查": _person("checker", 120, (CHECKERS,), "task.act"),
    "网格": _person("grid worker", 301, (GRID,), "task.act"),
    "群众": PUBLIC,
}


@dataclass(frozen=True, slots=True)
class MemoryDirectory:
    """Who is competent: one unit for each duty, a desk at the town and one above it at the county."""

    days: WorkingCalendar

    def competent(self, duty: str, case_type: str, region: str, at: datetime) -> Performer | None:
        if duty == "intake":
            return UNITS[COUNTY_DESK if region == COUNTY else TOWN_DESK]
        return UNITS.get(DUTIES.get(duty, 0))

    def helpers(self, case_type: str, region: str, at: datetime) -> list[Performer]:
        departments = [one for one in case_types()[case_type].co if one not in FIELD]
        return [UNITS[unit] for unit, _ in zip((SUPPORT_1, SUPPORT_2), departments, strict=False)]

    def unit(self, unit_id: int) -> Performer | None:
        return UNITS.get(unit_id)

    def upper_desk(self, region: str, at: datetime) -> tuple[str, Performer] | None:
        return None if region == COUNTY else (COUNTY, UNITS[COUNTY_DESK])

    def calendar(self, region: str) -> WorkingCalendar:
        return self.days

    def new_picture(self, task: TaskData, evidence: Sequence[str]) -> bool:
        return bool(evidence)  # a story tells how many photos there are, not which

    def doubts(self, case: CaseData, task: TaskData, evidence: Sequence[str], at: datetime, again_s: float) -> list[dict[str, Any]]:
        return []  # nor where and when they were made


def _scene(loaded: Loaded) -> Scene:
    assert loaded.pack is not None
    assert loaded.process is not None
    same = loaded.pack.pack.same_thing
    return Scene(
        name=loaded.name,
        version=loaded.pack.pack.version,
        version_id=None,
        process=loaded.process,
        params=dict(loaded.pack.pack.params),
        limits=stage_limits(loaded.pack),
        radius_m=float(same.radius_m or 0),
        within_s=within_seconds(same),
        again_s=again_seconds(same),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact of a case's trace, with its time."""

    at: datetime
    action: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class MemoryCase:
    situation: Situation
    scene: Scene
    pack: Pack
    trace: list[Entry] = field(default_factory=list)
    sources: int = 1
    desk_chose: bool = False  # who is to do it


class World:
    """Everything a story plays on. ``now`` only moves by ``advance``, which fires due limits on the way, each at its time."""

    def __init__(
        self, packs: list[Loaded], start: datetime, calendar: WorkingCalendar | None = None, on_record: Register = NOTHING
    ) -> None:
        self.packs = [one for one in packs if one.pack is not None and one.process is not None]
        self.start = self.now = start
        self.cases: list[MemoryCase] = []
        self.directory = MemoryDirectory(calendar or WorkingCalendar())
        self.senses = Senses(self.packs, on_record, start, self.directory.days) if on_record.devices else None
        self._seen: set[tuple[str, str]] = set()

    # ---- time ----------------------------------------------------------------------------------------------------

    def advance(self, target: datetime) -> None:
        """Move the clock; a limit's effect may open limits that fall due before the target too."""
        self.look_ahead(target)
        while True:
            due = self._next_limit()
            alarm = self.senses.next_at() if self.senses else None
            if alarm is not None and alarm <= target and (due is None or alarm <= due[0]):
                assert self.senses is not None
                self.now = max(self.now, alarm)
                self.signal(self.senses.pop())
            elif due is not None and due[0] <= target:
                self.now = max(self.now, due[0])
                self.push(self.cases[due[1]], SYSTEM, partial(Machine.fire, limit_id=due[-1]))
            else:
                break
        self.now = max(self.now, target)

    def look_ahead(self, target: datetime) -> None:
        """Let the detectors find what there is to find up to a moment, as nothing is sent before it."""
        if self.senses is not None:
            self.senses.look(target)

    def _next_limit(self) -> tuple[datetime, int, bool, int, int, Any] | None:
        """In the order of the deployment: of one moment what only tells comes before a wait."""
        due = [
            (limit.due_at, number, limit.kind == "wait", limit.share, place, limit.id)
            for number, case in enumerate(self.cases)
            for place, limit in enumerate(case.situation.limits)
            if limit.state == "pending"
        ]
        return min(due, default=None)

    def next_due(self) -> datetime | None:
        """When the next limit falls due, or the next alarm is told of those known from looking ahead."""
        due = self._next_limit()
        moments = [due[0] if due else None, self.senses.next_at() if self.senses else None]
        return min((at for at in moments if at is not None), default=None)

    # ---- what comes in -------------------------------------------------------------------------------------------

    def signal(self, signal: Signal) -> None:
        """A signal for every pack; the same (source, id) twice has no second effect."""
        if signal.identity in self._seen:
            return
        self._seen.add(signal.identity)
        if self.senses is not None:
            self.senses.take(signal, self.now)
        for number, loaded in enumerate(self.packs):
            assert loaded.pack is not None
            found = match(loaded.pack, number, signal)
            if found is not None:
                self._take(loaded, found, signal)

    def away(self, home: str, since: datetime, till: datetime) -> None:
        """A household tells that nobody is at home. The faults are the registry's."""
        if (fault := absence_fault(since, till, self.now)) is not None:
            raise Invalid(fault.key, errors=(fault,), **fault.params)
        if self.senses is None or home not in self.senses.facts:
            raise NotFound("registry.household_unknown", code=home)
        self.senses.away(home, since, till)

    def _take(self, loaded: Loaded, found: SceneMatch, signal: Signal) -> None:
        assert loaded.pack is not None
        case = self._same_thing(loaded, found, signal)
        if case is None:
            if found.verb != "open":
                return
            more = {**found.subject, "kind": signal.kind, "value": signal.value}
            case = self._open(
                loaded,
                NewCase(
                    code=self._code(),
                    type=found.case_type,
                    title=found.title,
                    severity=found.severity,
                    region=REGION,
                    source=signal.kind,
                    lon=signal.lon,
                    lat=signal.lat,
                    same_thing=found.key,
                    proposal={"type": found.case_type, "unit": LEAD, "severity": found.severity, "told": found.severity},
                    data=more,
                ),
                SYSTEM,
            )
            case.sources -= 1  # the signal itself is counted below
        case.sources += 1
        case.trace.append(Entry(self.now, "signal_added", {"kind": signal.kind, "value": signal.value}))
        if found.verb == "open":
            self.push(case, SYSTEM, partial(Machine.press, severity=found.severity))
        if found.message:
            self.push(case, SYSTEM, partial(Machine.receive, message=found.message, data={"value": signal.value}))

    def _same_thing(self, loaded: Loaded, found: SceneMatch, signal: Signal) -> MemoryCase | None:
        same = (c for c in self._open_cases() if c.situation.case.scene == loaded.name and c.situation.case.same_thing == found.key)
        case = next(same, None) if found.key else None
        if case is not None or not found.radius_m:
            return case
        return self._near(found.case_type, signal.lon, signal.lat, found.radius_m, found.within_s, keyless=bool(found.key))

    def report(self, text: str, kind: str | None, place: tuple[float, float], contact: str) -> None:
        """A person's report opens a case of the scene of its type, or joins the open one at the place."""
        chosen_type = kind or "28002"
        loaded = self._scene_for(chosen_type)
        assert loaded.pack is not None
        same = loaded.pack.pack.same_thing
        twin = self._near(chosen_type, *place, float(same.radius_m or 0), within_seconds(same))
        if twin is not None:
            twin.sources += 1
            twin.trace.append(Entry(self.now, "joined", {"kind": "citizen"}))
            return
        severity = case_types()[chosen_type].severity
        new = NewCase(
            code=self._code(),
            type=chosen_type,
            title=type_name(chosen_type, "zh"),
            severity=severity,
            region=REGION,
            source="citizen",
            text=text,
            reporter={"name": "", "contact": contact},
            lon=place[0],
            lat=place[1],
            proposal={"type": chosen_type, "unit": LEAD, "severity": severity},
        )
        self._open(loaded, new, PUBLIC)

    def _scene_for(self, case_type: str) -> Loaded:
        candidates = [Candidate(n, one.name, one.pack) for n, one in enumerate(self.packs) if one.pack is not None]
        chosen = choose(candidates, case_type, {})
        if chosen is None:
            raise LookupError(f"no pack takes reports of {case_type}")
        return self.packs[chosen.version_id]

    def _scene_of_type(self, case_type: str, region: str, data: Mapping[str, Any]) -> tuple[Scene, str]:
        """The digest of a process is the pack's name here: a story has one version of each."""
        loaded = self._scene_for(case_type)
        return _scene(loaded), loaded.name

    def _pack_of(self, name: str) -> Pack:
        return next(one.pack for one in self.packs if one.name == name and one.pack is not None)

    def _near(
        self, case_type: str, lon: float | None, lat: float | None, radius: float, within: float, keyless: bool = False
    ) -> MemoryCase | None:
        if lon is None or lat is None:
            return None
        since = self.now - timedelta(seconds=within or NEAR_S)
        found: list[tuple[float, int, MemoryCase]] = []
        for number, case in enumerate(self._open_cases()):
            data = case.situation.case
            if keyless and data.same_thing:
                continue
            if data.type == case_type and data.reported_at >= since and data.lon is not None and data.lat is not None:
                distance = float(distance_m(lon, lat, data.lon, data.lat))
                if distance <= (radius or NEAR_M):
                    found.append((distance, number, case))
        return min(found)[2] if found else None

    def _open_cases(self) -> list[MemoryCase]:
        return [case for case in self.cases if case.situation.case.status not in END_STATUSES]

    def _code(self) -> str:
        return f"{COUNTY}{self.now:%y%m%d}{len(self.cases) + 1:07d}"

    # ---- pushes --------------------------------------------------------------------------------------------------

    def _open(self, loaded: Loaded, new: NewCase, viewer: Viewer) -> MemoryCase:
        assert loaded.pack is not None
        scene = _scene(loaded)
        machine = Machine.open(new, scene, self.directory, self.now, viewer)
        case = MemoryCase(machine.situation, scene, loaded.pack)
        self.cases.append(case)
        self._keep(case, machine)
        return case

    def push(self, case: MemoryCase, viewer: Viewer, act: Callable[[Machine], object]) -> None:
        """One push on one case; when the rules refuse it, nothing of it stays."""
        situation = copy.deepcopy(case.situation)
        machine = Machine(situation, case.scene, self.directory, self.now, viewer, self._scene_of_type)
        act(machine)
        case.situation = situation
        if machine.digest:
            case.scene, case.pack = machine.scene, self._pack_of(machine.digest)
        self._keep(case, machine)

    def _keep(self, case: MemoryCase, machine: Machine) -> None:
        case.trace += [Entry(self.now, noted.action, noted.data) for noted in machine.facts]
