"""Group commit: concurrent requests share one append; repeats of the last ten minutes are counted, not stored."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from gridloop.doors.ingest import figures
from gridloop.kernel.errors import Busy, Unavailable
from gridloop.sdk.signals import Signal, SignalLog

GATHER_SECONDS = 0.02  # at most
QUIET_SECONDS = 0.004  # without another request: those that wait for this append will not send more before it
GATHER_SIGNALS = 500
MOST_WAITING = 50_000  # signals; about two seconds of work of a slow disk
REMEMBER_SECONDS = 600.0
_MOST_REMEMBERED = 4_000_000  # keys of one half window, about 250 MB


class Recent:
    """Keys of the last ten minutes, in two halves so that forgetting costs nothing. Only 64-bit hashes are kept."""

    def __init__(self, seconds: float = REMEMBER_SECONDS) -> None:
        self._half = seconds / 2
        self._turned = time.monotonic()
        # three halves: a key lives between one whole window and one and a half
        self._halves: list[set[int]] = [set(), set(), set()]

    def __contains__(self, key: int) -> bool:
        return any(key in half for half in self._halves)

    def none_of(self, keys: AbstractSet[int]) -> bool:
        return all(half.isdisjoint(keys) for half in self._halves)

    def add(self, keys: AbstractSet[int]) -> None:
        now = time.monotonic()
        if now - self._turned > self._half or len(self._halves[0]) > _MOST_REMEMBERED:
            self._turned = now
            self._halves = [set(), *self._halves[:2]]
        self._halves[0] |= keys


@dataclass(eq=False, slots=True)
class _Request:
    """One request's new signals on their way into the log."""

    signals: list[Signal]
    keys: set[int]
    done: asyncio.Future[None]
    started: bool = False


@dataclass(slots=True)
class Outcome:
    accepted: int = 0
    duplicates: int = 0
    _waits: set[_Request] = field(default_factory=set)


def _keys(signal: Signal) -> tuple[int, ...]:
    identity = hash(signal.identity)
    return (identity, hash(signal.reading_key)) if signal.is_reading else (identity,)


def _keys_of(signals: Sequence[Signal]) -> list[int]:
    """``_keys`` of all of them, for which a call each would cost as much as all that is said here."""
    keys = [hash((s.source, s.id)) for s in signals]
    keys += [hash((s.device, s.kind, s.at)) for s in signals if s.device and s.value is not None and not s.data]
    return keys


class Writer:
    """Feeds the log from one event loop through one thread, so that order and group commit come for free."""

    def __init__(self, log: SignalLog, most_waiting: int = MOST_WAITING) -> None:
        self._log = log
        self._most = most_waiting
        self._recent = Recent()
        self._pending: dict[int, _Request] = {}
        self._queue: list[_Request] = []
        self._waiting = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "append")

    async def append(self, signals: Sequence[Signal], within: float = 1.9) -> Outcome:
        """Durable when it returns. Raises ``Busy`` (nothing queued) or ``Unavailable`` after at most ``within`` seconds."""
        if self._waiting + len(signals) > self._most:
            figures.REFUSED.inc()
            raise Busy("signals.busy", retry_after=2)
        outcome, request = self._take(signals)
        waits = {r.done for r in outcome._waits}
        if request:
            waits.add(request.done)
            self._put(request)
        if waits:
            await self._wait(waits, request, within)
        return outcome

    def _take(self, signals: Sequence[Signal]) -> tuple[Outcome, _Request | None]:
        """Part the new from the repeated; a repeat of what is still on its way waits for that to be durable."""
        request = _Request([], set(), asyncio.get_running_loop().create_future())
        told = _keys_of(signals)
        keys = set(told)
        if keys and len(keys) == len(told) and self._recent.none_of(keys) and self._pending.keys().isdisjoint(keys):
            self._pending.update(dict.fromkeys(keys, request))
            request.signals, request.keys = list(signals), keys
            return Outcome(len(signals)), request
        outcome = self._part(signals, request)
        return outcome, request if request.signals else None

    def _part(self, signals: Sequence[Signal], request: _Request) -> Outcome:
        outcome = Outcome()
        for signal in signals:
            keys = _keys(signal)
            if any(key in self._recent for key in keys):
                outcome.duplicates += 1
                continue
            holder = next((self._pending[key] for key in keys if key in self._pending), None)
            if holder:
                outcome.duplicates += 1
                if holder is not request:
                    outcome._waits.add(holder)
                continue
            for key in keys:
                self._pending[key] = request
            request.keys.update(keys)
            request.signals.append(signal)
        outcome.accepted = len(request.signals)
        return outcome

    def _put(self, request: _Request) -> None:
        self._queue.append(request)
        self._waiting += len(request.signals)
        figures.WAITING.set(self._waiting)
        self._wake.set()
        if sum(len(r.signals) for r in self._queue[:GATHER_SIGNALS]) >= GATHER_SIGNALS:
            self._full.set()

    async def _wait(self, waits: set[asyncio.Future[None]], request: _Request | None, within: float) -> None:
        done, late = await asyncio.wait(waits, timeout=within)
        if late and request and not request.started:
            self._queue.remove(request)
            self._settle([request], Unavailable("signals.unavailable"))
        if late or any(f.exception() for f in done):
            raise Unavailable("signals.unavailable")

    def _settle(self, requests: Sequence[_Request], fault: Exception | None) -> None:
        for request in requests:
            self._waiting -= len(request.signals)
            for key in request.keys:
                self._pending.pop(key, None)
            if fault is None:
                self._recent.add(request.keys)
            if not request.done.done():
                if fault is None:
                    request.done.set_result(None)
                else:
                    request.done.set_exception(fault)
                    request.done.exception()  # a sender who has gone does not ask: not an error of the loop
        figures.WAITING.set(self._waiting)

    async def _gather(self) -> None:
        """Wait for company as long as it keeps coming and there is room for it."""
        end = time.monotonic() + GATHER_SECONDS
        came = 0
        while len(self._queue) > came and not self._full.is_set() and time.monotonic() < end:
            came = len(self._queue)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), QUIET_SECONDS)

    async def run(self) -> None:
        """Append until cancelled."""
        loop = asyncio.get_running_loop()
        crowd = False  # whether requests come together: one alone need not wait for company
        while True:
            await self._wake.wait()
            if crowd:
                await self._gather()
            crowd = len(self._queue) > 1
            taken, self._queue = self._queue, []
            self._wake.clear()
            self._full.clear()
            for request in taken:
                request.started = True
            started = time.perf_counter()
            fault: Exception | None = None
            try:
                await loop.run_in_executor(self._thread, self._log.append, [s for r in taken for s in r.signals])
            except Unavailable as unavailable:
                fault = unavailable
            except Exception as unexpected:  # the loop must go on: the senders hear of it, the log shows it
                figures.LOG.exception("append failed", error=repr(unexpected))
                fault = Unavailable("signals.unavailable")
            figures.APPEND_SECONDS.observe(time.perf_counter() - started)
            self._settle(taken, fault)
