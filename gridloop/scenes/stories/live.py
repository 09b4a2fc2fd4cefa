"""The live stage: a story over HTTP on a running deployment's clock, beside the same story in memory, and the facts of both compared.

The story in memory goes ahead and knows when the next limit falls due; the deployment's clock is moved from one such moment to the next,
and each time the stage waits until the deployment has written as many facts. So limits fire at their own time on both sides.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gridloop.kernel import clock
from gridloop.kernel.errors import Fault, NotNow, Unavailable
from gridloop.kernel.hints import hint_worker
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import selectors as orgs
from gridloop.scenes.loading import FACTS, Loaded
from gridloop.scenes.stories import cast
from gridloop.scenes.stories.acting import MemoryStage
from gridloop.scenes.stories.http import Door
from gridloop.scenes.stories.player import Played, View, play
from gridloop.scenes.stories.reading import stories_of
from gridloop.scenes.stories.running import Result
from gridloop.scenes.stories.story import ACT_WORDS, Step, Story, SubmitStep, offset

PATIENCE = 60.0  # real seconds to wait for the deployment to catch up; a busy machine takes its time
TOLERANCE = 1.0  # minutes by which a fact's time may differ
BASIS = "故事演练（示例数据，不涉及真实人员）"
ADOPTED = 4.0  # real seconds until a pack just switched on is at work everywhere
SEEN = 2 * clock.CHECK_EVERY  # real seconds until every process has looked at the moved clock
DELIVERED = 20.0  # real seconds to wait for notices
LOOK = 0.1  # real seconds between two looks at what the deployment has done
LATER = timedelta(seconds=1)  # past the due time, so that it is over in the deployment too
ASIDE = 0.0002  # degrees east: about 19 m
AROUND = 0.0015  # degrees: the box in which a story's cases are looked for
NAMING = ("plate", "token", "group")  # data that names a thing: another one in each playing; packs compare with other words
DESK, MACHINE = "operator", "admin"


class LiveStage:
    """Implements ``player.Stage``."""

    def __init__(self, door: Door, pack: Loaded, packs: list[Loaded], playing: Playing) -> None:
        self.door, self.pack, self.start, self.folder, self.places = door, pack, playing.start, playing.folder, playing.places
        self.on_record = playing.story.on_record
        self.asked = {word for step in playing.story.steps if step.should for word in step.should.delivered or ()}
        self.memory = MemoryStage(packs, self.start, orgs.calendar_for(SYSTEM), self.on_record)
        self.tag = f"{random.randrange(36**6):06x}"
        self._signals = 0
        self._keys: list[str] = []
        self._acts: dict[str, Callable[[Step], None]] = {name: getattr(self, f"_{name}") for name in ACT_WORDS}
        self._set_clock(self.start)
        cast.put_on_record(self.on_record, self.tag, self._place)

    # ---- time ----------------------------------------------------------------------------------------------------

    def advance(self, to: timedelta) -> None:
        target = self.start + to
        self.memory.world.look_ahead(target)
        while (due := self.memory.world.next_due()) is not None and due <= target:
            self.memory.advance(due - self.start)
            self._set_clock(due + LATER)
            self._catch_up()
        self.memory.advance(to)
        self._set_clock(target)

    def _set_clock(self, at: datetime) -> None:
        if at > clock.now():
            clock.set_clock(at, 1.0, self.folder)
            time.sleep(SEEN)
            hint_worker("cases.fire_due")

    def _catch_up(self) -> None:
        """Wait until the deployment has as many facts as the story in memory; what still differs then is found in comparing."""
        wanted = [len(view.facts) for view in self.memory.views()]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if [len(self._facts(code)) for code in self._codes()] == wanted:
                return
            time.sleep(LOOK)

    # ---- acts ----------------------------------------------------------------------------------------------------

    def act(self, step: Step) -> None:
        refused: Fault | None = None
        try:
            self.memory.act(step)
        except Fault as fault:
            refused = fault
        try:
            self._acts[step.acts[0]](step)
        except Unavailable:
            raise
        except Fault:
            if refused is None:
                raise
        self._catch_up()
        if refused is not None:
            raise refused

    def _place(self, word: str) -> tuple[float, float]:
        lon, lat = self.places["乙" if word == "乙" else "甲"]
        return (round(lon + (ASIDE if word == "甲旁" else 0), 6), round(lat, 6))

    def _signal(self, step: Step) -> None:
        told = step.signal
        assert told is not None
        self._signals += 1
        lon, lat = self._place(self.on_record.place_of(told))
        at = self.start + offset(told.happened) if told.happened else clock.now()
        item: dict[str, Any] = {
            "id": f"{told.number or f's{self._signals}'}-{self.tag}",
            "source": "story",
            "kind": told.kind,
            "at": at.isoformat(),
            "place": {"lon": lon, "lat": lat},
            "data": {key: f"{value}-{self.tag}" if key in NAMING else value for key, value in told.data.items()},
        }
        if told.device:
            item["device"] = f"{told.device}-{self.tag}"
        if told.value is not None:
            item["value"] = told.value
        answer = self.door.post(MACHINE, "/api/v1/signals", item)
        if answer["rejected"]:
            raise NotNow("scenes.story_http", status=202, detail=str(answer["rejected"][0]))

    def _report(self, step: Step) -> None:
        told = step.report
        assert told is not None
        lon, lat = self._place(told.place)
        body = {"text": told.text, "place": {"lon": lon, "lat": lat}, "contact": told.contact, "kind": told.kind or ""}
        self._keys.append(self.door.post("", "/api/v1/reports", body)["track_url"])

    def _away(self, step: Step) -> None:
        told = step.away
        assert told is not None
        since, till = (self.start + offset(one) for one in (told.since, told.till))
        self.door.post(DESK, f"/api/v1/households/{told.home}-{self.tag}/absences", {"since": since.isoformat(), "till": till.isoformat()})

    def _task(self, step: Step, stage: str, number: int = 0) -> dict[str, Any]:
        tasks = [task for task in self._tasks(self._code(step)) if task["stage"] == stage]
        if len(tasks) <= number:
            raise NotNow("scenes.story_no_task", who=stage, act=ACT_WORDS[step.acts[0]])
        return tasks[number]

    def _do(self, step: Step, stage: str, verb: str, *, photos: int = 0, **body: Any) -> None:
        self._on(self._task(step, stage), verb, photos, body | ({"form": step.form} if step.form is not None else {}))

    def _on(self, task: dict[str, Any], verb: str, photos: int, body: dict[str, Any]) -> None:
        who = DESK if task["stage"] == "intake" else f"{task['stage']}:{task['unit']['id']}"
        lon, lat = task["place"]["lon"], task["place"]["lat"]
        at = self._place("甲") if lon is None or lat is None else (float(lon), float(lat))  # whoever is there takes it there
        evidence = [self.door.photo(who, at) for _ in range(photos)]
        self.door.post(who, f"/api/v1/tasks/{task['id']}/{verb}", {**body, "evidence": evidence})

    def _verify(self, step: Step) -> None:
        self._do(step, "verify", "approve" if step.verify == "属实" else "reject", note=step.why or step.verify)

    def _accept(self, step: Step) -> None:
        told = step.accept
        assert told is not None
        units = self.door.get(DESK, "/api/v1/units", limit=20)["items"]
        lead = int(self.door.get("handler", "/api/v1/me")["unit"]["id"])
        others = [int(one["id"]) for one in units if int(one["id"]) != lead]
        body = {"type": told.type, "severity": told.severity, "supporting": others[: told.supporting], "unit": lead}
        self.door.post(DESK, f"/api/v1/cases/{self._code(step)}/accept", {k: v for k, v in body.items() if v})

    def _reject(self, step: Step) -> None:
        self._do(step, "intake", "reject", note=step.reject)

    def _sign(self, step: Step) -> None:
        self._side(step, step.sign or "", "accept")

    def _arrive(self, step: Step) -> None:
        self._side(step, step.arrive or "", "check_in")

    def _side(self, step: Step, side: str, verb: str) -> None:
        if side == "主办":
            self._do(step, "handle", verb)
            return
        for task in self._tasks(self._code(step)):
            if task["stage"] == "support":
                self._on(task, verb, 0, {})

    def _submit(self, step: Step) -> None:
        self._proof(step, "handle", step.submit)

    def _support(self, step: Step) -> None:
        self._proof(step, "support", step.support)

    def _trace(self, step: Step) -> None:
        self._proof(step, "trace", step.trace)

    def _proof(self, step: Step, stage: str, told: SubmitStep | None) -> None:
        assert told is not None
        self._do(step, stage, "submit", photos=told.photos, note=told.note)

    def _give_back(self, step: Step) -> None:
        self._do(step, "handle", "return", note=step.give_back)

    def _escalate(self, step: Step) -> None:
        self._do(step, "handle", "escalate", note=step.escalate)

    def _settle(self, step: Step) -> None:
        self._proof(step, "verify", step.settle)

    def _check(self, step: Step) -> None:
        self._do(step, "check", "approve" if step.check == "通过" else "reject", note=step.check)

    def _urge(self, step: Step) -> None:
        self.door.post(DESK, f"/api/v1/cases/{self._code(step)}/urge", {"note": step.urge})

    def _void(self, step: Step) -> None:
        self.door.post(DESK, f"/api/v1/cases/{self._code(step)}/void", {"note": step.void})

    def _rate(self, step: Step) -> None:
        path, _, query = self._keys[step.case - 1].partition("?")
        self.door.post("", f"{path}/rate?{query}", {"stars": step.rate})

    # ---- what is seen --------------------------------------------------------------------------------------------

    def _codes(self) -> list[str]:
        """The story's cases by their places and time, in order of opening."""
        found: dict[str, str] = {}
        for lon, lat in self.places.values():
            bbox = f"{lon - AROUND},{lat - AROUND},{lon + AROUND},{lat + AROUND}"
            page = self.door.get(DESK, "/api/v1/cases", bbox=bbox, since=self.start.isoformat(), scene=self.pack.name)
            found.update({item["code"]: item["reported_at"] for item in page["items"]})
        return sorted(found, key=lambda code: (found[code], code))

    def _code(self, step: Step) -> str:
        codes = self._codes()
        if step.case > len(codes):
            raise NotNow("scenes.story_no_task", who="-", act=ACT_WORDS[step.acts[0]])
        return codes[step.case - 1]

    def _tasks(self, code: str) -> list[dict[str, Any]]:
        items = self.door.get(DESK, f"/api/v1/cases/{code}/tasks")["items"]
        return sorted((t for t in items if t["status"] in ("open", "accepted")), key=lambda t: (t["opened_at"], t["id"]))

    def _facts(self, code: str) -> list[tuple[str, float]]:
        """Facts of the rules; what evidence and notices add beside them is not the story's matter."""
        items = self.door.get(DESK, f"/api/v1/cases/{code}/trace", limit=500)["items"]
        return [(fact["action"], self._minutes(fact["at"])) for fact in items if fact["action"] in FACTS]

    def _minutes(self, at: str) -> float:
        return round((datetime.fromisoformat(at) - self.start).total_seconds() / 60, 2)

    def views(self) -> list[View]:
        called = [view.notices or () for view in self.memory.views()]
        codes = self._codes()
        return [self._view(code, called[n] if n < len(called) else ()) for n, code in enumerate(codes)]

    def _view(self, code: str, called: tuple[str, ...]) -> View:
        case = self.door.get(DESK, f"/api/v1/cases/{code}")
        live = self._tasks(code)
        due = min((task["due_at"] for task in live if task["due_at"]), default=None)
        return View(
            status=case["status"],
            tasks=tuple(task["name"] for task in live),
            card=case["card"],
            facts=tuple(self._facts(code)),
            notices=None,
            sources=sum(source["count"] for source in case["sources"]),
            due=None if due is None else self._minutes(due),
            reworks=case["reworks"],
            returns=case["returns"],
            stars=case["rating"]["stars"] if case["rating"] else None,
            severity=case["severity"],
            posts=tuple((task["name"], cast.level_of_unit(int(task["unit"]["id"]))) for task in live if task["unit"]),
            delivered=self._delivered(code, called) if self.asked else None,
        )

    def _delivered(self, code: str, called: tuple[str, ...]) -> tuple[str, ...]:
        """Templates that reached somebody, once none is under way and what was called for is there.

        Of what was called for only what the story asks after: a template for the supporting, say, reaches nobody where none supports.
        """
        deadline = time.monotonic() + DELIVERED
        while True:
            items = self.door.get(DESK, f"/api/v1/cases/{code}/notices", limit=200)["items"]
            there = {one["template"] for one in items} >= self.asked.intersection(called) and all(
                one["status"] != "waiting" for one in items
            )
            if there or time.monotonic() > deadline:
                return tuple(one["template"] for one in items if one["status"] == "sent")
            time.sleep(LOOK)


