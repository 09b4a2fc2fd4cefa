"""Reads a BPMN 2.0 diagram strictly: what is drawn here is what may run. No code, no foreign extension, no way without an end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePath
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnValidator

from gridloop.flow.rules import END, ENDS, PERFORMER, STATUSES, TASK_VERBS, WORD, Param, ProcessFault, fits
from gridloop.flow.xml_words import plain, words_of
from gridloop.kernel.expressions import Expression, ExpressionFault

Element = Any  # lxml has no element type that mypy knows

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
OURS = "{urn:gridloop:bpmn:1}"
LARGEST = 1_000_000  # bytes
ALWAYS = ("case", "params", "outcome")  # names every expression may use
NODES = (
    "startEvent",
    "endEvent",
    "userTask",
    "serviceTask",
    "exclusiveGateway",
    "parallelGateway",
    "eventBasedGateway",
    "intermediateCatchEvent",
    "boundaryEvent",
    "subProcess",
)
OTHER = (
    "definitions",
    "process",
    "sequenceFlow",
    "incoming",
    "outgoing",
    "conditionExpression",
    "documentation",
    "extensionElements",
    "message",
    "messageEventDefinition",
    "timerEventDefinition",
    "timeDuration",
    "terminateEventDefinition",
    "multiInstanceLoopCharacteristics",
    "loopCardinality",
    "textAnnotation",
    "text",
    "association",
    "laneSet",
    "lane",
    "flowNodeRef",
)
CODE = ("scriptTask", "script", "businessRuleTask", "complexBehaviorDefinition", "globalScriptTask")
ATTRIBUTES = {
    "userTask": {"performer", "stage", "verbs", "must", "status", "titleEn"},
    "serviceTask": {"operation", "titleEn"},
    "process": {"titleEn"},
    "multiInstanceLoopCharacteristics": {"items", "item"},
}
KINDS = ("bool", "int", "text", "duration", "list")
PHOTOS = ("before", "after", "scene")  # kinds of evidence a form may ask for
FROM_CASE = ("household",)  # what a case may fill in


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """The fixed part of a user task; ``must`` is evaluated when the task opens."""

    name: str
    title_zh: str
    title_en: str
    performer: str
    stage: str
    verbs: tuple[str, ...]
    form: dict[str, Any] | None
    must: Expression | None
    status: str | None


@dataclass(frozen=True, slots=True)
class CallInfo:
    operation: str
    params: dict[str, Expression]
    sets: dict[str, Expression]  # data of the case written when the call is made


@dataclass(slots=True)
class Diagram:
    """Everything of a file that runs, checked."""

    name: str
    title_zh: str
    title_en: str
    tree: Element
    params: dict[str, Param] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)  # further names verbs may set, with their first value
    tasks: dict[str, TaskInfo] = field(default_factory=dict)
    calls: dict[str, CallInfo] = field(default_factory=dict)
    many: dict[str, tuple[Expression, str]] = field(default_factory=dict)  # task -> (list, name of an element)
    expressions: dict[str, Expression] = field(default_factory=dict)  # by source: conditions and durations
    ends: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


def local(element: Element) -> str:
    return str(etree.QName(element).localname)


def _named(element: Element) -> str:
    """The id of the element, or of the nearest around it that has one."""
    while element is not None and not element.get("id"):
        element = element.getparent()
    return str(element.get("id")) if element is not None else "definitions"


def _at(tree: Element, told: Any) -> Element:
    """Where the schema's checker was, if it says so."""
    try:
        found = tree.xpath(told.path, namespaces={name: uri for name, uri in tree.nsmap.items() if name})
    except (AttributeError, TypeError, etree.XPathError):
        return None
    return found[0] if found else None


@cache
def _validator() -> BpmnValidator:
    return BpmnValidator()  # compiles the BPMN 2.0 schema once: about 40 ms


