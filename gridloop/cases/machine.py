"""The case at work: one push (a verb, a due limit, a signal) applied to a situation.

The machine changes the situation it is given and collects facts; a store (rows or memory) saves both. It never looks at a clock or a
database: time, directory and scene are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gridloop.cases.restart import at_dispatch
from gridloop.cases.rules import (
    CENTRE,
    DESK_STAGES,
    END_STATUSES,
    PUBLIC_SOURCES,
    RATE_DAYS,
    REASON_NEEDED,
    TASK_ENDING_VERBS,
    CaseData,
    Directory,
    LimitData,
    NewCase,
    Performer,
    Scene,
    Secret,
    Situation,
    StageLimit,
    TaskData,
    case_verbs,
    rater_of,
    reporter_subject,
    task_verbs,
)
from gridloop.cases.types import case_types
from gridloop.flow.rules import Call, Step, UserTask, Wait
from gridloop.kernel.durations import due_at, moment, parse_duration
from gridloop.kernel.errors import FieldFault, Invalid, NotFound, NotNow
from gridloop.kernel.ids import uuid7
from gridloop.kernel.viewer import SYSTEM, Viewer

RATE_WINDOW = timedelta(days=RATE_DAYS)
SceneFor = Callable[[str, str, Mapping[str, Any]], tuple[Scene, str]]  # type, region, data → scene and the digest of its process


@dataclass(slots=True)
class Noted:
    """A fact to append for the situation's case."""

    action: str
    data: dict[str, Any]


