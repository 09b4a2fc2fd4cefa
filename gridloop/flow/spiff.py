"""Our corner of SpiffWorkflow: CEL instead of Python, service tasks that only say what is wanted, timers that only fire when told."""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser, full_tag
from SpiffWorkflow.bpmn.parser.event_parsers import BoundaryEventParser, IntermediateCatchEventParser
from SpiffWorkflow.bpmn.parser.TaskParser import TaskParser
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine
from SpiffWorkflow.bpmn.specs.defaults import BoundaryEvent, IntermediateCatchEvent, ParallelMultiInstanceTask
from SpiffWorkflow.bpmn.specs.event_definitions.base import EventDefinition
from SpiffWorkflow.bpmn.specs.mixins.bpmn_spec_mixin import BpmnSpecMixin
from SpiffWorkflow.util.task import TaskState

from gridloop.flow.diagram import Diagram
from gridloop.flow.memory import Notes
from gridloop.kernel.expressions import Expression, ExpressionFault


class CelScriptEngine(PythonScriptEngine):  # type: ignore[misc]  # the library has no types
    """Evaluates conditions with CEL over the data of the case; can not execute anything. One per push (holds the data)."""

    def __init__(self, expressions: dict[str, Expression], data: dict[str, Any], notes: Notes) -> None:
        self.expressions, self.data, self.notes = expressions, data, notes
        self.environment = None  # the library would call Python's exec through it

    def value(self, expression: Expression, task: Any) -> Any:
        """Of an expression at this task: it sees the case's data and, inside a multi-instance task, its element."""
        return self.notes.ask(expression, self.data, task.data)

    def validate(self, expression: str) -> None:
        Expression(expression)

    def evaluate(self, task: Any, expression: str, external_context: Any = None) -> Any:
        """Only expressions of the checked diagram are known; anything else is refused."""
        known = self.expressions.get(expression)
        if known is None:
            raise ExpressionFault(f"{expression}: not an expression of this diagram")
        return self.value(known, task)

    def execute(self, task: Any, script: str, external_context: Any = None) -> Any:
        raise ExpressionFault("scripts are never run")

    def call_service(self, task: Any, **kwargs: Any) -> Any:
        raise ExpressionFault("services are called by the room that owns the case")


class CallTask(BpmnSpecMixin):  # type: ignore[misc]
    """A service task: completes at once; the engine reports the call."""


class ManyTask(ParallelMultiInstanceTask):  # type: ignore[misc]
    """One task for each element of a CEL list; children keep their element to themselves and merge nothing back."""

    items: Expression
    item: str

    def create_children(self, my_task: Any) -> None:
        try:
            elements = my_task.workflow.script_engine.value(self.items, my_task)
        except ExpressionFault:
            my_task.error()
            raise
        for index, element in enumerate(elements):
            child = my_task._add_child(my_task.workflow.spec.task_specs[self.task_spec], TaskState.WAITING)
            child.triggered = True
            child.data[self.item] = element
            child.internal_data["key_or_index"] = index
            child.task_spec._update(child)

    def merge_child(self, workflow: Any, child: Any) -> None:
        if self.children_complete(child.parent):
            child.parent._set_state(TaskState.READY)


class WaitDefinition(EventDefinition):  # type: ignore[misc]
    """A timer that our due rows drive: it never looks at a clock."""

    def __init__(self, element: str, expression: str, **kwargs: Any) -> None:
        super().__init__(element, **kwargs)
        self.expression = expression

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WaitDefinition) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class _Timers:
    def parse_timer_event(self, event: Any) -> WaitDefinition:
        text = event.findtext("{http://www.omg.org/spec/BPMN/20100524/MODEL}timeDuration") or ""
        return WaitDefinition(event.getparent().get("id"), text.strip())


class _CatchParser(_Timers, IntermediateCatchEventParser):  # type: ignore[misc]
    pass


class _BoundaryParser(_Timers, BoundaryEventParser):  # type: ignore[misc]
    pass


# the library asks for the class on the parser of each task; ours is the only multi-instance task of this program
TaskParser.PARALLEL_MI_CLASS = ManyTask


class Parser(BpmnParser):  # type: ignore[misc]
    OVERRIDE_PARSER_CLASSES = {
        full_tag("serviceTask"): (TaskParser, CallTask),
        full_tag("intermediateCatchEvent"): (_CatchParser, IntermediateCatchEvent),
        full_tag("boundaryEvent"): (_BoundaryParser, BoundaryEvent),
    }


def build(diagram: Diagram, file: str) -> tuple[Any, dict[str, Any]]:
    """The library's specifications of the process and its sub-processes, with our parts connected."""
    parser = Parser()
    parser.add_bpmn_xml(diagram.tree, file)
    spec = parser.get_spec(diagram.name)
    subprocesses = dict(parser.get_subprocess_specs(diagram.name))
    for one in (spec, *subprocesses.values()):
        for task_spec in one.task_specs.values():
            if isinstance(task_spec, ManyTask):
                task_spec.items, task_spec.item = diagram.many[task_spec.name]
                one.task_specs[task_spec.task_spec].completed_event.connect(task_spec.merge_child)
    return spec, subprocesses
