"""What the reference is made from: verbs, settings, facts and text keys, read from the source as syntax trees; nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gridloop"
_SETTING = re.compile(r"GRIDLOOP_[A-Z_]+")
_FAULTS = {"Fault": 400, "_invalid": 422, "FieldFault": 0, "Wrong": 0}  # _invalid: a room's short way to Invalid


@cache
def rooms() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the product (tests and migrations left out) by its path in the repository."""
    paths = (p for p in sorted(PACKAGE.rglob("*.py")) if "tests" not in p.parts and "migrations" not in p.parts)
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def _walk() -> tuple[tuple[str, ast.AST], ...]:
    """Every node that the questions below ask about, walked once."""
    wanted = (ast.Call, ast.Constant, ast.JoinedStr, ast.ClassDef, ast.FunctionDef, ast.keyword)
    return tuple((path, node) for path, tree in sources().items() for node in ast.walk(tree) if isinstance(node, wanted))


def _name(node: ast.AST) -> str:
    """``f`` of ``f(…)``, ``x.f(…)``."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _texts_in(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


# ---- verbs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verb:
    permission: str
    name: str  # room.function
    says: str


def _decorated(path: str, node: ast.AST) -> Verb | None:
    if not isinstance(node, ast.FunctionDef):
        return None
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and _name(decorator) == "verb":
            permission = _texts_in(decorator)[0]
            says = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            return Verb(permission, f"{path.split('/')[1]}.{node.name}", says)
    return None


@cache
def verbs() -> tuple[Verb, ...]:
    found = (_decorated(path, node) for path, node in _walk())
    return tuple(sorted((v for v in found if v), key=lambda v: (v.permission, v.name)))


# ---- settings --------------------------------------------------------------------------------------------------------


@cache
def settings() -> dict[str, tuple[str, frozenset[str]]]:
    """Environment variables the product looks at: name → (default, files). Those only handed to children are not among them."""
    found: dict[str, tuple[str, set[str]]] = {}
    for path, node in _walk():
        for name, default in _looked_at(node):
            known, files = found.get(name, ("", set()))
            found[name] = (known or default, files | {path})
    return {name: (default, frozenset(files)) for name, (default, files) in sorted(found.items())}


def _looked_at(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get":
        default = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else ""
        yield _setting_name(node.args[0]), str(default)
    elif isinstance(node, ast.keyword) and node.arg == "envvar":
        yield _setting_name(node.value), ""


def _setting_name(node: ast.AST) -> str:
    """A name built from a kind (``GRIDLOOP_CHANNEL_{kind}``) is shown with a star."""
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return f"{node.values[0].value}*"
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def settings_named(path: Path) -> set[str]:
    """Every ``GRIDLOOP_…`` in a text file."""
    return set(_SETTING.findall(path.read_text(encoding="utf-8")))


# ---- facts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FactKind:
    action: str
    chain: str  # case, account, device, org
    data: tuple[str, ...]
    room: str


@cache
def facts() -> tuple[FactKind, ...]:
    """Every action somebody may append, with the keys of its data as far as they stand in the source."""
    merged: dict[tuple[str, str], tuple[set[str], str]] = {}
    for path, tree in sources().items():
        for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
            for chain, action, keys in _facts_of(path, function):
                known, room = merged.get((chain, action), (set(), path.split("/")[1]))
                merged[chain, action] = (known | keys, room)
    return tuple(FactKind(action, chain, tuple(sorted(keys)), room) for (chain, action), (keys, room) in sorted(merged.items()))


def _facts_of(path: str, function: ast.FunctionDef) -> Iterator[tuple[str, str, set[str]]]:
    for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
        name = _name(call)
        if name == "append" and isinstance(call.func, ast.Name) and len(call.args) >= 4:
            for action in _texts_in(call.args[1]):
                yield _chain(path, call.args[0]), action, _keys(call.args[2], function)
        elif name == "note" and len(call.args) == 2:
            for action in _actions(path, call.args[0]):
                yield "case", action, _keys(call.args[1], function)
        elif name == "FactIn":  # several facts at once, of a case or of devices; the machine's own are its notes
            for action in _texts_in(call.args[0]):
                yield {"registry": "device"}.get(path.split("/")[1], "case"), action, _keys(call.args[1], function)
        elif name == "log_sign_in":
            yield from (("account", action, {"count", "from", "method", "reason"}) for action in _texts_in(call.args[1]))
        elif name == "log_factor":
            yield "account", _texts_in(call.args[2])[0], {"from", "kind"}


def _actions(path: str, node: ast.AST) -> list[str]:
    """A constant, or all values of the table the action is looked up in."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    for call in (n for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)):
        table = ast.unparse(call.func.value)
        for found in (n for n in ast.walk(sources()[path]) if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == table):
            if isinstance(found.value, ast.Dict):
                return [text for value in found.value.values for text in _texts_in(value)]
    return []


