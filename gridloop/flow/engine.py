"""Runs processes: one push = load the small state, take one step, report what opened, closed and is asked for. No Django, no clock."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException
from SpiffWorkflow.bpmn.specs.control import BoundaryEventJoin
from SpiffWorkflow.bpmn.specs.event_definitions import MessageEventDefinition
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.bpmn.util.event import BpmnEvent
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.exceptions import SpiffWorkflowException
from SpiffWorkflow.util.task import TaskState

from gridloop.flow import state as saved
from gridloop.flow.asking import Asked, asked
from gridloop.flow.diagram import Diagram, Reader
from gridloop.flow.memory import Memory, Notes, place
from gridloop.flow.rules import DURATION, Call, Param, ProcessFault, Step, UserTask, Wait, fits
from gridloop.flow.spiff import CallTask, CelScriptEngine, WaitDefinition, build
from gridloop.flow.xml_words import plain, words_of
from gridloop.kernel.errors import Invalid, NotNow
from gridloop.kernel.expressions import ExpressionFault

# libxml2 builds a schema wrongly when two threads do it at once, and keeps it: then the process refuses every diagram until it ends
_reading = threading.Lock()
MOST_STEPS = 500  # in one push; more means the diagram runs in a circle


def load_process(xml: bytes, file: str) -> Process:
    """The process of a file, parsed once per content. Raises ProcessFault with file, element and text key."""
    with _reading:
        return _load(hashlib.sha256(xml).digest(), xml, file)


@lru_cache(maxsize=256)
def _load(digest: bytes, xml: bytes, file: str) -> Process:
    diagram = Reader(xml, file).read()
    try:
        spec, subprocesses = build(diagram, file)
    except ValidationException as error:
        element, line = getattr(error, "id", None) or diagram.name, error.line_number or 0
        what, detail = words_of(str(error)), plain(str(error))
        raise ProcessFault("flow.xml", file=file, element=element, line=line, what=what, detail=detail) from error
    return Process(diagram, spec, subprocesses)


def _closings(diagram: Diagram) -> tuple[str, ...]:
    """The reasons a case can be closed for, ``done`` where the call gives none; () when one depends on the case."""
    found = set()
    for call in diagram.calls.values():
        if call.operation == "close":
            try:
                found.add(str(call.params["reason"].value({})) if "reason" in call.params else "done")
            except ExpressionFault:
                return ()
    return tuple(sorted(found))


class Process:
    """One version of a process; shared by all its cases and by threads. Every method returns a fresh Step and keeps nothing."""

    def __init__(self, diagram: Diagram, spec: Any, subprocesses: dict[str, Any]) -> None:
        self._diagram, self._spec, self._subprocesses = diagram, spec, subprocesses
        self.name, self.title_zh, self.title_en = diagram.name, diagram.title_zh, diagram.title_en
        self.params: dict[str, Param] = diagram.params
        self.messages: tuple[str, ...] = diagram.messages
        self.stages = tuple(sorted({task.stage for task in diagram.tasks.values()}))
        self.performers = tuple(sorted({task.performer for task in diagram.tasks.values()}))
        self._memory = Memory()
        self.data = tuple(diagram.data)
        self.closings = _closings(diagram)
        self.operations = tuple(sorted({call.operation for call in diagram.calls.values()}))

    def with_defaults(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters of a pack with the process's defaults; an unknown or missing name or a wrong kind raises Invalid."""
        for name, value in params.items():
            if name not in self.params:
                raise Invalid("flow.param_unknown", process=self.name, name=name, allowed=", ".join(sorted(self.params)) or "-")
            if not fits(kind := self.params[name].kind, value):
                raise Invalid("flow.param_kind", name=name, value=value, kind=kind)
        if missing := sorted(name for name, param in self.params.items() if param.default is None and name not in params):
            raise Invalid("flow.param_missing", process=self.name, name=missing[0])
        return {name: params.get(name, param.default) for name, param in self.params.items()}

    def asked(self, params: dict[str, Any]) -> list[Asked]:
        """Whom a case of it asks for work, with a pack's parameters."""
        return asked(self._diagram, self.with_defaults(params))

    def start(self, data: dict[str, Any]) -> Step:
        """Begin: ``data`` is ``{"case": {...}, "params": {...}}``."""
        params = self.with_defaults(data.get("params", {}))
        begun = {**self._diagram.data, **self._kept(data), "params": params}

        def run(notes: Notes) -> Step:
            push = Push(self, dict(begun), 0, notes)
            push.top = BpmnWorkflow(self._spec, self._subprocesses, script_engine=push.engine)
            return push.finish(None)

        return self._memory.step(self.name, place("start", "", None), begun, run)

    def complete(self, state: dict[str, Any], ref: str, data: dict[str, Any]) -> Step:
        """A user task is done; ``data`` is the verb's payload (``outcome`` and what the diagram declares). NotNow when not open."""

        def act(push: Push) -> Step:
            task = push.find(ref)
            if task is None or task.state != TaskState.READY or not task.task_spec.manual:
                raise NotNow("flow.not_waiting", ref=ref)
            return push.finish(task.run, ref)

        return self._push(state, {"outcome": "", **data}, "complete", ref, act)

    def due(self, state: dict[str, Any], ref: str, data: dict[str, Any]) -> Step:
        """A wait is over. NotNow when it is not running any more (the due row may be dropped)."""

        def act(push: Push) -> Step:
            found = push.wait_refs().get(ref)
            if found is None:
                raise NotNow("flow.not_waiting", ref=ref)
            return push.finish(lambda: push.catch([found]), ref)

        return self._push(state, data, "due", ref, act)

    def message(self, state: dict[str, Any], name: str, data: dict[str, Any]) -> Step:
        """Something happened outside. NotNow, with what would be taken, when the process does not wait for it."""

        def act(push: Push) -> Step:
            takers = [(t, d) for t, d in push.waiting() if isinstance(d, MessageEventDefinition) and d.name == name]
            if not takers:
                raise NotNow("flow.no_message", name=name, allowed=", ".join(sorted(self.waiting_for(state))) or "-")
            return push.finish(lambda: push.catch(takers))

        return self._push(state, data, "message", name, act)

    def _push(self, state: dict[str, Any], data: dict[str, Any], act: str, ref: str, run: Callable[[Push], Step]) -> Step:
        """One step from a saved state, as another case made it before or by the engine."""
        here = self._data(state, data)
        return self._memory.step(self.name, place(act, ref, state), here, lambda notes: run(self._resume(state, data, notes)))

    def waiting_for(self, state: dict[str, Any]) -> tuple[str, ...]:
        """Names of the messages it would take now."""
        push = self._resume(state, {})
        return tuple(sorted({d.name for _, d in push.waiting() if isinstance(d, MessageEventDefinition)}))

    def tasks(self, state: dict[str, Any]) -> tuple[UserTask, ...]:
        """The user tasks open in this state."""
        return tuple(self._resume(state, {}).user_tasks().values())

    def _kept(self, data: dict[str, Any]) -> dict[str, Any]:
        """Only names the diagram knows stay with the case, so that its state stays small."""
        return {name: data[name] for name in ("case", "params", "outcome", *self._diagram.data) if name in data}

    def _data(self, state: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """What expressions see: the case's data with what is given now; parameters are fixed when the case starts."""
        if state.get("p") != self.name or "w" not in state or "n" not in state:
            raise Invalid("flow.state", process=self.name)
        given = self._kept(data)
        given.pop("params", None)
        return {**state["d"], **given}

    def _resume(self, state: dict[str, Any], data: dict[str, Any], notes: Notes | None = None) -> Push:
        push = Push(self, self._data(state, data), state["n"], notes or Notes())
        try:
            push.top = saved.restore(self._spec, self._subprocesses, push.engine, state)
        except (KeyError, ValueError) as error:
            raise Invalid("flow.state", process=self.name) from error
        push.note_before()
        return push


class Push:
    """One step of one case."""

    top: Any

    def __init__(self, process: Process, data: dict[str, Any], last: int, notes: Notes) -> None:
        self.process, self.data, self.last, self.notes = process, data, last, notes
        self.diagram = process._diagram
        self.engine = CelScriptEngine(self.diagram.expressions, data, notes)
        self.calls: list[Call] = []
        self.ended: str | None = None
        self.tasks_before: set[str] = set()
        self.waits_before: set[str] = set()

    def note_before(self) -> None:
        self.tasks_before = set(self.user_task_refs())
        self.waits_before = set(self.wait_refs())

    def live(self) -> list[Any]:
        return [task for workflow in saved.workflows(self.top) for task in saved.live_tasks(workflow)]

    def find(self, ref: str) -> Any:
        return self.user_task_refs().get(ref)

    def user_task_refs(self) -> dict[str, Any]:
        ready = (task for task in self.live() if task.state == TaskState.READY and task.task_spec.manual)
        return {f"{_element(task)}#{task.id}": task for task in ready}

    def user_tasks(self) -> dict[str, UserTask]:
        return {ref: self._user_task(ref, task) for ref, task in self.user_task_refs().items()}

    def _user_task(self, ref: str, task: Any) -> UserTask:
        info = self.diagram.tasks[_element(task)]
        many = self.diagram.many.get(info.name)
        must = self.engine.value(info.must, task) if info.must else []
        return UserTask(
            ref=ref,
            name=info.name,
            title_zh=info.title_zh,
            title_en=info.title_en,
            performer=info.performer,
            stage=info.stage,
            verbs=info.verbs,
            form=info.form,
            must=tuple(must),
            status=info.status,
            item=task.data.get(many[1]) if many else None,
        )

    def waiting(self) -> list[tuple[Any, Any]]:
        """Waiting tasks with each definition they would take; an event gateway has several."""
        found = []
        for task in self.live():
            if task.state == TaskState.WAITING and isinstance(task.task_spec, CatchingEvent):
                definition = task.task_spec.event_definition
                found += [(task, one) for one in getattr(definition, "event_definitions", [definition])]
        return found

    def wait_refs(self) -> dict[str, tuple[Any, WaitDefinition]]:
        return {f"{d.name}#{task.id}": (task, d) for task, d in self.waiting() if isinstance(d, WaitDefinition)}

    def catch(self, takers: list[tuple[Any, Any]]) -> None:
        for task, definition in takers:
            task.task_spec.catch(task, BpmnEvent(definition, payload={}))
            task.task_spec._update(task)

    def finish(self, first: Any, done: str = "") -> Step:
        """Take the first act, run everything that needs no person, and report. ``done`` is the ref the act itself ended."""
        try:
            if first is not None:
                first()
            self._run()
            self.last = saved.number_new(self.top, self.last)
            tasks, waits = self.user_tasks(), self._waits()
            ended = self.ended if self.top.completed else None  # an end beside work still going on ends only its own branch
        except (ExpressionFault, SpiffWorkflowException) as error:
            raise Invalid("flow.condition", detail=str(error)) from error
        return Step(
            state={} if ended else saved.save(self.top, self.process.name, self.last, self.data),
            opened=tuple(task for ref, task in tasks.items() if ref not in self.tasks_before),
            cancelled=tuple(sorted(self.tasks_before - set(tasks) - {done})),
            waits=tuple(wait for ref, wait in waits.items() if ref not in self.waits_before),
            waits_cancelled=tuple(sorted(self.waits_before - set(waits) - {done})),
            calls=tuple(self.calls),
            ended=ended,
        )

    def _waits(self) -> dict[str, Wait]:
        waits = {}
        for ref, (task, definition) in self.wait_refs().items():
            length = self.engine.evaluate(task, definition.expression)
            if not isinstance(length, str) or not DURATION.match(length):
                raise Invalid("flow.wait_length", value=length)
            waits[ref] = Wait(ref, definition.name, length)
        return waits

    def _run(self) -> None:
        for _ in range(MOST_STEPS):
            self._settle_subprocesses()
            task = self._next()
            if task is None:
                return
            task.run()
            self._note(task)
        raise Invalid("flow.runaway", limit=MOST_STEPS)

    def _settle_subprocesses(self) -> None:
        for key, sub in list(self.top.subprocesses.items()):
            owner = self.top.get_task_from_id(key)
            if owner.state == TaskState.STARTED and sub.completed:
                owner.task_spec._update(owner)

    def _next(self) -> Any:
        """The next task the engine does itself: interruptions first (they cancel the rest), then the innermost sub-process."""
        ready = [task for task in self.live() if task.state == TaskState.READY and not task.task_spec.manual]
        for task in ready:
            if isinstance(task.task_spec, BoundaryEvent | BoundaryEventJoin):
                return task
        return max(ready, key=lambda task: int(task.workflow.depth)) if ready else None

    def _note(self, task: Any) -> None:
        name = _element(task)
        if isinstance(task.task_spec, CallTask):
            info = self.diagram.calls[name]
            self.calls.append(Call(info.operation, {key: self.engine.value(value, task) for key, value in info.params.items()}))
            self.notes.put(self.data, {key: self.engine.value(value, task) for key, value in info.sets.items()})
        elif name in self.diagram.ends and task.workflow is self.top:
            self.ended = name.split("_", 1)[0]


def _element(task: Any) -> str:
    return str(task.task_spec.bpmn_id or task.task_spec.name).removesuffix(" [child]")
