"""``POST /api/v1/signals`` as bare ASGI: 202 only when the log has every accepted signal."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import Any
from urllib.parse import parse_qs

import orjson
from msgspec.structs import replace
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gridloop.doors.figures import registry
from gridloop.doors.ingest import body as bodies
from gridloop.doors.ingest import figures
from gridloop.doors.ingest.auth import Sender, Senders, Unauthorized
from gridloop.doors.ingest.mqtt import MqttDoor
from gridloop.doors.ingest.quick import STRIDE, Reader
from gridloop.doors.ingest.writer import Writer
from gridloop.doors.logs import request_id
from gridloop.doors.pushes import kept, push_book
from gridloop.kernel import clock, tracing
from gridloop.kernel.errors import Fault, NotFound, TooMuch, Unavailable
from gridloop.kernel.ids import uuid7
from gridloop.kernel.texts import say
from gridloop.sdk.pushes import PushFault, PushMapping
from gridloop.sdk.signals import Signal
from gridloop.signals.connection import KeptConnection
from gridloop.signals.log import appending
from gridloop.signals.rules import Defaults, ItemFault, parse_item

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WITHIN_SECONDS = 1.5  # answered within 2 s of the body's end, whatever the database does
TURN_SECONDS = 1.0  # for the append before to end: what waits longer fails before its senders are answered for
READ_SECONDS = 60.0  # for a whole body: one that drips is given up
_COLLECT = 20_000  # objects made and still there before Python's collector looks for cycles: rows of a batch are none
_MAPPED = 50  # events of a push between two looks at how many they are
_mapper = ThreadPoolExecutor(1, "push")
_APART = timedelta(microseconds=1)  # events of one push that say no time: readings of one device at one moment would be one


class NotAllowed(Fault):
    """Another method (405)."""

    status = 405


class TooSlow(Fault):
    """The body did not come in time (408)."""

    status = 408


class SignalsApp:
    """The door. One instance per process; ``writer.run()`` must be running."""

    def __init__(
        self, writer: Writer, senders: Senders, read_seconds: float = READ_SECONDS, pushes: Mapping[str, PushMapping] | None = None
    ) -> None:
        self._writer = writer
        self._pushes = pushes or {}
        self._senders = senders
        self._read_seconds = read_seconds

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return None
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path = scope["path"].rstrip("/")
        if path == "/healthz":
            return await _answer(send, 200, {"status": "ok"})
        if path == "/metrics":
            return await _send(send, 200, generate_latest(registry()), CONTENT_TYPE_LATEST)
        if path != "/api/v1/signals":
            return await _answer(send, 404, {"type": "about:blank", "title": "not found"}, problem=True)
        number = request_id(headers.get("x-request-id", ""))
        lang = language(headers.get("accept-language", ""))
        try:
            if scope["method"] != "POST":
                raise NotAllowed("signals.method")
            with tracing.span("POST /api/v1/signals", headers.get("traceparent", ""), "server"):
                taken = await self._take(headers, receive, lang, self._mapping(scope.get("query_string", b"")))
            return await _answer(send, 202, taken, headers=[(b"x-request-id", number.encode())])
        except Fault as fault:
            logging.getLogger("gridloop.access_log").info("request", extra={"request": number, "route": path, "status": fault.status})
            return await _refuse(send, fault, lang, number)

    def _mapping(self, query: bytes) -> PushMapping | None:
        """``?from=NAME``: what another platform pushes, in its own words."""
        name = parse_qs(query.decode("latin-1")).get("from", [""])[0]
        if not name:
            return None
        if name not in self._pushes:
            raise NotFound("signals.no_such_push", name=name[:64], known=", ".join(sorted(self._pushes)))
        return self._pushes[name]

    async def _take(self, headers: dict[str, str], receive: Receive, lang: str, mapping: PushMapping | None) -> dict[str, Any]:
        began = time.monotonic()
        sender = await self._within(self._senders.check(headers.get("authorization", "")))
        left = WITHIN_SECONDS - (time.monotonic() - began)
        raw = bodies.unpack(await self._read(headers, receive), headers.get("content-encoding", "").strip().lower())
        kind = headers.get("content-type", "")
        signals, rejected = await parse(raw, "ndjson" in kind or "jsonl" in kind, sender, lang, mapping)
        with tracing.span("signal log append", kind="producer", signals=len(signals)):
            if place := tracing.here():
                signals = [replace(s, trace=place) for s in signals]
            outcome = await self._writer.append(signals, max(left, 0.1))
        figures.ACCEPTED.labels("http").inc(outcome.accepted)
        figures.DUPLICATES.labels("http").inc(outcome.duplicates)
        figures.REJECTED.labels("http").inc(len(rejected))
        return {"accepted": outcome.accepted, "duplicates": outcome.duplicates, "rejected": rejected}

    async def _read(self, headers: dict[str, str], receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._read_seconds):
                return await _read(headers, receive)
        except TimeoutError:
            raise TooSlow("doors.too_slow") from None

    async def _within(self, looking: Awaitable[Sender]) -> Sender:
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await looking
        except TimeoutError:
            raise Unavailable("signals.unavailable") from None


async def parse(
    body: bytes, ndjson: bool, sender: Sender, lang: str, mapping: PushMapping | None = None
) -> tuple[list[Signal], list[dict[str, Any]]]:
    """A body to signals; the refused items with index and reason in the caller's language."""
    if mapping:
        return await _parse_pushed(bodies.items(body, ndjson), mapping, sender, lang)
    now = clock.now()
    reader = None if sender.device else Reader(now, kept())
    if reader and (plain := await reader.body(body, ndjson)):
        return plain, []
    defaults = Defaults(device=sender.device) if sender.device else None
    signals: list[Signal] = []
    rejected: list[dict[str, Any]] = []
    for index, raw in enumerate(bodies.items(body, ndjson)):
        try:
            if isinstance(raw, ItemFault):
                raise raw
            signals.append((reader and reader.item(raw)) or parse_item(raw, now, defaults, kept()))
        except ItemFault as refused:
            rejected.append(_rejected(index, refused, lang))
        if index % STRIDE == STRIDE - 1:
            await asyncio.sleep(0)
    return signals, rejected


