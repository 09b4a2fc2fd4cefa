"""What a process did before in the same place, so that it is not worked out again for every case that goes the same way.

A push depends on where the case stands, on the act, and on what the diagram's expressions give over the case's data; on nothing else.
So each push is kept with the expressions it asked, in their order, and their answers: when all of them answer the same for another
case that stands in the same place, the other case makes the same step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from gridloop.flow.rules import Step
from gridloop.kernel.expressions import Expression, ExpressionFault

MOST_PLACES = 4_000  # of one process; cases that go round in circles reach ever new ones
MOST_WAYS = 12  # from one place by one act

Key = tuple[str, str, int, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """An expression with what its task added to the case's data, and the answer; types count, so it is kept as text."""

    expression: Expression
    own: dict[str, Any]
    answer: str


@dataclass(frozen=True, slots=True)
class Put:
    """Names that got values on the way; the values are answers, too."""

    values: dict[str, Any]


@dataclass(slots=True)
class Notes:
    """What a push asks and puts, in order, while it runs."""

    entries: list[Asked | Put] = field(default_factory=list)

    def ask(self, expression: Expression, data: dict[str, Any], own: dict[str, Any]) -> Any:
        """The expression's value over the case's data and what the task adds."""
        value = expression.value({"outcome": "", **data, **own})
        self.entries.append(Asked(expression, dict(own), repr(value)))
        return value

    def put(self, data: dict[str, Any], values: dict[str, Any]) -> None:
        data.update(values)
        self.entries.append(Put(copy.deepcopy(values)))


@dataclass(frozen=True, slots=True)
class _Way:
    """One way from a place: what was asked and put, and the step without the case's own data."""

    entries: tuple[Asked | Put, ...]
    step: Step
    rows: bytes  # the state's rows, so that every case gets its own
    last: int

    def follow(self, process: str, data: dict[str, Any]) -> Step | None:
        """The step for a case with these data; None when an expression answers otherwise or not at all."""
        data = dict(data)
        for entry in self.entries:
            if isinstance(entry, Put):
                data.update(copy.deepcopy(entry.values))
                continue
            try:
                value = entry.expression.value({"outcome": "", **data, **entry.own})
            except ExpressionFault:
                return None
            if repr(value) != entry.answer:
                return None
        calls = tuple(replace(call, params=copy.deepcopy(call.params)) for call in self.step.calls)
        state = {} if self.step.ended else {"p": process, "n": self.last, "d": data, "w": orjson.loads(self.rows)}
        return replace(self.step, state=state, calls=calls)


class Memory:
    """The ways of one process; shared by threads: the worst that can happen is that a step is worked out twice."""

    def __init__(self) -> None:
        self._ways: dict[Key, list[_Way]] = {}

    def step(self, process: str, key: Key, data: dict[str, Any], run: Callable[[Notes], Step]) -> Step:
        """The step of a case that stands at ``key`` with these data: as before, or else by ``run``, which notes what it asks."""
        known = self._ways.get(key, [])
        for way in list(known):
            if (step := way.follow(process, data)) is not None:
                return step
        notes = Notes()
        step = run(notes)
        if len(known) < MOST_WAYS:
            if len(self._ways) >= MOST_PLACES:
                self._ways.clear()
            rows = orjson.dumps(step.state.get("w", []))
            way = _Way(tuple(notes.entries), replace(step, state={}), rows, step.state.get("n", 0))
            self._ways.setdefault(key, []).append(way)
        return step


def place(act: str, ref: str, state: dict[str, Any] | None) -> Key:
    """Where a case stands and what is done there."""
    return (act, ref, state["n"], orjson.dumps(state["w"])) if state else (act, ref, 0, b"")
