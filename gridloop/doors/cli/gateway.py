"""``gridloop gateway``: reads Modbus, OPC UA and lines of text near the devices and sends what it reads to a platform."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any

import click
import httpx
import msgspec
import yaml

from gridloop.doors.gateway.buffer import Buffer
from gridloop.doors.gateway.run import Gateway
from gridloop.doors.logs import set_up
from gridloop.sdk.readers import Reader

READER_BOOK = "gridloop.project.devices"  # the project alone names adapters
_PLACE = r"(?: - at `(?P<place>[^`]*)`)?$"
_CHINESE = [
    (rf"Object contains unknown field `(?P<name>[^`]*)`{_PLACE}", "不认识的键“{name}”，请更正或删去"),
    (rf"Object missing required field `(?P<name>[^`]*)`{_PLACE}", "缺少“{name}”，请加一行"),
    (rf"Expected `object`, got `null`{_PLACE}", "没有内容，请写“键: 值”"),
    (rf"Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`{_PLACE}", "类型不对：须是 {wanted}，现在是 {got}"),
    (rf"Expected `(?P<wanted>\w+)` (?P<limit>.+?){_PLACE}", "值不合要求：须是 {wanted}，{limit}"),
]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``token_file`` or the variable ``GRIDLOOP_TOKEN``; ``buffer`` beside the settings by default."""

    to: Annotated[str, msgspec.Meta(pattern=r"^https?://")]
    readers: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]
    token_file: str = ""
    buffer: str = "gateway.db"
    ca_file: str = ""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only read the settings.")
def gateway(file: Path, check: bool) -> None:
    """Read field devices as FILE says and send the readings to a platform; Ctrl-C ends it.

    What could not be sent yet waits on disk.
    """
    settings, lines = _settings(file)
    readers = {f"{number} {name}": reader for number, (name, reader) in enumerate(_readers(lines, settings), 1)}
    token = _token(lines, settings)
    if check:
        click.echo(f"{len(readers)} readers / 个读取器: " + ", ".join(readers))
        return
    set_up("gateway")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(settings, readers, file.parent / settings.buffer, token))


class Lines:
    """Where in the file a part of the settings stands, by the place the library names (``$.readers[0].port``)."""

    def __init__(self, file: Path, root: yaml.Node | None) -> None:
        self.file, self._root = file, root

    def fault(self, fault: Exception, within: str = "$", prefix: str = "") -> click.ClickException:
        said = " ".join(str(fault).split())
        place = re.search(r" - at `\$([^`]*)`$", said)
        unknown = re.search(r"unknown field `([^`]*)`", said)
        path = within + (place[1] if place else "") + (f".{unknown[1]}" if unknown else "")
        return self.refused(path, f"{prefix}{_words(fault)}")

    def refused(self, path: str, said: str) -> click.ClickException:
        return click.ClickException(f"{self.file}:{self._line(path)}: {said}")

    def _line(self, path: str) -> int:
        """Of the part, or of the nearest one around it."""
        node, line = self._root, 1
        for name, number in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == name]
            elif isinstance(node, yaml.SequenceNode) and number:
                found = [(part, part) for part in node.value[int(number) : int(number) + 1]]
            else:
                found = []
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        return line


def _settings(file: Path) -> tuple[Settings, Lines]:
    lines = Lines(file, None)
    try:
        text = file.read_text(encoding="utf-8")
        lines = Lines(file, yaml.compose(text, yaml.SafeLoader))
        return msgspec.convert(yaml.safe_load(text), Settings), lines
    except yaml.MarkedYAMLError as fault:
        told = f"no YAML: {fault.problem} / 不是正确的 YAML，请核对这里的缩进、冒号、引号和括号"
        raise click.ClickException(f"{file}:{_line_of(fault, text)}: {told}") from fault
    except (ValueError, yaml.YAMLError) as fault:
        raise lines.fault(fault) from fault


_OPENS, _CLOSES = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken), (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def _line_of(fault: yaml.MarkedYAMLError, text: str) -> int:
    """Where it is to be mended: of a bracket or quote that nobody closed where it opens, not where the library noticed."""
    if fault.problem == "found unexpected end of stream" and fault.context_mark:
        return int(fault.context_mark.line) + 1
    seen = int(fault.problem_mark.line) + 1 if fault.problem_mark else 1
    opened: list[int] = []
    with contextlib.suppress(yaml.YAMLError):
        for token in yaml.scan(text, yaml.SafeLoader):
            if isinstance(token, _OPENS):
                opened.append(int(token.start_mark.line) + 1)
            elif isinstance(token, _CLOSES) and opened:
                opened.pop()
    return max((line for line in opened if line <= seen), default=seen)


def _words(fault: Exception) -> str:
    """What the library says of settings, in English, and what to do about it in Chinese."""
    said = " ".join(str(fault).split())
    for begins, chinese in _CHINESE:
        if found := re.match(begins, said):
            place = f" ({found['place']})" if found["place"] else ""
            return f"{said} / {chinese.format(**found.groupdict())}{place}"
    return said


def _readers(lines: Lines, settings: Settings) -> list[tuple[str, Reader]]:
    found = []
    known = resolve_name(f"{READER_BOOK}:readers")()
    for number, words in enumerate(settings.readers):
        name, within = str(words.get("reader", "")), f"$.readers[{number}]"
        try:
            reader = resolve_name(f"{READER_BOOK}:reader")(name, {key: value for key, value in words.items() if key != "reader"})
        except LookupError:
            told = f"there is no reader {name!r}; there are: {', '.join(known)} / 没有读取器“{name}”，可用：{', '.join(known)}"
            raise lines.refused(f"{within}.reader", f"readers[{number}]: {told}") from None
        except ValueError as fault:
            raise lines.fault(fault, within, f"readers[{number}] ({name}): ") from fault
        found.append((name, reader))
    return found


def _token(lines: Lines, settings: Settings) -> str:
    if settings.token_file:
        try:
            return (lines.file.parent / settings.token_file).read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise lines.refused("$.token_file", f"token_file: {fault} / 读不了令牌文件") from fault
    if token := os.environ.get("GRIDLOOP_TOKEN", ""):
        return token
    raise lines.refused("$", "token_file or GRIDLOOP_TOKEN is needed / 需要 token_file 或环境变量 GRIDLOOP_TOKEN")


async def _run(settings: Settings, readers: dict[str, Reader], file: Path, token: str) -> None:
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    buffer = Buffer(file)
    verify: Any = settings.ca_file or True
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=settings.to, headers=headers, timeout=30, verify=verify, trust_env=False) as client:
        try:
            await Gateway(readers, buffer, client).run()
        finally:
            buffer.close()
