"""Laws of the case: whatever people, clocks and signals do in whatever order, with the real packs and processes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gridloop.cases.machine import Machine, merge_sources
from gridloop.cases.rules import END_STATUSES, STATUSES, CaseData, NewCase, Scene, TaskData, case_verbs, task_verbs
from gridloop.cases.steps import Noted
from gridloop.flow.rules import TASK_VERBS
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import Fault, NotNow
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer
from gridloop.scenes.loading import Loaded, load_all
from gridloop.scenes.rules import stage_limits
from gridloop.scenes.stories.memory import CHECKERS, LEAD, PEOPLE, REGION, SUPPORT_1, SUPPORT_2, MemoryDirectory

START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
CASE_VERBS = ("accept", "route", "void", "merge", "urge", "rate")
# Where a case may go from a status in one push; staying is always allowed, an end is final.
DESK_NEXT = {"filed", "dispatched", "rejected", "voided", "reported", "verifying"}
WORK_NEXT = {"accepted", "handling", "submitted", "checking", "filed", "escalated", "dispatched", "voided"}
NEXT = {
    "reported": DESK_NEXT | {"closed"},  # closed: the thing went away by itself
    "verifying": DESK_NEXT | {"closed"},
    "filed": DESK_NEXT,
    "escalated": DESK_NEXT,
    "dispatched": WORK_NEXT,
    "accepted": WORK_NEXT,
    "handling": WORK_NEXT,
    "reworked": WORK_NEXT,
    "submitted": {"checking", "voided", "filed", "escalated", "dispatched"},
    "checking": {"closed", "reworked", "voided"},
    **{end: set() for end in END_STATUSES},
}
BEFORE = {  # a fact on a task or case that may only follow another one
    "task_accepted": "task_opened",
    "submitted": "task_opened",
    "check_approved": "submitted",
    "check_rejected": "submitted",
    "dispatched": "filed",
    "reworked": "check_rejected",
    "wait_over": "wait_opened",
    "rated": "closed",
    "closed": "reported",
}
FORWARD = {
    ("verify", "approve"),
    ("intake", "accept"),
    *((stage, verb) for stage in ("handle", "support") for verb in ("accept", "check_in", "submit")),
    ("check", "approve"),
    ("check", "reject"),
}
AFTER_END = {"rated", "task_cancelled", "closed", "rejected", "voided", "merged"}
OTHER = CaseData("9901012611200009999", "28002", "别的案件", 3, "reported", REGION, REGION, "citizen", "general", START)


def _both_sides() -> Viewer:
    """Someone who handles and who is in the checking unit too: the temptation to check one's own work."""
    grants = tuple(Grant("story", "", frozenset({unit}), frozenset({"task.act", "case.rate"})) for unit in (LEAD, CHECKERS))
    return Viewer("both", 199, 199, LEAD, grants)


ACTORS = {**PEOPLE, "两边": _both_sides(), "系统": SYSTEM}


@cache
def packs() -> list[Loaded]:
    return [one for one in load_all() if one.pack is not None]


def scene_of(loaded: Loaded) -> Scene:
    assert loaded.pack is not None
    assert loaded.process is not None
    pack = loaded.pack.pack
    return Scene(loaded.name, pack.version, None, loaded.process, dict(pack.params), stage_limits(loaded.pack))


