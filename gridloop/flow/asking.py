"""Whom a process asks for work, read off its diagram: before anybody has done anything, and the leads who may follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridloop.flow.diagram import BPMN, Diagram, Element, local
from gridloop.kernel.expressions import Expression, ExpressionFault

LEAD, DUTY, HANDLE = "lead", "duty:", "handle"


@dataclass(frozen=True, slots=True)
class Asked:
    """A task and whose ``duty`` it is; ``first``: every case asks for it, others come as far as what was found asks for them."""

    title_zh: str
    title_en: str
    duty: str
    first: bool


class _Walk:
    """From the start along every flow that the parameters leave open."""

    def __init__(self, diagram: Diagram, params: Mapping[str, Any]) -> None:
        self._diagram, self._params = diagram, params
        self.found: dict[tuple[str, str], Asked] = {}
        self._seen: set[tuple[str, str, bool]] = set()
        self._nodes: dict[str, Element] = {}
        self._flows: dict[str, list[Element]] = {}
        self._leaving: dict[str, list[Element]] = {}  # what may end a node before its time
        for element in diagram.tree.iter():
            if isinstance(element.tag, str) and element.get("id"):
                self._nodes[element.get("id")] = element
            if element.tag == BPMN + "sequenceFlow":
                self._flows.setdefault(element.get("sourceRef"), []).append(element)
            elif element.tag == BPMN + "boundaryEvent":
                self._leaving.setdefault(element.get("attachedToRef"), []).append(element)
        waiting = [(start.get("id"), HANDLE, True) for start in diagram.tree.iter(BPMN + "startEvent") if _is_outermost(start)]
        while waiting:
            here = waiting.pop(0)
            if here not in self._seen:
                self._seen.add(here)
                waiting += self._next(*here)

    def _next(self, name: str, duty: str, first: bool) -> list[tuple[str, str, bool]]:
        kind = local(self._nodes[name])
        if kind == "userTask":
            self._ask(name, duty, first)
            first = False
        elif name in self._diagram.calls and self._diagram.calls[name].operation == "dispatch":
            wish = self._diagram.calls[name].params.get("duty")
            duty = str((self._value(wish) if wish else None) or HANDLE)
        out = [(flow.get("targetRef"), duty, first) for flow in self._flows.get(name, ()) if self._may_go(flow)]
        out += [(event.get("id"), duty, False) for event in self._leaving.get(name, ())]
        if kind == "subProcess":
            inside = [(start.get("id"), duty, first) for start in self._nodes[name].findall(BPMN + "startEvent")]
            return inside + [(target, duty, False) for target, duty, _ in out]
        return out

    def _ask(self, name: str, duty: str, first: bool) -> None:
        task = self._diagram.tasks[name]
        if task.performer == LEAD:
            whose = duty
        elif task.performer.startswith(DUTY) and first:
            whose = task.performer.removeprefix(DUTY)
        else:
            return  # who helps or looks after others' work is asked by them
        before = self.found.get((task.title_zh, whose))
        if before is None or (first and not before.first):
            self.found[task.title_zh, whose] = Asked(task.title_zh, task.title_en, whose, first)

    def _may_go(self, flow: Element) -> bool:
        """Not along a condition that the parameters alone make false, nor along the default beside one they make true."""
        beside = [self._holds(other) for other in self._flows[flow.get("sourceRef")] if other is not flow]
        default = self._nodes[flow.get("sourceRef")].get("default") == flow.get("id")
        return self._holds(flow) is not False and not (default and True in beside)

    def _holds(self, flow: Element) -> bool | None:
        condition = flow.find(BPMN + "conditionExpression")
        known = self._diagram.expressions.get((condition.text or "").strip()) if condition is not None else None
        value = self._value(known) if known else None
        return value if isinstance(value, bool) else None

    def _value(self, expression: Expression) -> Any:
        """None where more than the parameters must be known."""
        try:
            return expression.value({"params": dict(self._params)})
        except ExpressionFault:
            return None


def _is_outermost(start: Element) -> bool:
    return local(start.getparent()) == "process"


def asked(diagram: Diagram, params: Mapping[str, Any]) -> list[Asked]:
    """The first ones first, each in the order of the diagram."""
    found = list(_Walk(diagram, params).found.values())
    first = {one.title_zh for one in found if one.first}
    return sorted((one for one in found if one.first or one.title_zh not in first), key=lambda one: not one.first)
