"""How long a push of the standard case takes and how large its state is. Figures go to ``bench/results``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from kit.record import record

from gridloop.flow.engine import load_process
from gridloop.flow.rules import Step

FILE = Path(__file__).resolve().parent.parent / "processes" / "standard_case.bpmn"
ROUNDS = 300


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    answer = act()
    return (time.perf_counter() - begin) * 1000, answer


def main() -> None:
    xml = FILE.read_bytes()
    load_ms, process = timed(lambda: load_process(xml, FILE.name))
    times: dict[str, list[float]] = {"start": [], "complete": []}
    sizes: list[int] = []

    def push(name: str, act: Callable[[], Step]) -> Step:
        step: Step
        taken, step = timed(act)
        times[name].append(taken)
        sizes.append(len(json.dumps(step.state)))
        return step

    for _ in range(ROUNDS):
        step = push("start", lambda: process.start({"case": {"type": "01002", "severity": 3, "public": True}, "params": {}}))
        for outcome in ("accept", "submit", "approve"):
            ref = step.opened[0].ref
            answer: dict[str, Any] = {"outcome": outcome, "supporting": []}
            step = push("complete", partial(process.complete, step.state, ref, answer))
    rows = [
        ("process_load_once", load_ms, "ms"),
        ("process_start", median(times["start"]), "ms"),
        ("process_complete_with_load_and_save", median(times["complete"]), "ms"),
        ("process_state_largest", max(sizes), "bytes"),
    ]
    for name, value, unit in rows:
        record(name, value, unit, ROUNDS)


if __name__ == "__main__":
    main()
