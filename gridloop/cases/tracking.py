"""The page on which a reporter follows a case: how far it came and what is left, without a person's name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gridloop.cases.actions import ByKey
from gridloop.cases.directory import DIRECTORY
from gridloop.cases.machine import RATE_WINDOW
from gridloop.cases.rules import END_STATUSES
from gridloop.evidence.selectors import outward_of
from gridloop.journal.selectors import facts_called, reading
from gridloop.kernel import clock
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import Viewer

STEPS = ("reported", "filed", "dispatched", "handling", "checking", "closed")
_REACHED = {
    "reported": 0,
    "verifying": 0,
    "escalated": 1,
    "filed": 1,
    "dispatched": 2,
    "accepted": 3,
    "handling": 3,
    "reworked": 3,
    "suspended": 3,
    "submitted": 4,
    "checking": 4,
    "closed": 5,
}
_ENDS = ("voided", "rejected", "merged")
_STEP_FACTS = {"reported": 0, "filed": 1, "dispatched": 2, "task_accepted": 3, "submitted": 4, "closed": 5}
_PUBLIC_FACTS = frozenset(
    {"reported", "verified", "filed", "dispatched", "task_accepted", "checked_in", "submitted", "reworked", "closed", "rated", *_ENDS}
)


@reading
def track_page(viewer: Viewer, opened: ByKey, lang: str) -> dict[str, Any]:
    """The page of the reporter whose key opened it. Asked as the system after the key was checked: it names no persons."""
    case = opened.case
    facts = facts_called(viewer, f"case:{case.code}", _PUBLIC_FACTS)
    reached = _REACHED.get(case.status, 5)
    own = next((case.ratings[name] for name in opened.raters if name in case.ratings), None)
    times: dict[int, Any] = {}
    for fact in facts:
        if fact.action in _STEP_FACTS:
            times[_STEP_FACTS[fact.action]] = fact.at
    # the case may have come of another's report, or later by a split: what counts here is when they reported it
    apart = abs(opened.at - case.reported_at) >= timedelta(seconds=1)
    if apart:
        times[0] = opened.at
    steps = []
    for index, name in enumerate(STEPS):
        state = "done" if index < reached or case.status == "closed" else "now" if index == reached else "waiting"
        steps.append({"name": say(f"cases.step_{name}", lang), "at": times.get(index) if index <= reached else None, "state": state})
    if case.status in END_STATUSES and case.status != "closed":  # steps that never came are none: it went so far, and ended
        ended = next((fact.at for fact in reversed(facts) if fact.action in _ENDS), None)
        went = [step for step in steps[:-1] if step["at"] is not None]
        steps = [*went, {"name": say(f"cases.status_{case.status}", lang), "at": ended, "state": "now"}]
    unit = DIRECTORY.unit(case.lead_unit_id) if case.lead_unit_id is not None else None
    can_rate = own is None and case.status == "closed" and case.closed_at is not None and clock.now() - case.closed_at <= RATE_WINDOW
    said = sorted((opened.at if apart and f.action == "reported" else f.at, n, f.action) for n, f in enumerate(facts))
    return {
        "code": case.code,
        "under": opened.under,
        "title": case.title,
        "status": case.status,
        "status_name": say(f"cases.status_{case.status}", lang),
        "steps": steps,
        "unit": unit.unit_name if unit else "",
        "remaining": say(f"cases.remains_{case.status}", lang) if case.status != "closed" or can_rate else "",
        "evidence": [{"id": str(e.id), "url": e.url, "kind": e.kind} for e in outward_of(viewer, case.code)],
        "can_rate": can_rate,
        "rating": {"stars": own, "note": ""} if own is not None else None,
        "texts": [{"at": at.isoformat(), "what": say(f"cases.did_{action}", lang)} for at, _, action in said],
    }
