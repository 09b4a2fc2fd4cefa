"""The state of one case's process as small JSON: only live tasks and what joins still need; the definition stays with its version.

``{"p": process, "n": last task number, "d": data, "w": [[number of the sub-process task or 0, [task, …]], …]}`` with a task
``[number, parent's number or 0, element, state, triggered, its own data, index in its list]`` (trailing defaults are left out).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.subworkflow_task import SubWorkflowTask
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

LIVE = TaskState.READY | TaskState.WAITING | TaskState.STARTED
DEFAULTS: tuple[Any, ...] = (0, {}, None)  # of triggered, data, index


def live_tasks(workflow: Any) -> Iterator[Any]:
    """Unfinished tasks that are really there (not predicted), in this workflow only."""
    return (task for task in workflow.tasks.values() if task.has_state(LIVE))


def workflows(top: Any) -> list[Any]:
    """The process and its running sub-processes, outermost first."""
    running = [sub for key, sub in top.subprocesses.items() if (owner := top.get_task_from_id(key)) and owner.has_state(LIVE)]
    return [top, *sorted(running, key=lambda sub: int(sub.depth))]


def number_new(top: Any, last: int) -> int:
    """Give tasks made by this push their stable numbers, in the order they were made; returns the last number."""
    for workflow in workflows(top):
        for task in list(workflow.tasks.values()):
            if not isinstance(task.id, int) and not task.has_state(TaskState.PREDICTED_MASK | TaskState.FUTURE):
                last += 1
                _rename(workflow, task, last)
    return last


def _rename(workflow: Any, task: Any, number: int) -> None:
    old = task.id
    top = workflow.top_workflow
    for child in task.children:
        child._parent = number
    if task.parent is not None:
        task.parent._children[task.parent._children.index(old)] = number
    del workflow.tasks[old]
    task.id = number
    workflow.tasks[number] = task
    if old in top.subprocesses:
        top.subprocesses[number] = top.subprocesses.pop(old)
        top.subprocesses[number].parent_task_id = number


def save(top: Any, process: str, last: int, data: dict[str, Any]) -> dict[str, Any]:
    """The state after a push; ``number_new`` comes first."""
    rows = [[workflow.parent_task_id or 0, _tree(workflow)] for workflow in workflows(top)]
    return {"p": process, "n": last, "d": data, "w": rows}


def _tree(workflow: Any) -> list[list[Any]]:
    """The root and everything below the nearest task that has all live tasks below it: the past above it has no say any more."""
    root = workflow.task_tree
    top = _common_ancestor(list(live_tasks(workflow)), root)
    rows = [_row(root, 0)]
    if top is root:
        queue = [(child, root.id) for child in root.children]
    else:
        rows[0] = _row(root, 0, data=top.parent.data)
        queue = [(top, root.id)]
    while queue:
        task, parent = queue.pop(0)
        if isinstance(task.id, int):
            rows.append(_row(task, parent))
            queue.extend((child, task.id) for child in task.children)
    return rows


def _common_ancestor(tasks: list[Any], root: Any) -> Any:
    if not tasks:
        return root
    paths = [_path(task) for task in tasks]
    shared = root
    for step in zip(*paths, strict=False):
        if any(task is not step[0] for task in step):
            break
        shared = step[0]
    return shared


def _path(task: Any) -> list[Any]:
    path = [task]
    while path[-1].parent is not None:
        path.append(path[-1].parent)
    return path[::-1]


def _row(task: Any, parent: int, data: dict[str, Any] | None = None) -> list[Any]:
    own = task.data if data is None else data
    row = [task.id, parent, task.task_spec.name, task.state, int(task.triggered), dict(own), task.internal_data.get("key_or_index")]
    while len(row) > 4 and row[-1] == DEFAULTS[len(row) - 5]:
        row.pop()
    return row


def restore(spec: Any, subprocesses: dict[str, Any], engine: Any, state: dict[str, Any]) -> Any:
    """The running workflow of a saved state; KeyError or ValueError when the state is of another definition."""
    top = BpmnWorkflow(spec, subprocesses, script_engine=engine, deserializing=True)
    for owner, rows in state["w"]:
        _grow(_sub_workflow(top, owner) if owner else top, rows)
    for workflow in workflows(top):
        for task in list(live_tasks(workflow)):
            task.task_spec._predict(task, mask=TaskState.NOT_FINISHED_MASK)
            if task.state == TaskState.WAITING and isinstance(task.task_spec, CatchingEvent):
                top.event_manager.add_task(task)
    return top


def _sub_workflow(top: Any, owner: int) -> Any:
    parent = top.get_task_from_id(owner)
    if not isinstance(parent.task_spec, SubWorkflowTask):
        raise ValueError(f"task {owner} is no sub-process")
    sub = BpmnSubWorkflow(top.subprocess_specs[parent.task_spec.spec], parent_task_id=owner, top_workflow=top, deserializing=True)
    sub.completed_event.connect(parent.task_spec._on_subworkflow_completed, parent)
    top.subprocesses[owner] = sub
    return sub


def _grow(workflow: Any, rows: list[list[Any]]) -> None:
    for row in rows:
        number, parent, name, state, triggered, data, index = (*row, *DEFAULTS[len(row) - 4 :])
        above = workflow.tasks[parent] if parent else None
        task = Task(workflow, workflow.spec.task_specs[name], above, state=state, id=number)
        task.triggered, task.data = bool(triggered), dict(data)
        if index is not None:
            task.internal_data["key_or_index"] = index
        if above is None:
            workflow.task_tree = task
