"""Reads of the flow room."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gridloop.flow.engine import Process, load_process
from gridloop.flow.models import Definition, Instance, Limit, Task
from gridloop.journal.frame import reading
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


def tasks_of(case_code: str) -> list[Task]:
    return list(Task.objects.filter(case_code=case_code).order_by("opened_at", "id"))


def pending_limits(case_code: str) -> list[Limit]:
    return list(Limit.objects.filter(case_code=case_code, state="pending").order_by("due_at"))


def state_of(case_code: str) -> tuple[str, dict[str, Any]] | None:
    """Digest and state of a running instance."""
    row = Instance.objects.filter(case_code=case_code).first()
    return (row.definition_id, row.state) if row else None


@reading
def task_row(viewer: Viewer, task_id: str) -> Task:
    """One task as far as the viewer may see its case."""
    row = Task.objects.filter(id=task_id).first()
    if row is None:
        raise NotFound("flow.no_such_task")
    return row
