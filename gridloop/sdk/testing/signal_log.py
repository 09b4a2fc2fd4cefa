"""What every ``SignalLog`` must do. Subclass ``SignalLogConformance`` in a test module and give a ``log`` fixture (an empty log)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from gridloop.sdk.signals import BATCH_SIGNALS, Batch, Signal, SignalLog, partition_of

START = datetime(2026, 5, 1, 8, tzinfo=UTC)


def signal(number: int, device: str = "", **changes: object) -> Signal:
    """A plausible reading, its time ``number`` microseconds after a fixed start."""
    values: dict[str, object] = {
        "id": f"s{number}",
        "source": "conformance",
        "device": device or f"d{number % 97}",
        "kind": "water_level",
        "at": START + timedelta(microseconds=number),
        "value": number / 7,
    }
    return Signal(**(values | changes))  # type: ignore[arg-type]  # a test builder takes any field


def everything(log: SignalLog) -> list[Batch]:
    """All batches of all partitions, read two at a time."""
    found: list[Batch] = []
    for partition in sorted(log.positions()):
        after = 0
        while batches := log.read(partition, after, 2):
            found += batches
            after = batches[-1].seq
    return found


class SignalLogConformance:
    """Order, gaplessness, spreading, fidelity, concurrent writers."""

    def test_an_empty_log_has_every_partition_at_zero(self, log: SignalLog) -> None:
        assert log.positions() == dict.fromkeys(range(log.partitions), 0)
        assert log.read(0, 0, 10) == []

    def test_what_is_appended_is_read_unchanged(self, log: SignalLog) -> None:
        sent = [
            signal(1, at=datetime(2026, 5, 1, 8, 0, 0, 123457, tzinfo=UTC)),
            signal(2, device="", value=None, lon=120.1, lat=-30.25, data={"车牌": "浙A12345", "n": [1, 2.5, None, {"a": True}]}),
            signal(3, id="标识 \U0001f600", value=-0.0),
        ]
        log.append(sent)
        got = [s for b in everything(log) for s in b.signals]
        assert sorted(got, key=lambda s: s.at) == sorted(sent, key=lambda s: s.at)

    def test_sequences_have_no_gap_and_limits_hold(self, log: SignalLog) -> None:
        for start in range(0, 60, 20):
            log.append([signal(n) for n in range(start, start + 20)])
        for partition, last in log.positions().items():
            batches = log.read(partition, 0, 1000)
            assert [b.seq for b in batches] == list(range(1, last + 1))
            assert all(b.partition == partition for b in batches)
            assert log.read(partition, 0, 1) == batches[:1]
            assert log.read(partition, last, 5) == []

    def test_a_device_keeps_its_partition_and_order(self, log: SignalLog) -> None:
        for n in range(30):
            log.append([signal(n, device="meter-7"), signal(1000 + n, device="meter-8")])
        own = [(b.partition, s) for b in everything(log) for s in b.signals if s.device == "meter-7"]
        assert {p for p, _ in own} == {partition_of(own[0][1], log.partitions)}
        assert [s.id for _, s in own] == [f"s{n}" for n in range(30)]

    def test_large_appends_are_cut_into_batches(self, log: SignalLog) -> None:
        log.append([signal(n, device="one") for n in range(2 * BATCH_SIGNALS + 1)])
        assert [len(b.signals) for b in everything(log)] == [BATCH_SIGNALS, BATCH_SIGNALS, 1]

    def test_concurrent_writers_leave_no_gap(self, log: SignalLog) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda k: log.append([signal(k * 100 + n) for n in range(50)]), range(24)))
        batches = everything(log)
        assert sum(len(b.signals) for b in batches) == 24 * 50
        for partition, last in log.positions().items():
            assert [b.seq for b in batches if b.partition == partition] == list(range(1, last + 1))
