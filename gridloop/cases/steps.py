"""What the process makes of a case: it opens and cancels tasks and waits, sets limits, and does what a diagram calls for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gridloop.cases.rules import (
    END_STATUSES,
    CaseData,
    Directory,
    LimitData,
    Performer,
    Scene,
    Secret,
    Situation,
    StageLimit,
    TaskData,
    reporter_subject,
)
from gridloop.flow.rules import Call, Step, UserTask, Wait
from gridloop.kernel.durations import due_at, moment, parse_duration
from gridloop.kernel.errors import FieldFault, Invalid
from gridloop.kernel.ids import uuid7
from gridloop.kernel.viewer import SYSTEM, Viewer

SceneFor = Callable[[str, str, Mapping[str, Any]], tuple[Scene, str]]  # type, region, data → scene and the digest of its process


@dataclass(slots=True)
class Noted:
    """A fact to append for the situation's case."""

    action: str
    data: dict[str, Any]


@dataclass(slots=True)
class Steps:
    """One push on one case. ``actor`` is who pushes; ``facts`` collects what happened, in order."""

    situation: Situation
    scene: Scene
    directory: Directory
    now: datetime
    actor: Viewer = SYSTEM
    scene_for: SceneFor | None = None  # finds the scene of another type; without it a case keeps its own
    facts: list[Noted] = field(default_factory=list)
    digest: str = ""  # of the process of a scene the case went over to in this push
    _sticky: str | None = None  # a status a call has set that the next opened task must not hide
    _chosen: dict[str, Any] = field(default_factory=dict)  # the desk's choice (type, unit, staff …) for the calls of this push

    @property
    def case(self) -> CaseData:
        return self.situation.case

    # ---- the process answers -------------------------------------------------------------------------------------

    def apply(self, step: Step) -> None:
        """Carry out what the engine said: cancel, call, open, wait, end."""
        self.case.process_state = step.state
        for ref in step.cancelled:
            self._cancel_task(ref)
        for ref in step.waits_cancelled:
            for limit in self.situation.limits:
                if limit.kind == "wait" and limit.ref == ref and limit.state == "pending":
                    limit.state = "cancelled"
        for call in step.calls:
            _CALLS[call.name](self, call)
        work = next((task for task in step.opened if task.stage == "handle" and "return" in task.verbs), None)
        if work is not None and self.case.lead_unit_id is None:
            self._to_the_desk(step, work)
            return
        for task in step.opened:
            self._open_task(task)
        for wait in step.waits:
            self._open_wait(wait)
        if step.ended and self.case.status not in END_STATUSES:
            self._end(step.ended)
        self._sticky = None

    def _to_the_desk(self, step: Step, work: UserTask) -> None:
        """Nobody is competent for work the world dispatched: as if its unit had returned it at once, the desk is asked."""
        back = self.scene.process.complete(step.state, work.ref, self._answer("return"))
        self._sticky, self.case.status = "filed", "filed"
        self.apply(replace(back, calls=tuple(call for call in back.calls if call.name != "return")))

    def _answer(self, outcome: str) -> dict[str, Any]:
        supporting = list(self._chosen.get("supporting", self.case.supporting_ids))
        return {"outcome": outcome, "supporting": supporting, "doubts": len(self.case.doubts), **self._helpers(self.scene)}

    def _helpers(self, scene: Scene) -> dict[str, list[int]]:
        """For a process that wants to know: the units the desk named, else who supports such cases by duty, beside whoever handles them."""
        if "helpers" not in scene.process.data:
            return {}
        case, chosen = self.case, self._chosen
        if named := chosen.get("supporting"):
            return {"helpers": list(named)}
        kind = str(chosen.get("type") or case.type)
        lead = chosen.get("unit")
        if lead is None and (found := self.directory.competent("handle", kind, case.region, self.now)) is not None:
            lead = found.unit_id
        return {"helpers": [one.unit_id for one in self.directory.helpers(kind, case.region, self.now) if one.unit_id != lead]}

    def _cancel_task(self, ref: str) -> None:
        for task in self.situation.tasks:
            if task.ref == ref and task.is_live:
                task.status, task.done_at = "cancelled", self.now
                self._cancel_limits(task.id)
                self.note("task_cancelled", {"task": task.id, "name": task.name})

    def _open_task(self, user_task: UserTask) -> None:
        performer = self._performer(user_task)
        task = TaskData(
            id=str(uuid7()),
            case=self.case.code,
            ref=user_task.ref,
            name=user_task.name,
            title_zh=user_task.title_zh,
            title_en=user_task.title_en,
            stage=user_task.stage,
            performer=user_task.performer,
            verbs=user_task.verbs,
            opened_at=self.now,
            must=user_task.must,
            form=user_task.form,
            item=user_task.item,
            region=self.case.region,
        )
        if performer is not None:
            task.unit_id, task.post_id, task.staff_id = performer.unit_id, performer.post_id, performer.staff_id
            self._involve(performer.unit_id)
            self._involve_staff(performer.staff_id)
        self.situation.tasks.append(task)
        self._open_limits(task)
        self._status_of(user_task)
        data: dict[str, Any] = {"task": task.id, "name": task.name, "stage": task.stage, "unit": task.unit_id, "staff": task.staff_id}
        if task.due_at:
            data["due_at"] = task.due_at.isoformat()
        if performer is None:
            data["nobody"] = user_task.performer  # shown in red at the desk: a duty nobody holds is a gap of the organisation
        self.note("task_opened", data)

    def _status_of(self, task: UserTask) -> None:
        if task.stage == "intake" and self.case.status not in ("reported", "verifying"):
            return  # a returned or escalated case keeps the word of what happened
        if task.status and self._sticky is None and task.stage != "support":
            self.case.status = task.status

    def _performer(self, task: UserTask) -> Performer | None:
        """Who does it: the lead, the named supporting unit, or the holder of a duty at the place."""
        kind, _, name = task.performer.partition(":")
        if kind == "lead":
            return self._lead()
        if kind == "supporting":
            return self.directory.unit(int(task.item))
        region = self.case.desk_region if name == "intake" else self.case.region
        if task.stage == "review":
            return self._reviewer(name)
        return self.directory.competent(name if kind == "duty" else task.performer, self.case.type, region, self.now)

    def _reviewer(self, duty: str) -> Performer | None:
        """Who supervises one level above the desk of the case, at the top its own; where nobody has that duty, the desk there."""
        case = self.case
        above = self.directory.upper_desk(case.desk_region, self.now)
        region = above[0] if above else case.desk_region
        return self.directory.competent(duty, case.type, region, self.now) or (above[1] if above else self._desk())

    def _desk(self) -> Performer | None:
        return self.directory.competent("intake", self.case.type, self.case.desk_region, self.now)

    def _lead(self) -> Performer | None:
        lead = self.case.lead_unit_id
        performer = self.directory.unit(lead) if lead is not None else None
        if performer is None:
            return None
        staff, post = self._chosen.get("staff"), self._chosen.get("post")
        return Performer(performer.unit_id, performer.unit_name, int(post) if post else None, int(staff) if staff else None)

    def _open_wait(self, wait: Wait) -> None:
        duration = parse_duration(wait.duration)
        at = due_at(self.now, duration, self.directory.calendar(self.case.region))
        self.situation.limits.append(LimitData(str(uuid7()), self.case.code, "wait", wait.name, at, ref=wait.ref))
        self.note("wait_opened", {"name": wait.name, "due_at": at.isoformat()})

    # ---- limits --------------------------------------------------------------------------------------------------

    def _limit_of(self, stage: str) -> StageLimit | None:
        """A pack says little of reviews: they have as long as a check."""
        return self.scene.limits.get(stage) or (self.scene.limits.get("check") if stage == "review" else None)

    def _open_limits(self, task: TaskData) -> None:
        stages = ("accept", "handle") if task.stage in ("handle", "support") else (task.stage,)
        for stage in stages:
            limit = self._limit_of(stage)
            if limit is None:
                continue
            calendar = self.directory.calendar(self.case.region)
            duration = parse_duration(limit.limit)
            end = due_at(self.now, duration, calendar)
            if stage == stages[-1]:
                task.due_at = end
            shares = [("remind", share) for share in limit.remind] + [("yellow", limit.yellow), ("red", limit.red)]
            for kind, share in shares:
                at = moment(self.now, end, share / 100, duration, calendar)
                self.situation.limits.append(LimitData(str(uuid7()), self.case.code, kind, stage, at, task.id, share))

    def _tell_above(self, task: TaskData, limit: LimitData) -> None:
        """After a red card the next level sees the case and its duty commander is told."""
        stage = self._limit_of(limit.stage)
        above = self.directory.upper_desk(self.case.desk_region, self.now) if stage and stage.escalate else None
        if above is None:
            return
        _region, desk = above
        self._involve(desk.unit_id)
        self.note("overdue_escalated", {"task": task.id, "stage": limit.stage, "unit": desk.unit_id})

    def _cancel_limits(self, task_id: str, stage: str | None = None) -> None:
        for limit in self.situation.limits:
            if limit.task_id == task_id and limit.state == "pending" and (stage is None or limit.stage == stage):
                limit.state = "cancelled"

    def _set_due(self) -> None:
        """The case's own limit: handling time of its type from the report on."""
        limit = self._limit_of("handle")
        if limit is not None:
            self.case.due_at = due_at(self.case.reported_at, parse_duration(limit.limit), self.directory.calendar(self.case.region))

    def press(self, severity: int) -> None:
        """A signal tells how urgent it is: more than any before it, it counts, even where a desk has thought less of the matter."""
        case, before = self.case, self.case.proposal or {}
        if not case.is_open or severity >= before.get("told", 5):
            return
        case.proposal = {**before, "told": severity}
        if severity < case.severity:
            case.proposal |= {"severity": severity, "how": {**before.get("how", {}), "severity": "given"}}
            self.note("severity_raised", {"severity": severity, "from": case.severity})
            case.severity = severity

    # ---- calls of the diagram ------------------------------------------------------------------------------------

    def _call_file(self, call: Call) -> None:
        case = self.case
        case.type = str(self._chosen.get("type") or case.type)
        case.severity = int(self._chosen.get("severity") or case.severity)
        case.status = "filed"
        self.note("filed", {"type": case.type, "severity": case.severity})

    def _call_dispatch(self, call: Call) -> None:
        case = self.case
        unit = self._chosen.get("unit")
        if unit is None:
            found = self.directory.competent(str(call.params.get("duty") or "handle"), case.type, case.region, self.now)
            if found is None and self._chosen:  # the desk is there to choose
                raise Invalid("cases.nobody_competent", type=case.type, region=case.region)
            if found is None:  # the work goes to the desk once it is to be done
                self.note("nobody_competent", {"type": case.type, "region": case.region})
                return
            unit = found.unit_id
            self._lead_helps_not(unit)
        case.lead_unit_id = int(unit)
        case.supporting_ids = list(self._chosen.get("supporting") or call.params.get("supporting") or ())
        for involved in [case.lead_unit_id, *case.supporting_ids]:
            self._involve(involved)
        case.status = "dispatched"
        data: dict[str, Any] = {"unit": case.lead_unit_id, "supporting": case.supporting_ids}
        for key in ("post", "staff"):
            if self._chosen.get(key):
                data[key] = int(self._chosen[key])
        self.note("dispatched", data)

    def _call_notify(self, call: Call) -> None:
        self.note("notice_requested", {k: v for k, v in call.params.items() if v is not None})

    def _call_close(self, call: Call) -> None:
        self.case.closed_at, self.case.closed_by = self.now, str(call.params.get("reason") or "done")
        self._end("closed")
        self.note("closed", {"reason": self.case.closed_by})

    def _call_reject(self, call: Call) -> None:
        self._end("rejected")
        self.note("rejected", {"reason": str(call.params.get("reason") or "rejected")})

    def _call_rework(self, call: Call) -> None:
        self.case.reworks += 1
        self.case.doubts, self.case.checked_by = [], ""
        self.case.status = self._sticky = "reworked"
        self.note("reworked", {"times": self.case.reworks})

    def _call_return(self, call: Call) -> None:
        self.case.returns += 1
        self.case.doubts = []
        self.case.status = self._sticky = "filed"
        self.case.lead_unit_id, self.case.supporting_ids = None, []
        self.note("sent_back", {"times": self.case.returns})

    def _call_escalate(self, call: Call) -> None:
        case = self.case
        above = self.directory.upper_desk(case.desk_region, self.now)
        if above is not None:
            case.desk_region = above[0]
        # at the top its own desk decides: a verb that is offered never leads nowhere
        desk = above[1] if above else self._desk()
        case.escalations += 1
        case.status = self._sticky = "escalated"
        self.note("handed_up", {"to": desk.unit_id if desk else None, "region": case.desk_region, "times": case.escalations})

    def _lead_helps_not(self, lead: int | None) -> None:
        if lead in self._chosen.get("supporting", ()):
            raise Invalid("cases.lead_is_supporting", errors=(FieldFault("/supporting", "cases.lead_is_supporting"),))

    # ---- small parts ---------------------------------------------------------------------------------------------

    def _end(self, status: str) -> None:
        self.case.status = status
        self._drop_all()

    def _drop_all(self) -> None:
        """Nothing that is under way goes on."""
        for task in self.situation.live_tasks():
            task.status, task.done_at = "cancelled", self.now
            self.note("task_cancelled", {"task": task.id, "name": task.name})
        for limit in self.situation.limits:
            if limit.state == "pending":
                limit.state = "cancelled"

    def _involve(self, unit_id: int | None) -> None:
        if unit_id is not None and unit_id not in self.case.unit_ids:
            self.case.unit_ids.append(unit_id)

    def _involve_staff(self, staff_id: int | None) -> None:
        if staff_id is not None and staff_id not in self.case.staff_ids:
            self.case.staff_ids.append(staff_id)

    def _with_note(self, data: dict[str, Any], payload: Mapping[str, Any], subject: str = "") -> dict[str, Any]:
        note = str(payload.get("note") or "").strip()
        if note:
            data["note"] = Secret(note, "case_note", subject)
        return data

    def _reporters(self, by_key: bool) -> str:
        """The subject of words a reporter writes, by the key or by account; '' for everybody else's."""
        actor, case = self.actor, self.case
        own = by_key or (actor.user_id is not None and actor.user_id == case.reporter_id and actor.staff_id is None)
        return reporter_subject(case.code) if own else ""

    def note(self, action: str, data: dict[str, Any]) -> None:
        self.facts.append(Noted(action, data))


_CALLS = {
    "file": Steps._call_file,
    "dispatch": Steps._call_dispatch,
    "notify": Steps._call_notify,
    "close": Steps._call_close,
    "reject": Steps._call_reject,
    "rework": Steps._call_rework,
    "return": Steps._call_return,
    "escalate": Steps._call_escalate,
}
CALLS = tuple(_CALLS)
