"""Rows of a case ↔ the plain data of the rules."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from gridloop.cases.directory import DIRECTORY
from gridloop.cases.machine import Machine
from gridloop.cases.models import Case, Source
from gridloop.cases.rules import DESK_STAGES, CaseData, LimitData, Secret, Situation, TaskData
from gridloop.flow.actions import field_names, save_instance, save_limits, save_tasks
from gridloop.flow.models import Instance, Limit, Task
from gridloop.journal.actions import NO_HEAD, append_many, elevated, seal
from gridloop.journal.messages import FactIn
from gridloop.journal.rows import Rows, ask_together, insert, together, update
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import selectors as orgs

NUMBERS = "SELECT nextval('cases_case_id_seq'), nextval('cases_code_seq')"
_CASE_FIELDS = [f for f in field_names(CaseData) if f != "process_state"]
_TASK_FIELDS = [f for f in field_names(TaskData) if f not in ("id", "case", "verbs", "must")]
_LIMIT_FIELDS = [f for f in field_names(LimitData) if f not in ("id", "case", "task_id")]


class _Asked(NamedTuple):
    """The statements that read a case with all that is alive around it."""

    case: Rows[Case]
    instance: Rows[Instance]
    tasks: Rows[Task]
    limits: Rows[Limit]
    head: str


def _asked(code: str) -> _Asked:
    """``code``: an expression with one parameter that gives the case's code."""
    return _Asked(
        Rows(Case, f"WHERE code = {code} FOR UPDATE"),
        Rows(Instance, f"WHERE case_code = {code}"),
        Rows(Task, f"WHERE case_code = {code} ORDER BY opened_at, id"),
        Rows(Limit, f"WHERE case_code = {code} AND state = 'pending' ORDER BY due_at"),
        f"SELECT seq, hash FROM journal_chainhead WHERE chain = 'case:' || {code} FOR UPDATE",
    )


_BY_CODE = _asked("%s::text")
_BY_TASK = _asked("(SELECT of.case_code FROM flow_task of WHERE of.id = %s)")


class Number(NamedTuple):
    """What a new case is called: its row's id, and 一案一码: county (6 digits), day (yymmdd), running number (7 digits)."""

    row_id: int
    code: str


@dataclass(slots=True)
class Loaded:
    """A situation with the copy it was read as, so that only what changed is written."""

    row: Case
    situation: Situation
    tasks_before: dict[str, TaskData]
    limits_before: frozenset[str]  # ids of the due rows that were pending
    state_before: dict[str, Any]
    head: tuple[int, str] | None  # of its chain of facts, locked; None once somebody may have appended to it


def number_from(region: str, found: Sequence[tuple[Any, ...]]) -> Number:
    """The numbers of a new case, from the rows that ``NUMBERS`` gave."""
    row_id, running = found[0]
    today = DIRECTORY.calendar(region).local(clock.now())  # the day people there write, not the server's
    return Number(int(row_id), f"{region[:6]:0<6}{today:%y%m%d}{running % 10_000_000:07d}")


def next_number(region: str) -> Number:
    """The numbers of a new case, asked for by themselves."""
    return number_from(region, ask_together((NUMBERS, ()))[0])


def _copied(value: Any) -> Any:
    return copy.copy(value) if type(value) in (list, dict) else value


def case_data(row: Case) -> CaseData:
    """The rules' view of a case row (lists copied, so that the row keeps what it was read with)."""
    values = row.__dict__
    return CaseData(**{name: _copied(values[name]) for name in _CASE_FIELDS})


def task_data(row: Task) -> TaskData:
    held = row.__dict__
    values = {name: _copied(held[name]) for name in _TASK_FIELDS}
    return TaskData(id=str(row.id), case=row.case_code, verbs=tuple(row.verbs), must=tuple(row.must), **values)


def limit_data(row: Limit) -> LimitData:
    held = row.__dict__
    values = {name: held[name] for name in _LIMIT_FIELDS}
    return LimitData(id=str(row.id), case=row.case_code, task_id=str(row.task_id) if row.task_id else None, **values)


