"""Erasing from a log outside of the database: the rewritten batch is read as soon as it is there, whether or not the original is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

import pytest

from gridloop.adapters.systems.jetstream.log import JetStreamLog
from gridloop.adapters.systems.jetstream.tests.servers import Servers
from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal, unpack
from gridloop.signals.models import Batch
from gridloop.signals.rules import erased
from gridloop.signals.source import Served
from gridloop.signals.tests.homes import START

GONE = "h000-door_open"


@pytest.fixture
def served() -> Iterator[JetStreamLog]:
    servers = Servers(1)
    log = servers.log("erase", partitions=1)
    yield log
    log.close()
    servers.stop()


def change(batch: Sequence[Signal], device: str = GONE) -> list[Signal] | None:
    return [erased(s, "request") if s.device == device else s for s in batch] if any(s.device == device for s in batch) else None


def read(source: Served) -> list[tuple[int, str, object]]:
    with scoped(SYSTEM):
        return [(one.seq, s.device, s.data) for one in source.packed({0: 0}, 10) for s in unpack(one.data)]


@pytest.mark.parametrize("stopped", [False, True], ids=["removed", "stopped before the original is removed"])
def test_what_was_rewritten_is_read_from_then_on(
    county: Cast, served: JetStreamLog, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    source, said = Served(served), {"said": "mine"}
    for n, device in enumerate((GONE, "other", GONE)):
        served.append([Signal(f"{n}", "test", device, "note", START + timedelta(seconds=n), data=said)])
    if stopped:
        monkeypatch.setattr(served, "remove", lambda partition, seq: None)
    with scoped(SYSTEM):
        assert source.rewrite(change) == 2
    gone = {"erased": "request"}
    assert read(source) == [(1, GONE, gone), (2, "other", said), (3, GONE, gone)]
    if stopped:  # the call is repeated
        monkeypatch.undo()
        with scoped(SYSTEM):
            source.rewrite(change)
        assert read(source) == [(1, GONE, gone), (2, "other", said), (3, GONE, gone)]
    assert [(one.seq, bool(one.data)) for one in served.packed({0: 0}, 10)] == [(2, True), (3, False)], "the originals are gone"
    with scoped(SYSTEM):
        assert Batch.objects.count() == 2
        assert [one.seq for one in source.packed({0: 0}, 1)] == [1]
        assert [one.seq for one in source.packed({0: 1}, 1)] == [2]
        assert source.faults() == []
        assert len(list(source.backwards(0, 0, START, START, None))) == 3


def test_what_came_from_a_town_is_still_the_town_s_when_it_was_rewritten(
    county: Cast, served: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own worker detects on it: the hub must not, whether the original is gone or not."""
    source, of_log = Served(served), served.packed
    served.append([Signal("1", "test", GONE, "note", START, data={"said": "mine"})])
    monkeypatch.setattr(served, "packed", lambda *asked: [one._replace(elsewhere=bool(one.data)) for one in of_log(*asked)])
    with scoped(SYSTEM):
        source.rewrite(change)
    assert of_log({0: 0}, 10)[0].data == b""
    with scoped(SYSTEM):
        assert [(one.elsewhere, unpack(one.data)[0].data) for one in source.packed({0: 0}, 10)] == [(True, {"erased": "request"})]


def test_whoever_is_erased_later_goes_from_what_was_rewritten_before(county: Cast, served: JetStreamLog) -> None:
    """Also where it was the first of its stream, which begins after it then."""
    source = Served(served)
    served.append([Signal(f"{n}", "test", device, "note", START, data={"said": "mine"}) for n, device in enumerate((GONE, "other"))])
    for device in (GONE, "other"):
        with scoped(SYSTEM):
            assert source.rewrite(partial(change, device=device)) == 1
    assert [data for _, _, data in read(source)] == [{"erased": "request"}] * 2
    with scoped(SYSTEM):
        assert not source.trim({0: 1}, START - timedelta(days=1), 10)
        assert Batch.objects.count() == 1
        source.trim({0: 1}, clock.now() + timedelta(days=1), 10)
        assert not Batch.objects.exists()