@dataclass(slots=True)
class Machine:
    """One push on one case. ``actor`` is who pushes; ``facts`` collects what happened, in order."""

    situation: Situation
    scene: Scene
    directory: Directory
    now: datetime
    actor: Viewer = SYSTEM
    scene_for: SceneFor | None = None  # finds the scene of another type; without it a case keeps its own
    facts: list[Noted] = field(default_factory=list)
    digest: str = ""  # of the process of a scene the case went over to in this push
    _unheld: bool = False  # the world dispatched and nobody is competent: the work goes to the desk
    _sticky: str | None = None  # a status a call has set that the next opened task must not hide
    _chosen: dict[str, Any] = field(default_factory=dict)  # the desk's choice (type, unit, staff …) for the calls of this push

    @property
    def case(self) -> CaseData:
        return self.situation.case

    # ---- opening -------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, new: NewCase, scene: Scene, directory: Directory, now: datetime, actor: Viewer) -> Machine:
        """Open a case and start its process."""
        case = CaseData(
            code=new.code,
            type=new.type,
            title=new.title,
            severity=new.severity,
            status="reported",
            region=new.region,
            desk_region=new.region,
            source=new.source,
            scene=scene.name,
            scene_version_id=scene.version_id,
            reported_at=now,
            same_thing=new.same_thing,
            lon=new.lon,
            lat=new.lat,
            address=new.address,
            reporter_id=new.reporter_id,
            proposal=new.proposal,
        )
        machine = cls(Situation(case), scene, directory, now, actor)
        data: dict[str, Any] = {"type": new.type, "severity": new.severity, "region": new.region, "source": new.source, "scene": scene.name}
        data["scene_version"] = scene.version
        if new.text:
            data["text"] = Secret(new.text, "case_text", reporter_subject(new.code))
        if new.reporter and any(new.reporter.values()):
            data["reporter"] = Secret(dict(new.reporter), "reporter", reporter_subject(new.code))
        machine.note("reported", data)
        machine._set_due()
        machine.apply(scene.process.start(machine._process_data(new.data)))
        return machine

    def _process_data(self, more: Mapping[str, Any]) -> dict[str, Any]:
        case = self.case
        return {
            "case": {
                "code": case.code,
                "type": case.type,
                "severity": case.severity,
                "region": case.region,
                "source": case.source,
                "public": case.source in PUBLIC_SOURCES,
            },
            "params": dict(self.scene.params),
            "signal": dict(more),
        }

    # ---- verbs of people -----------------------------------------------------------------------------------------

    def act(self, task_id: str, verb: str, payload: Mapping[str, Any]) -> TaskData:
        """A task verb (contract: ``POST /tasks/{id}/{verb}``)."""
        task = next((t for t in self.situation.tasks if t.id == task_id), None)
        if task is None:
            raise NotFound("cases.no_such_task")
        allowed = task_verbs(self.case, task, self.actor)
        if verb not in allowed:
            raise NotNow("cases.verb_not_now", verb=verb, allowed=", ".join(allowed) or "–")
        if payload.get("to") is not None:
            raise Invalid("cases.to_not_taken", errors=(FieldFault("/to", "cases.to_not_taken", {"verb": verb}),), verb=verb)
        self._need_reason(verb, payload)
        if verb == "accept" and task.stage == "intake":
            self.accept(payload)
        elif verb == "accept":
            self._sign_off(task)
        elif verb == "check_in":
            self._check_in(task, payload)
        elif verb in TASK_ENDING_VERBS.get(task.stage, ()):
            self._need_proof(task, verb, payload)
            self._finish(task, verb, payload)
        else:
            raise NotNow("cases.verb_not_now", verb=verb, allowed=", ".join(allowed))
        return task

    def _need_reason(self, verb: str, payload: Mapping[str, Any]) -> None:
        if verb in REASON_NEEDED and not str(payload.get("note") or "").strip():
            raise Invalid("cases.reason_needed", errors=(FieldFault("/note", "cases.reason_needed"),))

    def _need_proof(self, task: TaskData, verb: str, payload: Mapping[str, Any]) -> None:
        evidence = [str(e) for e in payload.get("evidence") or ()]
        if verb == "submit" and "photo" in task.must and not self.directory.new_picture(task, evidence):
            raise Invalid("cases.photo_needed", errors=(FieldFault("/evidence", "cases.photo_needed"),))

    def _sign_off(self, task: TaskData) -> None:
        task.status, task.accepted_at = "accepted", self.now
        task.staff_id = self.actor.staff_id
        self._involve_staff(self.actor.staff_id)
        self._cancel_limits(task.id, stage="accept")
        if task.stage == "handle":
            self.case.status = "accepted"
        self.note("task_accepted", {"task": task.id, "name": task.name, "unit": task.unit_id})

    def _check_in(self, task: TaskData, payload: Mapping[str, Any]) -> None:
        if task.stage == "handle":
            self.case.status = "handling"
        place = payload.get("place") or {}
        data: dict[str, Any] = {"task": task.id, "name": task.name}
        if place:
            data["place"] = {"lon": round(float(place["lon"]), 6), "lat": round(float(place["lat"]), 6)}
        self.note("checked_in", data)

    def _finish(self, task: TaskData, verb: str, payload: Mapping[str, Any]) -> None:
        """Close a task with an outcome and push the process."""
        task.status, task.done_at, task.done_by, task.outcome = "done", self.now, self.actor.actor, verb
        self._cancel_limits(task.id)
        if verb == "submit":
            if self.actor.actor not in self.case.handled_by:
                self.case.handled_by.append(self.actor.actor)
            if task.stage == "handle":
                self.case.status = "submitted"
        data: dict[str, Any] = {"task": task.id, "name": task.name, "unit": task.unit_id}
        if payload.get("evidence"):
            data["evidence"] = [str(e) for e in payload["evidence"]]
        if payload.get("form"):
            data["form"] = Secret(dict(payload["form"]), "task_form")
        self._with_note(data, payload)
        self.note(_ACTION_OF.get((task.stage, verb), verb), data)
        self.apply(self.scene.process.complete(self.case.process_state, task.ref, self._answer(verb)))

    def accept(self, payload: Mapping[str, Any]) -> None:
        """受理/采纳: take the proposal (fields override) and in one go verify, file and dispatch."""
        self._need_verb("accept")
        self._choose(payload)
        other = self._other_scene()
        for _ in range(2):  # a verify task first, then the desk's own
            waiting = self.situation.live_tasks(*DESK_STAGES)
            if not waiting:
                break
            task = waiting[0]
            if task.stage == "verify":
                self._finish(task, "approve", {"note": payload.get("note")})
                continue
            self._accept_fact(task, payload)
            task.status, task.done_at, task.done_by, task.outcome = "done", self.now, self.actor.actor, "accept"
            self._cancel_limits(task.id)
            step = self._go_over(*other) if other else None
            self.apply(step or self.scene.process.complete(self.case.process_state, task.ref, self._answer("accept")))
            self._remember_choice()

    def _remember_choice(self) -> None:
        """Back at the desk the case is offered as the desk last decided, not as it was guessed at first."""
        case, before = self.case, self.case.proposal or {}
        decided = {"type": case.type, "severity": case.severity, "unit": case.lead_unit_id}
        if before and any(before.get(k) != v for k, v in decided.items()):
            case.proposal = {**before, **decided, "confidence": 1.0, "reasons": [{"why": "desk"}]}

    def _answer(self, outcome: str) -> dict[str, Any]:
        return {"outcome": outcome, "supporting": list(self._chosen.get("supporting", ()))}

    def _other_scene(self) -> tuple[Scene, str] | None:
        """The scene competent for a corrected type, when it is another one than the case's own."""
        if self.scene_for is None or self._chosen["type"] == self.case.type:
            return None
        try:
            found = self.scene_for(self._chosen["type"], self.case.region, {})
        except NotFound:
            return None
        return found if found[0].name != self.scene.name else None

    def _go_over(self, scene: Scene, digest: str) -> Step | None:
        """From here on the case runs on the scene of its corrected type: its limits, its proof, its process, begun at the dispatch."""
        case, old = self.case, self.scene
        before = (case.type, case.severity)
        case.type, case.severity = self._chosen["type"], self._chosen["severity"]
        step = at_dispatch(scene.process, {**self._process_data({}), "params": dict(scene.params)}, self._answer("accept"))
        if step is None:
            case.type, case.severity = before
            return None
        self._drop_all()
        self.scene, self.digest = scene, digest
        case.scene, case.scene_version_id = scene.name, scene.version_id
        case.same_thing = ""  # a key means something inside its own scene only
        data = {"type": case.type, "from": old.name, "from_version": old.version, "scene": scene.name, "scene_version": scene.version}
        self.note("scene_changed", data)
        self._set_due()
        return step

    def _accept_fact(self, task: TaskData, payload: Mapping[str, Any]) -> None:
        proposal = self.case.proposal or {}
        data: dict[str, Any] = {
            "task": task.id,
            "type": self._chosen["type"],
            "severity": self._chosen["severity"],
            "unit": self._chosen.get("unit"),
            "corrected": sorted(k for k in ("type", "unit", "severity") if k in proposal and self._chosen.get(k) != proposal[k]),
        }
        self._with_note(data, payload)
        self.note("case_accepted", data)

    def _choose(self, payload: Mapping[str, Any]) -> None:
        """Fix what the desk decides, from its words, else the proposal, else the case."""
        proposal = self.case.proposal or {}
        chosen: dict[str, Any] = {
            "type": str(payload.get("type") or proposal.get("type") or self.case.type),
            "severity": int(payload.get("severity") or proposal.get("severity") or self.case.severity),
            "unit": payload.get("unit") or proposal.get("unit"),
            "post": payload.get("post"),
            "staff": payload.get("person"),
            "supporting": [int(u) for u in payload.get("supporting") or ()],
        }
        if payload.get("type") and chosen["type"] not in case_types():
            fault = FieldFault("/type", "cases.no_such_type", {"type": chosen["type"]})
            raise Invalid(fault.key, errors=(fault,), **fault.params)
        if payload.get("type") and str(payload["type"]) != proposal.get("type") and not payload.get("unit"):
            chosen["unit"] = None  # another type: its own competent unit, not the one proposed for the wrong type
        if not 1 <= chosen["severity"] <= 4:
            raise Invalid("cases.bad_severity", errors=(FieldFault("/severity", "cases.bad_severity"),))
        for unit in [chosen["unit"], *chosen["supporting"]]:
            if unit is not None and self.directory.unit(int(unit)) is None:
                raise Invalid("cases.no_such_unit", errors=(FieldFault("/unit", "cases.no_such_unit", {"unit": unit}),), unit=unit)
        if chosen["unit"] in chosen["supporting"]:
            raise Invalid("cases.lead_is_supporting", errors=(FieldFault("/supporting", "cases.lead_is_supporting"),))
        self._chosen = chosen

    def route(self, payload: Mapping[str, Any]) -> None:
        """Send to a unit, a post or a person: from the desk like accept; from a handler's hands as a new dispatch."""
        self._need_verb("route")
        if not (payload.get("unit") or payload.get("post") or payload.get("person")):
            raise Invalid("cases.route_to_whom", errors=(FieldFault("/unit", "cases.route_to_whom"),))
        if not self.situation.live_tasks(*DESK_STAGES):
            task = self.situation.live_tasks("handle")[0]
            self.note("recalled", self._with_note({"task": task.id, "unit": task.unit_id}, payload))
            self._finish(task, "return", {})
        self.accept(payload)

    def hand_down(self, region: str, desk: Performer, payload: Mapping[str, Any]) -> None:
        """Give the case to the desk of a lower level: the desk's task moves, with a fact."""
        self._need_verb("route")
        task = self.situation.live_tasks("intake")[0]
        self.case.desk_region = region
        self.note("handed_down", self._with_note({"task": task.id, "to": desk.unit_id, "region": region}, payload))
        self._finish(task, "pass", {})

    def void(self, payload: Mapping[str, Any]) -> None:
        """作废: the case ends without being handled; only with a reason."""
        self._need_verb("void")
        self._need_reason("void", payload)
        self._end("voided")
        self.note("voided", self._with_note({}, payload))

    def merge_into(self, target: CaseData, payload: Mapping[str, Any]) -> None:
        """并案: this case ends, its sources go on in the target (the store moves them)."""
        self._need_verb("merge")
        ours = self.actor.may("case.merge", target.region, target.unit_ids)
        if target.code == self.case.code or not target.is_open or not ours:
            raise Invalid("cases.bad_merge_target", errors=(FieldFault("/into", "cases.bad_merge_target"),))
        self.case.merged_into = target.code
        self._end("voided")
        self.note("merged", self._with_note({"into": target.code}, payload))

    def urge(self, payload: Mapping[str, Any], reporter: bool = False) -> None:
        """催办: told to those who hold the live tasks; the case remembers who urged."""
        if not self.case.is_open:
            raise NotNow("cases.verb_not_now", verb="urge", allowed="–")
        self.note("urged", self._pressed(payload, self._reporters(reporter)))

    def supervise(self, payload: Mapping[str, Any]) -> None:
        """督办: those who hold the live tasks and the commanders above them are told, perhaps with a time to answer by."""
        self._need_verb("supervise")
        self.case.supervised += 1
        self.note("supervised", self._pressed(payload))

    def _pressed(self, payload: Mapping[str, Any], subject: str = "") -> dict[str, Any]:
        data: dict[str, Any] = {"tasks": [t.id for t in self.situation.live_tasks()]}
        if payload.get("reply_by"):
            data["reply_by"] = str(payload["reply_by"])
        return self._with_note(data, payload, subject)

    def rate(self, payload: Mapping[str, Any], own: Sequence[str] = ()) -> None:
        """评价: one to five stars within 30 days after closing, once by each reporter and once by the centre.

        ``own`` are the names under which a reporter may have rated before, first the one that is written down; else the actor tells.
        """
        stars = payload.get("stars")
        if isinstance(stars, bool) or not isinstance(stars, int) or not 1 <= stars <= 5:
            raise Invalid("cases.bad_stars", errors=(FieldFault("/stars", "cases.bad_stars"),))
        case = self.case
        raters = tuple(own) or (rater_of(case, self.actor),)
        if not self._may_rate(raters):
            raise NotNow("cases.rate_not_now", verb="rate", allowed=", ".join(case_verbs(case, self.situation.tasks, self.actor)) or "–")
        case.ratings = {**case.ratings, raters[0]: stars}
        if raters[0] == CENTRE:
            case.centre_stars = stars
            self.note("rated", self._with_note({"stars": stars, "by": "centre"}, payload))
            return
        given = [n for rater, n in case.ratings.items() if rater != CENTRE]
        case.stars = round(sum(given) / len(given), 2)
        self.note("rated", self._with_note({"stars": stars, "by": "reporter"}, payload, reporter_subject(case.code)))

    def _may_rate(self, raters: Sequence[str]) -> bool:
        case = self.case
        in_time = case.status == "closed" and case.closed_at is not None and self.now - case.closed_at <= RATE_WINDOW
        return in_time and all(raters) and not any(rater in case.ratings for rater in raters)

    def _need_verb(self, verb: str) -> None:
        allowed = case_verbs(self.case, self.situation.tasks, self.actor)
        if verb not in allowed:
            raise NotNow("cases.verb_not_now", verb=verb, allowed=", ".join(allowed) or "–")

    # ---- the world pushes ----------------------------------------------------------------------------------------

    def receive(self, message: str, data: Mapping[str, Any]) -> bool:
        """A signal the process may wait for (such as ``gone``). False when it does not."""
        if not self.case.is_open or message not in self.scene.process.waiting_for(self.case.process_state):
            return False
        self.note("message_received", {"message": message})
        self.apply(self.scene.process.message(self.case.process_state, message, dict(data)))
        return True

    def fire(self, limit_id: str) -> None:
        """A due row's time has come: a reminder, a card, an escalation or a wait of the process."""
        limit = next((x for x in self.situation.limits if x.id == limit_id), None)
        if limit is None or limit.state != "pending":
            return
        limit.state = "fired"
        if limit.kind == "wait":
            self.note("wait_over", {"ref": limit.ref, "due_at": limit.due_at.isoformat()})
            self.apply(self.scene.process.due(self.case.process_state, limit.ref, {}))
            return
        task = next((t for t in self.situation.tasks if t.id == limit.task_id), None)
        if task is None or not task.is_live:
            return
        data = {"task": task.id, "stage": limit.stage, "share": limit.share, "unit": task.unit_id, "due_at": limit.due_at.isoformat()}
        if limit.kind == "remind":
            self.note("reminded", data)
            return
        if self.case.card != "red":
            self.case.card = limit.kind
        self.note("card_given", {**data, "card": limit.kind})
        if limit.kind == "red":
            self._tell_above(task, limit)

    def _tell_above(self, task: TaskData, limit: LimitData) -> None:
        """After a red card the next level sees the case and its duty commander is told."""
        stage = self._limit_of(limit.stage)
        above = self.directory.upper_desk(self.case.desk_region, self.now) if stage and stage.escalate else None
        if above is None:
            return
        _region, desk = above
        self._involve(desk.unit_id)
        self.note("overdue_escalated", {"task": task.id, "stage": limit.stage, "unit": desk.unit_id})

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
        if self._unheld:
            self._to_the_desk(step)
            return
        for task in step.opened:
            self._open_task(task)
        for wait in step.waits:
            self._open_wait(wait)
        if step.ended and self.case.status not in END_STATUSES:
            self._end(step.ended)
        self._sticky = None

    def _to_the_desk(self, step: Step) -> None:
        """Nobody is competent for work the world dispatched: as if its unit had returned it at once, the desk is asked."""
        work = next((task for task in step.opened if task.stage == "handle" and "return" in task.verbs), None)
        if work is None:
            raise Invalid("cases.nobody_competent", type=self.case.type, region=self.case.region)
        back = self.scene.process.complete(step.state, work.ref, self._answer("return"))
        self._unheld, self._sticky, self.case.status = False, "filed", "filed"
        self.apply(replace(back, calls=tuple(call for call in back.calls if call.name != "return")))

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
        return self.directory.competent(name if kind == "duty" else task.performer, self.case.type, region, self.now)

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
        return self.scene.limits.get(stage)

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

    def _cancel_limits(self, task_id: str, stage: str | None = None) -> None:
        for limit in self.situation.limits:
            if limit.task_id == task_id and limit.state == "pending" and (stage is None or limit.stage == stage):
                limit.state = "cancelled"

    def _set_due(self) -> None:
        """The case's own limit: handling time of its type from the report on."""
        limit = self._limit_of("handle")
        if limit is not None:
            self.case.due_at = due_at(self.case.reported_at, parse_duration(limit.limit), self.directory.calendar(self.case.region))

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
            if found is None:
                self._unheld = True
                self.note("nobody_competent", {"type": case.type, "region": case.region})
                return
            unit = found.unit_id
        case.lead_unit_id = int(unit)
        case.supporting_ids = list(self._chosen.get("supporting", ()))
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
        self.case.closed_at = self.now
        self._end("closed")
        self.note("closed", {"reason": str(call.params.get("reason") or "done")})

    def _call_reject(self, call: Call) -> None:
        self._end("rejected")
        self.note("rejected", {"reason": str(call.params.get("reason") or "rejected")})

    def _call_rework(self, call: Call) -> None:
        self.case.reworks += 1
        self.case.status = self._sticky = "reworked"
        self.note("reworked", {"times": self.case.reworks})

    def _call_return(self, call: Call) -> None:
        self.case.returns += 1
        self.case.status = self._sticky = "filed"
        self.case.lead_unit_id, self.case.supporting_ids = None, []
        self.note("sent_back", {"times": self.case.returns})

    def _call_escalate(self, call: Call) -> None:
        case = self.case
        above = self.directory.upper_desk(case.desk_region, self.now)
        if above is not None:
            case.desk_region = above[0]
        # at the top its own desk decides: a verb that is offered never leads nowhere
        desk = above[1] if above else self.directory.competent("intake", case.type, case.desk_region, self.now)
        case.escalations += 1
        case.status = self._sticky = "escalated"
        self.note("handed_up", {"to": desk.unit_id if desk else None, "region": case.desk_region, "times": case.escalations})

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


def merge_sources(machine: Machine, sources: Iterable[str]) -> None:
    """The target's side of a merge: it remembers whose matter it took over."""
    codes = list(sources)
    machine.case.merged_count += len(codes)
    machine.note("absorbed", {"cases": codes})


_CALLS = {
    "file": Machine._call_file,
    "dispatch": Machine._call_dispatch,
    "notify": Machine._call_notify,
    "close": Machine._call_close,
    "reject": Machine._call_reject,
    "rework": Machine._call_rework,
    "return": Machine._call_return,
    "escalate": Machine._call_escalate,
}
CALLS = tuple(_CALLS)
_ACTION_OF = {
    ("verify", "approve"): "verified",
    ("verify", "reject"): "found_untrue",
    ("verify", "escalate"): "escalation_asked",
    ("intake", "accept"): "case_accepted",
    ("intake", "pass"): "passed_on",
    ("intake", "reject"): "intake_rejected",
    ("handle", "submit"): "submitted",
    ("handle", "return"): "returned",
    ("handle", "escalate"): "escalation_asked",
    ("support", "submit"): "support_submitted",
    ("support", "return"): "support_returned",
    ("check", "approve"): "check_approved",
    ("check", "reject"): "check_rejected",
}