def load(code: str, row: Case | None = None) -> Loaded:
    """Lock a case and read all that is alive around it; ``row`` when the caller holds its lock already.

    NotFound when it is not there for the viewer of the frame.
    """
    loaded = _read(_BY_CODE, code, row)
    if loaded is None:
        raise NotFound("cases.no_such_case", code=code)
    return loaded


def load_of_task(task_id: str) -> Loaded:
    """The same for the case of a task; NotFound when either is not there for the viewer of the frame."""
    loaded = _read(_BY_TASK, task_id)
    if loaded is None:
        raise NotFound("flow.no_such_task")
    return loaded


def _read(by: _Asked, key: str, row: Case | None = None) -> Loaded | None:
    """All in one round trip, the lock first: what follows sees the rows as the last push has left them."""
    asked = (by.case.sql, by.instance.sql, by.tasks.sql, by.limits.sql, by.head)
    cases, instances, tasks_found, limits_found, heads, versions = ask_together(*((sql, [key]) for sql in asked), (orgs.VERSIONS, []))
    orgs.note_versions(versions)
    row = row or next(iter(by.case.read(cases)), None)
    if row is None:
        return None
    case = case_data(row)
    if running := by.instance.read(instances):
        case.process_state = running[0].state
    tasks = [task_data(t) for t in by.tasks.read(tasks_found)]
    limits = [limit_data(x) for x in by.limits.read(limits_found)]
    before = {t.id: replace(t) for t in tasks}  # the machine sets fields of a task, it never changes a value in place
    head = (int(heads[0][0]), str(heads[0][1])) if heads else None
    return Loaded(row, Situation(case, tasks, limits), before, frozenset(x.id for x in limits), case.process_state, head)


def save_new(machine: Machine, viewer: Viewer, digest: str, row_id: int, source: Callable[[Case], Source] | None = None) -> Case:
    """Write a case that was just opened, with its first source, its tasks, limits, process state and facts. Returns its row."""
    case = machine.case
    with together(), elevated():
        facts, sealed = _seal_facts(machine, case.code)
        row = Case(id=row_id, updated_at=clock.now(), text_sealed=sealed.get("case_text"), reporter_sealed=sealed.get("reporter"))
        _copy_case(machine.situation, row)
        first = source(row) if source is not None else None
        if first is not None:
            row.sources = summary_of([first])
        insert([row])
        if first is not None:
            insert([first], numbered=False)
        save_tasks(machine.situation.tasks, [])
        save_limits(machine.situation.limits, [])
        if case.is_open:
            save_instance(case.code, digest, case.process_state, ended=False, is_new=True)
        append_many(f"case:{case.code}", facts, viewer, case.code, head=NO_HEAD)
    return row


def save(loaded: Loaded, machine: Machine, viewer: Viewer, besides: Sequence[str] = ()) -> None:
    """Write what a push changed: the case, its tasks, limits, process state, and the facts.

    ``besides``: names of columns the caller has set on the case's row.
    """
    case = machine.case
    with together(), elevated():
        facts, _sealed = _seal_facts(machine, case.code)
        different = _copy_case(machine.situation, loaded.row)
        loaded.row.updated_at = clock.now()
        update(loaded.row, [*dict.fromkeys([*different, *besides, "updated_at"])])
        tasks = machine.situation.tasks
        new = [t for t in tasks if t.id not in loaded.tasks_before]
        changed = [t for t in tasks if t.id in loaded.tasks_before and t != loaded.tasks_before[t.id]]
        save_tasks(new, changed)
        known = loaded.limits_before
        save_limits([x for x in machine.situation.limits if x.id not in known], [x for x in machine.situation.limits if x.id in known])
        if case.process_state is not loaded.state_before or not case.is_open:
            save_instance(case.code, machine.digest, case.process_state, ended=not case.is_open, is_new=False)
        append_many(f"case:{case.code}", facts, viewer, case.code, head=loaded.head)


def summary_of(sources: Iterable[Source]) -> list[dict[str, Any]]:
    """What a list shows of a case's sources: since when each kind tells of it, and how often."""
    summary: dict[str, dict[str, Any]] = {}
    for source in sources:
        entry = summary.setdefault(source.kind, {"kind": source.kind, "at": source.first_at.isoformat(), "count": 0})
        entry["count"] += source.count
    return list(summary.values())


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
