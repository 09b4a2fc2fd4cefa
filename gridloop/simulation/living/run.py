"""The simulated day: processes of simpy against the wall clock, one simulated minute taking 60 / speed seconds."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import simpy
import simpy.rt

from gridloop.kernel import clock
from gridloop.registry.messages import DeviceRow
from gridloop.simulation.living.client import Client
from gridloop.simulation.living.truth import MOVES_AFTER_MESSAGE, Incident, World

INCIDENTS_PER_HOUR = 18.0  # of simulated time, the whole county
LOOK_EVERY = 1.0  # simulated minutes between looks at the open tasks
TELL_EVERY = 10.0  # real seconds between posts of the readings that are due
BREAKS_DOWN = 0.0002  # chance that a reading is a device's last one
READINGS = {  # kind of signal and usual value by kind of device; others only say that they live
    "smoke": ("smoke", 0.0),
    "water_meter": ("water_total", 12.0),  # what was used is added to its state
    "gas_meter": ("gas_use", 0.1),
    "electricity_meter": ("electricity_use", 0.3),
    "thermal": ("temperature", 24.0),
    "water_level": ("water_level", 2.1),
    "rain": ("rain", 0.0),
}
DESK_PATIENCE = 40.0  # simulated minutes a case waits for a human operator before a simulated colleague takes it
TELL_WHERE_EVERY = 3.0  # simulated minutes between two positions of somebody on the way
MOST_STEPS = 6  # positions of one way, however long it takes
NEAR_DEGREES = 0.006  # about 600 m
RETURNS, BAD_WORK = 0.04, 0.06  # shares of tasks handed back and done badly
LAZY = 0.5  # share of bad work "proven" with the photo of another case
REVIEWERS = 3  # people of a unit asked to review: who has checked may not
Steps = Generator[simpy.Event, Any, None]


@dataclass
class Doing:
    """Figures of the run, for progress and the closing line."""

    incidents: int = 0
    signals: int = 0
    reports: int = 0
    positions: int = 0
    acts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        said = f"{self.incidents} incidents, {self.signals} signals, {self.reports} reports, {self.positions} positions"
        return f"{said}, {dict(self.acts)}"


class Living:
    """The county alive. ``people`` names a log-in for a unit or a person and says which reporter's desk is watched."""

    def __init__(self, world: World, client: Client, people: People, speed: float, stop: threading.Event) -> None:
        self.world, self.client, self.people = world, client, people
        self.speed, self.stop = speed, stop
        self.doing = Doing()
        self.taken: set[str] = set()
        self.stands: dict[str, dict[str, float]] = {}  # where whoever has walked stands since
        self.hands: dict[str, simpy.Resource] = {}
        self.shown: dict[str, str] = {}  # of which case somebody took a photo last
        self.handed_back: set[int] = set()  # incidents whose handler said that it is none of theirs: now the desk knows
        self.at_desk: set[str] = set()  # cases seen waiting at the desk and not taken by us: a human has them
        self._states: dict[str, float] = {}  # of meters
        self.env = simpy.rt.RealtimeEnvironment(factor=60.0 / speed, strict=False)

    def run(self, hours: float | None, devices: list[DeviceRow], tick: Callable[[Doing], None]) -> Doing:
        """Until the hours are over or ``stop`` is set."""
        self.env.process(self._incidents())
        self.env.process(self._watch())
        self.env.process(self._devices(devices))
        end = hours * 60 if hours else float("inf")
        while not self.stop.is_set() and self.env.peek() <= end:
            self.env.step()
            tick(self.doing)
        return self.doing

    # ---- things happen -------------------------------------------------------------------------------------------

    def _incidents(self) -> Steps:
        while True:
            incident = self.world.happen()
            self.doing.incidents += 1
            told = self._parked if incident.plate else self._spotted if incident.device else self._seen
            self.env.process(told(incident))
            yield self.env.timeout(self.world.random.exponential(60.0 / INCIDENTS_PER_HOUR))

    def _parked(self, incident: Incident) -> Steps:
        """A camera sees a car standing, again and again, until it has gone."""
        standing = 180.0
        leaves_after = self.world.minutes(4) if self.world.chance(MOVES_AFTER_MESSAGE) else None
        waited = 0.0
        while incident.there:
            self._signal(incident, "vehicle_stopped", standing)
            yield self.env.timeout(2.0)
            standing, waited = standing + 120.0, waited + 2.0
            if leaves_after is not None and waited >= leaves_after:
                incident.there = False
            if waited > 240:  # after four hours the driver has left anyway
                incident.there = False
        self._signal(incident, "vehicle_stopped", 0.0)

    def _spotted(self, incident: Incident) -> Steps:
        """A camera sees something broken and says so every ten minutes for an hour."""
        for _ in range(6):
            self._signal(incident, "facility_damaged", 1.0)
            yield self.env.timeout(10.0)

    def _signal(self, incident: Incident, kind: str, value: float) -> None:
        at = clock.now().isoformat()
        item = {
            "id": f"sim-{incident.number}-{value:g}-{at}",
            "source": "sim-camera",
            "device": incident.device,
            "kind": kind,
            "at": at,
            "value": value,
            "place": {"lon": incident.lon, "lat": incident.lat},
            "data": {"plate": incident.plate} if incident.plate else {},
        }
        if self.client.post("/api/v1/signals", self.people.machine, item) is not None:
            self.doing.signals += 1

    def _seen(self, incident: Incident) -> Steps:
        """Somebody notices and reports; sometimes a second person does too."""
        yield self.env.timeout(self.world.minutes(3))
        for _ in range(1 + int(self.world.chance(0.25))):
            self._report(incident)
            yield self.env.timeout(self.world.minutes(6))

    def _report(self, incident: Incident) -> None:
        by_phone = self.world.chance(0.3)
        kind = incident.case_type if self.world.chance(0.8) else ""
        body = {
            "text": incident.words,
            "kind": kind,
            "place": {"lon": incident.lon, "lat": incident.lat},
            "address": incident.address,
            "source": "hotline" if by_phone else "",
            "contact": f"100{int(self.world.random.integers(10**8)):08d}",
        }
        answer = self.client.post("/api/v1/reports", self.people.hotline if by_phone else "", body)
        if answer:
            self.doing.reports += 1
            incident.case, incident.track = answer["case"], answer["track_url"]
            self.world.by_case[incident.case] = incident

    def _devices(self, devices: list[DeviceRow]) -> Steps:
        """Every device sends its readings in its own rhythm; a few fall silent for good and become maintenance cases by themselves."""
        due = {d.code: float(self.world.random.uniform(0, d.interval_seconds)) for d in devices}
        began = time.monotonic()
        while True:
            elapsed = time.monotonic() - began
            items = []
            for device in devices:
                if due[device.code] <= elapsed:
                    due[device.code] += device.interval_seconds * 0.9
                    if self.world.chance(BREAKS_DOWN):
                        due[device.code] = float("inf")
                    items.append(self._reading(device))
            for start in range(0, len(items), 1000):
                self.client.post("/api/v1/signals", self.people.machine, items[start : start + 1000])
            yield self.env.timeout(TELL_EVERY * self.speed / 60.0)

    def _reading(self, device: DeviceRow) -> dict[str, Any]:
        """One quiet reading of the kind the device sends."""
        at = clock.now().isoformat()
        kind, usual = READINGS.get(device.kind, ("device_status", 1.0))
        value = round(float(usual * self.world.random.uniform(0.6, 1.4)), 3) if kind != "device_status" else usual
        if kind.endswith("_total"):
            before = self._states.get(device.code)
            began = float(self.world.random.integers(1_000, 90_000))
            value = self._states[device.code] = began if before is None else round(before + value, 3)
        return {"id": f"{device.code}-{at}", "source": "sim", "device": device.code, "kind": kind, "at": at, "value": value}

    # ---- staff act -----------------------------------------------------------------------------------------------

    def _watch(self) -> Steps:
        """Look at the open tasks and set somebody going for each that nobody has."""
        while True:
            page = self.client.get("/api/v1/tasks", self.people.watcher, mine="false", status="live", limit=200)
            for task in (page or {}).get("items", ()):
                if task["id"] not in self.taken and task["unit"] is not None:
                    self.taken.add(task["id"])
                    self.env.process(self._do(task))
            yield self.env.timeout(LOOK_EVERY)

    def _do(self, task: dict[str, Any]) -> Steps:
        stage = task["stage"]
        if stage == "intake":
            yield from self._at_the_desk(task)
        elif stage in ("handle", "support"):
            yield from self._handle(task)
        else:
            yield from self._look(task)

    def _at_the_desk(self, task: dict[str, Any]) -> Steps:
        """Leave the case to the human at the desk for a while, then take the proposal, put right by what the desk knows better."""
        self.at_desk.add(task["case"])
        yield self.env.timeout(DESK_PATIENCE + self.world.minutes(10))
        incident = self.world.by_case.get(task["case"])
        known: dict[str, Any] = {"type": incident.case_type, "severity": incident.severity} if incident is not None else {}
        if incident is not None and incident.number in self.handed_back and incident.unit:
            known["unit"] = self.people.unit_id(incident.unit)
        body = {key: value for key, value in known.items() if value is not None}
        if self.client.post(f"/api/v1/cases/{task['case']}/accept", self.people.desk, body) is not None:
            self.at_desk.discard(task["case"])
            self.doing.acts["accept"] += 1

    def _patience(self, task: dict[str, Any]) -> Steps:
        """Who took a case at the desk may want to play the next person too; and whoever reported one that is none of ours."""
        if task["case"] in self.at_desk or task["case"] not in self.world.by_case:
            yield self.env.timeout(DESK_PATIENCE)

    def _act(self, task: dict[str, Any], user: str, verb: str, **payload: Any) -> bool:
        done = self.client.post(f"/api/v1/tasks/{task['id']}/{verb}", user, payload) is not None
        self.doing.acts[verb] += int(done)
        return done

    def _place(self, task: dict[str, Any]) -> dict[str, float]:
        place = task["place"]
        return {"lon": place["lon"] or 121.6, "lat": place["lat"] or 29.2}

    def _handle(self, task: dict[str, Any]) -> Steps:
        user = self.people.of_unit(task["unit"]["id"], "handler")
        yield from self._patience(task)
        with self._hands(user).request() as free:  # everybody does one thing at a time
            yield free
            yield from self._work(task, user)

    def _hands(self, user: str) -> simpy.Resource:
        return self.hands.setdefault(user, simpy.Resource(self.env))

    def _work(self, task: dict[str, Any], user: str) -> Steps:
        yield self.env.timeout(self.world.minutes(5))
        incident = self.world.by_case.get(task["case"])
        others = incident is not None and incident.number not in self.handed_back and self._is_others(incident, task["unit"]["id"])
        if task["stage"] == "handle" and (others or self.world.chance(RETURNS)):
            if self._act(task, user, "return", note="经核对不属本单位职责，请改派") and incident is not None:
                self.handed_back.add(incident.number)
            return
        if not self._act(task, user, "accept"):
            return
        yield from self._walk(user, self._place(task))
        self._act(task, user, "check_in", place=self._place(task))
        yield self.env.timeout(self.world.minutes(20))
        good = not self.world.chance(BAD_WORK)
        if incident is not None and good:
            incident.there = False
        place = self._place(task)
        shown = task["case"] if good or not self.world.chance(LAZY) else self.shown.get(user, task["case"])
        self.shown[user] = task["case"]
        photo = self.client.photo(user, shown, place["lon"], place["lat"], good)
        note = "现场已处置完毕" if good else "已到场处理"
        self._act(task, user, "submit", note=note, evidence=[photo] if photo else [])

    def _is_others(self, incident: Incident, unit: int) -> bool:
        """Whether by agreement somebody else answers for it; said once, whatever the desk then decides is done."""
        return bool(incident.unit) and self.people.unit_id(incident.unit) != unit

    def _walk(self, user: str, there: dict[str, float]) -> Steps:
        """Go to the place, the telephone telling where one is; the first way of the day begins somewhere near."""
        east, north = (float(part) for part in self.world.random.normal(0, NEAR_DEGREES, 2))
        here = self.stands.get(user) or {"lon": there["lon"] + east, "lat": there["lat"] + north}
        minutes = self.world.minutes(12)
        steps = max(1, min(MOST_STEPS, round(minutes / TELL_WHERE_EVERY)))
        for step in range(1, steps + 1):
            yield self.env.timeout(minutes / steps)
            place = {axis: round(here[axis] + (there[axis] - here[axis]) * step / steps, 6) for axis in ("lon", "lat")}
            if self.client.post("/api/v1/positions", user, [place]) is not None:
                self.doing.positions += 1
        self.stands[user] = there

    def _look(self, task: dict[str, Any]) -> Steps:
        """Verify or check on the spot, by what is really there."""
        verify = task["stage"] == "verify"
        yield from self._patience(task)
        yield self.env.timeout(self.world.minutes(8 if verify else 15))
        incident = self.world.by_case.get(task["case"])
        there = incident.there if incident is not None else verify
        if there == verify:
            done, note = "approve", "属实" if verify else "核查属实，已解决"
        else:
            done, note = "reject", "现场未见该情况" if verify else "问题仍在，请返工"
        for _ in range(REVIEWERS if task["stage"] == "review" else 1):
            if self._act(task, self.people.of_task(task, "grid_worker" if verify else "supervisor"), done, note=note):
                break
        if done == "approve" and not verify:
            yield from self._rate(incident)

    def _rate(self, incident: Incident | None) -> Steps:
        yield self.env.timeout(self.world.minutes(30))
        if incident is None or not incident.track or not self.world.chance(0.5):
            return
        path, _, query = incident.track.partition("?")
        stars = int(self.world.random.choice([5, 5, 5, 4, 4, 3]))
        if self.client.post(f"{path}/rate?{query}", "", {"stars": stars, "note": ""}) is not None:
            self.doing.acts["rate"] += 1


class People:
    """Log-ins the simulator acts as. ``make`` creates a log-in for a staff member of a unit and returns its name; ``unit_id``
    gives the id of a unit's code."""

    machine, hotline, desk, watcher = "sim_machine", "sim_hotline", "sim_desk", "sim_watcher"

    def __init__(
        self, staff_of: Callable[[int], list[int]], make: Callable[[int, int, str], str], unit_id: Callable[[str], int | None]
    ) -> None:
        self._staff_of, self._make, self.unit_id = staff_of, make, unit_id
        self._turn: Counter[int] = Counter()

    def of_unit(self, unit_id: int, role: str) -> str:
        """The unit's people take turns."""
        staff = self._staff_of(unit_id)
        if not staff:
            return self._make(unit_id, 0, role)
        self._turn[unit_id] += 1
        return self._make(unit_id, staff[self._turn[unit_id] % len(staff)], role)

    def of_task(self, task: dict[str, Any], role: str) -> str:
        if task["assignee"] is not None:
            return self._make(task["unit"]["id"], task["assignee"]["id"], role)
        return self.of_unit(task["unit"]["id"], role)
