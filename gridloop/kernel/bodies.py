"""JSON from outside: read strictly; what is wrong is told with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gridloop.kernel.errors import FieldFault, Invalid


def read_json(raw: bytes) -> Any:
    """The value of a body. Invalid: no UTF-8 JSON (line and column told), or a NUL character in a text (pointer told)."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        raise Invalid("doors.bad_json", errors=(FieldFault("/", "doors.bad_json", place),), **place) from error
    if b"\\u0000" in raw:
        refuse_nul(value)
    return value


def refuse_nul(value: Any) -> None:
    """Invalid with the pointer of the first text that holds U+0000, which no column can keep."""
    waiting: list[tuple[str, Any]] = [("", value)]  # a list of our own: what is nested deep must not use up Python's stack
    while waiting:
        pointer, part = waiting.pop()
        if isinstance(part, str) and "\x00" in part:
            raise Invalid("doors.nul", errors=(FieldFault(pointer or "/", "doors.nul"),))
        if isinstance(part, Mapping):
            waiting += [(f"{pointer}/{_escaped(key)}", inner) for key, inner in part.items()]
            waiting += [(pointer, key) for key in part]
        elif isinstance(part, list):
            waiting += [(f"{pointer}/{index}", inner) for index, inner in enumerate(part)]


def _escaped(key: str) -> str:
    """A name as a step of a JSON pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")
