"""The memory stage: the acts of a story as pushes of the real rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from gridloop.cases.machine import Machine
from gridloop.cases.rules import TaskData
from gridloop.cases.types import case_types, levels_of
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import NotNow
from gridloop.notices.rules import asks_for, pause_seconds
from gridloop.scenes.loading import Loaded
from gridloop.scenes.stories.memory import GRID, LEAD, NOTHING, PEOPLE, SUPPORT_1, SUPPORT_2, UNITS, MemoryCase, World
from gridloop.scenes.stories.player import View
from gridloop.scenes.stories.sensing import PLACES
from gridloop.scenes.stories.story import ACT_WORDS, LEVELS, Register, Step, SubmitStep, offset
from gridloop.sdk.signals import Signal

NAMED_LEVELS = {"county": "县", "town": "镇街", "village": "村社", "grid": "网格"}


class MemoryStage:
    """Implements ``player.Stage``."""

    def __init__(
        self, packs: list[Loaded], start: datetime, calendar: WorkingCalendar | None = None, on_record: Register = NOTHING
    ) -> None:
        self.start, self.on_record = start, on_record
        self.world = World(packs, start, calendar, on_record)
        self._signals = 0
        self._acts: dict[str, Callable[[Step], None]] = {name: getattr(self, f"_{name}") for name in ACT_WORDS}

    def advance(self, to: timedelta) -> None:
        self.world.advance(self.start + to)

    def act(self, step: Step) -> None:
        self._acts[step.acts[0]](step)

    def views(self) -> list[View]:
        return [self._view(case) for case in self.world.cases]

    # ---- what comes in -------------------------------------------------------------------------------------------

    def _signal(self, step: Step) -> None:
        told = step.signal
        assert told is not None
        self._signals += 1
        lon, lat = PLACES[self.on_record.place_of(told)]
        at = self.start + offset(told.happened) if told.happened else self.world.now
        number = told.number or f"s{self._signals}"
        assert not isinstance(told.value, tuple)
        self.world.signal(Signal(number, "story", told.device, told.kind, at, told.value, lon, lat, told.data))

    def _report(self, step: Step) -> None:
        told = step.report
        assert told is not None
        self.world.report(told.text, told.kind, PLACES[told.place], told.contact)

    def _away(self, step: Step) -> None:
        told = step.away
        assert told is not None
        self.world.away(told.home, self.start + offset(told.since), self.start + offset(told.till))

    # ---- people --------------------------------------------------------------------------------------------------

    def _case(self, step: Step) -> MemoryCase:
        if step.case > len(self.world.cases):
            raise NotNow("scenes.story_no_task", who="-", act=ACT_WORDS[step.acts[0]])
        return self.world.cases[step.case - 1]

    def _push(self, step: Step, who: str, act: Callable[[Machine], object]) -> None:
        self.world.push(self._case(step), PEOPLE[who], act)

    def _task(self, step: Step, stage: str, number: int = 0) -> TaskData:
        tasks = self._case(step).situation.live_tasks(stage)
        if len(tasks) <= number:
            raise NotNow("scenes.story_no_task", who=stage, act=ACT_WORDS[step.acts[0]])
        return tasks[number]

    def _do(self, step: Step, who: str, stage: str, verb: str, **payload: Any) -> None:
        task = self._task(step, stage)
        if who == "主办" and task.unit_id == GRID:
            who = "网格"
        if step.form is not None:
            payload["form"] = step.form
        self._push(step, who, lambda machine: machine.act(task.id, verb, payload))

    def _verify(self, step: Step) -> None:
        true = step.verify == "属实"
        self._do(step, "网格", "verify", "approve" if true else "reject", note=step.why or step.verify)

    def _accept(self, step: Step) -> None:
        told = step.accept
        assert told is not None
        payload = {"type": told.type, "severity": told.severity, "supporting": [SUPPORT_1, SUPPORT_2][: told.supporting], "unit": LEAD}
        self._push(step, "受理", lambda machine: machine.accept({k: v for k, v in payload.items() if v}))
        self._case(step).desk_chose = True

    def _reject(self, step: Step) -> None:
        self._do(step, "受理", "intake", "reject", note=step.reject)

    def _sign(self, step: Step) -> None:
        self._side(step, step.sign or "", "accept")

    def _arrive(self, step: Step) -> None:
        self._side(step, step.arrive or "", "check_in")

    def _side(self, step: Step, side: str, verb: str) -> None:
        if side == "主办":
            self._do(step, "主办", "handle", verb)
            return
        for task in self._case(step).situation.live_tasks("support"):
            self._support_act(step, task, verb, {})

    def _support_act(self, step: Step, task: TaskData, verb: str, payload: dict[str, Any]) -> None:
        who = "协办1" if task.unit_id == SUPPORT_1 else "协办2"
        self._push(step, who, lambda machine: machine.act(task.id, verb, payload))

    def _submit(self, step: Step) -> None:
        assert step.submit is not None
        self._do(step, "主办", "handle", "submit", **_proof(step.submit))

    def _support(self, step: Step) -> None:
        assert step.support is not None
        task = self._task(step, "support")
        self._support_act(step, task, "submit", _proof(step.support))

    def _trace(self, step: Step) -> None:
        assert step.trace is not None
        self._do(step, "受理", "trace", "submit", **_proof(step.trace))

    def _give_back(self, step: Step) -> None:
        self._do(step, "主办", "handle", "return", note=step.give_back)

    def _escalate(self, step: Step) -> None:
        self._do(step, "主办", "handle", "escalate", note=step.escalate)

    def _settle(self, step: Step) -> None:
        assert step.settle is not None
        self._do(step, "网格", "verify", "submit", **_proof(step.settle))

    def _check(self, step: Step) -> None:
        good = step.check == "通过"
        self._do(step, "核查", "check", "approve" if good else "reject", note=step.check)

    def _urge(self, step: Step) -> None:
        self._push(step, "受理", lambda machine: machine.urge({"note": step.urge}))

    def _void(self, step: Step) -> None:
        self._push(step, "受理", lambda machine: machine.void({"note": step.void}))

    def _rate(self, step: Step) -> None:
        self._push(step, "群众", lambda machine: machine.rate({"stars": step.rate}, ["source:1"]))

    # ---- what is seen --------------------------------------------------------------------------------------------

    def _minutes(self, at: datetime) -> float:
        return round((at - self.start).total_seconds() / 60, 2)

    def _view(self, case: MemoryCase) -> View:
        data = case.situation.case
        live = case.situation.live_tasks()
        due = min((task.due_at for task in live if task.due_at), default=None)
        return View(
            status=data.status,
            tasks=tuple(task.name for task in live),
            card=data.card,
            facts=tuple((entry.action, self._minutes(entry.at)) for entry in case.trace),
            notices=tuple(self._notices(case)),
            sources=case.sources,
            due=None if due is None else self._minutes(due),
            reworks=data.reworks,
            returns=data.returns,
            stars=data.stars,
            severity=data.severity,
            posts=tuple((task.name, _post(task.unit_id, data.type, case.desk_chose)) for task in live if task.unit_id in UNITS),
        )

    def _notices(self, case: MemoryCase) -> list[str]:
        sent: list[tuple[datetime, str]] = []
        for entry in case.trace:
            if entry.action == "notice_requested":
                sent.append((entry.at, str(entry.data.get("template"))))
            for one in case.pack.notices.on_fact:
                since = entry.at - timedelta(seconds=pause_seconds(one))
                lately = one.pause and any(name == one.template and at > since for at, name in sent)
                if one.fact == entry.action and asks_for(one, entry.data) and not lately:
                    sent.append((entry.at, one.template))
        return [name for _, name in sent]


def _post(unit_id: int, case_type: str, chosen: bool) -> str:
    """The level a task stands at. Unless the desk has chosen, the lead is the unit of its department that is nearest to the place."""
    levels = levels_of(case_types()[case_type].lead) if unit_id == LEAD and not chosen else ()
    return NAMED_LEVELS[levels[-1]] if levels else level_of(UNITS[unit_id].region)


def level_of(region: str) -> str:
    """The level a unit belongs to, by the code of its region."""
    return next((word for word, digits in LEVELS.items() if digits == len(region)), region)


def _proof(told: SubmitStep) -> dict[str, Any]:
    return {"evidence": [f"photo-{n}" for n in range(told.photos)], "note": told.note}
