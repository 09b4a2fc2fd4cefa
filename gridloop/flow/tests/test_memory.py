"""A step made from memory is the step the engine makes, for every case and every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.flow.engine import Process, load_process
from gridloop.flow.rules import Step
from gridloop.kernel.errors import NotNow

FOLDER = Path(__file__).resolve().parent.parent.parent.parent / "processes"
PROCESSES = {path.stem: load_process(path.read_bytes(), path.name) for path in sorted(FOLDER.glob("*.bpmn"))}
OUTCOMES = ("accept", "approve", "reject", "submit", "return", "escalate", "pass", "")
CASE = st.fixed_dictionaries(
    {
        "code": st.text("0123456789", min_size=3, max_size=6),
        "severity": st.integers(1, 4),
        "public": st.booleans(),
        "type": st.just("01002"),
    }
)
GIVEN = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(OUTCOMES),
        "supporting": st.lists(st.integers(1, 4), max_size=3),
        "doubts": st.integers(0, 2),
    }
)


def fresh(process: Process) -> Process:
    """The same process with nothing remembered."""
    return Process(process._diagram, process._spec, process._subprocesses)


def acts(step: Step, open_refs: list[str], waits: list[str], process: Process) -> list[tuple[str, str]]:
    return [("complete", r) for r in open_refs] + [("due", r) for r in waits] + [("message", m) for m in process.messages]


def made(process: Process, act: tuple[str, str], state: dict[str, Any], data: dict[str, Any]) -> Step | str:
    try:
        step: Step = getattr(process, act[0])(state, act[1], data)
    except NotNow as fault:
        return fault.key
    return step


@pytest.mark.parametrize("name", PROCESSES)
@settings(max_examples=60)
@given(case=CASE, params=st.booleans(), moves=st.lists(st.tuples(st.integers(0, 20), GIVEN), max_size=9))
def test_memory_makes_the_step_the_engine_makes(name: str, case: dict[str, Any], params: bool, moves: list[tuple[int, Any]]) -> None:
    process = PROCESSES[name]
    given_params: dict[str, Any] = {n: {"duration": "5m", "text": "x"}[p.kind] for n, p in process.params.items() if p.default is None}
    given_params |= {"verify": params} if "verify" in process.params else {}
    begun = {"case": case, "params": given_params}
    step = process.start(begun)
    assert step == fresh(process).start(begun)
    open_refs, waits = [t.ref for t in step.opened], [w.ref for w in step.waits]
    for turn, data in moves:
        possible = acts(step, open_refs, waits, process)
        if step.ended or not possible:
            return
        act = possible[turn % len(possible)]
        state = step.state
        remembered = made(process, act, state, data)
        assert remembered == made(fresh(process), act, state, data)
        assert remembered == made(process, act, state, data)  # the second time surely from memory
        if isinstance(remembered, str):
            continue
        step = remembered
        gone = {act[1], *step.cancelled, *step.waits_cancelled}
        open_refs = [r for r in open_refs if r not in gone] + [t.ref for t in step.opened]
        waits = [r for r in waits if r not in gone] + [w.ref for w in step.waits]


def test_cases_share_nothing_that_one_could_spoil() -> None:
    process = fresh(PROCESSES["standard_case"])
    one, other = (process.start({"case": {"code": code, "public": True, "severity": 2}, "params": {}}) for code in ("1", "2"))
    assert one.state["w"] == other.state["w"]
    one.state["w"].clear()
    one.state["d"]["case"]["code"] = "spoiled"
    assert other.state["w"]
    assert other.state["d"]["case"]["code"] == "2"
    assert process.start({"case": {"code": "3", "public": True, "severity": 2}, "params": {}}).state["w"] == other.state["w"]


def test_an_answer_of_another_type_is_another_way() -> None:
    process = fresh(PROCESSES["standard_case"])
    assert process.start({"case": {"public": True, "severity": 2}, "params": {"verify": True}}).opened[0].stage == "verify"
    assert process.start({"case": {"public": True, "severity": 2}, "params": {"verify": False}}).opened[0].stage == "intake"
    assert process.start({"case": {"public": False, "severity": 2}, "params": {"verify": True}}).opened[0].stage == "intake"
