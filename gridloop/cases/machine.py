"""The case at work: one push (a verb, a due limit, a signal) applied to a situation.

The machine changes the situation it is given and collects facts; a store (rows or memory) saves both. It never looks at a clock or a
database: time, directory and scene are handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gridloop.cases.forms import form_fault, steering
from gridloop.cases.restart import at_dispatch
from gridloop.cases.rules import (
    CENTRE,
    DESK_STAGES,
    FORM_VERBS,
    PUBLIC_SOURCES,
    RATE_DAYS,
    REASON_NEEDED,
    TASK_ENDING_VERBS,
    CaseData,
    Directory,
    NewCase,
    Performer,
    Scene,
    Secret,
    Situation,
    TaskData,
    case_verbs,
    rater_of,
    reporter_subject,
    task_verbs,
)
from gridloop.cases.steps import Steps
from gridloop.cases.types import case_types
from gridloop.cases.verbs import not_now, verbs
from gridloop.flow.rules import Step
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.viewer import Viewer

RATE_WINDOW = timedelta(days=RATE_DAYS)


@dataclass(slots=True)
class Machine(Steps):
    """The pushes: what people, signals and due limits may do to a case."""

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
            place_m=new.place_m,
            address=new.address,
            reporter_id=new.reporter_id,
            proposal=new.proposal,
        )
        machine = cls(Situation(case), scene, directory, now, actor)
        data: dict[str, Any] = {"type": new.type, "severity": new.severity, "region": new.region, "source": new.source, "scene": scene.name}
        data["scene_version"] = scene.version
        if new.place_m is not None:
            data["place_m"] = new.place_m
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
            **self._helpers(self.scene),
        }

    # ---- verbs of people -----------------------------------------------------------------------------------------

    def act(self, task_id: str, verb: str, payload: Mapping[str, Any]) -> TaskData:
        """A task verb (contract: ``POST /tasks/{id}/{verb}``)."""
        task = next((t for t in self.situation.tasks if t.id == task_id), None)
        if task is None:
            raise NotFound("cases.no_such_task")
        allowed = task_verbs(self.case, task, self.actor)
        if verb not in allowed:
            raise not_now(verb, allowed, task.stage)
        if payload.get("to") is not None:
            said = {"verb": verbs((verb,), task.stage)}
            raise Invalid("cases.to_not_taken", errors=(FieldFault("/to", "cases.to_not_taken", said),), **said)
        self._need_reason(verb, payload)
        if verb == "accept" and task.stage == "intake":
            self.accept(payload)
        elif verb == "accept":
            self._sign_off(task)
        elif verb == "check_in":
            self._check_in(task, payload)
        elif verb in TASK_ENDING_VERBS.get(task.stage, ()):
            self._need_proof(task, verb, payload)
            if (fault := form_fault(task.form if verb in FORM_VERBS else None, payload.get("form") or {})) is not None:
                raise Invalid(fault.key, errors=(fault,), **fault.params)
            self._finish(task, verb, payload)
        else:
            raise not_now(verb, allowed, task.stage)
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
        if (task.stage, verb) == ("check", "approve"):
            self.case.checked_by = self.actor.actor
        if verb == "submit" or (task.stage, verb) == ("check", "approve"):
            self._doubt(task, payload)
        data: dict[str, Any] = {"task": task.id, "name": task.name, "unit": task.unit_id}
        if payload.get("evidence"):
            data["evidence"] = [str(e) for e in payload["evidence"]]
        if payload.get("form"):
            data["form"] = Secret(dict(payload["form"]), "task_form")
        self._with_note(data, payload)
        self.note(_ACTION_OF.get((task.stage, verb), verb), data)
        answer = steering(task.form, payload.get("form") or {}) | self._answer(verb)
        self.apply(self.scene.process.complete(self.case.process_state, task.ref, answer))

    def _doubt(self, task: TaskData, payload: Mapping[str, Any]) -> None:
        """Ask what speaks against closing: the process then has somebody else look before it closes."""
        found = self.directory.doubts(self.case, task, [str(e) for e in payload.get("evidence") or ()], self.now, self.scene.again_s)
        if fresh := [doubt for doubt in found if doubt not in self.case.doubts]:
            self.case.doubts = [*self.case.doubts, *fresh]
            # other cases and files may be hidden from who reads this trace: they stand on the case, told as far as one sees them
            told = [{key: value for key, value in doubt.items() if key not in ("case", "cases", "file", "earlier")} for doubt in fresh]
            self.note("closing_doubted", {"task": task.id, "doubts": told})

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
            case.proposal = {**before, **decided, "confidence": 1.0, "how": dict.fromkeys(decided, "desk"), "reasons": [{"why": "desk"}]}

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
        answer = {**self._answer("accept"), **self._helpers(scene)}
        step = at_dispatch(scene.process, {**self._process_data({}), "params": dict(scene.params)}, answer)
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
        if "how" in proposal:  # what it was offered as, so that proposals are judged by what desks made of them
            data["proposed"] = {k: proposal[k] for k in ("type", "unit", "severity", "how")}
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
            "supporting": list(dict.fromkeys(int(u) for u in payload.get("supporting") or ())),  # a unit named twice helps once
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
        self._chosen = chosen
        self._lead_helps_not(chosen["unit"])

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
            raise not_now("urge")
        self.note("urged", self._pressed(payload, self._reporters(reporter)))

    def supervise(self, payload: Mapping[str, Any]) -> None:
        """督办: those who hold the live tasks and the commanders above them are told, perhaps with a time to answer by."""
        self._need_verb("supervise")
        self.case.supervised += 1
        self.note("supervised", self._pressed(payload))

    def _pressed(self, payload: Mapping[str, Any], subject: str = "") -> dict[str, Any]:
        data: dict[str, Any] = {"tasks": [t.id for t in self.situation.live_tasks()]}
        if reply_by := payload.get("reply_by"):
            if datetime.fromisoformat(str(reply_by)) <= self.now:
                raise Invalid("cases.reply_by_past", errors=(FieldFault("/reply_by", "cases.reply_by_past"),))
            data["reply_by"] = str(reply_by)
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
            raise not_now("rate", case_verbs(case, self.situation.tasks, self.actor), key="cases.rate_not_now")
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
            raise not_now(verb, allowed)

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


def merge_sources(machine: Machine, sources: Iterable[str]) -> None:
    """The target's side of a merge: it remembers whose matter it took over."""
    codes = list(sources)
    machine.case.merged_count += len(codes)
    machine.note("absorbed", {"cases": codes})


_ACTION_OF = {
    ("verify", "approve"): "verified",
    ("verify", "reject"): "found_untrue",
    ("verify", "escalate"): "escalation_asked",
    ("verify", "submit"): "submitted",
    ("intake", "accept"): "case_accepted",
    ("intake", "pass"): "passed_on",
    ("intake", "reject"): "intake_rejected",
    ("handle", "submit"): "submitted",
    ("handle", "return"): "returned",
    ("handle", "escalate"): "escalation_asked",
    ("support", "submit"): "support_submitted",
    ("trace", "submit"): "support_submitted",
    ("support", "return"): "support_returned",
    ("check", "approve"): "check_approved",
    ("check", "reject"): "check_rejected",
    ("review", "approve"): "review_approved",
    ("review", "reject"): "review_rejected",
}
