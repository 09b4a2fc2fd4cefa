"""The signal log on JetStream: one stream a partition, its sequence ours; replicated when there are several servers.

A town may have a log of its own on a leaf node (a JetStream domain). The hub's streams take its batches over, by sequence: what was
written while the town was cut off comes when it is back, once and in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, ExternalStream, RetentionPolicy, StorageType, StreamConfig, StreamSource
from nats.js.errors import NotFoundError

from gridloop.kernel import clock
from gridloop.kernel.errors import Unavailable
from gridloop.kernel.ids import uuid7
from gridloop.sdk.signals import BATCH_SIGNALS, Batch, Packed, Signal, pack, partition_of, unpack

T = TypeVar("T")
AT = "Gridloop-At"  # header: when the batch was appended, RFC 3339
PREFIX = "gridloop_signals"  # of the streams' names
FROM = "Nats-Stream-Source"  # header the servers set on what they took over from another stream
AT_ONCE = 32  # messages asked for together
ACK_SECONDS = 2.0
REMEMBERED = timedelta(minutes=2)  # names of batches the servers know again, so that sending once more doubles nothing
_AGAIN = (NatsError, TimeoutError, OSError)


class JetStreamLog:
    """Implements ``sdk.signals.ServedLog``. Threads may share one; ``close`` it.

    ``patience``: seconds an append goes on trying, with the same names, while servers choose a new leader. ``domain``: of the servers, when
    they are a town's; ``towns``: domains whose logs this one takes over. ``credentials``: a file that proves who we are.
    """

    def __init__(
        self,
        servers: Sequence[str],
        partitions: int = 8,
        replicas: int = 1,
        *,
        prefix: str = PREFIX,
        patience: float = 20.0,
        domain: str = "",
        towns: Sequence[str] = (),
        credentials: str = "",
    ) -> None:
        self._partitions, self._prefix, self._patience = partitions, prefix, patience
        self._domain, self._towns, self._replicas = domain or "hub", list(towns), replicas
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="jetstream", daemon=True)
        self._thread.start()
        self._locks = [asyncio.Lock() for _ in range(partitions)]
        self._client: Client
        self._streams: JetStreamContext
        self._run(self._begin(list(servers), credentials))

    @property
    def partitions(self) -> int:
        return self._partitions

    def append(self, signals: Sequence[Signal]) -> None:
        """A partition's batches one after the other, partitions beside each other."""
        parts: dict[int, list[Signal]] = defaultdict(list)
        for signal in signals:
            parts[partition_of(signal, self._partitions)].append(signal)
        self._run(self._append_all([self._append(partition, members) for partition, members in parts.items()]))

    def read(self, partition: int, after_seq: int, limit: int) -> list[Batch]:
        return [Batch(partition, one.seq, one.at, unpack(one.data)) for one in self.packed({partition: after_seq}, limit) if one.data]

    def packed(self, after: Mapping[int, int], limit: int) -> list[Packed]:
        return self._run(self._read_all(after, limit))

    def positions(self) -> dict[int, int]:
        return {partition: last for partition, (_, last) in self.spans().items()}

    def spans(self) -> dict[int, tuple[int, int]]:
        return self._run(self._spans())

    def trim(self, upto: Mapping[int, int]) -> None:
        for partition, seq in upto.items():
            self._run(self._patiently(partial(self._streams.purge_stream, self._name(partition), seq=seq + 1)))

    def remove(self, partition: int, seq: int) -> None:
        self._run(self._patiently(lambda: self._removed(partition, seq)))

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

    def _subject(self, partition: int) -> str:
        """Another one in every domain: what a town writes must not reach the hub's streams by its subject as well."""
        return f"{self._prefix}.{self._domain}.{partition:04d}"

    async def _begin(self, servers: list[str], credentials: str) -> None:
        more = {"user_credentials": credentials} if credentials else {}
        self._client = await nats.connect(
            servers, max_reconnect_attempts=-1, reconnect_time_wait=0.2, connect_timeout=3, allow_reconnect=True, **more
        )
        self._streams = self._client.jetstream(timeout=ACK_SECONDS)
        for partition in range(self._partitions):
            await self._patiently(partial(self._made, self._config(partition)))

    def _config(self, partition: int) -> StreamConfig:
        name = self._name(partition)
        sources = [StreamSource(name=name, external=ExternalStream(api=f"$JS.{town}.API")) for town in self._towns]
        return StreamConfig(
            name=name,
            subjects=[self._subject(partition)],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            duplicate_window=REMEMBERED.total_seconds(),
            sources=sources or None,
        )

    async def _made(self, config: StreamConfig) -> None:
        """The stream as it should be: towns may have come or gone, servers become more."""
        try:
            found = (await self._streams.stream_info(str(config.name))).config
        except NotFoundError:
            await self._streams.add_stream(config)
            return
        if _towns(found) != _towns(config) or found.num_replicas != config.num_replicas:
            await self._streams.update_stream(config)

    async def _append_all(self, parts: list[Coroutine[Any, Any, None]]) -> None:
        faults = [done for done in await asyncio.gather(*parts, return_exceptions=True) if isinstance(done, BaseException)]
        if faults:
            raise faults[0]

    async def _append(self, partition: int, signals: list[Signal]) -> None:
        async with self._locks[partition]:  # a batch that is sent again must not be overtaken by the next
            for data in self._cut(signals):
                await self._patiently(partial(self._publish, partition, data, str(uuid7())))

    async def _publish(self, partition: int, data: bytes, name: str) -> None:
        """The moment is that of the attempt: readers wait only so long for what began before another. Nothing is left for later, either."""
        if not self._client.is_connected:
            raise ConnectionError("no server")
        headers = {"Nats-Msg-Id": name, AT: clock.now().isoformat()}
        await self._streams.publish(self._subject(partition), data, headers=headers)

    def _cut(self, signals: Sequence[Signal]) -> Iterator[bytes]:
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

    async def _read_all(self, after: Mapping[int, int], limit: int) -> list[Packed]:
        found = await asyncio.gather(*(self._read(partition, seq, limit) for partition, seq in sorted(after.items())))
        return [one for part in found for one in part]

    async def _read(self, partition: int, after_seq: int, limit: int) -> list[Packed]:
        kept = await self._span(partition)
        first = max(after_seq + 1, kept[0])
        last = min(kept[1], first + limit - 1)
        found: list[Packed] = []
        if first > kept[1] > after_seq:  # all that followed was removed
            return [Packed(partition, kept[1], clock.now(), b"")]
        for start in range(first, last + 1, AT_ONCE):
            asked = range(start, min(start + AT_ONCE, last + 1))
            found += await asyncio.gather(*(self._patiently(partial(self._one, partition, seq)) for seq in asked))
        return found

    async def _one(self, partition: int, seq: int) -> Packed:
        try:
            message = await self._streams.get_msg(self._name(partition), seq=seq)
        except NotFoundError:
            return Packed(partition, seq, clock.now(), b"")
        headers = message.headers or {}
        return Packed(partition, seq, datetime.fromisoformat(headers[AT]), message.data or b"", FROM in headers)

    async def _removed(self, partition: int, seq: int) -> None:
        """Once and for all: the server overwrites its bytes, and says of one it has not that it failed."""
        with contextlib.suppress(NotFoundError):
            await self._streams.get_msg(self._name(partition), seq=seq)
            await self._streams.delete_msg(self._name(partition), seq)

    async def _span(self, partition: int) -> tuple[int, int]:
        state = (await self._patiently(lambda: self._streams.stream_info(self._name(partition)))).state
        return max(state.first_seq, 1), state.last_seq

    async def _spans(self) -> dict[int, tuple[int, int]]:
        return dict(enumerate(await asyncio.gather(*map(self._span, range(self._partitions)))))


