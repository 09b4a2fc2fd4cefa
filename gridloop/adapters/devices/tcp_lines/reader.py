"""Loggers that connect and send lines of text; a pattern with names says what stands in a line."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

import msgspec
import structlog

from gridloop.sdk.pushes import Push, PushFault, PushMapping
from gridloop.sdk.readers import Item, ReadFault, Take

log = structlog.get_logger("gridloop.gateway")
LINE_BYTES = 4_096
MOST_AT_ONCE = 1_000
DEFAULT_FROM = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``push`` reads the pattern's names as if they were fields of JSON; ``quiet``: seconds after which a logger's connection is ended.

    ``networks``: from where loggers may connect, since lines carry no password.
    """

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    pattern: str
    push: Push
    host: str = "0.0.0.0"
    encoding: str = "utf-8"
    quiet: Annotated[float, msgspec.Meta(gt=0)] = 900.0
    networks: tuple[str, ...] = DEFAULT_FROM
    source: str = "tcp_lines"


def build(settings: Mapping[str, Any]) -> LineReader:
    """Raises ``ValueError``."""
    found = msgspec.convert(settings, Settings)
    try:
        "".encode(found.encoding)
        return LineReader(found, re.compile(found.pattern))
    except (re.error, LookupError) as fault:
        raise ValueError(f"pattern or encoding: {fault}") from fault


class LineReader:
    """Implements ``sdk.readers.Reader``."""

    def __init__(self, settings: Settings, pattern: re.Pattern[str]) -> None:
        self._settings, self._pattern = settings, pattern
        self._mapping = PushMapping(settings.source, settings.push)
        self._networks = [ip_network(one) for one in settings.networks]
        self._open = 0
        self.port = settings.port

    async def run(self, take: Take) -> None:
        try:
            server = await asyncio.start_server(
                lambda reader, writer: self._hear(reader, writer, take), self._settings.host, self._settings.port, limit=LINE_BYTES
            )
        except OSError as fault:
            raise ReadFault(f"port {self._settings.port}: {fault}") from fault
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            await server.serve_forever()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Take) -> None:
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        self._open += 1
        try:
            if self._open > MOST_AT_ONCE or not any(ip_address(peer) in network for network in self._networks):
                log.warning("logger turned away", peer=peer, open=self._open)
                return
            while line := await asyncio.wait_for(reader.readline(), self._settings.quiet):
                take(self._items(line, peer))
        except TimeoutError:
            pass
        except (ValueError, OSError) as fault:  # a line without end, or a broken connection: this logger's alone
            log.warning("logger's connection ended", peer=peer, error=str(fault))
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _items(self, line: bytes, peer: str) -> list[Item]:
        text = line.decode(self._settings.encoding, "replace").strip()
        if not text:
            return []
        said = self._pattern.fullmatch(text)
        if said is None:
            log.warning("line not understood", peer=peer, line=text[:200])
            return []
        now = datetime.now(UTC).isoformat()
        items = []
        for item in self._mapping.items({name: value for name, value in said.groupdict().items() if value is not None}):
            if isinstance(item, PushFault):
                log.warning("line not understood", peer=peer, line=text[:200], at=item.pointer, why=item.key)
            else:
                items.append({"at": now} | item)
        return items
