"""Rows of a case ↔ the plain data of the rules."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection

from gridloop.cases.machine import Machine
from gridloop.cases.models import Case
from gridloop.cases.rules import DESK_STAGES, CaseData, LimitData, Secret, Situation, TaskData
from gridloop.flow.actions import field_names, save_instance, save_limits, save_tasks
from gridloop.flow.models import Limit, Task
from gridloop.flow.selectors import pending_limits, state_of, tasks_of
from gridloop.journal.actions import append_many, elevated, seal
from gridloop.journal.messages import FactIn
from gridloop.journal.rows import Rows, insert, together, update
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import Viewer

_LOCKED = Rows(Case, "WHERE code = %s FOR UPDATE")
_CASE_FIELDS = [f for f in field_names(CaseData) if f != "process_state"]
_TASK_FIELDS = [f for f in field_names(TaskData) if f not in ("id", "case", "verbs", "must")]
_LIMIT_FIELDS = [f for f in field_names(LimitData) if f not in ("id", "case", "task_id")]


@dataclass(slots=True)
class Loaded:
    """A situation with the copy it was read as, so that only what changed is written."""

    row: Case
    situation: Situation
    tasks_before: dict[str, TaskData]
    limits_before: frozenset[str]  # ids of the due rows that were pending
    state_before: dict[str, Any]


def next_code(region: str) -> str:
    """一案一码: county (6 digits), day (yymmdd), running number (7 digits)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('cases_code_seq')")
        number = cursor.fetchone()[0]
    return f"{region[:6]:0<6}{clock.now():%y%m%d}{number % 10_000_000:07d}"


def case_data(row: Case) -> CaseData:
    """The rules' view of a case row (lists copied, so that the row keeps what it was read with)."""
    return CaseData(**{name: copy.copy(getattr(row, name)) for name in _CASE_FIELDS})


def task_data(row: Task) -> TaskData:
    values = {name: copy.copy(getattr(row, name)) for name in _TASK_FIELDS}
    return TaskData(id=str(row.id), case=row.case_code, verbs=tuple(row.verbs), must=tuple(row.must), **values)


def limit_data(row: Limit) -> LimitData:
    values = {name: getattr(row, name) for name in _LIMIT_FIELDS}
    return LimitData(id=str(row.id), case=row.case_code, task_id=str(row.task_id) if row.task_id else None, **values)


def load(code: str, row: Case | None = None) -> Loaded:
    """Lock a case and read all that is alive around it; ``row`` when the caller holds its lock already.

    NotFound when it is not there for the viewer of the frame.
    """
    row = row or _LOCKED.first(code)
    if row is None:
        raise NotFound("cases.no_such_case", code=code)
    case = case_data(row)
    running = state_of(code)
    if running:
        case.process_state = running[1]
    tasks = [task_data(t) for t in tasks_of(code)]
    limits = [limit_data(x) for x in pending_limits(code)]
    before = {t.id: replace(t) for t in tasks}  # the machine sets fields of a task, it never changes a value in place
    return Loaded(row, Situation(case, tasks, limits), before, frozenset(x.id for x in limits), case.process_state)


def save_new(machine: Machine, viewer: Viewer, digest: str) -> Case:
    """Write a case that was just opened, with its tasks, limits, process state and facts. Returns its row."""
    case = machine.case
    with together(), elevated():
        facts, sealed = _seal_facts(machine, case.code)
        row = Case(updated_at=clock.now(), text_sealed=sealed.get("case_text"), reporter_sealed=sealed.get("reporter"))
        _copy_case(machine.situation, row)
        insert([row])
        save_tasks(machine.situation.tasks, [])
        save_limits(machine.situation.limits, [])
        if case.is_open:
            save_instance(case.code, digest, case.process_state, ended=False, is_new=True)
        append_many(f"case:{case.code}", facts, viewer, case.code, new=True)
    return row


def save(loaded: Loaded, machine: Machine, viewer: Viewer) -> None:
    """Write what a push changed: the case, its tasks, its limits, the process state, and the facts."""
    case = machine.case
    with together(), elevated():
        facts, _sealed = _seal_facts(machine, case.code)
        different = _copy_case(machine.situation, loaded.row)
        loaded.row.updated_at = clock.now()
        update(loaded.row, [*different, "updated_at"])
        tasks = machine.situation.tasks
        new = [t for t in tasks if t.id not in loaded.tasks_before]
        changed = [t for t in tasks if t.id in loaded.tasks_before and t != loaded.tasks_before[t.id]]
        save_tasks(new, changed)
        known = loaded.limits_before
        save_limits([x for x in machine.situation.limits if x.id not in known], [x for x in machine.situation.limits if x.id in known])
        if case.process_state is not loaded.state_before or not case.is_open:
            save_instance(case.code, machine.digest, case.process_state, ended=not case.is_open, is_new=False)
        append_many(f"case:{case.code}", facts, viewer, case.code)


def _copy_case(situation: Situation, row: Case) -> list[str]:
    """Put the rules' values on the row; returns the names of those that differ from what it held."""
    live = situation.live_tasks()
    pressing = min(live, key=lambda t: (t.due_at is None, t.due_at, t.opened_at), default=None)
    values = {name: getattr(situation.case, name) for name in _CASE_FIELDS}
    values["desk_waits"] = any(t.stage in DESK_STAGES for t in live)
    values["stage"], values["stage_due_at"] = (pressing.stage, pressing.due_at) if pressing else _waiting(situation)
    different = [name for name, value in values.items() if getattr(row, name) != value]
    for name in different:
        setattr(row, name, values[name])
    return different


def _waiting(situation: Situation) -> tuple[str, datetime | None]:
    """A case in nobody's hands whose process waits for a time, or for what may come before it: until when."""
    waits = [x.due_at for x in situation.limits if x.kind == "wait" and x.state == "pending"] if situation.case.is_open else []
    return ("wait", min(waits)) if waits else ("", None)


def _seal_facts(machine: Machine, code: str) -> tuple[list[FactIn], dict[str, str]]:
    """Facts with every secret replaced by its commitment; and the sealed id by purpose."""
    sealed: dict[str, str] = {}
    return [FactIn(n.action, {k: _public(v, code, sealed) for k, v in n.data.items()}) for n in machine.facts], sealed


def _public(value: Any, code: str, sealed: dict[str, str]) -> Any:
    if not isinstance(value, Secret):
        return value
    entry = seal(value.value, subject=value.subject or f"case:{code}", purpose=value.purpose, case=code)
    sealed[value.purpose] = entry["sealed"]
    return entry
