from __future__ import annotations

import builtins
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.flow import engine
from gridloop.flow.diagram import Diagram, Reader
from gridloop.flow.engine import Process, load_process
from gridloop.flow.rules import Step
from gridloop.flow.tests.diagrams import PROCESSES, TASK, draw, kept, line, one, real
from gridloop.kernel.errors import Invalid, NotNow

CASE = {"type": "01002", "severity": 3, "public": True}


@pytest.fixture
def standard() -> Process:
    return real("standard_case")


def begin(process: Process, **params: Any) -> Step:
    return process.start({"case": CASE, "params": params})


def dispatched(process: Process, supporting: list[int] | None = None) -> Step:
    step = begin(process)
    return process.complete(kept(step), one(step, "intake").ref, {"outcome": "accept", "supporting": supporting or []})


def names(step: Step) -> list[str]:
    return [task.name for task in step.opened]


def test_one_thread_at_a_time_reads_a_diagram(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = threading.Lock()
    together: list[bool] = []

    class Watched(Reader):
        def read(self) -> Diagram:
            together.append(not inside.acquire(blocking=False))
            time.sleep(0.01)  # long enough for the others to come in, were they let
            try:
                return super().read()
            finally:
                if not together[-1]:
                    inside.release()

    monkeypatch.setattr(engine, "Reader", Watched)
    xml = (PROCESSES / "standard_case.bpmn").read_bytes()
    files = [xml + b"\n" * (n + 1) for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda one: load_process(one, "standard_case.bpmn"), files))
    assert [process.name for process in found] == ["standard_case"] * 8
    assert together == [False] * 8


def test_public_report_is_verified_first(standard: Process) -> None:
    step = begin(standard, verify=True)
    assert names(step) == ["verify"]
    assert step.opened[0].performer == "duty:verify"
    assert step.opened[0].status == "verifying"
    assert names(standard.complete(kept(step), step.opened[0].ref, {"outcome": "approve"})) == ["intake"]


def test_signal_needs_no_verification(standard: Process) -> None:
    step = standard.start({"case": {**CASE, "public": False}, "params": {"verify": True}})
    assert names(step) == ["intake"]


def test_accept_files_dispatches_and_opens_lead_and_supports(standard: Process) -> None:
    step = dispatched(standard, [12, 15])
    assert [call.name for call in step.calls] == ["file", "dispatch"]
    assert [(task.name, task.item) for task in step.opened] == [("handle", None), ("support", 12), ("support", 15)]
    assert one(step, "handle").must == ("photo",)


def test_check_waits_for_lead_and_every_support(standard: Process) -> None:
    opened = dispatched(standard, [12, 15])
    step = standard.complete(kept(opened), one(opened, "handle").ref, {"outcome": "submit"})
    assert step.opened == ()
    for support in (task for task in opened.opened if task.name == "support"):
        step = standard.complete(kept(step), support.ref, {"outcome": "submit"})
    assert names(step) == ["check"]


@pytest.mark.parametrize(("word", "call"), [("return", "return"), ("escalate", "escalate")])
@pytest.mark.parametrize("by_message", [True, False])
def test_return_and_escalate_cancel_the_supports(standard: Process, word: str, call: str, by_message: bool) -> None:
    opened = dispatched(standard, [12, 15])
    handle = one(opened, "handle").ref
    supports = {task.ref for task in opened.opened if task.name == "support"}
    assert standard.waiting_for(kept(opened)) == ("escalate", "return")
    if by_message:
        step = standard.message(kept(opened), word, {})
        assert set(step.cancelled) == supports | {handle}
    else:
        step = standard.complete(kept(opened), handle, {"outcome": word})
        assert set(step.cancelled) == supports
    assert [c.name for c in step.calls] == [call]
    assert names(step) == ["intake"]
    assert standard.waiting_for(kept(step)) == ()


