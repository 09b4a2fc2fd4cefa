"""Open consoles, in a process of their own: each follows ``/api/v1/live`` and keeps its list of open cases as the front end does.

``web/src/screens/console/useQueue.ts``: a frame names a case that changed; the cases named within 100 ms are read again under the list's
own filter; what the answer lacks has left the list.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlencode

GATHER, AT_ONCE, PAGE = 0.1, 50, 500
CONNECTIONS = 64
TOGETHER = 0.02  # bytes that come this close after others are the same frame
LIST = {"box": "open", "order": "urgent"}


class Reads:
    """Lists by kept connections, one at a time each, packed as browsers ask for them: the consoles are elsewhere, and what their
    reading costs here is not the product's."""

    def __init__(self, port: int) -> None:
        self._threads = ThreadPoolExecutor(CONNECTIONS)
        self._free: queue.LifoQueue[HTTPConnection] = queue.LifoQueue()
        for _ in range(CONNECTIONS):
            self._free.put(HTTPConnection("127.0.0.1", port, timeout=60))

    async def get(self, path: str, token: str) -> tuple[int, str, bytes]:
        """Status, Retry-After and what was answered."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._get, path, token)

    def _get(self, path: str, token: str) -> tuple[int, str, bytes]:
        connection = self._free.get()
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            return answer.status, answer.headers.get("Retry-After") or "", body
        except BaseException:
            connection.close()  # the next one opens it anew
            raise
        finally:
            self._free.put(connection)


@dataclass
class Screen:
    """One console. ``first`` holds when each case was named by a frame and when it stood in the list (monotonic seconds)."""

    lists: Reads
    port: int
    token: str
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    in_page: dict[str, float] = field(default_factory=dict)
    frames: list[float] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    reads: int = 0
    turned_away: int = 0
    reset: bool = False

    async def page(self, **query: Any) -> dict[str, Any]:
        path = "/api/v1/cases?" + urlencode(LIST | query)
        while True:
            status, wait, body = await self.lists.get(path, self.token)
            if status != 429:
                break
            self.turned_away += 1  # the product is full and says so: this time is the alarm's, too
            await asyncio.sleep(float(wait or 1))
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body[:500]!r}")
        found: dict[str, Any] = json.loads(body)
        return found

    async def everything(self) -> dict[str, dict[str, Any]]:
        """A fresh read of the whole list."""
        found: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            page = await self.page(limit=PAGE, after=after)
            found |= {item["code"]: item for item in page["items"]}
            after = page["next"] or ""
            if not after:
                return found

    async def follow(self) -> None:
        """HTTP/1.0, so that the stream comes without chunk marks."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        writer.write(f"GET /api/v1/live HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"live: {status!r}")
        await reader.readuntil(b"\r\n\r\n")
        rest = b""
        while data := await reader.read(1 << 20):
            now = time.monotonic()
            *events, rest = (rest + data).split(b"\n\n")
            if any(b"data: " in event for event in events) and (not self.frames or now - self.frames[-1] > TOGETHER):
                self.frames.append(now)
            for event in events:
                self.event(event, now)
        raise RuntimeError("the stream ended")

    def event(self, event: bytes, now: float) -> None:
        if b"event: hello" in event:
            self.open.set()
        elif b"event: reset" in event:
            self.reset = True
            self.news.set()
        elif b"event: case" in event:
            code = json.loads(event.rpartition(b"data: ")[2])["code"]
            self.told.setdefault(code, now)
            self.changed.add(code)
            self.news.set()

    async def keep(self) -> None:
        """Read again what changed: at once for the first, then gathered."""
        last = 0.0
        while True:
            await self.news.wait()
            await asyncio.sleep(max(0.0, last + GATHER - time.monotonic()))
            last = time.monotonic()
            self.news.clear()
            if self.reset:
                self.reset, self.shown = False, await self.everything()
            codes = sorted(self.changed)[:AT_ONCE]
            self.changed.difference_update(codes)
            if self.changed:
                self.news.set()
            if codes:
                found = {item["code"]: item for item in (await self.page(codes=",".join(codes), limit=AT_ONCE))["items"]}
                self.reads += 1
                now = time.monotonic()
                for code in codes:
                    self.shown.pop(code, None)
                    if code in found:
                        self.shown[code] = found[code]
                        self.in_page.setdefault(code, now)


def most_a_second(frames: list[float], span: float = 5.0) -> float:
    """The most frames in any ``span`` seconds, by the second."""
    most = start = 0
    for end, at in enumerate(frames):
        while frames[start] <= at - span:
            start += 1
        most = max(most, end - start + 1)
    return most / span


async def _screens(port: int, tokens: list[str], pipe: Connection) -> None:
    lists = Reads(port)
    screens = [Screen(lists, port, token) for token in tokens]
    at_work = [asyncio.create_task(screen.follow()) for screen in screens]
    await asyncio.wait_for(asyncio.gather(*(screen.open.wait() for screen in screens)), 60)
    for start in range(0, len(screens), 8):  # the lists are read after the stream is open: nothing between the two is lost
        part = screens[start : start + 8]
        for screen, found in zip(part, await asyncio.gather(*(s.everything() for s in part)), strict=True):
            screen.shown = found
    at_work += [asyncio.create_task(screen.keep()) for screen in screens]
    pipe.send("open")
    while not await asyncio.to_thread(pipe.poll, 0.2):
        _all_alive(at_work)
    await _quiet(screens)
    _all_alive(at_work)
    out = [await _result(screen) for screen in screens]
    for task in at_work:
        task.cancel()
    pipe.send(out)


def _all_alive(at_work: list[asyncio.Task[None]]) -> None:
    for task in at_work:
        if task.done():
            task.result()
            raise RuntimeError("a console ended")


async def _quiet(screens: list[Screen], seconds: float = 3.0, most: float = 60.0) -> None:
    """Until nothing has come for a while and nothing waits to be read."""
    end = time.monotonic() + most
    while time.monotonic() < end:
        newest = max((s.frames[-1] for s in screens if s.frames), default=0.0)
        if time.monotonic() - newest > seconds and not any(s.changed for s in screens):
            return
        await asyncio.sleep(0.2)


async def _result(screen: Screen) -> dict[str, Any]:
    fresh = await screen.everything()
    unlike = [code for code in fresh.keys() | screen.shown.keys() if fresh.get(code) != screen.shown.get(code)]
    return {
        "told": screen.told,
        "in_page": screen.in_page,
        "unlike": [(code, screen.shown.get(code), fresh.get(code)) for code in unlike[:3]],
        "differ": len(unlike),
        "shown": len(screen.shown),
        "frames": len(screen.frames),
        "frames_a_second": most_a_second(screen.frames),
        "reads": screen.reads,
        "turned_away": screen.turned_away,
    }


def run(port: int, tokens: list[str], pipe: Connection) -> None:
    """The process: says "open" when all consoles stand; told to end, waits for quiet and sends each one's result (or the fault)."""
    try:
        asyncio.run(_screens(port, tokens, pipe))
    except Exception as fault:
        pipe.send(RuntimeError(repr(fault)))  # not every fault passes a pipe
