"""Reads of the flow room."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from gridloop.flow.engine import Process, load_process
from gridloop.flow.models import Definition, Limit, Task
from gridloop.journal.frame import reading
from gridloop.journal.rows import Rows
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer


@lru_cache(maxsize=64)
def process_by_digest(digest: str) -> Process:
    """The parsed process of a definition; definitions never change, so the answer is kept for good."""
    row = _definition(SYSTEM, digest)
    return load_process(row.xml.encode(), row.name)


@reading
def _definition(viewer: Viewer, digest: str) -> Definition:
    row = Definition.objects.filter(digest=digest).first()
    if row is None:
        raise NotFound("flow.no_definition", name=digest)
    return row


@reading
def diagram(viewer: Viewer, name: str) -> str:
    """The newest XML of a process by name."""
    row = Definition.objects.filter(name=name).order_by("-installed_at").first()
    if row is None:
        raise NotFound("flow.no_definition", name=name)
    return row.xml


_TASKS = Rows(Task, "WHERE case_code = %s ORDER BY opened_at, id")
_TASK = Rows(Task, "WHERE id = %s")


def tasks_of(case_code: str) -> list[Task]:
    return _TASKS(case_code)


@reading
def task_row(viewer: Viewer, task_id: str) -> Task:
    """One task as far as the viewer may see its case."""
    row = _TASK.first(task_id)
    if row is None:
        raise NotFound("flow.no_such_task")
    return row


@reading
def overdue_limits(viewer: Viewer, now: datetime) -> tuple[int, datetime | None]:
    """Limits that should have fired (counted up to 10,000) and since when the oldest has been due; by the partial index only."""
    rows = Limit.objects.filter(state="pending", due_at__lte=now).order_by("due_at")
    return len(rows.values_list("id")[:10_000]), rows.values_list("due_at", flat=True).first()
