"""How requests come together on their way into the log, and what is said of repeats."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.doors.ingest.writer import GATHER_SIGNALS, Writer
from gridloop.kernel.errors import Unavailable
from gridloop.sdk.signals import Batch, Signal

START = datetime(2026, 5, 1, tzinfo=UTC)


class Log:
    """Keeps what it is given as soon as it may."""

    partitions = 1

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.kept: list[Signal] = []
        self.may = threading.Event()
        self.may.set()
        self.away = False

    def append(self, signals: Sequence[Signal]) -> None:
        self.begun.append(len(signals))
        assert self.may.wait(10)
        if self.away:
            raise Unavailable("signals.unavailable")
        self.kept += signals

    def read(self, partition: int, after_seq: int, limit: int) -> list[Batch]:
        raise NotImplementedError

    def positions(self) -> dict[int, int]:
        raise NotImplementedError


@asynccontextmanager
async def writing(log: Log) -> AsyncIterator[Writer]:
    writer = Writer(log)
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        log.may.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


def reading(n: int, at: int | None = None) -> Signal:
    return Signal(f"i{n}", "meters", "d", "rain", START + timedelta(seconds=n if at is None else at), 1.0)


def alarm(n: int) -> Signal:
    return Signal(f"a{n}", "hotline", "", "report", START, data={"text": "路灯不亮"})


def many(first: int, count: int) -> list[Signal]:
    return [reading(n) for n in range(first, first + count)]


def test_enough_for_a_commit_is_packed_while_another_becomes_durable() -> None:
    async def story() -> None:
        log = Log()
        log.may.clear()
        async with writing(log) as writer:
            first = asyncio.create_task(writer.append(many(0, 3)))
            await until(lambda: log.begun == [3])
            second = asyncio.create_task(writer.append(many(10, 5)))
            await asyncio.sleep(0.05)
            assert log.begun == [3]  # too little to begin with
            third = asyncio.create_task(writer.append(many(100, GATHER_SIGNALS)))
            await until(lambda: log.begun == [3, GATHER_SIGNALS + 5])
            fourth = asyncio.create_task(writer.append(many(9_000, GATHER_SIGNALS)))
            await asyncio.sleep(0.05)
            assert len(log.begun) == 2  # two at once, no more
            assert not any(one.done() for one in (first, second, third, fourth))
            log.may.set()
            for one, count in ((first, 3), (second, 5), (third, GATHER_SIGNALS), (fourth, GATHER_SIGNALS)):
                assert (await one).accepted == count
        assert len(log.kept) == 2 * GATHER_SIGNALS + 8

    asyncio.run(story())


def test_a_repeat_of_what_is_under_way_is_answered_when_that_is_durable() -> None:
    async def story() -> None:
        log = Log()
        log.may.clear()
        async with writing(log) as writer:
            first = asyncio.create_task(writer.append(many(0, 3)))
            await until(lambda: log.begun == [3])
            again = asyncio.create_task(writer.append([reading(77, at=1)]))  # the second reading under another id
            await asyncio.sleep(0.05)
            assert not again.done()
            log.may.set()
            assert ((await again).duplicates, (await first).accepted) == (1, 3)
        assert len(log.kept) == 3

    asyncio.run(story())


def test_what_was_refused_may_be_sent_again() -> None:
    async def story() -> None:
        log = Log()
        log.may.clear()
        log.away = True
        async with writing(log) as writer:
            first = asyncio.create_task(writer.append([*many(0, 3), alarm(1)]))
            await until(lambda: log.begun == [4])
            again = asyncio.create_task(writer.append(many(2, 2)))
            await asyncio.sleep(0.05)
            log.may.set()
            for one in (first, again):  # of the second, one signal was a repeat of what did not become durable
                with pytest.raises(Unavailable):
                    await one
            log.away = False
            assert (await writer.append([*many(0, 4), alarm(1)])).accepted == 5
            assert (await writer.append([*many(0, 4), alarm(1)])).duplicates == 5
        assert len(log.kept) == 5

    asyncio.run(story())


numbers = st.integers(0, 6)
signals = st.builds(reading, numbers, numbers) | st.builds(alarm, numbers)


@settings(max_examples=60)
@given(st.lists(st.lists(signals, max_size=8), max_size=5))
def test_what_is_new_is_what_a_look_at_one_after_the_other_finds(requests: list[list[Signal]]) -> None:
    expected, known = list[tuple[int, int]](), set[object]()
    kept: list[Signal] = []
    for request in requests:
        before = len(kept)
        for signal in request:
            keys = {signal.identity, signal.reading_key} if signal.is_reading else {signal.identity}
            if known.isdisjoint(keys):
                known |= keys
                kept.append(signal)
        expected.append((len(kept) - before, len(request) - (len(kept) - before)))

    async def story() -> None:
        log = Log()
        async with writing(log) as writer:
            answers = [await writer.append(request) for request in requests]
        assert [(a.accepted, a.duplicates) for a in answers] == expected
        assert log.kept == kept

    asyncio.run(story())
