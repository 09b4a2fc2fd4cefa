"""Write docs/reference from the code: HTTP, commands, settings, facts, permissions, errors, processes. Needs no database.

Usage: ``.venv/bin/python tools/reference.py``. A test is red while a page differs from what this prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

import click  # noqa: E402
import source_reader as source  # noqa: E402
import yaml  # noqa: E402
from reference_words import ACCOUNTS, DOORS, FACTS, GROUPS, INTROS, SETTINGS  # noqa: E402

FOLDER = source.ROOT / "docs" / "reference"
MADE = "<!-- made by tools/reference.py: do not edit -->\n\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").strip() or "–"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(c) for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n\n"


def _code(words: Iterable[str]) -> str:
    return " ".join(f"`{w}`" for w in words)


# ---- HTTP ------------------------------------------------------------------------------------------------------------


def _api() -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridloop.project.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from gridloop.doors.http.api import api

    return dict(api.get_openapi_schema(path_prefix="/api/v1/"))


def _type(schema: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " ".join(str(v) or "''" for v in schema["enum"])
    if "anyOf" in schema:
        return ", ".join(dict.fromkeys(_type(s) for s in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return str(schema.get("format") or schema.get("const") or schema.get("type") or "any")


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    words = []
    for kind, inner in content.items():
        short = {"application/json": "", "multipart/form-data": "multipart "}.get(kind, f"{kind} ")
        schema = inner["schema"]
        words.append(short + (_type(schema) if "$ref" in schema or "anyOf" in schema else " ".join(schema.get("properties", {}))))
    return " or ".join(words)


def _answer(operation: dict[str, Any]) -> str:
    words = []
    for status, answer in operation["responses"].items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        words.append(f"{status} {_type(schema) if schema else ''}".strip())
    return ", ".join(words)


def _call_row(path: str, method: str, operation: dict[str, Any]) -> tuple[str, ...]:
    query = _code(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
    return f"`{method.upper()} {path}`", operation.get("summary", ""), query, _body(operation), _answer(operation)


def http() -> str:
    document = _api()
    text = "# HTTP\n\n" + MADE + DOORS
    tags: dict[str, list[tuple[str, ...]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(_call_row(path, method, operation))
    for tag, rows in tags.items():
        text += f"## {tag}\n\n" + _table(("call", "meaning", "query", "body", "answer"), rows)
    text += "## Shapes\n\nWords in brackets are lists. `*` = must be given.\n\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        if "properties" in schema:
            must = schema.get("required", ())
            fields = ", ".join(f"`{n}`{'*' if n in must else ''} {_type(s)}" for n, s in schema["properties"].items())
            text += f"- **{name}**: {fields}\n"
    return text


# ---- commands --------------------------------------------------------------------------------------------------------


def _option(parameter: click.Parameter) -> tuple[str, str, str]:
    if isinstance(parameter, click.Option):
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
        shown = name if parameter.is_flag else f"{name} {parameter.metavar or parameter.type.name.upper()}"
        default = parameter.default if parameter.show_default and not parameter.is_flag else ""
        return f"`{shown}`", parameter.help or "", str(default)
    return f"`{parameter.make_metavar(click.Context(click.Command('x')))}`", "", ""


def commands() -> str:
    from gridloop.doors.cli.main import COMMANDS, cli

    text = "# Commands\n\n" + MADE
    text += INTROS["commands"]
    text += _table(("command", "does"), ((f"[`{name}`](#gridloop-{name})", line) for name, (_, line) in COMMANDS.items()))
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        context = click.Context(command, info_name=f"gridloop {name}")
        text += (
            f"## gridloop {name}\n\n{(command.help or '').strip()}\n\n```\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n\n"
        )
        rows = [_option(p) for p in command.params if isinstance(p, click.Option)]
        text += _table(("option", "meaning", "default"), rows)
    return text


# ---- settings --------------------------------------------------------------------------------------------------------


def settings() -> str:
    found = source.settings()
    text = "# Settings\n\n" + MADE
    text += INTROS["settings"]
    for group, title in GROUPS.items():
        rows = [(f"`{name}`", words[1], f"`{found.get(name, ('',))[0]}`" if found.get(name, ("",))[0] else "–")
                for name, words in SETTINGS.items() if words[0] == group]  # fmt: skip
        text += f"## {title}\n\n" + _table(("variable", "meaning", "default"), rows)
    text += "## Channels\n\n`GRIDLOOP_CHANNEL_SMS`, `_APP`, `_VOICE`, `_EMAIL`, `_SPEAKER`, `_CONTROL` name an adapter and its address. "
    text += "There are:\n\n"
    rows = []
    for path in sorted((source.PACKAGE / "adapters" / "channels").glob("*/manifest.yaml")):
        one = yaml.safe_load(path.read_text(encoding="utf-8"))
        readme = f"[README](../../{(path.parent / 'README.md').relative_to(source.ROOT)})"
        kinds, real = " ".join(one["kinds"]), "yes" if one["real"] else "no"
        rows.append((f"`{one['id']}`", f"{one['title']['zh']} {one['title']['en']}", kinds, real, f"`{one['example']}`", readme))
    text += _table(("adapter", "what", "kinds", "reaches people", "example", "more"), rows)
    return text + "While any adapter that reaches people is set, the deployment clock cannot be moved.\n"


# ---- facts -----------------------------------------------------------------------------------------------------------


def facts() -> str:
    from gridloop.journal.rules import RETENTION

    texts = source.texts()
    text = "# Facts\n\n" + MADE
    text += INTROS["facts"]
    for chain, title in (("case", "Case 事件 `case:<code>`"), ("account", "Account 账号 `account:<id>`"),
                         ("device", "Device 设备 `device:<code>`"), ("org", "Organisation 组织 `org`")):  # fmt: skip
        rows = []
        for fact in (f for f in source.facts() if f.chain == chain):
            room = {"case": "cases", "account": "access"}.get(chain, "")
            said = texts.get(f"{room}.did_{fact.action}", {})
            zh, en = FACTS.get(fact.action, (said.get("zh", ""), said.get("en", "")))
            rows.append((f"`{fact.action}`", zh, en, _code(fact.data), fact.room))
        text += f"## {title}\n\n" + _table(("action", "中文", "English", "data", "room"), rows)
    text += "## Case status\n\n"
    rows = [(f"`{k.removeprefix('cases.status_')}`", v["zh"], v["en"]) for k, v in texts.items() if k.startswith("cases.status_")]
    text += _table(("status", "中文", "English"), rows)
    text += "## Sealed values 封存的值\n\nErased with their key when their time is over (job `retention`), or sooner on request.\n\n"
    kept = ((f"`{purpose}`", one.zh, one.en, str(one.days)) for purpose, one in RETENTION.items())
    return text + _table(("purpose", "中文", "English", "days"), kept)


# ---- permissions -----------------------------------------------------------------------------------------------------


def permissions() -> str:
    from gridloop.access.rules import PERMISSIONS, ROLES, SAMPLE_ROLES

    text = "# Roles and permissions\n\n" + MADE
    text += INTROS["permissions"]
    users = {role: user for user, role in SAMPLE_ROLES.items()}
    rows = [(f"`{r.key}`", r.zh, r.en, users.get(r.key, ""), "yes" if r.territory else "own only") for r in ROLES.values()]
    text += "## Roles\n\n" + _table(("role", "中文", "English", "sample log-in", "sees its territory"), rows)
    text += "## Permissions\n\n"
    marks = [(f"`{p}`", zh, en, *("●" if p in role.permissions else " " for role in ROLES.values())) for p, (zh, en) in PERMISSIONS.items()]
    text += _table(("permission", "中文", "English", *(k.replace("_", " ") for k in ROLES)), marks).replace("| – ", "|   ")
    text += "## Verbs\n\nEvery write is a function with a permission; it runs in one transaction with its facts.\n\n"
    return text + _table(("permission", "verb", "does"), ((f"`{v.permission}`", f"`{v.name}`", v.says) for v in source.verbs())) + ACCOUNTS


# ---- errors ----------------------------------------------------------------------------------------------------------


def errors() -> str:
    statuses, prefixes = source.status_of_faults(), source.text_prefixes()
    text = "# Errors\n\n" + MADE
    text += INTROS["errors"]
    for room in source.rooms():
        rows = []
        for key, said in source.texts().items():
            if key.split(".")[0] == room and not any(key.startswith(p) for p in prefixes):
                status = " ".join(str(s) for s in statuses.get(key, ()) if s) or "part"
                rows.append((f"`{key}`", status, said["zh"], said["en"]))
        if rows:
            text += f"## {room}\n\n" + _table(("key", "HTTP", "中文", "English"), rows)
    return text


# ---- processes -------------------------------------------------------------------------------------------------------

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_OURS = "{urn:gridloop:bpmn:1}"


def _ours(element: ElementTree.Element, name: str) -> str:
    return element.get(_OURS + name, "")


def _process(path: Path) -> str:
    process = ElementTree.parse(path).getroot().find(f"{_BPMN}process")
    assert process is not None
    said = (process.findtext(f"{_BPMN}documentation") or "").strip()
    text = f"## {path.stem}\n\n{process.get('name')} · {_ours(process, 'titleEn')}: {said}\n\n"
    params = [(f"`{p.get('name')}`", p.get("kind"), p.get("title"), p.get("titleEn"), p.get("default") or "must be given")
              for p in process.iter(f"{_OURS}param")]  # fmt: skip
    text += "Parameters (given in `pack.yaml`):\n\n" + _table(("name", "kind", "中文", "English", "default"), params)
    tasks = [(f"`{t.get('id')}`", t.get("name"), _ours(t, "titleEn"), f"`{_ours(t, 'performer')}`", _ours(t, "stage"),
              _ours(t, "verbs"), _ours(t, "status"), _ours(t, "must")) for t in process.iter(f"{_BPMN}userTask")]  # fmt: skip
    text += "Tasks of people:\n\n" + _table(("id", "中文", "English", "performer", "stage", "verbs", "status", "must"), tasks)
    calls = [
        (f"`{s.get('id')}`", s.get("name"), _ours(s, "titleEn"), f"`{_ours(s, 'operation')}`") for s in process.iter(f"{_BPMN}serviceTask")
    ]
    text += "What the product does by itself:\n\n" + _table(("id", "中文", "English", "operation"), calls)
    waits = [(f"`{e.get('id')}`", e.get("name"), (e.findtext(f".//{_BPMN}timeDuration") or "message").strip())
             for e in process.iter(f"{_BPMN}intermediateCatchEvent")]  # fmt: skip
    return text + ("Waits:\n\n" + _table(("id", "中文", "until"), waits) if waits else "")


def processes() -> str:
    text = "# Processes\n\n" + MADE
    text += INTROS["processes"]
    return text + "".join(_process(path) for path in sorted((source.ROOT / "processes").glob("*.bpmn")))


PAGES: dict[str, Callable[[], str]] = {
    "http.md": http,
    "commands.md": commands,
    "settings.md": settings,
    "facts.md": facts,
    "permissions.md": permissions,
    "errors.md": errors,
    "processes.md": processes,
}


def page(name: str) -> str:
    """The page as it should be: made text ends with one line break."""
    return PAGES[name]().rstrip() + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (FOLDER / name).write_text(page(name), encoding="utf-8")
        click.echo(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
