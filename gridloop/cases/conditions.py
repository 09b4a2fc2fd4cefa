"""Conditions over many cases at once: the part of CEL that a database can count by, read, checked and told in words. Pure.

``kernel.expressions`` runs the whole language over one thing; over every case of a county that would take minutes. What is read here means
the same as there (a test holds the two against each other), and whatever cannot be said is a ``ConditionFault``, never left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gridloop.cases.types import case_types, type_name
from gridloop.kernel.texts import Words, all_texts, say

STATUSES = tuple(key.removeprefix("cases.status_") for key in all_texts() if key.startswith("cases.status_"))
NUMBERS = ("severity", "stars", "reworks", "returns", "merged_count")
WORDS = ("status", "type", "source", "card", "closed_by")
NAMES = (*WORDS, *NUMBERS)
CLOSED_BY = "done"  # how a case is closed when its process says nothing else
MOST_TRIED = 4096
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "startsWith", "endsWith", "contains"]
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?(?:\d+\.\d+|\d+)(?![\w.]))|(?P<text>'[^'\\\n]*'|"[^"\\\n]*")|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[=!<>]=|[<>!()\[\],.]))"""
)
_COMPARE = ("==", "!=", "<", "<=", ">", ">=")
_WITHIN = ("startsWith", "endsWith", "contains")


class ConditionFault(ValueError):
    """What stands there cannot be counted by; ``words`` say why and what can."""

    def __init__(self, words: Words) -> None:
        super().__init__(str(words))
        self.words = words


@dataclass(frozen=True, slots=True)
class Name:
    name: str

    @property
    def is_number(self) -> bool:
        return self.name in NUMBERS


@dataclass(frozen=True, slots=True)
class Compare:
    """``right``: what stands there; for ``in`` all of the list."""

    left: Name
    op: Operator
    right: str | float | Name | tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """All of the parts; of none: always."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """Any of the parts; of none: never."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Where the part does not hold."""

    part: Condition


