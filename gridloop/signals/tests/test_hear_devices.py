"""When devices were heard last is noted by a consumer of its own, with its position and in short transactions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.models import Device
from gridloop.signals import handlers, positions
from gridloop.signals.handlers import hear_next, run_heard
from gridloop.signals.log import PostgresLog
from gridloop.signals.tests.homes import DOOR, START, reading, register

HOMES = 6


@pytest.fixture
def sent(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> PostgresLog:
    """Home by home one batch after another in one partition, and then all of them once more."""
    monkeypatch.setenv("GRIDLOOP_SIGNAL_PARTITIONS", "1")
    register(HOMES)
    one = PostgresLog(log._connect, 1)
    for n in range(HOMES):
        with clock.fixed(START + timedelta(minutes=n)):
            one.append([reading(f"h{n:03d}", DOOR, clock.now(), 1 if n % 2 else 2.5)])
    with clock.fixed(START + timedelta(minutes=HOMES)):
        one.append([reading(f"h{n:03d}", DOOR, clock.now(), 7) for n in range(HOMES)])
    return one


def heard() -> list[tuple[float | None, float | None]]:
    """Of the homes' doors in order: minutes after the start, and the value."""
    with scoped(SYSTEM):
        rows = Device.objects.filter(code__endswith=DOOR).order_by("code").values_list("last_seen", "last_value")
        return [(None if at is None else (at - START) / timedelta(minutes=1), value) for at, value in rows]


def test_a_transaction_notes_so_many_devices_and_the_next_goes_on_from_there(sent: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "HEARD_DEVICES", 4)
    lease = positions.claim(handlers.HEARD, 0, "first")
    assert lease
    lease = hear_next(lease)
    assert lease
    assert lease.seq == 4
    assert heard() == [(0, 2.5), (1, 1), (2, 2.5), (3, 1), (None, None), (None, None)], "whole numbers and others side by side"
    lease = hear_next(lease)
    assert lease
    assert lease.seq == HOMES + 1
    assert heard() == [(HOMES, 7)] * HOMES
    assert hear_next(lease) is None


def test_what_was_heard_and_the_position_are_one(sent: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(lease: positions.Lease, seq: int) -> positions.Lease:
        raise RuntimeError("killed before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(positions, "advance", crash)
        with pytest.raises(RuntimeError):
            run_heard()
    assert heard() == [(None, None)] * HOMES
    assert positions.waiting(handlers.HEARD) == [0]
    assert not run_heard()
    assert heard() == [(HOMES, 7)] * HOMES
    assert positions.waiting(handlers.HEARD) == []
