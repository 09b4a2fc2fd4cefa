"""Every log's tests on one real NATS server and on three; the leader killed in the middle of appends."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

from gridloop.adapters.systems.jetstream.log import JetStreamLog
from gridloop.adapters.systems.jetstream.tests.servers import Servers
from gridloop.kernel.errors import Unavailable
from gridloop.sdk.signals import SignalLog
from gridloop.sdk.testing.signal_log import SignalLogConformance, everything, signal


def _servers(size: int) -> Iterator[Servers]:
    servers = Servers(size)
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def one() -> Iterator[Servers]:
    yield from _servers(1)


@pytest.fixture(scope="module")
def three() -> Iterator[Servers]:
    yield from _servers(3)


class TestOneServer(SignalLogConformance):
    """Conformance."""

    @pytest.fixture
    def log(self, one: Servers) -> Iterator[JetStreamLog]:
        made = one.log(partitions=4)
        yield made
        made.close()

    def test_is_a_signal_log(self, log: JetStreamLog) -> None:
        assert isinstance(log, SignalLog)

    def test_what_is_larger_than_a_message_is_cut(self, log: JetStreamLog) -> None:
        chance = random.Random(7)
        texts = ["".join(map(chr, chance.choices(range(0x4E00, 0x9F00), k=5_000))) for _ in range(200)]
        noise = [signal(n, device="one", data={"noise": text}) for n, text in enumerate(texts)]
        log.append(noise)
        found = everything(log)
        assert [s.id for b in found for s in b.signals] == [s.id for s in noise]
        assert len(found) > 1


class TestThreeServers(SignalLogConformance):
    """Conformance, each batch on three servers."""

    @pytest.fixture
    def log(self, three: Servers) -> Iterator[JetStreamLog]:
        made = three.log(partitions=4, replicas=3)
        yield made
        made.close()


def test_servers_that_die_in_the_middle_lose_and_double_nothing() -> None:
    servers = Servers(3)
    log = servers.log(partitions=2, replicas=3, patience=40.0)
    faults: list[BaseException] = []
    sent = count()

    def write(writer: int) -> None:
        try:
            for number in range(120):
                log.append([signal(number, device=f"w{writer}", id=f"{writer}-{number}")])
                next(sent)
                time.sleep(0.01)
        except BaseException as fault:  # told below: a thread's own would be lost
            faults.append(fault)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    try:
        for writer in writers:
            writer.start()
        for server in (0, 1, 2):  # one of them leads; every one dies once
            time.sleep(1.0)
            servers.kill(server)
            time.sleep(1.0)
            servers.again(server)
            time.sleep(2.0)
        for writer in writers:
            writer.join(90)
        assert not faults, faults
        found = everything(log)
        told = [s.id for b in found for s in b.signals]
        assert Counter(told) == Counter(f"{author}-{number}" for author in range(4) for number in range(120))
        for author in range(4):
            assert [i for i in told if i.startswith(f"{author}-")] == [f"{author}-{n}" for n in range(120)], "each device in its order"
        for partition, last in log.positions().items():
            assert [b.seq for b in found if b.partition == partition] == list(range(1, last + 1))
        log.close()
    finally:
        servers.stop()


def test_without_servers_it_is_said_and_what_was_kept_is_there_afterwards() -> None:
    servers = Servers(1)
    log = servers.log(partitions=1, patience=1.0)
    try:
        log.append([signal(1)])
        servers.kill(0)
        with pytest.raises(Unavailable):
            log.append([signal(2)])
        servers.again(0)
        end = time.monotonic() + 30
        while log.positions() == {0: 0} and time.monotonic() < end:
            time.sleep(0.2)
        log.append([signal(3)])
        kept = {s.id for b in everything(log) for s in b.signals}
        assert {"s1", "s3"} <= kept
        log.close()
    finally:
        servers.stop()