Condition = Compare | Every | Some | Other
_MIRROR: Mapping[str, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def read(source: str) -> Condition:
    """The condition a text says; ConditionFault when it says what cannot be counted by."""
    return _Reader(source).whole()


def is_countable(source: str) -> bool:
    try:
        return bool(read(source))
    except ConditionFault:
        return False


@dataclass(slots=True)
class _Reader:
    source: str
    tokens: list[tuple[str, str, int]] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        place = 0
        while self.source[place:].strip():
            found = _TOKEN.match(self.source, place)
            if found is None:
                start = place + len(self.source[place:]) - len(self.source[place:].lstrip())
                raise self._fault(self.source[start], start)
            kind = str(found.lastgroup)
            self.tokens.append((kind, found[kind], found.start(kind)))
            place = found.end()

    def whole(self) -> Condition:
        found = self._some()
        if self.at < len(self.tokens):
            raise self._here()
        return found

    def _some(self) -> Condition:
        parts = [self._every()]
        while self._took("||"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _every(self) -> Condition:
        parts = [self._one()]
        while self._took("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self) -> Condition:
        if self._took("!"):
            if self._peek()[0] in ("name", "text", "number") and self._peek(1)[1] != "." and self._peek()[1] not in ("true", "false"):
                raise self._here()  # in CEL the sign belongs to the name alone, not to what it is compared with
            return Other(self._one())
        if self._took("("):
            inside = self._some()
            self._needs(")")
            return inside
        if self._peek()[:2] in (("name", "true"), ("name", "false")):
            return Every() if self._next()[1] == "true" else Some()
        return self._comparison()

    def _comparison(self) -> Condition:
        start = self.at
        left = self._operand()
        if isinstance(left, Name) and not left.is_number and self._took("."):
            return self._part_of(left)
        if isinstance(left, Name) and self._peek()[:2] == ("name", "in"):
            self._next()
            return Compare(left, "in", self._list(left))
        kind, op, _ = self._peek()
        if kind != "sign" or op not in _COMPARE:
            raise self._here()
        self._next()
        right = self._operand()
        if not isinstance(left, Name):
            if not isinstance(right, Name):
                raise self._here(start)
            return self._checked(right, _MIRROR[op], left, start)
        return self._checked(left, op, right, start)  # type: ignore[arg-type]

    def _checked(self, left: Name, op: Operator, right: str | float | Name, start: int) -> Condition:
        same = left.is_number == (right.is_number if isinstance(right, Name) else not isinstance(right, str))
        if not same or (not left.is_number and op not in ("==", "!=")):
            raise self._fault(self.source[self.tokens[start][2] :], self.tokens[start][2], "cases.condition_kinds", left.name)
        return Compare(left, op, right)

    def _part_of(self, left: Name) -> Condition:
        _, name, _ = self._peek()
        if name not in _WITHIN:
            raise self._here()
        self._next()
        self._needs("(")
        kind, text, _ = self._peek()
        if kind != "text":
            raise self._here()
        self._next()
        self._needs(")")
        return Compare(left, name, text[1:-1])  # type: ignore[arg-type]

    def _list(self, left: Name) -> tuple[str | float, ...]:
        self._needs("[")
        found: list[str | float] = []
        while not self._took("]"):
            if found:
                self._needs(",")
            start = self.at
            one = self._operand()
            if isinstance(one, Name) or isinstance(one, str) == left.is_number:
                raise self._fault(self.source[self.tokens[start][2] :], self.tokens[start][2], "cases.condition_kinds", left.name)
            found.append(one)
        return tuple(found)

    def _operand(self) -> Name | str | float:
        kind, text, _ = self._peek()
        if kind not in ("name", "text", "number") or (kind == "name" and text not in NAMES):
            raise self._here()
        self._next()
        return Name(text) if kind == "name" else text[1:-1] if kind == "text" else float(text)

    def _peek(self, further: int = 0) -> tuple[str, str, int]:
        at = self.at + further
        return self.tokens[at] if at < len(self.tokens) else ("", "", len(self.source))

    def _next(self) -> tuple[str, str, int]:
        self.at += 1
        return self.tokens[self.at - 1]

    def _took(self, sign: str) -> bool:
        found = self._peek()[:2] == ("sign", sign)
        self.at += found
        return found

    def _needs(self, sign: str) -> None:
        if not self._took(sign):
            raise self._here()

    def _here(self, at: int | None = None) -> ConditionFault:
        _, text, place = self._peek() if at is None else self.tokens[at]
        return self._fault(text, place)

    def _fault(self, here: str, place: int, key: str = "cases.condition_place", name: str = "") -> ConditionFault:
        params = (("column", place + 1), ("here", here or "…"), ("name", name), ("words", " ".join(WORDS)), ("numbers", " ".join(NUMBERS)))
        return ConditionFault(Words(key, params))


# ---- what it means ---------------------------------------------------------------------------------------------------

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "startsWith": lambda a, b: a.startswith(b),
    "endsWith": lambda a, b: a.endswith(b),
    "contains": lambda a, b: b in a,
}


def holds(condition: Condition, case: Mapping[str, str | float]) -> bool:
    """Whether it holds for a case, given by the names of ``NAMES``."""
    match condition:
        case Every(parts):
            return all(holds(part, case) for part in parts)
        case Some(parts):
            return any(holds(part, case) for part in parts)
        case Other(part):
            return not holds(part, case)
        case Compare(left, op, right):
            return _OPERATORS[op](case[left.name], case[right.name] if isinstance(right, Name) else right)


def comparisons(condition: Condition) -> Iterator[Compare]:
    match condition:
        case Compare():
            yield condition
        case Other(part):
            yield from comparisons(part)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from comparisons(part)


def _literals(one: Compare) -> tuple[str | float, ...]:
    return () if isinstance(one.right, Name) else one.right if isinstance(one.right, tuple) else (one.right,)


def known_words(closings: Collection[str]) -> dict[str, Collection[str]]:
    """By name every word it can be, where they are known; ``closings``: how the scene's process closes cases, none when it does not say."""
    known: dict[str, Collection[str]] = {"status": STATUSES, "card": ("", "yellow", "red"), "type": tuple(case_types())}
    return known | ({"closed_by": ("", *closings)} if closings else {})


def unknown_words(condition: Condition, closings: Collection[str]) -> Iterator[Words]:
    """Words nothing can ever be: such as a status there is not."""
    known = known_words(closings)
    for one in comparisons(condition):
        for word in _literals(one):
            name = one.left.name
            fits = _OPERATORS[one.op] if one.op in _WITHIN else _OPERATORS["=="]
            if name in known and not any(fits(whole, word) for whole in known[name]):
                allowed = " ".join(w or "''" for w in known[name]) if name != "type" else "packs/case_types.yaml"
                yield Words("cases.condition_word", (("name", name), ("word", str(word)), ("allowed", allowed)))


def can_hold(conditions: Collection[Condition], closed: bool, closings: Collection[str]) -> bool:
    """Whether any case can fulfil all of them; ``closed``: of closed cases. Where there is too much to try, it can."""
    all_of = Every(tuple(conditions))
    used = {one.left.name for one in comparisons(all_of)} | {one.right.name for one in comparisons(all_of) if isinstance(one.right, Name)}
    values = {name: _tried(name, all_of, closed, closings) for name in used | {"status", "closed_by"}}
    tries = 1
    for some in values.values():
        tries *= len(some)
    if tries > MOST_TRIED:
        return True
    for picked in itertools.product(*values.values()):
        case = dict(zip(values, picked, strict=True))
        if (case["status"] == "closed") == (case["closed_by"] != "") and holds(all_of, case):
            return True
    return False


def _tried(name: str, condition: Condition, closed: bool, closings: Collection[str]) -> list[str | float]:
    """A value of each sort that the condition could tell apart."""
    if name == "status":
        return ["closed"] if closed else list(STATUSES)
    written = {literal for one in comparisons(condition) for literal in _literals(one) if one.left.name == name}
    if name in NUMBERS:
        numbers = {float(n) for n in written if not isinstance(n, str)} | {0.0, 1.0}
        most = {"severity": (1, 4), "stars": (0, 5)}.get(name, (0, float("inf")))
        near = {n + d for n in numbers for d in (-1, -0.5, 0, 0.5, 1)}
        return [n for n in sorted(near) if most[0] <= n <= most[1] and (name == "stars" or n.is_integer())]
    if name in (known := known_words(closings)) and name != "type":
        return list(known[name])
    return [*sorted(str(w) for w in written), "", "\0"]


# ---- in words --------------------------------------------------------------------------------------------------------


def told(condition: Condition, lang: str, inside: bool = False) -> str:
    """As people read it; ``inside``: as a part of a longer one."""
    match condition:
        case Compare():
            return _told(condition, lang)
        case Other(part):
            return say("cases.condition_other", lang, what=told(part, lang))
        case Every(()):
            return say("cases.condition_all", lang)
        case Some(()):
            return say("cases.condition_none", lang)
        case Every(parts):
            words = say("cases.condition_and", lang).join(told(part, lang, True) for part in parts)
        case Some(parts):
            words = say("cases.condition_or", lang).join(told(part, lang, True) for part in parts)
    return say("cases.condition_brackets", lang, what=words) if inside else words


def _told(one: Compare, lang: str) -> str:
    name = say(f"cases.condition_{one.left.name}", lang)
    if isinstance(one.right, Name):
        value = say(f"cases.condition_{one.right.name}", lang)
    else:
        value = say("cases.condition_or", lang).join(_value(one.left.name, literal, lang) for literal in _literals(one)) or "–"
    op = {"==": "is", "!=": "is_not", "<": "less", "<=": "most", ">": "more", ">=": "least", "in": "is"}.get(one.op, one.op.lower())
    return say(f"cases.condition_{op}", lang, name=name, value=value)


def _value(name: str, literal: str | float, lang: str) -> str:
    if not isinstance(literal, str):
        number = f"{literal:g}"
        level = say(f"cases.severity_{number}", lang) if name == "severity" and number in ("1", "2", "3", "4") else ""
        return say("cases.condition_level", lang, number=number, name=level) if level else number
    if name == "type":
        literal = type_name(literal, lang)
    key = f"cases.status_{literal}" if name == "status" else f"cases.condition_{name}_{literal or 'none'}"
    word = say(key, lang) if key in all_texts() else literal or say("cases.condition_card_none", lang)
    return say("cases.condition_quoted", lang, what=word)
