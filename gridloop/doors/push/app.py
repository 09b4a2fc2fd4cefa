"""``GET /api/v1/live``: server-sent events, scoped like the lists, resumed by ``Last-Event-ID`` without loss."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridloop.project.settings")

import django

django.setup()

import structlog
from django.conf import settings
from django.db import close_old_connections

from gridloop.access.selectors import check_bearer, viewer_for, viewer_of_session
from gridloop.doors import figures
from gridloop.doors.push.tail import Message, Place, Tail, event_id, read_event_id
from gridloop.kernel.errors import Fault
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import Viewer

log = structlog.get_logger()
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEARTBEAT = 15.0  # seconds between comments that keep the line open
FRAME_EVERY = 0.26  # a screen gets less than four frames a second; one case's changes within a frame are one message
RIGHTS_EVERY = float(os.environ.get("GRIDLOOP_RIGHTS_SECONDS", "30"))  # between looks whether the session still holds
BACKLOG = 5_000  # messages a slow screen may fall behind before it is told to read afresh
STALE_AFTER = 3.0  # seconds without a look into the trace until screens are told that what they show may be old
RESET = b"event: reset\ndata: {}\n\n"
STALE = b"event: stale\ndata: {}\n\n"
FRESH = b"event: fresh\ndata: {}\n\n"


class Listener:
    """One open screen: what it may see and what waits to be sent."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.pending: list[Message] = []
        self.overrun = False
        self.news = b""  # whether the stream still sees the trace, when that has changed
        self.wake = asyncio.Event()

    def tell(self, news: bytes) -> None:
        self.news = news
        self.wake.set()

    def offer(self, messages: list[Message]) -> None:
        mine = [m for m in messages if m.seen_by(self.viewer)]
        if not mine:
            return
        if len(self.pending) + len(mine) > BACKLOG:
            self.pending, self.overrun = [], True
            figures.OVERRUNS.inc()
        else:
            self.pending.extend(mine)
        self.wake.set()

    def take(self) -> bytes:
        """Everything that waits as one chunk; of a case only the latest change."""
        messages, self.pending = self.pending, []
        overrun, self.overrun = self.overrun, False
        news, self.news = self.news, b""
        self.wake.clear()
        latest = {m.case: m for m in messages}
        body = b"".join(m.frame for m in sorted(latest.values(), key=lambda m: m.place))
        return news + RESET + body if overrun else news + body