def differences(live: Played, memory: list[View]) -> list[str]:
    """Where the facts of the two differ; facts of one moment may come in any order, times may differ by a minute."""
    wrongs: list[str] = []
    for number, (here, there) in enumerate(zip(live.facts, (view.facts for view in memory), strict=False), 1):
        ours, theirs = Counter(action for action, _ in here), Counter(action for action, _ in there)
        missing, more = theirs - ours, ours - theirs
        if missing or more:
            wrongs.append(f"案 {number}: 缺 {sorted(missing.elements())}, 多 {sorted(more.elements())}")
            continue
        for (action, at), (_, other) in zip(sorted(here), sorted(there), strict=True):
            if abs(at - other) > TOLERANCE:
                wrongs.append(f"案 {number}: {action} +{at}m ≠ +{other}m")
    if len(live.facts) != len(memory):
        wrongs.append(f"案件数 {len(live.facts)} ≠ {len(memory)}")
    return wrongs


def play_live(packs: list[Loaded], only: Iterable[str], url: str, folder: Path, begin: str = "") -> Iterator[Result]:
    """Every story of the named packs on the deployment at the address, whose data folder holds its clock; each is told when it has ended.

    ``begin``: of the file's name.
    """
    wanted = set(only)
    door = Door(url, _token)
    try:
        chosen = [(one, file, story) for one in packs if not wanted or one.name in wanted for file, story in stories_of(one)[0].items()]
        chosen = [one for one in chosen if one[1].startswith(begin)]
        places = _places(door)
        _switch_on(door, {one.name for one, _, _ in chosen if one.pack and one.pack.pack.legal_basis})
        for one, file, story in chosen:
            yield _one(door, one, packs, file, Playing(story, _next_start(story), folder, next(places)))
    finally:
        door.close()