def _rejected(index: int, refused: ItemFault, lang: str) -> dict[str, Any]:
    fault = refused.fault
    return {"index": index, "error": say(fault.key, lang, **fault.params), "pointer": fault.pointer}


async def _parse_pushed(
    payloads: Sequence[object], mapping: PushMapping, sender: Sender, lang: str
) -> tuple[list[Signal], list[dict[str, Any]]]:
    """The same of another platform's words. Paths are followed in a thread, a few events at a time: whatever a path looks through, plain

    requests go on beside it. One payload may hold any number of events: they count, and what is read of them.
    """
    now, loop = clock.now(), asyncio.get_running_loop()
    events = enumerate(mapped(payloads, mapping))
    signals: list[Signal] = []
    rejected: list[dict[str, Any]] = []
    count = 0
    while found := await loop.run_in_executor(_mapper, lambda: list(islice(events, _MAPPED))):
        count += sum(max(1, len(items)) for _, items in found)
        if count > bodies.MOST_ITEMS:
            raise TooMuch("signals.too_many", most=bodies.MOST_ITEMS)
        for index, raw in ((index, raw) for index, items in found for raw in items):
            try:
                if isinstance(raw, ItemFault):
                    raise raw
                at = now + len(signals) * _APART
                signals.append(parse_item(raw, now, Defaults(device=sender.device, at=at, id=str(uuid7())), kept()))
            except ItemFault as refused:
                rejected.append(_rejected(index, refused, lang))
    return signals, rejected