class CaseLife(RuleBasedStateMachine):
    """One case pushed around. A refused push must leave nothing, an offered one must work."""

    @initialize(
        pack=st.integers(0, len(packs()) - 1),
        source=st.sampled_from(["citizen", "hotline", "vehicle_stopped", "device_status", "worker"]),
        actor=st.sampled_from(["群众", "网格", "系统"]),
        known=st.booleans(),
    )
    def open(self, pack: int, source: str, actor: str, known: bool) -> None:
        loaded = packs()[pack]
        assert loaded.pack is not None
        self.scene = scene_of(loaded)
        self.directory = MemoryDirectory(WorkingCalendar())
        self.now = START
        proposal = {"type": "28002", "unit": LEAD if known else None, "severity": 3}
        new = NewCase("9901012611200000001", "28002", "一件事", 3, REGION, source, proposal=proposal, data={"plate": "浙A12345"})
        machine = Machine.open(new, self.scene, self.directory, self.now, ACTORS[actor])
        self.situation, self.trace = machine.situation, list(machine.facts)

    # ---- pushes ----------------------------------------------------------------------------------------------------

    def push(self, viewer: Viewer, run: Callable[[Machine], object]) -> Fault | None:
        """As the store does it: nothing of a refused push stays."""
        machine = Machine(copy.deepcopy(self.situation), self.scene, self.directory, self.now, viewer)
        try:
            run(machine)
        except Fault as fault:
            return fault
        before = self.situation
        self.situation = machine.situation
        self.trace += machine.facts
        self._check_step(before.case, machine.facts)
        return None

    def _check_step(self, before: CaseData, facts: list[Noted]) -> None:
        case = self.situation.case
        if case.status != before.status:
            assert case.status in NEXT[before.status], f"{before.status} → {case.status} by {[f.action for f in facts]}"
            assert facts, "a status changes only with a fact"
        if before.card == "red":
            assert case.card == "red"
        if not before.is_open:
            assert {f.action for f in facts} <= {"rated"}
            assert case.process_state == before.process_state
        for name in ("returns", "reworks", "escalations", "merged_count"):
            assert getattr(case, name) >= getattr(before, name)

    @rule(
        actor=st.sampled_from(sorted(ACTORS)),
        pick=st.integers(0, 99),
        verb=st.sampled_from(TASK_VERBS),
        supporting=st.lists(st.sampled_from([SUPPORT_1, SUPPORT_2]), unique=True),
        proof=st.booleans(),
    )
    def task_verb(self, actor: str, pick: int, verb: str, supporting: list[int], proof: bool) -> None:
        tasks = self.situation.tasks
        if tasks:
            self._act(ACTORS[actor], tasks[pick % len(tasks)], verb, supporting, proof)

    @precondition(lambda self: self.situation.live_tasks())
    @rule(pick=st.integers(0, 99), supporting=st.lists(st.sampled_from([SUPPORT_1, SUPPORT_2]), unique=True))
    def something_offered(self, pick: int, supporting: list[int]) -> None:
        offers = self._offers()
        assert offers, "work that nobody in the world may do"
        self._act(*offers[pick % len(offers)], supporting, proof=True)

    @precondition(lambda self: self.situation.live_tasks())
    @rule(
        picks=st.lists(st.integers(0, 99), min_size=1, max_size=6),
        supporting=st.lists(st.sampled_from([SUPPORT_1, SUPPORT_2]), unique=True),
    )
    def forward(self, picks: list[int], supporting: list[int]) -> None:
        """People do what brings the case on, so that lives reach the check, the rework and the end."""
        for pick in picks:
            offers = [o for o in self._offers() if (o[1].stage, o[2]) in FORWARD]
            if offers:
                self._act(*offers[pick % len(offers)], supporting, proof=True)

    def _offers(self) -> list[tuple[Viewer, TaskData, str]]:
        return [
            (viewer, task, verb)
            for _, viewer in sorted(ACTORS.items())
            for task in self.situation.live_tasks()
            for verb in task_verbs(self.situation.case, task, viewer)
        ]

    def _act(self, viewer: Viewer, task: TaskData, verb: str, supporting: list[int], proof: bool) -> None:
        payload: dict[str, Any] = {"note": "说明"}
        if proof:
            payload["evidence"] = ["e1"]
        if task.stage == "intake" and verb == "accept":
            payload["supporting"] = supporting
        offered = verb in task_verbs(self.situation.case, task, viewer)
        own = task.stage == "check" and viewer.actor in self.situation.case.handled_by
        fault = self.push(viewer, lambda machine: machine.act(task.id, verb, payload))
        assert not (own and fault is None), "checked their own work"
        if not offered:
            assert isinstance(fault, NotNow), f"{verb} on {task.stage} was not offered but done"
        elif proof:
            assert fault is None, f"{verb} was offered on {task.stage} but {fault.key if fault else ''}"
        else:
            needs_proof = verb == "submit" and "photo" in task.must
            assert (fault is not None) == needs_proof

    @rule(actor=st.sampled_from(sorted(ACTORS)), verb=st.sampled_from(CASE_VERBS))
    def case_verb(self, actor: str, verb: str) -> None:
        viewer = ACTORS[actor]
        calls: dict[str, Callable[[Machine], object]] = {
            "accept": lambda m: m.accept({"note": "受理"}),
            "route": lambda m: m.route({"unit": LEAD, "note": "改派"}),
            "void": lambda m: m.void({"note": "重复"}),
            "merge": lambda m: m.merge_into(copy.deepcopy(OTHER), {"note": "同一件"}) if _may(m, "merge") else m._need_verb("merge"),
            "urge": lambda m: m.urge({"note": "快"}) if _may(m, "urge") else m._need_verb("urge"),
            "rate": lambda m: m.rate({"stars": 5}) if _may(m, "rate") else m._need_verb("rate"),
        }
        offered = verb in case_verbs(self.situation.case, self.situation.tasks, viewer)
        if verb in ("void", "merge") and self.trace and len(self.trace) < 25:
            return  # not every life should end in its first minutes
        fault = self.push(viewer, calls[verb])
        if offered and verb == "rate" and isinstance(fault, NotNow):
            assert self.situation.case.closed_at is not None
            assert self.now - self.situation.case.closed_at > timedelta(days=30)
        else:
            assert (fault is None) == offered, f"{verb}: offered {offered}, {fault.key if fault else 'done'}"

    @rule()
    def absorb(self) -> None:
        if self.situation.case.is_open:
            self.push(SYSTEM, lambda machine: merge_sources(machine, ["9901012611200000002"]))

    # ---- the world -------------------------------------------------------------------------------------------------

    @rule(late=st.sampled_from([0, 1, 3600, 86_400]), count=st.integers(1, 4))
    def time_passes(self, late: int, count: int) -> None:
        """The next due rows come due, in order; each fires once."""
        for _ in range(count):
            pending = [x for x in self.situation.limits if x.state == "pending"]
            if not pending:
                self.now += timedelta(hours=1)
                return
            limit = min(pending, key=lambda x: x.due_at)
            self.now = max(self.now, limit.due_at) + timedelta(seconds=late)
            facts = len(self.trace)
            assert self.push(SYSTEM, lambda machine, one=limit: machine.fire(one.id)) is None  # type: ignore[misc]
            now = next(x for x in self.situation.limits if x.id == limit.id)
            assert now.state == "fired"
            assert len(self.trace) > facts, "a due row fired without a fact"
            facts = len(self.trace)
            assert self.push(SYSTEM, lambda machine, one=limit: machine.fire(one.id)) is None  # type: ignore[misc]
            assert len(self.trace) == facts, "fired twice"

    @rule(message=st.sampled_from(["gone", "return", "escalate", "nonsense"]))
    def signal(self, message: str) -> None:
        case = self.situation.case
        waits = case.is_open and message in self.scene.process.waiting_for(case.process_state)
        took: list[bool] = []
        assert self.push(SYSTEM, lambda machine: took.append(machine.receive(message, {"value": 0.0}))) is None
        assert took == [waits]

    # ---- laws --------------------------------------------------------------------------------------------------------

    @invariant()
    def status_is_a_word(self) -> None:
        assert self.situation.case.status in STATUSES

    @invariant()
    def no_dead_end(self) -> None:
        pending = [x for x in self.situation.limits if x.state == "pending"]
        live = self.situation.live_tasks()
        if self.situation.case.is_open:
            assert live or any(x.kind == "wait" for x in pending), f"{self.situation.case.status}: nobody has anything to do"
            assert self.situation.case.process_state
            assert {t.ref for t in live} == {t.ref for t in self.scene.process.tasks(self.situation.case.process_state)}
        else:
            assert not live
            assert not pending

    @invariant()
    def limits_belong_to_live_work(self) -> None:
        live = {t.id for t in self.situation.live_tasks()}
        assert all(x.task_id in live for x in self.situation.limits if x.state == "pending" and x.kind != "wait")

    @invariant()
    def facts_are_in_order(self) -> None:
        actions = [one.action for one in self.trace]
        assert actions[0] == "reported"
        assert actions.count("reported") == 1
        for later, earlier in BEFORE.items():
            if later in actions:
                assert earlier in actions[: actions.index(later)], f"{later} before {earlier}"
        ends = [n for n, action in enumerate(actions) if action in ("closed", "rejected", "voided", "merged")]
        assert len(ends) == (0 if self.situation.case.is_open else 1)
        if ends:
            assert set(actions[ends[0] :]) <= AFTER_END
        for task in self.situation.tasks:
            about = [one.action for one in self.trace if one.data.get("task") == task.id]
            assert about.count("task_opened") == 1
            assert about.count("task_accepted") <= 1


def _may(machine: Machine, verb: str) -> bool:
    return verb in case_verbs(machine.case, machine.situation.tasks, machine.actor)


TestCaseLife = CaseLife.TestCase
TestCaseLife.settings = settings(
    max_examples=60,
    stateful_step_count=35,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a failing life is printed as it was: making it small takes minutes
    database=None,
)
