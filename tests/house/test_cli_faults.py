"""What is wrong on the command line is told in both languages, whatever the library finds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gridloop.doors.cli.faults import both
from gridloop.doors.cli.main import cli

CHINESE = re.compile("[\u4e00-\u9fff]")
LIBRARY = Path(click.__file__).parent
# What a person on the command line never meets: labels and help, faults of who wrote a command.
NO_FAULTS = (
    "Error: {message}", "Try '{command} {option}' for help.", "Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)",
    "Missing {param_type}", "unknown error", "Invalid start character for option ({option})", "file", "directory", "path",
    "Choice({choices})", "Choose from:\n\t{choices}", "Aborted!", "deprecated", "(dynamic)", "Options", "Positional arguments", "Commands",
    "env var: {var}", "default: {default}", "Name '{name}' defined twice", "Value must be an iterable.",
    "Boolean option {decl!r} cannot use the same flag for true/false.", "Could not determine name for option with declarations {decls!r}",
)  # fmt: skip
NOT_TOLD = re.compile("DeprecationWarning|^No options defined but|Arguments take exactly one")
FILLED = {"number_type": "integer", "name": "a", "len_type": "2", "len_value": "1", "len": "1", "nargs": "2", "choice": "'x'"}


@pytest.mark.parametrize(
    ("line", "told", "chinese"),
    [
        (
            "up --prot 8000",
            "No such option '--prot'. (Did you mean one of: '--host', '--port'",
            "没有选项 --prot。是不是 '--host', '--port'",
        ),
        ("uo", "No such command 'uo'.", "没有命令 uo"),
        ("up here", "Got unexpected extra argument (here)", "多出的参数：here"),
        ("token", "Missing argument 'USERNAME'.", "缺少参数 'USERNAME'"),
        ("up --port", "Option '--port' requires an argument.", "选项 --port 后面要写值"),
        ("up --port eight", "Invalid value for '--port': 'eight' is not a valid integer range.", "'--port' 的值不对：'eight' 不是整数"),
        ("up --empty=1", "Option '--empty' does not take a value.", "选项 --empty 后面不能写值"),
        ("--port", "No such option '--port'.", "没有选项 --port"),
        ("import wishes file.csv", "'wishes' is not one of 'buildings'", "'wishes' 不在可选范围：'buildings'"),
        ("adapters web /nowhere.csv", "File '/nowhere.csv' does not exist.", "文件 '/nowhere.csv' 不存在"),
    ],
)
def test_it_is_told_in_both(line: str, told: str, chinese: str) -> None:
    done = CliRunner().invoke(cli, line.split(), prog_name="gridloop")
    assert done.exit_code == 2, done.output
    (error,) = (one for one in done.output.splitlines() if one.startswith("Error:"))
    assert told in error
    assert chinese in error.partition(" / ")[2]
    if "Usage: gridloop" in done.output:
        assert re.search("Try gridloop.* -h for help. / 用法见 gridloop", done.output)


def test_what_we_say_ourselves_is_not_said_twice() -> None:
    done = CliRunner().invoke(cli, ["adapters", "the_things_stack"], prog_name="gridloop")
    (error,) = (one for one in done.output.splitlines() if one.startswith("Error:"))
    assert error.count(" / ") == 1, error
    assert "缺少 FILE" in error
    assert both("Invalid value for 'X': too late / 太晚") == "Invalid value for 'X': too late / 'X' 的值不对：太晚"


def sentences() -> Iterator[str]:
    """All the library marks for translation."""
    for name in ("core", "exceptions", "parser", "types"):
        for node in ast.walk(ast.parse((LIBRARY / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
                yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))


class Fill(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "x"


def filled(sentence: str) -> str:
    things = Fill(FILLED | ({"name": "File"} if "{filename" in sentence else {}))
    return sentence.format_map(things) + "." * (sentence in ("Missing argument", "Missing option"))


def test_every_sentence_of_the_library_is_known() -> None:
    found = {one for one in sentences() if one not in NO_FAULTS and not NOT_TOLD.search(one)}
    assert len(found) > 25
    assert [one for one in sorted(found) if not CHINESE.search(both(filled(one)))] == []
    assert set(NO_FAULTS) <= set(sentences()), "what the library no longer says need not stand here"