def _switch_on(door: Door, names: Iterable[str]) -> None:
    """Packs that are off until their legal basis is recorded: here it is a rehearsal with made-up signals."""
    for name in names:
        door.post(MACHINE, f"/api/v1/packs/{name}/switch", {"on": True, "basis": BASIS})
        time.sleep(ADOPTED)  # its detectors are at work


def _token(who: str) -> str:
    """``operator`` is a sample log-in, ``check:12`` somebody of unit 12."""
    kind, _, unit = who.partition(":")
    return cast.unit_token(kind, int(unit)) if unit else cast.sample_token(kind)


@dataclass(frozen=True, slots=True)
class Playing:
    """A story, and where and from when on it is played."""

    story: Story
    start: datetime
    folder: Path
    places: dict[str, tuple[float, float]]


def _one(door: Door, one: Loaded, packs: list[Loaded], file: str, playing: Playing) -> Result:
    story = playing.story
    stage = LiveStage(door, one, packs, playing)
    played = play(story, stage)
    played.failures += differences(played, stage.memory.views())
    return Result(one.name, file, story, played)


def _next_start(story: Story) -> datetime:
    """The story's time of day on the first working day after the deployment's clock: time never runs backwards."""
    calendar = orgs.calendar_for(SYSTEM)
    start = max(calendar.local(story.starts_at), calendar.local(story.starts_at).replace(*calendar.local(clock.now()).timetuple()[:3]))
    while start <= clock.now() or not calendar.is_working_day(start.date()):
        start += timedelta(days=1)
    return start.astimezone(UTC)


def _places(door: Door) -> Iterator[dict[str, tuple[float, float]]]:
    """Again and again two places of the county, far from each other, at random so that stories do not meet: each as seldom as can be."""
    regions = door.get(DESK, "/api/v1/regions", level="micro_grid", limit=200)["items"]
    points = [(float(one["lon"]), float(one["lat"])) for one in regions if one["lon"] is not None]
    while True:
        random.shuffle(points)
        for first, second in zip(points[::2], points[1::2], strict=False):
            if abs(first[0] - second[0]) + abs(first[1] - second[1]) > 0.02:
                yield {"甲": first, "乙": second}
