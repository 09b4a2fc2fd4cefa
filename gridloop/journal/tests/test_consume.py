"""Durable consumers: nothing lost or doubled, however transactions commit."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext

from gridloop.journal import selectors
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


def rows_read(plan: dict[str, Any], table: str) -> float:
    """Rows taken from a table by a plan that was carried out."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if plan.get("Relation Name") == table else 0
    return own + sum(rows_read(one, table) for one in plan.get("Plans", []))


def test_whether_a_consumer_waits_is_known_from_the_newest_fact_alone() -> None:
    assert not selectors.waits(SYSTEM, "test"), "there is nothing"
    for n in range(300):
        add(n)
    assert selectors.waits(SYSTEM, "test"), "who asks for the first time gets all"
    drain([])
    assert not selectors.waits(SYSTEM, "test")
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("ANALYZE journal_fact")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {selectors._WAITS}", ["test"])
        assert rows_read(cursor.fetchone()[0][0]["Plan"], "journal_fact") == 1
    late = Held(300)
    assert not selectors.waits(SYSTEM, "test"), "not committed"
    late.end()
    assert selectors.waits(SYSTEM, "test")


def test_a_look_that_finds_nothing_locks_and_writes_nothing() -> None:
    add(1)
    drain([])
    with CaptureQueriesContext(connection) as seen:
        assert consume("test", lambda facts: None) == 0
    asked = [one["sql"] for one in seen if not one["sql"].startswith(("BEGIN", "COMMIT", "SELECT set_config"))]
    assert len(asked) == 1, asked
    assert "FOR UPDATE" not in asked[0]
