"""The signal log on JetStream: one stream a partition, its sequence ours; replicated when there are several servers."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from gridloop.kernel.errors import Unavailable
from gridloop.kernel.ids import uuid7
from gridloop.sdk.signals import BATCH_SIGNALS, Batch, Signal, pack, partition_of, unpack

T = TypeVar("T")
AT = "Gridloop-At"  # header: when the batch was appended, RFC 3339
AT_ONCE = 32  # messages asked for together
ACK_SECONDS = 2.0
REMEMBERED = timedelta(minutes=2)  # names of batches the servers know again, so that sending once more doubles nothing
_AGAIN = (NatsError, TimeoutError, OSError)


class JetStreamLog:
    """Implements ``sdk.signals.SignalLog``. Threads may share one; ``close`` it.

    ``patience``: seconds an append goes on trying, with the same names, while servers choose a new leader. ``keep``: how long batches stay.
    """

    def __init__(
        self,
        servers: Sequence[str],
        partitions: int = 8,
        replicas: int = 1,
        *,
        prefix: str = "gridloop_signals",
        keep: timedelta = timedelta(hours=48),
        patience: float = 20.0,
    ) -> None:
        self._partitions, self._prefix, self._patience = partitions, prefix, patience
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="jetstream", daemon=True)
        self._thread.start()
        self._locks = [asyncio.Lock() for _ in range(partitions)]
        self._client: Client
        self._streams: JetStreamContext
        self._run(self._begin(list(servers), replicas, keep))

    @property
    def partitions(self) -> int:
        return self._partitions

    def append(self, signals: Sequence[Signal]) -> None:
        """A partition's batches one after the other, partitions beside each other."""
        parts: dict[int, list[Signal]] = defaultdict(list)
        for signal in signals:
            parts[partition_of(signal, self._partitions)].append(signal)
        at = datetime.now(UTC).isoformat()
        self._run(self._append_all([self._append(partition, members, at) for partition, members in parts.items()]))

    def read(self, partition: int, after_seq: int, limit: int) -> list[Batch]:
        return self._run(self._read(partition, after_seq, limit))

    def positions(self) -> dict[int, int]:
        return self._run(self._positions())

    def close(self) -> None:
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except _AGAIN as fault:
            raise Unavailable("signals.unavailable") from fault

    def _name(self, partition: int) -> str:
        return f"{self._prefix}_{partition:04d}"

    async def _begin(self, servers: list[str], replicas: int, keep: timedelta) -> None:
        self._client = await nats.connect(
            servers, max_reconnect_attempts=-1, reconnect_time_wait=0.2, connect_timeout=3, allow_reconnect=True
        )
        self._streams = self._client.jetstream(timeout=ACK_SECONDS)
        for partition in range(self._partitions):
            name = self._name(partition)
            config = StreamConfig(
                name=name,
                subjects=[name],
                retention=RetentionPolicy.LIMITS,
                discard=DiscardPolicy.OLD,
                storage=StorageType.FILE,
                max_age=keep.total_seconds(),
                num_replicas=replicas,
                duplicate_window=REMEMBERED.total_seconds(),
                deny_delete=True,
            )
            await self._patiently(lambda config=config: self._made(config))

    async def _made(self, config: StreamConfig) -> None:
        try:
            await self._streams.stream_info(str(config.name))
        except NotFoundError:
            await self._streams.add_stream(config)

    async def _append_all(self, parts: list[Coroutine[Any, Any, None]]) -> None:
        faults = [done for done in await asyncio.gather(*parts, return_exceptions=True) if isinstance(done, BaseException)]
        if faults:
            raise faults[0]

    async def _append(self, partition: int, signals: list[Signal], at: str) -> None:
        async with self._locks[partition]:  # a batch that is sent again must not be overtaken by the next
            for data in self._packed(signals):
                headers = {"Nats-Msg-Id": str(uuid7()), AT: at}
                await self._patiently(
                    lambda data=data, headers=headers: self._streams.publish(self._name(partition), data, headers=headers)
                )

    def _packed(self, signals: Sequence[Signal]) -> Iterator[bytes]:
        """Batches no larger than a message may be; a signal alone always is."""
        for start in range(0, len(signals), BATCH_SIGNALS):
            waiting = [signals[start : start + BATCH_SIGNALS]]
            while waiting:
                part = waiting.pop()
                data = pack(part)
                if len(data) > self._client.max_payload - 1024 and len(part) > 1:
                    waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                else:
                    yield data

    async def _patiently(self, act: Any) -> Any:
        """Again until it is done or the patience ends: while servers choose a leader nobody answers."""
        end = self._loop.time() + self._patience
        while True:
            try:
                return await act()
            except _AGAIN:
                if self._loop.time() > end:
                    raise
                await asyncio.sleep(0.1)

    async def _read(self, partition: int, after_seq: int, limit: int) -> list[Batch]:
        name = self._name(partition)
        state = (await self._patiently(lambda: self._streams.stream_info(name))).state
        first = max(after_seq + 1, state.first_seq)
        last = min(state.last_seq, first + limit - 1)
        found: list[Batch] = []
        for start in range(first, last + 1, AT_ONCE):
            asked = range(start, min(start + AT_ONCE, last + 1))
            found += await asyncio.gather(*(self._patiently(lambda seq=seq: self._one(partition, seq)) for seq in asked))
        return found

    async def _one(self, partition: int, seq: int) -> Batch:
        message = await self._streams.get_msg(self._name(partition), seq=seq)
        return Batch(partition, seq, datetime.fromisoformat((message.headers or {})[AT]), unpack(message.data or b""))

    async def _positions(self) -> dict[int, int]:
        names = {partition: self._name(partition) for partition in range(self._partitions)}
        told = await asyncio.gather(*(self._patiently(lambda name=name: self._streams.stream_info(name)) for name in names.values()))
        return {partition: info.state.last_seq for partition, info in zip(names, told, strict=True)}
