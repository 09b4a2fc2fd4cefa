"""What people say of alarms: how one turned out, and what becomes of a proposal. Part of ``actions``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gridloop.cases import actions as cases
from gridloop.cases.present import case_tasks
from gridloop.cases.selectors import case_row
from gridloop.detection.language import house_severity
from gridloop.flow.selectors import tasks_of
from gridloop.journal.actions import append, elevated, seal, verb
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Forbidden, Invalid, NotNow
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs.selectors import calendar_for
from gridloop.registry.actions import set_device_status
from gridloop.registry.selectors import device as device_of
from gridloop.sdk.signals import Signal
from gridloop.signals import selectors
from gridloop.signals.actions import emit
from gridloop.signals.judging import FALSE, OUTCOMES, REASONS
from gridloop.signals.messages import ALARM, DEVICE_STATUS
from gridloop.signals.models import Alarm, Proposal, Witness
from gridloop.signals.rules import OWN_SOURCE

Kind, Status = Proposal.Kind, Proposal.Status
_ENDS = {"handle": "submit", "check": "approve", "review": "approve"}  # what brings a case nearer to its end, by stage


@verb("task.act")
def state_outcome(viewer: Viewer, code: str, outcome: str, reason: str = "", note: str = "") -> None:
    """Whether the alarms of a case were true; a false one with its reason. Said again, the last word counts."""
    _need_case(viewer, code)
    if outcome not in OUTCOMES:
        raise Invalid("signals.bad_outcome", errors=(FieldFault("/outcome", "signals.bad_outcome"),))
    if (outcome == FALSE) != bool(reason) or (reason and reason not in REASONS):
        fault = FieldFault("/reason", "signals.bad_reason", {"allowed": ", ".join(REASONS)})
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    with elevated():
        if not Witness.objects.filter(case_code=code).exists():
            raise NotNow("signals.no_alarm_of_case", code=code)
        data: dict[str, Any] = {"outcome": outcome} | ({"reason": reason} if reason else {})
        if note.strip():
            data["note"] = seal(note.strip(), subject=f"case:{code}", purpose="case_note", case=code)
        append(f"case:{code}", "outcome_stated", data, viewer, code)


def _works_on(viewer: Viewer, code: str) -> bool:
    row = case_row(viewer, code)
    return viewer.may("task.act", row.region, row.unit_ids, named=viewer.staff_id in row.staff_ids)


def _need_case(viewer: Viewer, code: str) -> None:
    if not _works_on(viewer, code):
        raise Forbidden("signals.outcome_not_yours", code=code)


def _still_open(viewer: Viewer, proposal_id: int) -> Proposal:
    selectors.proposal(viewer, proposal_id)
    with elevated():
        row = Proposal.objects.select_for_update().get(pk=proposal_id)
    if row.status != Status.OPEN:
        raise NotNow("signals.proposal_over", id=proposal_id)
    return row


def _decide(viewer: Viewer, row: Proposal, status: str, note: str = "") -> None:
    with elevated():
        row.status, row.decided_at, row.decided_by = status, clock.now(), viewer.name
        row.save(update_fields=["status", "decided_at", "decided_by"])
        data: dict[str, Any] = {"proposal": row.pk, "kind": row.kind, "detector": row.detector, "device": row.device, "status": status}
        if note.strip():
            about = f"case:{row.case_code}" if row.case_code else f"device:{row.device}"
            data["note"] = seal(note.strip(), subject=about, purpose="case_note", case=row.case_code or None)
        if row.case_code:
            append(f"case:{row.case_code}", "proposal_decided", data, viewer, row.case_code)
        else:
            append("org", "proposal_decided", data, viewer)


@verb("device.edit")
def accept_maintenance(viewer: Viewer, proposal_id: int) -> None:
    """The device is faulty: a case of device care opens by the platform's own signal."""
    row = _still_open(viewer, proposal_id)
    device_of(viewer, row.device)
    _decide(viewer, row, Status.ACCEPTED)
    with elevated():
        set_device_status(SYSTEM, row.device, "faulty")
    data = {"false_alarms": row.data["false"]}
    emit([Signal(f"{row.device}:proposal:{row.pk}", OWN_SOURCE, row.device, DEVICE_STATUS, clock.now(), 0.0, data=data)])


