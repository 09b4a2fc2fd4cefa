"""Laws of the case: whatever people, clocks and signals do in whatever order, with the real packs and processes.

No dead end, nothing twice, no leap of the status, nobody checks their own work, an unbroken chain. More lives by
``GRIDLOOP_TEST_LIVES=5000``, then other ones at each run.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gridloop.cases.machine import Machine, merge_sources
from gridloop.cases.rules import END_STATUSES, STATUSES, CaseData, LimitData, NewCase, Secret, TaskData, case_verbs, task_verbs
from gridloop.cases.steps import Noted
from gridloop.cases.tests.lives import (
    CITY,
    COUNTY,
    DOUBTFUL,
    ELSEWHERE,
    HELP_1,
    HELP_2,
    LEAD,
    NOBODY,
    PEOPLE,
    PLACE,
    TOWN,
    TOWN_DESK,
    UNITS,
    Directory,
    packs,
    scene_for,
    scene_of,
)
from gridloop.flow.rules import TASK_VERBS
from gridloop.kernel.errors import Fault, NotNow
from gridloop.kernel.hashing import ZERO_HASH, canonical, fact_hash
from gridloop.kernel.viewer import SYSTEM, Viewer

START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
CASE_VERBS = ("accept", "route", "hand down", "void", "merge", "urge", "supervise", "rate")
# Where the status may go in one push, from the contract's list; staying is always allowed. Written out, not computed from the processes.
AT_THE_DESK = {"dispatched", "rejected", "voided"}
AT_WORK = {"filed", "escalated", "dispatched", "voided"}
DONE = {"submitted", "checking"}
NEXT = {
    "reported": AT_THE_DESK | {"closed", "filed"},  # closed: the thing went away by itself; filed: nobody is competent
    # an alert: settled on the spot, over by itself, a false alarm, or true and first a word to whom it concerns
    "verifying": {"reported", "dispatched", "voided", "checking", "closed", "rejected", "filed"},
    "filed": AT_THE_DESK | {"closed"},  # … who then puts it right
    "escalated": AT_THE_DESK,
    "dispatched": AT_WORK | {"accepted"},
    "accepted": AT_WORK | DONE | {"handling"},
    "handling": AT_WORK | DONE,
    "reworked": AT_WORK | {"accepted"},  # signed for anew
    "submitted": {"checking", "filed", "escalated", "voided"},  # a helper may still give back
    "checking": {"closed", "reworked", "dispatched", "filed", "voided"},  # dispatched: what was settled on the spot was not
    **{end: set() for end in END_STATUSES},
}
BEFORE = {  # a fact that may only follow another one, or one of two
    "task_accepted": {"task_opened"},
    "submitted": {"task_opened"},
    "check_approved": {"submitted", "support_submitted"},
    "check_rejected": {"submitted", "support_submitted"},
    "review_approved": {"check_approved"},
    "review_rejected": {"check_approved"},
    "dispatched": {"filed"},
    "reworked": {"submitted", "support_submitted"},
    "wait_over": {"wait_opened"},
    "rated": {"closed"},
    "closed": {"reported"},
}
AFTER_END = {"rated", "task_cancelled", "closed", "rejected", "voided", "merged"}
FORWARD = {
    ("verify", "approve"),
    ("verify", "submit"),
    ("intake", "accept"),
    *((stage, verb) for stage in ("handle", "support") for verb in ("accept", "check_in", "submit")),
    *((stage, verb) for stage in ("check", "review") for verb in ("approve", "reject")),
}
HOMEWARD = {"submit": 0, "approve": 1, "accept": 2}  # what leads to the end, best first
MOST_TO_THE_END = 40
ACTOR = st.sampled_from(sorted(PEOPLE))
UNIT = st.sampled_from([None, LEAD, HELP_1, HELP_2, TOWN_DESK, NOBODY])
TARGET = st.sampled_from([("filed", PLACE), ("filed", PLACE), ("closed", PLACE), ("filed", ELSEWHERE), ("filed", "")])  # "": itself
SUPPORTING = st.lists(st.sampled_from([HELP_1, HELP_2]), unique=True)
WORDS = st.sampled_from(["", "  ", "说明", "说明 \U0001f600 <b>", "x" * 200])
PASSED = START - timedelta(days=30)
CHOICE = st.fixed_dictionaries(
    {"note": WORDS},
    optional={
        "type": st.sampled_from(["28002", "01002", "09009", "29004", "99999", "x"]),
        "unit": UNIT,
        "severity": st.integers(1, 4),
        "supporting": st.lists(st.sampled_from([HELP_1, HELP_2, LEAD, NOBODY]), max_size=3),
        "post": st.sampled_from([None, 7]),
        "person": st.sampled_from([None, 110, 4711]),
        "stars": st.sampled_from([0, 1, 5, 6, True, None]),
        "reply_by": st.sampled_from([PASSED, START + timedelta(days=4000)]),
    },
)


def answers(form: Mapping[str, Any]) -> dict[str, Any]:
    """The least a form can be answered with."""
    by_type = {"string": "说明", "number": 1, "integer": 1, "boolean": True, "array": []}
    by_format = {"date": "2026-11-20", "date-time": "2026-11-20T09:00:00+08:00"}

    def answer(field: Mapping[str, Any]) -> Any:
        if options := field.get("enum") or [one["const"] for one in field.get("oneOf", ())]:
            return options[0]
        return by_format.get(field.get("format", "")) or field.get("minimum", by_type[field["type"]])

    return {name: answer(form["properties"][name]) for name in form.get("required", ())}


def other(status: str, region: str) -> CaseData:
    return CaseData("9901012611200009999", "28002", "别的案件", 3, status, region, region, "citizen", "general", START)


def public(value: Any) -> Any:
    return canonical(value.value).hex() if isinstance(value, Secret) else value


class CaseLife(RuleBasedStateMachine):
    """One case pushed around. A refused push must leave nothing, an offered one must work."""

    @initialize(
        pack=st.integers(0, len(packs()) - 1),
        source=st.sampled_from(["citizen", "hotline", "vehicle_stopped", "device_status", "grid_worker"]),
        actor=st.sampled_from(["public", "grid worker", "reporter", "system"]),
        proposed=st.sampled_from([LEAD, None]),
        held=st.sampled_from([True, True, False]),
        watched=st.booleans(),
    )
    def open(self, pack: int, source: str, actor: str, proposed: int | None, held: bool, watched: bool) -> None:
        loaded = packs()[pack]
        assert loaded.pack is not None
        self.scene, self.directory, self.now = scene_of(loaded), Directory(held, watched), START
        case_type = loaded.pack.pack.case_type
        new = NewCase(
            "9901012611200000001",
            case_type,
            "一件事",
            3,
            PLACE,
            source,
            text="有人在说话",
            reporter_id=PEOPLE[actor].user_id,
            proposal={"type": case_type, "unit": proposed, "severity": 3},
            data={"plate": "浙A12345"},
        )
        self.submitters: set[str] = set()
        self.chain: list[dict[str, Any]] = []
        machine = Machine.open(new, self.scene, self.directory, self.now, PEOPLE[actor])
        self.situation = machine.situation
        self._store(PEOPLE[actor], machine.facts)

    # ---- pushes ----------------------------------------------------------------------------------------------------

    def push(self, viewer: Viewer, run: Callable[[Machine], object]) -> Fault | None:
        """As the store does it: nothing of a refused push stays."""
        machine = Machine(copy.deepcopy(self.situation), self.scene, self.directory, self.now, viewer, scene_for)
        try:
            run(machine)
        except Fault as fault:
            return fault
        before, self.situation = self.situation, machine.situation
        self.scene = machine.scene
        self._check_step(before.case, machine.facts)
        self._nothing_twice(before.tasks, before.limits)
        self._store(viewer, machine.facts)
        return None

    def _store(self, viewer: Viewer, facts: list[Noted]) -> None:
        """The chain of the case as the trace keeps it: its data must be plain JSON."""
        for one in facts:
            entry = {
                "chain": f"case:{self.situation.case.code}",
                "seq": len(self.chain) + 1,
                "at": self.now.isoformat(),
                "actor": viewer.actor,
                "action": one.action,
                "data": {key: public(value) for key, value in one.data.items()},
                "previous_hash": self.chain[-1]["hash"] if self.chain else ZERO_HASH,
            }
            self.chain.append(entry | {"hash": fact_hash(entry)})

    def _check_step(self, before: CaseData, facts: list[Noted]) -> None:
        case = self.situation.case
        if case.status != before.status:
            # who traces beside the visit may find the person safe: nothing is left to be done then, only to be checked
            found = {"checking"} if any(f.action == "support_submitted" for f in facts) else set()
            assert case.status in NEXT[before.status] | found, f"{before.status} → {case.status} by {[f.action for f in facts]}"
            assert facts, "a status changes only with a fact"
        if before.card == "red":
            assert case.card == "red"
        if not before.is_open:
            assert {f.action for f in facts} <= {"rated"}
            assert case.process_state == before.process_state
        for name in ("returns", "reworks", "escalations", "merged_count", "supervised"):
            assert getattr(case, name) >= getattr(before, name)

    def _nothing_twice(self, tasks: list[TaskData], limits: list[LimitData]) -> None:
        now = {t.id: t for t in self.situation.tasks}
        assert len(now) == len(self.situation.tasks)
        for task in tasks:
            if not task.is_live:
                assert now[task.id] == task, "an ended task was touched again"
        due = {x.id: x for x in self.situation.limits}
        for limit in limits:
            if limit.state != "pending":
                assert due[limit.id] == limit, "a limit that was over was touched again"

    # ---- people ----------------------------------------------------------------------------------------------------

    @rule(actor=ACTOR, pick=st.integers(0, 99), verb=st.sampled_from(TASK_VERBS), choice=CHOICE, proof=st.booleans())
    def any_task_verb(self, actor: str, pick: int, verb: str, choice: dict[str, Any], proof: bool) -> None:
        """Anybody tries anything: what was not offered is refused, what was offered is done or its words are refused."""
        task = self.situation.tasks[pick % len(self.situation.tasks)] if self.situation.tasks else None
        if task is None:
            return
        viewer = PEOPLE[actor]
        payload = choice | ({"evidence": ["e1"], "form": {"n": 1.5}, "place": {"lon": 121.5, "lat": 29.3}} if proof else {})
        fault = self._acted(viewer, task, verb, payload)
        if verb not in self.offered_before:
            assert isinstance(fault, NotNow), f"{verb} on {task.stage} was not offered but done"

    @precondition(lambda self: self.situation.live_tasks())
    @rule(pick=st.integers(0, 99), supporting=SUPPORTING, doubtful=st.booleans())
    def something_offered(self, pick: int, supporting: list[int], doubtful: bool) -> None:
        offers = self._offers()
        assert offers, "work that nobody in the world may do"
        self._do(*offers[pick % len(offers)], supporting, doubtful)

    @precondition(lambda self: self.situation.live_tasks())
    @rule(picks=st.lists(st.integers(0, 99), min_size=1, max_size=6), supporting=SUPPORTING, doubtful=st.booleans())
    def forward(self, picks: list[int], supporting: list[int], doubtful: bool) -> None:
        """People do what brings the case on, so that lives reach the check, the review, the rework and the end."""
        for pick in picks:
            offers = [o for o in self._offers() if (o[1].stage, o[2]) in FORWARD]
            if offers:
                self._do(*offers[pick % len(offers)], supporting, doubtful)

    def _offers(self) -> list[tuple[Viewer, TaskData, str]]:
        return [
            (viewer, task, verb)
            for _, viewer in sorted(PEOPLE.items())
            for task in self.situation.live_tasks()
            for verb in task_verbs(self.situation.case, task, viewer)
        ]

    def _do(self, viewer: Viewer, task: TaskData, verb: str, supporting: list[int], doubtful: bool) -> None:
        """A verb that is offered, with all it needs: it works."""
        payload: dict[str, Any] = {"note": "说明", "evidence": [DOUBTFUL if doubtful else "e1"]}
        if task.stage == "intake" and verb == "accept":
            payload |= {"supporting": supporting, "unit": LEAD}
        if verb == "submit" and task.form:
            payload["form"] = answers(task.form)
        fault = self._acted(viewer, task, verb, payload)
        assert fault is None, f"{verb} was offered on {task.stage} but {fault.key}"

    def _acted(self, viewer: Viewer, task: TaskData, verb: str, payload: Mapping[str, Any]) -> Fault | None:
        checker = self.situation.case.checked_by
        self.offered_before = task_verbs(self.situation.case, task, viewer)
        fault = self.push(viewer, lambda machine: machine.act(task.id, verb, payload))
        if fault is None and task.stage in ("check", "review"):
            assert viewer.actor not in self.submitters, "checked their own work"
            assert task.stage == "check" or viewer.actor != checker, "reviewed their own check"
        if fault is None and verb == "submit":
            self.submitters.add(viewer.actor)
        return fault

    @rule(actor=ACTOR, verb=st.sampled_from(CASE_VERBS), choice=CHOICE, into=TARGET)
    def any_case_verb(self, actor: str, verb: str, choice: dict[str, Any], into: tuple[str, str]) -> None:
        """Anybody tries anything with any words."""
        self._case_verb(PEOPLE[actor], verb, choice, into)

    @rule(verb=st.sampled_from(CASE_VERBS), pick=st.integers(0, 99), choice=CHOICE, into=TARGET, good=st.booleans())
    def a_case_verb_offered(self, verb: str, pick: int, choice: dict[str, Any], into: tuple[str, str], good: bool) -> None:
        asked = "route" if verb == "hand down" else verb
        may = [one for _, one in sorted(PEOPLE.items()) if asked in case_verbs(self.situation.case, self.situation.tasks, one)]
        if may:
            words = {"note": "说明", "unit": LEAD, "supporting": [HELP_1, HELP_1], "stars": 1 + pick % 5} if good else choice
            self._case_verb(may[pick % len(may)], verb, words, into)

    def _case_verb(self, viewer: Viewer, verb: str, choice: dict[str, Any], into: tuple[str, str]) -> None:
        if verb in ("void", "merge") and len(self.chain) < 25:
            return  # not every life should end in its first minutes
        target = other(*into) if into[1] else copy.deepcopy(self.situation.case)
        calls: dict[str, Callable[[Machine], object]] = {
            "accept": lambda m: m.accept(choice),
            "route": lambda m: m.route(choice),
            "hand down": lambda m: self._hand_down(m, choice),
            "void": lambda m: m.void(choice),
            "merge": lambda m: m.merge_into(target, choice),
            "urge": lambda m: m.urge(choice, reporter=viewer.staff_id is None),
            "supervise": lambda m: m.supervise(choice),
            "rate": lambda m: m.rate(choice),
        }
        offered = {"hand down": "route"}.get(verb, verb) in case_verbs(self.situation.case, self.situation.tasks, viewer)
        fault = self.push(viewer, calls[verb])
        if not offered and verb != "urge":  # a key may urge, too
            assert fault is not None, f"{verb} was not offered but done"
        if verb == "merge" and fault is None:
            assert into[0] == "filed"
            assert into[1], "merged into itself"
            assert viewer.may("case.merge", into[1]), "into a case the desk may not touch"
        if verb == "rate" and fault is None:
            assert choice["stars"] in range(1, 6)
            assert self.situation.case.closed_at is not None
            assert self.now - self.situation.case.closed_at <= timedelta(days=30)
        if verb in ("supervise", "urge") and offered:
            assert (fault is not None) == (choice.get("reply_by") == PASSED), "a time to answer by lies ahead"

    def _hand_down(self, machine: Machine, choice: Mapping[str, Any]) -> None:
        """As the verb ``route`` does it when a lower desk is named."""
        if machine.situation.live_tasks("intake") and machine.case.desk_region in (COUNTY, CITY):
            machine.hand_down(TOWN, UNITS[TOWN_DESK], choice)
        else:
            machine.route({**choice, "unit": NOBODY})

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
            self._fire(min(pending, key=lambda x: x.due_at), late)

    def _fire(self, limit: LimitData, late: int = 0) -> None:
        self.now = max(self.now, limit.due_at) + timedelta(seconds=late)
        facts = len(self.chain)
        assert self.push(SYSTEM, lambda machine: machine.fire(limit.id)) is None
        assert next(x for x in self.situation.limits if x.id == limit.id).state == "fired"
        assert len(self.chain) > facts, "a due row fired without a fact"
        facts = len(self.chain)
        assert self.push(SYSTEM, lambda machine: machine.fire(limit.id)) is None
        assert len(self.chain) == facts, "fired twice"

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.now -= timedelta(hours=1)

    @rule(days=st.sampled_from([1, 31]))
    def days_pass(self, days: int) -> None:
        """Nobody looks, no due row is taken: a deployment that was off."""
        self.now += timedelta(days=days)

    @rule(message=st.sampled_from(["gone", "return", "escalate", "nonsense"]))
    def signal(self, message: str) -> None:
        case = self.situation.case
        waits = case.is_open and message in self.scene.process.waiting_for(case.process_state)
        took: list[bool] = []
        assert self.push(SYSTEM, lambda machine: took.append(machine.receive(message, {"value": 0.0}))) is None
        assert took == [waits]

    # ---- laws ------------------------------------------------------------------------------------------------------

    @invariant()
    def no_dead_end(self) -> None:
        pending = [x for x in self.situation.limits if x.state == "pending"]
        live = self.situation.live_tasks()
        assert self.situation.case.status in STATUSES
        if self.situation.case.is_open:
            assert live or any(x.kind == "wait" for x in pending), f"{self.situation.case.status}: nobody has anything to do"
            assert {t.ref for t in live} == {t.ref for t in self.scene.process.tasks(self.situation.case.process_state)}
        else:
            assert not live
            assert not pending

    @invariant()
    def nothing_is_there_twice(self) -> None:
        live = self.situation.live_tasks()
        many = Counter(t.stage for t in live if t.stage != "support")
        assert all(count == 1 for count in many.values()), f"one stage twice: {many}"
        helpers = Counter(t.unit_id for t in live if t.stage == "support")
        assert all(count == 1 for count in helpers.values()), f"one helper asked twice: {helpers}"
        ids = {t.id for t in live}
        assert all(x.task_id in ids for x in self.situation.limits if x.state == "pending" and x.kind != "wait")

    @invariant()
    def facts_are_in_order(self) -> None:
        actions = [one["action"] for one in self.chain]
        assert actions[0] == "reported"
        assert actions.count("reported") == 1
        for later, earlier in BEFORE.items():
            if later in actions:
                assert earlier & set(actions[: actions.index(later)]), f"{later} before {earlier}"
        ends = [n for n, action in enumerate(actions) if action in ("closed", "rejected", "voided", "merged")]
        assert len(ends) == (0 if self.situation.case.is_open else 1)
        if ends:
            assert set(actions[ends[0] :]) <= AFTER_END
        told = Counter((one["action"], one["data"].get("task")) for one in self.chain)
        for task in self.situation.tasks:
            assert told["task_opened", task.id] == 1
            assert told["task_accepted", task.id] <= 1

    def teardown(self) -> None:
        """From wherever the life has come to there is a way to the end, and people of this world can go it."""
        if not hasattr(self, "situation"):
            return
        for _ in range(MOST_TO_THE_END):
            if not self.situation.case.is_open:
                break
            homeward = [offer for offer in self._offers() if offer[2] in HOMEWARD]
            if homeward:
                self._do(*min(homeward, key=lambda o: (HOMEWARD[o[2]], o[0].name)), [], False)
            else:
                self._fire(min((x for x in self.situation.limits if x.state == "pending"), key=lambda x: x.due_at))
            self.no_dead_end()
        assert not self.situation.case.is_open, f"no way to the end from {self.chain[-1]}"
        self.facts_are_in_order()


TestCaseLife = CaseLife.TestCase
TestCaseLife.settings = settings(
    max_examples=int(os.environ.get("GRIDLOOP_TEST_LIVES", "100")),
    stateful_step_count=35,
    suppress_health_check=list(HealthCheck),
    derandomize="GRIDLOOP_TEST_LIVES" not in os.environ,
    phases=[Phase.explicit, Phase.generate],  # a failing life is printed as it was: making it small takes minutes
    database=None,
)