class Hub:
    """All screens of this process and the one tail that feeds them."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.stale = False
        self.tail = Tail(self._publish)
        self._watching: asyncio.Task[None] | None = None

    def _publish(self, messages: list[Message]) -> None:
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._offer, messages)

    def _offer(self, messages: list[Message]) -> None:
        for listener in list(self.listeners):
            listener.offer(messages)

    async def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.tail.begin()
        self._watching = asyncio.create_task(self._watch())
        for port in filter(None, os.environ.get("GRIDLOOP_PUSH_HINT", "").split(",")):
            try:
                await self.loop.create_datagram_endpoint(lambda: _Hint(self.tail), local_addr=("127.0.0.1", int(port)))
                break
            except OSError:  # another push process listens there; polling alone costs 300 ms
                continue

    async def _watch(self) -> None:
        """A database that is away or hangs says nothing: then the screens must."""
        while True:
            await asyncio.sleep(0.5)
            stale = self.tail.blind_for() > STALE_AFTER
            if stale != self.stale:
                self.stale = stale
                for listener in list(self.listeners):
                    listener.tell(STALE if stale else FRESH)


class _Hint(asyncio.DatagramProtocol):
    def __init__(self, tail: Tail) -> None:
        self.tail = tail

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.tail.hint()


hub = Hub()


def _in_thread(function: Callable[[], Any]) -> Any:
    try:
        return function()
    finally:
        close_old_connections()


async def off_loop(function: Callable[[], Any]) -> Any:
    """Database work runs in a thread, never on the event loop."""
    return await asyncio.to_thread(_in_thread, function)


def _headers(scope: Scope) -> dict[str, str]:
    return {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}


def find_viewer(headers: dict[str, str]) -> Viewer | None:
    """The caller by bearer token or session cookie, seeing what it may read; None when there is neither or it is over."""
    viewer = _caller(headers)
    return viewer.within("case.read" if viewer.can("case.read") else "task.read") if viewer else None


def _caller(headers: dict[str, str]) -> Viewer | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            found = check_bearer(token.strip())
            return viewer_for(*found) if found else None
        cookie = SimpleCookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
        return viewer_of_session(cookie.value) if cookie else None
    except Fault:
        return None


def may_listen(viewer: Viewer) -> bool:
    return viewer.can("case.read") or viewer.can("task.read")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http" and scope["path"] == "/api/v1/live" and scope["method"] == "GET":
        await _live(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] in ("/healthz", "/readyz"):
        await _plain(send, 200, b'{"status":"ok"}', b"application/json")
    elif scope["type"] == "http":
        await _plain(send, 404, b"{}", b"application/problem+json")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await hub.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            hub.tail.end()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _plain(send: Send, status: int, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    headers = _headers(scope)
    try:
        viewer = await off_loop(lambda: find_viewer(headers))
    except Exception:
        log.exception("live: the database did not answer")
        await _plain(send, 503, b'{"status":503}', b"application/problem+json")
        return
    if viewer is None or not may_listen(viewer):
        status = 401 if viewer is None else 403
        text = say("doors.status_401" if viewer is None else "doors.status_403", viewer.lang if viewer else "zh")
        await _plain(send, status, f'{{"status":{status},"title":"{text}"}}'.encode(), b"application/problem+json")
        return
    listener = Listener(viewer)
    figures.CONSOLES.inc()
    hub.listeners.add(listener)  # before the past is read: nothing between the two is lost, a double is harmless
    gone = asyncio.create_task(_until_gone(receive))
    try:
        await _stream(listener, headers, send, gone)
    except OSError:
        pass  # the screen went away in the middle of a frame
    finally:
        hub.listeners.discard(listener)
        figures.CONSOLES.dec()
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(listener: Listener, headers: dict[str, str], send: Send, gone: asyncio.Task[None]) -> None:
    start_headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": start_headers})
    past = await _past(listener, headers.get("last-event-id", ""))
    await send(_chunk(b"retry: 1000\n\n" + past + (STALE if hub.stale else b"")))
    checked = sent = time.monotonic()
    while not gone.done():
        due = min(sent + HEARTBEAT, checked + RIGHTS_EVERY)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_either(listener.wake, gone), max(0.01, due - time.monotonic()))
        if gone.done():
            return
        if time.monotonic() - checked >= RIGHTS_EVERY:
            viewer = await off_loop(lambda: find_viewer(headers))
            if viewer is None or not may_listen(viewer):
                return
            listener.viewer, checked = viewer, time.monotonic()
        body = listener.take()
        await send(_chunk(body or b": still here\n\n"))
        sent = time.monotonic()
        if body:
            figures.FRAMES.inc()
            await asyncio.sleep(FRAME_EVERY)


async def _either(wake: asyncio.Event, gone: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(wake.wait())
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _past(listener: Listener, last_seen: str) -> bytes:
    """What a screen missed since ``Last-Event-ID``; a new screen only learns where it stands."""
    await off_loop(lambda: hub.tail.wait_ready(5.0))
    here = f"id: {event_id(hub.tail.place)}\nevent: hello\ndata: {{}}\n\n".encode()
    if not last_seen:
        return here
    place: Place | None = read_event_id(last_seen)
    missed = await off_loop(lambda: hub.tail.since(place)) if place else None
    if missed is None:
        return RESET + here
    listener.pending = [m for m in missed if m.seen_by(listener.viewer)] + listener.pending
    return listener.take() or here


def _chunk(body: bytes) -> MutableMapping[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}