def _towns(config: StreamConfig) -> set[str]:
    return {one.external.api for one in config.sources or () if one.external}


def from_environment(partitions: int) -> JetStreamLog:
    """The log of the settings. ValueError when they make no sense."""
    servers, towns = _listed(os.environ.get("GRIDLOOP_SIGNALS_SERVERS", "")), _listed(os.environ.get("GRIDLOOP_SIGNALS_TOWNS", ""))
    if not servers:
        raise ValueError("GRIDLOOP_SIGNALS_SERVERS must name the servers of the signal log, such as nats://a:4222,nats://b:4222")
    replicas = os.environ.get("GRIDLOOP_SIGNALS_REPLICAS", "").strip() or ("3" if len(servers) >= 3 else "1")
    if replicas not in ("1", "3", "5"):
        raise ValueError(f"GRIDLOOP_SIGNALS_REPLICAS must be 1, 3 or 5, not {replicas}")
    own = os.environ.get("GRIDLOOP_SIGNALS_DOMAIN", "").strip()
    for domain in (own, *towns):
        if domain and not domain.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{domain!r} is no JetStream domain: letters, digits, - and _ only")
    return JetStreamLog(
        servers,
        partitions,
        int(replicas),
        prefix=os.environ.get("GRIDLOOP_SIGNALS_PREFIX", "").strip() or PREFIX,
        domain=own,
        towns=towns,
        credentials=os.environ.get("GRIDLOOP_SIGNALS_CREDENTIALS", "").strip(),
    )


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