@verb("process.edit")
def accept_threshold(viewer: Viewer, proposal_id: int) -> Proposal:
    """It is to be rehearsed: the wish goes on in the scene's editor."""
    row = _still_open(viewer, proposal_id)
    _decide(viewer, row, Status.ACCEPTED)
    return row


@verb("task.act")
def accept_relook(viewer: Viewer, proposal_id: int) -> None:
    """Nearer to the end: the viewer's own task is handed in or approved, under its own rules. Or taken up again: the alarm, which lasts,

    is told once more, so that a new case of the same thing opens.
    """
    row = _still_open(viewer, proposal_id)
    if row.kind == Kind.CLOSE:
        _decide(viewer, row, Status.ACCEPTED)
        _end(viewer, row)
    else:
        _need_case(viewer, row.case_code)
        _decide(viewer, row, Status.ACCEPTED)
        with elevated():
            alarm = Alarm.objects.filter(pk=row.alarm, ended=None).first() if row.alarm else None
            if alarm is None:
                raise NotNow("signals.proposal_over", id=row.pk)
            emit([_again(alarm, row)])


def follower(viewer: Viewer, row: Proposal) -> tuple[bool, str]:
    """Whether the viewer may follow it now, and whose the task is that it would end."""
    if row.kind != Kind.CLOSE:
        return viewer.can(_needed(row.kind)) and (row.kind != Kind.REOPEN or _works_on(viewer, row.case_code)), ""
    for task in case_tasks(viewer, row.case_code):
        if task["status"] in ("open", "accepted") and (wanted := _ENDS.get(task["stage"])) is not None:
            asks = wanted == "submit" and (task["must"] or (task["form"] or {}).get("required"))  # a form or a photo: not by one click
            whose = " · ".join(one["name"] for one in (task["unit"], task["assignee"]) if one)
            return wanted in task["verbs"] and not asks, whose
    return False, ""


def _end(viewer: Viewer, row: Proposal) -> None:
    ended = calendar_for(viewer, row.region).local(datetime.fromisoformat(row.data["ended"]))
    note = say("signals.seen_again", viewer.lang, device=row.device, at=f"{ended:%Y-%m-%d %H:%M}")
    for task in tasks_of(row.case_code):
        if task.status in ("open", "accepted") and (wanted := _ENDS.get(task.stage)) is not None:
            cases.act(viewer, str(task.id), wanted, {"note": note})
            return
    raise NotNow("signals.nothing_to_end", code=row.case_code)


def _again(alarm: Alarm, row: Proposal) -> Signal:
    data = {"alarm": alarm.pk.hex, "detector": alarm.detector, "version": alarm.version, "by": alarm.goes_by, "key": alarm.key}
    data |= {alarm.goes_by: alarm.key, "what": "raised", "start": alarm.start.isoformat(), "after": row.case_code}
    severity = float(house_severity(alarm.severity))
    return Signal(f"{alarm.pk.hex}:again:{row.pk}", OWN_SOURCE, alarm.device, ALARM, clock.now(), severity, data=data)


def _needed(kind: str) -> str:
    return {Kind.MAINTENANCE: "device.edit", Kind.THRESHOLD: "process.edit"}.get(Kind(kind), "task.act")


@verb("device.read")
def dismiss_proposal(viewer: Viewer, proposal_id: int, note: str = "") -> None:
    """It is not followed, and why; by who might have followed it."""
    needed = _needed(selectors.proposal(viewer, proposal_id).kind)
    if not viewer.can(needed):
        raise Forbidden("journal.forbidden", permission=needed)
    _decide(viewer, _still_open(viewer.within(needed), proposal_id), Status.DISMISSED, note)