def _chain(path: str, node: ast.AST) -> str:
    text = ast.unparse(node)
    if "case:" in text:
        return "case"
    if "account:" in text:
        return "account"
    if text == "'org'":
        return "org"
    return {"access": "account", "registry": "device"}.get(path.split("/")[1], "org")


def _keys(node: ast.AST, function: ast.FunctionDef) -> set[str]:
    """Keys of a dict literal, of the local it is assigned to, or of the dict handed to ``_with_note`` (which may add ``note``)."""
    if isinstance(node, ast.Dict):
        keys = {str(k.value) for k in node.keys if isinstance(k, ast.Constant)}
        spread = (v for k, v in zip(node.keys, node.values, strict=True) if k is None)
        return keys.union(*(_keys(v, function) for v in spread))
    if isinstance(node, ast.Call) and _name(node) == "_with_note":
        return _keys(node.args[0], function) | {"note"}
    if not isinstance(node, ast.Name):
        return set()
    keys: set[str] = set()
    for part in ast.walk(function):
        target: Any = part.targets[0] if isinstance(part, ast.Assign) else getattr(part, "target", None)
        if isinstance(part, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and target.id == node.id:
            keys |= _keys(part.value, function) if isinstance(part.value, ast.Dict) else set()
        elif isinstance(part, ast.Assign) and isinstance(target, ast.Subscript) and ast.unparse(target.value) == node.id:
            keys |= {str(target.slice.value)} if isinstance(target.slice, ast.Constant) else set()
        elif isinstance(part, ast.Call) and _name(part) == "_with_note" and ast.unparse(part.args[0]) == node.id:
            keys.add("note")
    return keys


# ---- texts -----------------------------------------------------------------------------------------------------------


@cache
def texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted(PACKAGE.glob("*/texts.yaml")):
        found |= yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return found


@cache
def text_keys_used() -> dict[str, str]:
    """Literals that look like a text key (``room.words``) → the file they stand in; permissions and jobs look the same."""
    shape = re.compile(rf"(?:{'|'.join(rooms())})\.[a-z0-9_]*[a-z0-9]")
    found: dict[str, str] = {}
    for path, node in _walk():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and shape.fullmatch(node.value):
            found.setdefault(node.value, path)
    return found


@cache
def text_prefixes() -> frozenset[str]:
    """What stands before the brace in ``f"cases.did_{action}"``."""
    shape = re.compile(rf"(?:{'|'.join(rooms())})\.[a-z0-9_]*")
    heads = (n.values[0] for _, n in _walk() if isinstance(n, ast.JoinedStr) and n.values)
    return frozenset(str(h.value) for h in heads if isinstance(h, ast.Constant) and shape.fullmatch(str(h.value)))


@cache
def status_of_faults() -> dict[str, tuple[int, ...]]:
    """Text key → the HTTP statuses it is raised with; 0 = a wrong field inside ``errors[]``."""
    classes = dict(_FAULTS)
    for _, node in _walk():  # own kinds of faults: a class with a ``status``
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "status" and isinstance(part.value, ast.Constant):
                    classes[node.name] = int(part.value.value)
    found: dict[str, set[int]] = {}
    for _, node in _walk():
        status = classes.get(_name(node)) if isinstance(node, ast.Call) else None
        if status is None or not isinstance(node, ast.Call):
            continue
        for argument in node.args[:3]:
            if isinstance(argument, ast.Constant) and argument.value in texts():
                found.setdefault(argument.value, set()).add(status)
    return {key: tuple(sorted(numbers)) for key, numbers in found.items()}
