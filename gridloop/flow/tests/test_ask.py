"""Whom a process asks for work, read off its diagram: it is what its cases then do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gridloop.flow.asking import Asked
from gridloop.flow.engine import Process, load_process

PROCESSES = Path(__file__).parents[3] / "processes"


def process(name: str) -> Process:
    return load_process((PROCESSES / f"{name}.bpmn").read_bytes(), f"{name}.bpmn")


@pytest.mark.parametrize(
    ("name", "params", "first", "later"),
    [
        ("alert_response", {}, [("现场核实", "verify")], [("主办处置", "handle")]),
        ("alert_response", {"together": True}, [("现场核实", "verify")], [("主办处置", "handle")]),
        ("welfare_check", {}, [("上门探访", "verify"), ("值守查找", "intake")], [("救助", "handle")]),
        ("welfare_check", {"visitor": "handle"}, [("上门探访", "handle"), ("值守查找", "intake")], [("救助", "handle")]),
        ("confirm_first", {}, [("核实", "verify")], [("处置", "handle")]),
        ("warn_then_enforce", {}, [("处置", "handle")], []),
    ],
)
def test_tasks_and_duties(name: str, params: dict[str, Any], first: list[tuple[str, str]], later: list[tuple[str, str]]) -> None:
    known = process(name)
    needed: dict[str, Any] = {
        name: {"text": "x", "duration": "5m"}.get(param.kind, []) for name, param in known.params.items() if param.default is None
    }
    found = known.asked(needed | params)
    assert all(isinstance(one, Asked) and one.title_en and one.title_en != one.title_zh for one in found)
    assert [(one.title_zh, one.duty) for one in found if one.first] == first
    assert [(one.title_zh, one.duty) for one in found if not one.first] == later


@pytest.mark.parametrize("name", sorted(file.stem for file in PROCESSES.glob("*.bpmn")))
def test_every_process_asks_somebody(name: str) -> None:
    known = process(name)
    needed: dict[str, Any] = {
        name: {"text": "x", "duration": "5m"}.get(param.kind, []) for name, param in known.params.items() if param.default is None
    }
    assert any(one.first for one in known.asked(needed))
