"""Small diagrams for tests: the real files and a builder for wrong ones."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from gridloop.flow.engine import Process, load_process
from gridloop.flow.rules import Step, UserTask

PROCESSES = Path(__file__).resolve().parents[3] / "processes"
STANDARD = (PROCESSES / "standard_case.bpmn").read_bytes()


def real(name: str) -> Process:
    return load_process((PROCESSES / f"{name}.bpmn").read_bytes(), f"{name}.bpmn")


def kept(step: Step) -> dict[str, Any]:
    """The state as it comes back from the database."""
    return dict(json.loads(json.dumps(step.state)))


def one(step: Step, name: str) -> UserTask:
    return next(task for task in step.opened if task.name == name)


HEAD = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI"
 xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:gridloop="urn:gridloop:bpmn:1" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
 id="definitions" targetNamespace="urn:test">"""
TASK = 'gridloop:performer="duty:intake" gridloop:stage="intake" gridloop:verbs="accept"'


def draw(body: str, head: str = "", extensions: str = "") -> bytes:
    """A process ``small`` with the body and a shape for everything that has an id."""
    ids = [part.split('"')[0] for part in body.split('id="')[1:]]
    shapes = "".join(
        f'<bpmndi:BPMNShape id="{i}_di" bpmnElement="{i}"><dc:Bounds x="0" y="{n * 100}" width="10" height="10" /></bpmndi:BPMNShape>'
        for n, i in enumerate(ids)
    )
    inner = f"<bpmn:extensionElements>{extensions}</bpmn:extensionElements>" if extensions else ""
    return (
        f'{HEAD}{head}<bpmn:process id="small" isExecutable="true">{inner}{body}</bpmn:process><bpmndi:BPMNDiagram id="d">'
        f'<bpmndi:BPMNPlane id="p" bpmnElement="small">{shapes}</bpmndi:BPMNPlane></bpmndi:BPMNDiagram></bpmn:definitions>'
    ).encode()


def line(*nodes: str, extensions: str = "", head: str = "") -> bytes:
    """start → the given nodes in a row → closed."""
    every = ['<bpmn:startEvent id="start" />', *nodes, '<bpmn:endEvent id="closed" />']
    ids = [node.split('id="')[1].split('"')[0] for node in every]
    flows = "".join(f'<bpmn:sequenceFlow id="f{n}" sourceRef="{a}" targetRef="{b}" />' for n, (a, b) in enumerate(pairwise(ids)))
    return draw("".join(every) + flows, head, extensions)