def test_failed_check_goes_back_to_the_lead_alone(standard: Process) -> None:
    opened = dispatched(standard, [12])
    step = standard.complete(kept(opened), one(opened, "support").ref, {"outcome": "submit"})
    step = standard.complete(kept(step), one(opened, "handle").ref, {"outcome": "submit"})
    step = standard.complete(kept(step), one(step, "check").ref, {"outcome": "reject"})
    assert [call.name for call in step.calls] == ["rework"]
    assert names(step) == ["handle"]


def test_approved_check_closes(standard: Process) -> None:
    step = dispatched(standard)
    step = standard.complete(kept(step), one(step, "handle").ref, {"outcome": "submit"})
    step = standard.complete(kept(step), one(step, "check").ref, {"outcome": "approve"})
    assert ([call.name for call in step.calls], step.ended, step.state) == (["close"], "closed", {})


def test_rejected_and_passed_on_at_the_desk(standard: Process) -> None:
    step = begin(standard)
    first = step.opened[0].ref
    step = standard.complete(kept(step), first, {"outcome": "pass"})
    assert names(step) == ["intake"]
    assert step.opened[0].ref != first
    step = standard.complete(kept(step), step.opened[0].ref, {"outcome": "reject"})
    assert (step.ended, [call.name for call in step.calls]) == ("rejected", ["reject"])


def test_finished_task_is_not_taken_twice(standard: Process) -> None:
    step = begin(standard)
    ref = step.opened[0].ref
    after = standard.complete(kept(step), ref, {"outcome": "accept"})
    with pytest.raises(NotNow, match="not_waiting"):
        standard.complete(kept(after), ref, {"outcome": "accept"})


def test_message_nobody_waits_for(standard: Process) -> None:
    with pytest.raises(NotNow) as refused:
        standard.message(kept(begin(standard)), "return", {})
    assert refused.value.params["allowed"] == "-"


def test_warned_car_that_leaves_closes_by_itself() -> None:
    warn = real("warn_then_enforce")
    step = warn.start({"case": CASE, "params": {"courtesy": "move_please"}})
    assert [(c.name, c.params) for c in step.calls] == [("notify", {"template": "move_please", "audience": "owner"})]
    assert [(w.name, w.duration) for w in step.waits] == [("wait", "5m")]
    gone = warn.message(kept(step), "gone", {})
    assert (gone.ended, gone.waits_cancelled) == ("closed", (step.waits[0].ref,))
    assert [(c.name, c.params) for c in gone.calls] == [("close", {"reason": "left"})]


def test_warned_car_that_stays_is_dispatched_and_a_return_goes_to_the_desk() -> None:
    warn = real("warn_then_enforce")
    step = warn.start({"case": CASE, "params": {"courtesy": "move_please", "wait": "10m"}})
    assert step.waits[0].duration == "10m"
    due = warn.due(kept(step), step.waits[0].ref, {})
    assert ([c.name for c in due.calls], names(due), due.waits_cancelled) == (["file", "dispatch"], ["handle"], ())
    with pytest.raises(NotNow):
        warn.message(kept(due), "gone", {})
    with pytest.raises(NotNow):
        warn.due(kept(due), step.waits[0].ref, {})
    back = warn.complete(kept(due), due.opened[0].ref, {"outcome": "return"})
    assert (names(back), [c.name for c in back.calls]) == (["intake"], ["return"])


def test_parameters_are_checked(standard: Process) -> None:
    with pytest.raises(Invalid, match="param_unknown"):
        begin(standard, speed=3)
    with pytest.raises(Invalid, match="param_kind"):
        begin(standard, verify="yes")
    with pytest.raises(Invalid, match="param_missing"):
        real("warn_then_enforce").start({"case": CASE, "params": {}})


def test_only_known_data_stays_with_the_case(standard: Process) -> None:
    step = begin(standard)
    step = standard.complete(kept(step), step.opened[0].ref, {"outcome": "accept", "note": "x" * 5000, "params": {"must": []}})
    assert "note" not in step.state["d"]
    assert step.state["d"]["params"]["must"] == ["photo"]