def mapped(payloads: Sequence[object], mapping: PushMapping) -> Iterator[list[object]]:
    """Event by event, the items that payloads of another platform say; what cannot be read stands as its ``ItemFault``."""
    for payload in payloads:
        if isinstance(payload, ItemFault):
            yield [payload]
            continue
        try:
            for items in mapping.events(payload):
                yield [ItemFault(item.pointer, item.key, **item.params) if isinstance(item, PushFault) else item for item in items]
        except RecursionError:
            yield [ItemFault("", "signals.too_deep")]


def language(accept: str) -> str:
    """The first language we speak in an Accept-Language header; Chinese otherwise."""
    for part in accept.lower().split(","):
        if part.strip()[:2] in ("zh", "en"):
            return part.strip()[:2]
    return "zh"


async def _read(headers: dict[str, str], receive: Receive) -> bytes:
    too_large = TooMuch("signals.too_large", most=bodies.MOST_BYTES // 2**20)
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > bodies.MOST_BYTES:
        raise too_large
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Fault("signals.empty")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bodies.MOST_BYTES:
            raise too_large
        more = message.get("more_body", False)
    return b"".join(parts)


async def _refuse(send: Send, fault: Fault, lang: str, number: str) -> None:
    headers = [(b"x-request-id", number.encode())]
    retry = {429: fault.params.get("retry_after", 1), 503: 2}.get(fault.status)
    if retry is not None:
        headers.append((b"retry-after", str(retry).encode()))
    if isinstance(fault, Unauthorized):
        headers.append((b"www-authenticate", b'Bearer, Basic realm="device"'))
    if isinstance(fault, NotAllowed):
        headers.append((b"allow", b"POST"))
    if isinstance(fault, TooSlow):
        headers.append((b"connection", b"close"))
    text = say(fault.key, lang, **fault.params)
    title = say(f"doors.status_{fault.status}", lang)
    problem = {"type": f"urn:gridloop:{fault.key}", "title": title, "detail": text, "status": fault.status, "errors": []}
    await _answer(send, fault.status, problem, problem=True, headers=headers)


async def _answer(
    send: Send, status: int, value: object, *, problem: bool = False, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    kind = "application/problem+json" if problem else "application/json"
    await _send(send, status, orjson.dumps(value), kind, headers)


async def _send(send: Send, status: int, content: bytes, kind: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    head = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": content})


class Process:
    """The whole ingest process as one ASGI application: its lifespan starts the writer and the devices' door."""

    def __init__(self) -> None:
        self._app: SignalsApp | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        url = os.environ.get("GRIDLOOP_INGEST_URL", "")
        if not url:
            await send({"type": "lifespan.startup.failed", "message": "GRIDLOOP_INGEST_URL is not set: start with `gridloop up`"})
            return
        writer = Writer(appending(KeptConnection(url, "gridloop-ingest", TURN_SECONDS)))
        senders = Senders(KeptConnection(url, "gridloop-ingest-auth"))
        pushes, faults = push_book()
        for fault in faults:
            figures.LOG.error("adapter not loaded", error=str(fault))
        self._app = SignalsApp(writer, senders, pushes=pushes)
        self._tasks = [asyncio.create_task(writer.run())]
        if nats_url := os.environ.get("GRIDLOOP_NATS_URL"):
            self._tasks.append(asyncio.create_task(MqttDoor(nats_url, writer, senders).run()))
        for task in self._tasks:
            task.add_done_callback(_end_process)
        gc.collect()
        gc.freeze()  # what is here now stays: the collector, whom rows on their way to the log call often, need not look through it
        gc.set_threshold(_COLLECT)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in self._tasks:
            task.remove_done_callback(_end_process)
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})


def _end_process(task: asyncio.Task[None]) -> None:
    """A task that ends by itself leaves half a door: end, and let the supervisor start a whole one."""
    figures.LOG.error("ingest task ended", error=repr(task.exception()))
    os._exit(1)


app = Process()
