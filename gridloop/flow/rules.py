"""What a process says to the rooms above: tasks to do, waits, calls. Pure data; the engine that makes it is ``engine.py``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gridloop.kernel.errors import Invalid

TASK_VERBS = ("accept", "return", "submit", "approve", "reject", "escalate", "check_in")
ENDS = ("closed", "rejected", "voided")
END = re.compile(r"^(closed|rejected|voided)(_[a-z0-9_]+)?$")  # several ends may mean the same: closed, closed_by_itself
STATUSES = ("reported", "verifying", "filed", "dispatched", "accepted", "handling", "submitted", "checking", "reworked")
PERFORMER = re.compile(r"^(lead|supporting|(duty|post):[a-z][a-z0-9_]*)$")
WORD = re.compile(r"^[a-z][a-z0-9_]*$")
DURATION = re.compile(r"^[1-9][0-9]{0,5}(m|h|d|wh|wd)$")


@dataclass(frozen=True, slots=True)
class UserTask:
    """Work for a person. ``ref`` is stable for the life of the case; ``item`` is the element of a multi-instance list."""

    ref: str
    name: str
    title_zh: str
    title_en: str
    performer: str
    stage: str
    verbs: tuple[str, ...]
    form: dict[str, Any] | None
    must: tuple[str, ...]
    status: str | None
    item: Any = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A timer that the rooms above keep as a due row; ``duration`` in our words such as ``5m`` or ``2wd``."""

    ref: str
    name: str
    duration: str


@dataclass(frozen=True, slots=True)
class Call:
    """A service task: the operation the diagram names, with its parameters already evaluated."""

    name: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What one push did. ``state`` is small JSON; calls are in the order of the diagram; ``ended`` is the end's name."""

    state: dict[str, Any]
    opened: tuple[UserTask, ...]
    cancelled: tuple[str, ...]
    waits: tuple[Wait, ...]
    waits_cancelled: tuple[str, ...]
    calls: tuple[Call, ...]
    ended: str | None


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter a process takes from the pack: ``kind`` is bool, int, text, duration or list."""

    name: str
    kind: str
    default: Any
    title_zh: str
    title_en: str


class ProcessFault(Invalid):
    """A diagram that must not run: says the file, the element and what is wrong."""

    def __init__(self, key: str, *, file: str, element: str, line: int = 0, **params: Any) -> None:
        super().__init__(key, file=file, element=element, line=line, **params)
        self.file, self.element, self.line = file, element, line


def fits(kind: str, value: Any) -> bool:
    """Whether a pack's value is of the kind a process parameter declares."""
    if kind == "duration":
        return isinstance(value, str) and DURATION.match(value) is not None
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "list":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, {"bool": bool, "text": str}[kind])