def test_state_survives_another_process_and_the_definition_read_again(standard: Process) -> None:
    opened = dispatched(standard, [12])
    script = (
        "import json,sys; from gridloop.flow.engine import load_process; state, ref = json.load(sys.stdin);"
        f"p = load_process(open({str(PROCESSES / 'standard_case.bpmn')!r}, 'rb').read(), 'standard_case.bpmn');"
        "s = p.complete(state, ref, {'outcome': 'return'}); print([t.name for t in s.opened], list(s.cancelled))"
    )
    given_state = json.dumps([opened.state, one(opened, "handle").ref])
    done = subprocess.run([sys.executable, "-c", script], input=given_state, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"['intake'] ['{one(opened, 'support').ref}']"


def test_state_of_another_process_is_refused(standard: Process) -> None:
    warn = real("warn_then_enforce")
    with pytest.raises(Invalid, match="state"):
        warn.complete(kept(begin(standard)), "intake#4", {})


def test_no_python_runs(standard: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("Python code was run")

    monkeypatch.setattr(builtins, "eval", never)
    monkeypatch.setattr(builtins, "exec", never)
    step = dispatched(standard, [12])
    step = standard.complete(kept(step), one(step, "handle").ref, {"outcome": "submit"})
    assert step.ended is None


def test_boundary_timer_and_form() -> None:
    form = '<bpmn:extensionElements><gridloop:form>{"type": "object"}</gridloop:form></bpmn:extensionElements>'
    timer = "<bpmn:timerEventDefinition><bpmn:timeDuration>'2wd'</bpmn:timeDuration></bpmn:timerEventDefinition>"
    body = (
        f'<bpmn:startEvent id="start" /><bpmn:userTask id="ask" {TASK}>{form}</bpmn:userTask><bpmn:endEvent id="closed" />'
        f'<bpmn:boundaryEvent id="late" attachedToRef="ask">{timer}</bpmn:boundaryEvent><bpmn:endEvent id="voided_late" />'
        '<bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="ask" /><bpmn:sequenceFlow id="f2" sourceRef="ask" targetRef="closed" />'
        '<bpmn:sequenceFlow id="f3" sourceRef="late" targetRef="voided_late" />'
    )
    process = load_process(draw(body), "small.bpmn")
    step = process.start({})
    assert (step.opened[0].form, [w.duration for w in step.waits]) == ({"type": "object"}, ["2wd"])
    late = process.due(kept(step), step.waits[0].ref, {})
    assert (late.ended, late.cancelled) == ("voided", (step.opened[0].ref,))
    done = process.complete(kept(step), step.opened[0].ref, {})
    assert (done.ended, done.waits_cancelled) == ("closed", (step.waits[0].ref,))


def test_condition_over_missing_data_fails_safely() -> None:
    call = (
        '<bpmn:serviceTask id="tell" gridloop:operation="notify"><bpmn:extensionElements>'
        '<gridloop:with name="template" value="case.nowhere" /></bpmn:extensionElements></bpmn:serviceTask>'
    )
    process = load_process(line(call), "small.bpmn")
    with pytest.raises(Invalid, match="condition"):
        process.start({"case": {}})


@settings(max_examples=60)
@given(st.data())
def test_any_walk_keeps_a_small_sound_state(data: st.DataObject) -> None:
    """Laws: refs are never reused, what is open is what was opened and neither done nor cancelled, the state stays under 2 KB."""
    process = real("standard_case")
    step = begin(process, verify=data.draw(st.booleans()))
    seen: set[str] = set()
    live: set[str] = set()
    for _ in range(data.draw(st.integers(1, 25))):
        new = {task.ref: task for task in step.opened}
        assert not seen & set(new)
        seen |= set(new)
        live = (live - set(step.cancelled)) | set(new)
        if step.ended:
            assert not live
            return
        assert {task.ref for task in process.tasks(kept(step))} == live
        assert len(json.dumps(step.state)) < 2048
        ref = data.draw(st.sampled_from(sorted(live)))
        outcome = data.draw(st.sampled_from(["accept", "reject", "pass", "submit", "return", "escalate", "approve", "?"]))
        step = process.complete(kept(step), ref, {"outcome": outcome, "supporting": data.draw(st.sampled_from([[], [4, 5]]))})
        live.discard(ref)
