"""The log as one stream has an order of its own, however it is read; and a flood is limited however it is cut."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.sdk.signals import pack
from gridloop.signals.holding import Fair
from gridloop.signals.stream import _READ, Mark, Stream, Taken

Row = tuple[int, int, int, bytes, bool]
NOTHING = pack([])


class Log:
    """Batches that become durable one after the other; each partition's times mostly rise."""

    def __init__(self, partitions: Mapping[int, list[int]]) -> None:
        self.rows = {p: [(p, seq, at, NOTHING, False) for seq, at in enumerate(times, 1)] for p, times in partitions.items()}
        self.now = 0

    def read(self, after: Mapping[int, int], limit: int) -> list[Row]:
        """Only what became durable by now."""
        return [row for p, seq in after.items() for row in [r for r in self.rows[p] if r[1] > seq and r[2] <= self.now][:limit]]


def order_of(log: Log) -> list[tuple[int, int]]:
    """Partition and sequence, by the latest time of the partition so far."""
    keyed = []
    for p, rows in log.rows.items():
        latest = 0
        for _, seq, at, _, _ in rows:
            latest = max(latest, at)
            keyed.append((latest, p, seq))
    return [(p, seq) for _, p, seq in sorted(keyed)]


times = st.lists(st.integers(1, 400), max_size=2 * _READ + 20).map(sorted)


@settings(max_examples=80, database=None)
@given(st.dictionaries(st.integers(0, 3), times, min_size=1), st.integers(0, 2**16))
def test_every_batch_comes_once_and_in_the_order_of_the_log(partitions: dict[int, list[int]], seed: int) -> None:
    chance, log = Random(seed), Log(partitions)
    stream = Stream({p: Mark(0, 0) for p in partitions}, log.read)
    settle = chance.choice((5, 300))  # more than is read at once may wait for its moment
    out: list[Taken] = []
    frontier = 0
    while log.now < 500 + settle:
        log.now += chance.randint(0, 60)
        found, until = stream.take(log.now - settle, chance.choice((0, 1, 3, 1000)) or 1000)
        assert all(frontier <= batch.at <= until for batch in found), "nothing comes for a moment that was said to be over"
        frontier = max(frontier, until)
        out += found
        if chance.random() < 0.2:  # begin again from where it stands
            stream = Stream({p: Mark(mark.seq, mark.at) for p, mark in stream.marks.items()}, log.read)
    assert [(batch.partition, batch.seq) for batch in out] == order_of(log)


def test_what_came_while_enough_waited_is_not_passed_over() -> None:
    """Many batches a second: more become durable before their moment has come than are read at once."""
    log = Log({0: list(range(1, 3 * _READ)), 1: [5, 2 * _READ]})
    stream = Stream({p: Mark(0, 0) for p in log.rows}, log.read)
    for log.now in range(0, 3 * _READ, 7):
        assert stream.take(0, 1000) == ([], 0)
    log.now, frontier = 3 * _READ, 0
    out: list[Taken] = []
    while frontier < log.now:
        found, frontier = stream.take(log.now, 1000)
        out += found
    assert [(batch.partition, batch.seq) for batch in out] == order_of(log)


@settings(max_examples=80, database=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200_000)), max_size=300), st.integers(0, 2**16))
def test_a_flood_is_limited_the_same_whatever_its_batches(rows: list[tuple[int, int]], seed: int) -> None:
    rows.sort(key=lambda row: row[1])
    chance, fair = Random(seed), Fair(most=5)
    passed: list[bool] = []
    while len(passed) < len(rows):
        part = rows[len(passed) : len(passed) + chance.randint(1, 40)]
        columns = np.array(part, np.int64)
        passed += fair.passing(columns[:, 0], columns[:, 1]).tolist()
    counts: dict[tuple[int, int], int] = {}
    for (device, received), one in zip(rows, passed, strict=True):
        key = device, received // 60_000
        counts[key] = counts.get(key, 0) + 1
        assert one == (counts[key] <= 5)
