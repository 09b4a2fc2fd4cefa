"""Group commit: concurrent requests share one append; repeats of the last ten minutes are counted, not stored."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import msgspec

from gridloop.doors.ingest import figures
from gridloop.kernel.errors import Busy, Unavailable
from gridloop.sdk.signals import Signal, SignalLog

GATHER_SECONDS = 0.02  # at most
QUIET_SECONDS = 0.004  # without another request: those that wait for this append will not send more before it
GATHER_SIGNALS = 1000  # enough for a commit: a larger one costs the database little more than a small one
AT_ONCE = 2  # appends: one is packed while the other becomes durable
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

    def none_of(self, keys: Iterable[int]) -> bool:
        return all(half.isdisjoint(keys) for half in self._halves if half)

    def add(self, keys: AbstractSet[int]) -> None:
        now = time.monotonic()
        if now - self._turned > self._half or len(self._halves[0]) > _MOST_REMEMBERED:
            self._turned = now
            self._halves = [set(), *self._halves[:2]]
        self._halves[0] |= keys

    def remove(self, keys: AbstractSet[int]) -> None:
        for half in self._halves:
            half -= keys


@dataclass(eq=False, slots=True)
class _Request:
    """One request's new signals on their way into the log."""

    signals: Sequence[Signal]
    keys: AbstractSet[int]
    done: asyncio.Future[None]
    started: bool = False


@dataclass(slots=True)
class Outcome:
    accepted: int = 0
    duplicates: int = 0
    _waits: set[_Request] = field(default_factory=set)


_moment = msgspec.msgpack.Encoder().encode  # the same bytes for the same moment; a hash of the moment itself costs ten times as much


def _keys_of(signals: Sequence[Signal]) -> list[int]:
    """The keys of all identities, then those of readings, in order."""
    readings = [s for s in signals if s.device and s.value is not None and not s.data]  # ``is_reading`` without a call each
    keys = list(map(hash, zip([s.source for s in signals], [s.id for s in signals], strict=True)))
    moments = map(_moment, [s.at for s in readings])
    keys += map(hash, zip([s.device for s in readings], [s.kind for s in readings], moments, strict=True))
    return keys


class Writer:
    """Feeds the log from one event loop; what is asked for after an answer is appended after what was answered."""

    def __init__(self, log: SignalLog, most_waiting: int = MOST_WAITING) -> None:
        self._log = log
        self._most = most_waiting
        self._recent = Recent()
        self._under_way: set[_Request] = set()  # neither durable nor refused; their keys count as known all the same
        self._queue: list[_Request] = []
        self._queued = 0  # signals that no append has taken yet
        self._waiting = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._turn = asyncio.Event()
        self._at_work = 0
        self._threads = ThreadPoolExecutor(AT_ONCE, "append")

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
        told = _keys_of(signals)
        outcome, keys = Outcome(len(signals)), set(told)
        if len(keys) < len(told) or not self._recent.none_of(keys):
            outcome, signals, keys = self._part(signals, told)
        if not signals:
            return outcome, None
        request = _Request(signals, keys, asyncio.get_running_loop().create_future())
        self._recent.add(keys)
        self._under_way.add(request)
        return outcome, request

    def _part(self, signals: Sequence[Signal], told: Sequence[int]) -> tuple[Outcome, list[Signal], set[int]]:
        """What there is to say of signals some of which are repeats, those that are new, and their keys. ``told``: the keys of all."""
        outcome, new, seen = Outcome(), list[Signal](), set[int]()
        others = [request for request in self._under_way if not request.keys.isdisjoint(told)]
        readings = iter(told[len(signals) :])
        for signal, identity in zip(signals, told, strict=False):
            keys = (identity, next(readings)) if signal.is_reading else (identity,)
            if seen.isdisjoint(keys) and self._recent.none_of(keys):
                new.append(signal)
                seen.update(keys)
            else:
                outcome.duplicates += 1
                outcome._waits.update(request for request in others if not request.keys.isdisjoint(keys))
        outcome.accepted = len(new)
        return outcome, new, seen

    def _put(self, request: _Request) -> None:
        self._queue.append(request)
        self._waiting += len(request.signals)
        figures.WAITING.set(self._waiting)
        self._wake.set()
        self._queued += len(request.signals)
        if self._queued >= GATHER_SIGNALS:
            self._full.set()
            self._look()

    async def _wait(self, waits: set[asyncio.Future[None]], request: _Request | None, within: float) -> None:
        done, late = await asyncio.wait(waits, timeout=within)
        if late and request and not request.started:
            self._queue.remove(request)
            self._queued -= len(request.signals)
            self._settle([request], Unavailable("signals.unavailable"))
        if late or any(f.exception() for f in done):
            raise Unavailable("signals.unavailable")

    def _settle(self, requests: Sequence[_Request], fault: Exception | None) -> None:
        for request in requests:
            self._waiting -= len(request.signals)
            self._under_way.discard(request)
            if fault is not None:
                self._recent.remove(request.keys)
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
            if self._at_work:
                await self._turn.wait()
            if crowd and not self._at_work:
                await self._gather()
            crowd = len(self._queue) > 1
            taken, self._queue, self._queued = self._queue, [], 0
            for request in taken:
                request.started = True
            self._wake.clear()
            self._full.clear()
            self._at_work += 1
            self._look()
            append = loop.run_in_executor(self._threads, self._log.append, [s for r in taken for s in r.signals])
            append.add_done_callback(partial(self._appended, taken, time.perf_counter()))

    def _look(self) -> None:
        """Whether another append may begin beside those at work: beside one, when there is enough to pack meanwhile."""
        if not self._at_work or (self._at_work < AT_ONCE and self._full.is_set()):
            self._turn.set()
        else:
            self._turn.clear()

    def _appended(self, taken: Sequence[_Request], started: float, append: asyncio.Future[None]) -> None:
        if append.cancelled():
            return
        figures.APPEND_SECONDS.observe(time.perf_counter() - started)
        self._at_work -= 1
        self._look()
        fault = append.exception()
        if fault is None or isinstance(fault, Unavailable):
            self._settle(taken, fault)
        else:  # the loop must go on: the senders hear of it, the log shows it
            figures.LOG.error("append failed", error=repr(fault), exc_info=fault)
            self._settle(taken, Unavailable("signals.unavailable"))
