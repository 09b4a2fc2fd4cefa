"""Durable consumers: nothing lost or doubled, however transactions commit."""

from __future__ import annotations

import threading

import pytest
from django.db import close_old_connections, connection

from gridloop.journal.actions import append, consume, scoped
from gridloop.journal.messages import FactRow
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


def add(n: int) -> None:
    with scoped(SYSTEM):
        append(f"case:{n}", "tested", {"n": n}, SYSTEM)


class Held:
    """A writer in a thread of its own that appends at once and commits when told."""

    def __init__(self, n: int) -> None:
        self.appended, self.commit = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(n,))
        self.thread.start()
        assert self.appended.wait(10)

    def _run(self, n: int) -> None:
        with scoped(SYSTEM):
            append(f"case:{n}", "tested", {"n": n}, SYSTEM)
            self.appended.set()
            self.commit.wait(10)
        connection.close()

    def end(self) -> None:
        self.commit.set()
        self.thread.join(10)
        close_old_connections()


def drain(seen: list[int]) -> None:
    while consume("test", lambda facts: seen.extend(f.data["n"] for f in facts), batch=2):
        pass


def test_facts_that_commit_out_of_order_all_arrive_once() -> None:
    seen: list[int] = []
    add(1)
    late = Held(2)
    add(3)
    later = Held(4)
    add(5)
    drain(seen)
    assert seen == [1], "what may still be overtaken is not handed out"
    later.end()
    drain(seen)
    assert seen == [1]
    late.end()
    drain(seen)
    assert sorted(seen) == [1, 2, 3, 4, 5]
    drain(seen)
    assert len(seen) == 5


def test_a_failing_handler_moves_nothing() -> None:
    add(1)
    seen: list[int] = []

    def fail(facts: list[FactRow]) -> None:
        seen.append(len(facts))
        raise ValueError("broken consumer")

    with pytest.raises(ValueError, match="broken consumer"):
        consume("test", fail)
    drained: list[int] = []
    drain(drained)
    assert (seen, drained) == ([1], [1])


def test_two_consumers_keep_their_own_place() -> None:
    add(1)
    first: list[int] = []
    consume("one", lambda facts: first.extend(f.data["n"] for f in facts))
    add(2)
    consume("one", lambda facts: first.extend(f.data["n"] for f in facts))
    second: list[int] = []
    consume("two", lambda facts: second.extend(f.data["n"] for f in facts))
    assert (first, second) == ([1, 2], [1, 2])
