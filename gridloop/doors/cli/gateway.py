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
    settings = _settings(file)
    readers = {f"{number} {name}": reader for number, (name, reader) in enumerate(_readers(file, settings), 1)}
    token = _token(file, settings)
    if check:
        click.echo(f"{len(readers)} readers / 个读取器: " + ", ".join(readers))
        return
    set_up("gateway")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(settings, readers, file.parent / settings.buffer, token))


def _settings(file: Path) -> Settings:
    try:
        return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), Settings)
    except (ValueError, yaml.YAMLError) as fault:
        raise click.ClickException(f"{file}: {_words(fault)}") from fault


def _words(fault: Exception) -> str:
    """What the library says of settings, in English, and what to do about it in Chinese."""
    said = " ".join(str(fault).split())
    for begins, chinese in _CHINESE:
        if found := re.match(begins, said):
            place = f" ({found['place']})" if found["place"] else ""
            return f"{said} / {chinese.format(**found.groupdict())}{place}"
    return said


def _readers(file: Path, settings: Settings) -> list[tuple[str, Reader]]:
    found = []
    known = resolve_name(f"{READER_BOOK}:readers")()
    for number, words in enumerate(settings.readers):
        name = str(words.get("reader", ""))
        try:
            reader = resolve_name(f"{READER_BOOK}:reader")(name, {key: value for key, value in words.items() if key != "reader"})
        except LookupError:
            told = f"there is no reader {name!r}; there are: {', '.join(known)} / 没有读取器“{name}”，可用：{', '.join(known)}"
            raise click.ClickException(f"{file}: readers[{number}]: {told}") from None
        except ValueError as fault:
            raise click.ClickException(f"{file}: readers[{number}] ({name}): {_words(fault)}") from fault
        found.append((name, reader))
    return found


def _token(file: Path, settings: Settings) -> str:
    if settings.token_file:
        try:
            return (file.parent / settings.token_file).read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise click.ClickException(f"{file}: token_file: {fault} / 读不了令牌文件") from fault
    if token := os.environ.get("GRIDLOOP_TOKEN", ""):
        return token
    raise click.ClickException(f"{file}: token_file or GRIDLOOP_TOKEN is needed / 需要 token_file 或环境变量 GRIDLOOP_TOKEN")


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
