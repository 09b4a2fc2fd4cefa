"""Conditions of packs and processes: CEL (Common Expression Language), a standard language without side effects, not ``eval``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from gridloop.kernel.texts import Words

# The library's command line, and what it needs for colours and prompts, is of no use here: it would be loaded by every process.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402

_FUNCTIONS = frozenset(
    (
        "size",
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "matches",
        "startsWith",
        "endsWith",
        "contains",
        "int",
        "uint",
        "double",
        "string",
        "bool",
        "bytes",
        "type",
        "timestamp",
        "duration",
        "getFullYear",
        "getMonth",
        "getDayOfMonth",
        "getDayOfWeek",
        "getHours",
        "getMinutes",
        "getSeconds",
        "lowerAscii",
        "min",
        "max",
    )
)
_BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
_AT = re.compile(r"<input>:\d+:(\d+)")
_LONGEST = 500  # characters; a longer condition belongs into a detector


class ExpressionFault(ValueError):
    """The text is no condition we run, or it met data it cannot work with; ``words`` say it in both languages."""

    def __init__(self, said: str | Words) -> None:
        super().__init__(str(said))
        self.words = said if isinstance(said, Words) else Words("kernel.expression_failed", (("what", said),))


class Expression:
    """One condition or value, checked once and then evaluated often (about 5 µs); safe to share between threads."""

    __slots__ = ("_program", "source")

    def __init__(self, source: str, names: Iterable[str] | None = None) -> None:
        """Compile; ``names`` are the top-level names the data will have (None = not checked). Raises ExpressionFault."""
        self.source = source
        if len(source) > _LONGEST:
            raise ExpressionFault(Words("kernel.expression_long", (("most", _LONGEST),)))
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ExpressionFault(_place(str(error), source)) from error
        self._check_references(names)

    def _check_references(self, names: Iterable[str] | None) -> None:
        called = {name for name in self._program.functions() if name.isidentifier()}
        if unknown := sorted(called - _FUNCTIONS):
            raise ExpressionFault(Words("kernel.expression_function", (("name", unknown[0]), ("known", " ".join(sorted(_FUNCTIONS))))))
        if names is None:
            return
        used = set(self._program.variables()) - set(_BOUND.findall(self.source))
        if unknown := sorted(used - set(names)):
            raise ExpressionFault(Words("kernel.expression_name", (("name", unknown[0]), ("known", " ".join(sorted(names))))))

    def value(self, data: Mapping[str, Any]) -> Any:
        """The value over the data; a missing name or a wrong kind of value raises ExpressionFault."""
        try:
            return self._program.execute(dict(data))
        except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as error:
            raise ExpressionFault(f"{self.source}: {_first_line(error)}") from error

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Whether the condition is true; a value that is no truth value raises ExpressionFault."""
        value = self.value(data)
        if not isinstance(value, bool):
            raise ExpressionFault(f"{self.source}: gives {type(value).__name__}, not true or false")
        return value

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def _place(said: str, source: str) -> Words:
    """The library tells line, column and, in English, what its grammar wanted; people need the place and what stands there."""
    found = _AT.search(said)
    column = int(found[1]) if found else 1
    here = source[column - 1 :].split(maxsplit=1)
    if not here:
        return Words("kernel.expression_unfinished")
    return Words("kernel.expression_equals" if here[0] == "=" else "kernel.expression_place", (("column", column), ("here", here[0])))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