class Reader:
    """One reading of one file; every refusal names file, line and element."""

    def __init__(self, xml: bytes, file: str) -> None:
        self.xml, self.file = xml, file

    def fault(self, element: Element, key: str, **params: Any) -> ProcessFault:
        return ProcessFault(key, file=self.file, element=_named(element), line=element.sourceline or 0, **params)

    def read(self) -> Diagram:
        """The checked diagram. Raises ProcessFault."""
        tree = self._tree()
        self._refuse_foreign(tree)
        try:
            _validator().validate(tree, self.file)
        except Exception as error:  # the parser raises its own kinds; all of them mean "not BPMN"
            told = _validator().validator.error_log.last_error
            raise self._not_bpmn(told.message if told else str(error), told.line if told else 0, _at(tree, told)) from error
        process = self._one_process(tree)
        diagram = Diagram(process.get("id"), process.get("name", process.get("id")), process.get(OURS + "titleEn", process.get("id")), tree)
        self._declared(process, diagram)
        names = self._names(process, diagram)
        for node in process.iter(*(BPMN + tag for tag in NODES)):
            self._node(node, diagram, names)
        for flow in process.iter(BPMN + "conditionExpression"):
            self._keep(flow, flow.text or "", names, diagram)
        self._structure(process, diagram)
        self._shapes(tree, process)
        return diagram

    def _not_bpmn(self, said: str, line: int = 0, element: Element = None) -> ProcessFault:
        what, detail = words_of(said), plain(said)
        return ProcessFault("flow.xml", file=self.file, element=_named(element), line=line, what=what, detail=detail)

    def _tree(self) -> Element:
        if len(self.xml) > LARGEST:
            raise ProcessFault("flow.too_large", file=self.file, element="definitions", limit=LARGEST)
        try:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
            tree = etree.fromstring(self.xml, parser)
        except etree.XMLSyntaxError as error:
            raise self._not_bpmn(str(error), error.lineno or 0) from error
        if tree.getroottree().docinfo.internalDTD is not None:
            raise self.fault(tree, "flow.doctype")
        if tree.tag != BPMN + "definitions":
            raise self.fault(tree, "flow.root", tag=local(tree))
        return tree

    def _refuse_foreign(self, root: Element) -> None:
        for element in root.iter(etree.Element):
            if any(parent.tag.startswith(DI) for parent in (element, *element.iterancestors())):
                continue
            tag = local(element)
            if tag in CODE:
                raise self.fault(element, "flow.script", tag=tag)
            if element.tag.startswith(OURS):
                if tag not in ("param", "data", "with", "set", "form"):
                    raise self.fault(element, "flow.unsupported", tag=tag)
            elif not element.tag.startswith(BPMN):
                raise self.fault(element, "flow.foreign", name=tag)
            elif tag not in NODES and tag not in OTHER:
                raise self.fault(element, "flow.unsupported", tag=tag)
            self._refuse_attributes(element, tag)

    def _refuse_attributes(self, element: Element, tag: str) -> None:
        for name in element.attrib:
            if name.startswith(OURS) and name.removeprefix(OURS) not in ATTRIBUTES.get(tag, ()):
                raise self.fault(element, "flow.unknown_attribute", name=name.removeprefix(OURS))
            if name.startswith("{") and not name.startswith((OURS, "{http://www.w3.org/2001/XMLSchema-instance}")):
                raise self.fault(element, "flow.foreign", name=str(etree.QName(name).localname))
        if "implementation" in element.attrib or "language" in element.attrib:
            raise self.fault(element, "flow.script", tag="implementation" if "implementation" in element.attrib else "language")

    def _one_process(self, tree: Element) -> Element:
        expected = PurePath(self.file).stem
        processes = list(tree.iter(BPMN + "process"))
        if len(processes) != 1 or processes[0].get("isExecutable") != "true" or processes[0].get("id") != expected:
            raise self.fault(processes[0] if processes else tree, "flow.one_process", expected=expected)
        return processes[0]

    def _declared(self, process: Element, diagram: Diagram) -> None:
        for element in process.iterfind(f"{BPMN}extensionElements/{OURS}param"):
            name, kind = self._word(element, "name"), element.get("kind", "text")
            if kind not in KINDS:
                raise self.fault(element, "flow.attribute", name="kind", value=kind, expected=" ".join(KINDS))
            default = self._constant(element)
            if default is not None and not fits(kind, default):
                raise self.fault(element, "flow.param_kind", name=name, value=default, kind=kind)
            diagram.params[name] = Param(name, kind, default, element.get("title", name), element.get("titleEn", name))
        for element in process.iterfind(f"{BPMN}extensionElements/{OURS}data"):
            diagram.data[self._word(element, "name")] = self._constant(element)

    def _word(self, element: Element, attribute: str) -> str:
        value = element.get(attribute)
        if value is None:
            raise self.fault(element, "flow.missing", name=attribute)
        if not WORD.match(value):
            raise self.fault(element, "flow.attribute", name=attribute, value=value, expected="a-z 0-9 _")
        return str(value)

    def _constant(self, element: Element) -> Any:
        source = element.get("default")
        return None if source is None else self._expression(element, source, ()).value({})

    def _expression(self, element: Element, source: str, names: tuple[str, ...]) -> Expression:
        try:
            return Expression(source, names)
        except ExpressionFault as error:
            raise self.fault(element, "flow.expression", source=source, detail=error.words) from error

    def _names(self, process: Element, diagram: Diagram) -> tuple[str, ...]:
        items = [e.get(OURS + "item") for e in process.iter(BPMN + "multiInstanceLoopCharacteristics") if e.get(OURS + "item")]
        return (*ALWAYS, *diagram.data, *items)

    def _keep(self, element: Element, source: str, names: tuple[str, ...], diagram: Diagram) -> None:
        diagram.expressions[source] = self._expression(element, source, names)

    def _node(self, node: Element, diagram: Diagram, names: tuple[str, ...]) -> None:
        tag, name = local(node), node.get("id") or ""
        if tag == "userTask":
            diagram.tasks[name] = self._task(node, names)
        elif tag == "serviceTask":
            diagram.calls[name] = self._call(node, names, diagram)
        elif tag in ("intermediateCatchEvent", "boundaryEvent"):
            self._catch(node, diagram, names)
        elif tag == "startEvent" and len(self._definitions(node)):
            raise self.fault(node, "flow.start")
        if (many := node.find(BPMN + "multiInstanceLoopCharacteristics")) is not None:
            diagram.many[name] = self._many(node, many, names)

    def _task(self, node: Element, names: tuple[str, ...]) -> TaskInfo:
        def words(attribute: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
            chosen = tuple((node.get(OURS + attribute) or "").split())
            if bad := [word for word in chosen if word not in allowed]:
                raise self.fault(node, "flow.attribute", name=attribute, value=bad[0], expected=" ".join(allowed))
            return chosen

        for attribute in ("performer", "stage", "verbs"):
            if not node.get(OURS + attribute):
                raise self.fault(node, "flow.missing", name=attribute)
        if not PERFORMER.match(performer := node.get(OURS + "performer")):
            raise self.fault(node, "flow.attribute", name="performer", value=performer, expected="lead supporting duty:… post:…")
        if not WORD.match(stage := node.get(OURS + "stage")):
            raise self.fault(node, "flow.attribute", name="stage", value=stage, expected="a-z 0-9 _")
        must = node.get(OURS + "must")
        return TaskInfo(
            name=node.get("id"),
            title_zh=node.get("name") or node.get("id"),
            title_en=node.get(OURS + "titleEn") or node.get("id"),
            performer=performer,
            stage=stage,
            verbs=words("verbs", TASK_VERBS),
            form=self._form(node),
            must=self._expression(node, must, names) if must else None,
            status=next(iter(words("status", STATUSES)), None),
        )

    def _form(self, node: Element) -> dict[str, Any] | None:
        element = node.find(f"{BPMN}extensionElements/{OURS}form")
        if element is None:
            return None
        try:
            form = json.loads(element.text or "")
            Draft202012Validator.check_schema(form)
        except (ValueError, SchemaError) as error:
            raise self.fault(element, "flow.form", detail=str(error).splitlines()[0]) from error
        self._screen_words(element, form)
        return dict(form)

    def _screen_words(self, element: Element, form: Any) -> None:
        """What a form says to screens beside JSON Schema: the photos it wants, and what the case fills in."""
        photos = form.get("x-photos", [])
        told = isinstance(photos, list) and all(isinstance(one, dict) and isinstance(one.get("title"), str) for one in photos)
        if not told or not all(one.get("kind") in PHOTOS for one in photos):
            raise self.fault(element, "flow.form_photos", known=", ".join(PHOTOS))
        for name, part in form.get("properties", {}).items():
            if isinstance(part, dict) and part.get("x-from", FROM_CASE[0]) not in FROM_CASE:
                raise self.fault(element, "flow.form_from", name=name, value=str(part["x-from"]), known=", ".join(FROM_CASE))

    def _call(self, node: Element, names: tuple[str, ...], diagram: Diagram) -> CallInfo:
        operation = node.get(OURS + "operation")
        if not operation or not WORD.match(operation):
            raise self.fault(node, "flow.missing", name="operation")

        def pairs(tag: str) -> dict[str, Expression]:
            elements = node.iterfind(f"{BPMN}extensionElements/{OURS}{tag}")
            return {self._word(e, "name"): self._expression(e, e.get("value") or "", names) for e in elements}

        sets = pairs("set")
        if undeclared := sorted(set(sets) - set(diagram.data)):
            raise self.fault(node, "flow.set_name", name=undeclared[0], allowed=" ".join(diagram.data))
        return CallInfo(operation, pairs("with"), sets)

    def _definitions(self, node: Element) -> list[Element]:
        return [child for child in node if local(child).endswith("EventDefinition")]

    def _catch(self, node: Element, diagram: Diagram, names: tuple[str, ...]) -> None:
        definitions = self._definitions(node)
        if len(definitions) != 1 or local(definitions[0]) not in ("timerEventDefinition", "messageEventDefinition"):
            raise self.fault(node, "flow.event", expected="timer, message")
        definition = definitions[0]
        if local(definition) == "timerEventDefinition":
            duration = definition.find(BPMN + "timeDuration")
            if duration is None or not (duration.text or "").strip():
                raise self.fault(node, "flow.missing", name="timeDuration")
            self._keep(node, duration.text.strip(), names, diagram)
        elif not definition.get("messageRef"):
            raise self.fault(node, "flow.missing", name="messageRef")

    def _many(self, node: Element, many: Element, names: tuple[str, ...]) -> tuple[Expression, str]:
        items, item = many.get(OURS + "items"), many.get(OURS + "item")
        cardinality = many.findtext(BPMN + "loopCardinality")
        sequential = many.get("isSequential") == "true"
        if not items or not item or sequential or cardinality != f"size({items})" or local(node) != "userTask":
            raise self.fault(node, "flow.many")
        return self._expression(node, items, names), item

    # -- the shape of the whole -------------------------------------------------------------------------------------------------

    def _structure(self, process: Element, diagram: Diagram) -> None:
        for container in (process, *process.iter(BPMN + "subProcess")):
            self._container(container)
        names = {m.get("id"): m.get("name") for m in diagram.tree.iter(BPMN + "message")}
        diagram.messages = tuple(sorted(filter(None, names.values())))
        ends = list(process.iterfind(BPMN + "endEvent"))
        for end in ends:
            if not END.match(end.get("id")):
                raise self.fault(end, "flow.end_name", expected=" ".join(ENDS))
            if self._definitions(end):
                raise self.fault(end, "flow.event", expected="none")
        for end in (e for sub in process.iter(BPMN + "subProcess") for e in sub.iterfind(BPMN + "endEvent")):
            if any(local(d) != "messageEventDefinition" for d in self._definitions(end)):
                raise self.fault(end, "flow.event", expected="message")
        diagram.ends = tuple(end.get("id") for end in ends)

    def _container(self, container: Element) -> None:
        nodes = {n.get("id"): n for n in container if n.tag.startswith(BPMN) and local(n) in NODES}
        flows = [(f.get("sourceRef"), f.get("targetRef")) for f in container.iterfind(BPMN + "sequenceFlow")]
        starts = [name for name, n in nodes.items() if local(n) == "startEvent"]
        if len(starts) != 1:
            raise self.fault(container, "flow.start")
        ways = flows + [(n.get("attachedToRef"), name) for name, n in nodes.items() if local(n) == "boundaryEvent"]
        reached = _closure(starts, ways)
        ends = [name for name, n in nodes.items() if local(n) == "endEvent"]
        ending = _closure(ends, [(b, a) for a, b in ways])
        for name, node in nodes.items():
            if name not in reached:
                raise self.fault(node, "flow.unreachable")
            if name not in ending:
                raise self.fault(node, "flow.dead_end")
            self._ways_out(node, [nodes[b] for a, b in flows if a == name], container)

    def _ways_out(self, node: Element, targets: list[Element], container: Element) -> None:
        tag = local(node)
        if tag == "eventBasedGateway" and any(local(t) != "intermediateCatchEvent" for t in targets):
            raise self.fault(node, "flow.gateway")
        if tag.endswith("Gateway"):
            if tag == "exclusiveGateway" and len(targets) > 1:
                self._exclusive(node, container)
        elif len(targets) > 1:
            raise self.fault(node, "flow.flows")

    def _exclusive(self, node: Element, container: Element) -> None:
        out = [f for f in container.iterfind(BPMN + "sequenceFlow") if f.get("sourceRef") == node.get("id")]
        plain = [f.get("id") for f in out if f.find(BPMN + "conditionExpression") is None]
        if node.get("default") is None or plain != [node.get("default")]:
            raise self.fault(node, "flow.default")

    def _shapes(self, tree: Element, process: Element) -> None:
        drawn = {shape.get("bpmnElement") for shape in tree.iter(DI + "BPMNShape", DI + "BPMNEdge")}
        for element in process.iter(*(BPMN + tag for tag in (*NODES, "sequenceFlow"))):
            if element.get("id") not in drawn:
                raise self.fault(element, "flow.no_shape")


def _closure(start: list[str], ways: list[tuple[str, str]]) -> set[str]:
    seen, queue = set(start), list(start)
    while queue:
        here = queue.pop()
        for source, target in ways:
            if source == here and target not in seen:
                seen.add(target)
                queue.append(target)
    return seen
