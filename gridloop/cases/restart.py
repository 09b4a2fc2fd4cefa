"""A case goes over to another scene: the process of that scene is begun anew and led to its dispatch.

The dispatch, not the start: the desk that corrected the type has verified and filed the matter with the same act (contract: ``accept``).
A look on the spot or a first warning with its wait would only ask again what a person has just decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gridloop.cases.rules import DESK_STAGES
from gridloop.flow.engine import Process
from gridloop.flow.rules import Step

MOST_STEPS = 10
_OUTCOMES = {"verify": "approve", "intake": "accept"}


def at_dispatch(process: Process, data: Mapping[str, Any], answer: Mapping[str, Any]) -> Step | None:
    """The step that dispatches, as if the desk had said yes to all before it; what that would have done is left out. None without one."""
    step = process.start(dict(data))
    for _ in range(MOST_STEPS):
        if any(call.name == "dispatch" for call in step.calls):
            return step
        desk = next((task for task in step.opened if task.stage in DESK_STAGES), None)
        if desk is not None:
            step = process.complete(step.state, desk.ref, {**answer, "outcome": _OUTCOMES[desk.stage]})
        elif step.waits:
            step = process.due(step.state, step.waits[0].ref, dict(answer))
        else:
            return None
    return None
