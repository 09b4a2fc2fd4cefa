"""The devices' door: MQTT topics ``gridloop/v1/{device}/{kind}``, acknowledged messages become signals of the log.

NATS answers PUBACK when a message is in its stream ``$MQTT_msgs``, which keeps it as long as a consumer wants it. Our durable
consumer is made before any device can connect (the log-in needs us, see ``callout``) and is never removed; a message is
acknowledged to NATS after the append. What is delivered twice is dropped where it would have an effect.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import unquote, urlsplit

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig

from gridloop.doors.ingest import body as bodies
from gridloop.doors.ingest import figures
from gridloop.doors.ingest.auth import Senders
from gridloop.doors.ingest.callout import SUBJECT, Issuer, callback
from gridloop.doors.ingest.writer import Writer
from gridloop.doors.pushes import kept
from gridloop.kernel import clock
from gridloop.kernel.errors import Busy, Fault, FieldFault, Unavailable
from gridloop.kernel.texts import say
from gridloop.sdk.signals import Signal
from gridloop.signals.rules import Defaults, ItemFault, parse_item

STREAM, DURABLE = "$MQTT_msgs", "gridloop"
_STORED = "$MQTT.msgs."
_TOPICS = "gridloop.v1.*.*"
_FETCH = 500
_ACK_WAIT = 10.0  # seconds until what a door that died had in its hands comes to another one
_STILL = 2.0  # seconds between two words to NATS that what is delivered is still being appended, however long the database is away
_RETRY = 0.5


class MqttDoor:
    """Runs beside the HTTP door with the same writer."""

    def __init__(self, url: str, writer: Writer, senders: Senders) -> None:
        self._url = url
        self._writer = writer
        self._senders = senders
        self._issuer = Issuer(unquote(urlsplit(url).password or ""))

    async def run(self) -> None:
        """Until cancelled; NATS may be away at any time."""
        while True:
            try:
                await self._serve()
            except (NatsError, OSError) as fault:
                figures.LOG.warning("NATS is away", error=repr(fault))
                await asyncio.sleep(_RETRY)

    async def _serve(self) -> None:
        client = await nats.connect(
            self._url,
            name="gridloop-ingest",
            allow_reconnect=False,
            connect_timeout=2,
            error_cb=_tell,
            ping_interval=5,
            max_outstanding_pings=2,
        )
        try:
            await self._ensure(client.jetstream())
            puller = await client.jetstream().pull_subscribe_bind(durable=DURABLE, stream=STREAM)
            await client.subscribe(_TOPICS, queue="gridloop", cb=self._at_most_once)
            await client.subscribe(SUBJECT, queue="gridloop", cb=callback(self._issuer, self._senders))
            await client.flush()
            figures.LOG.info("mqtt door open")
            while client.is_connected:
                await self._pull(puller)
        finally:
            await _close(client)

    async def _ensure(self, stream_api: JetStreamContext) -> None:
        """NATS's own stream with NATS's own settings (it would make it at the first MQTT log-in), and our durable consumer."""
        settings = StreamConfig(name=STREAM, subjects=[_STORED + ">"], storage=StorageType.FILE, retention=RetentionPolicy.INTEREST)
        await stream_api.add_stream(settings)
        durable = ConsumerConfig(
            durable_name=DURABLE,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT,
            max_ack_pending=20 * _FETCH,
            filter_subject=_STORED + _TOPICS,
        )
        await stream_api.add_consumer(STREAM, durable)

    async def _pull(self, puller: JetStreamContext.PullSubscription) -> None:
        try:
            messages = await puller.fetch(_FETCH, timeout=1.0)
        except TimeoutError:  # nothing came; NATS's own kind is one of these
            return
        signals = [s for m in messages for s in self._signals(m.subject.removeprefix(_STORED), m.data, m.metadata.timestamp.timestamp())]
        still = asyncio.create_task(_still_at_work(messages))
        try:
            await self._append(signals)
        finally:
            still.cancel()
        for message in messages:
            await message.ack()

    async def _append(self, signals: list[Signal]) -> None:
        """Until it is durable: NATS keeps what we have not acknowledged, so waiting loses nothing."""
        while signals:
            try:
                outcome = await self._writer.append(signals)
            except (Busy, Unavailable):
                await asyncio.sleep(_RETRY)
            else:
                figures.ACCEPTED.labels("mqtt").inc(outcome.accepted)
                figures.DUPLICATES.labels("mqtt").inc(outcome.duplicates)
                return

    async def _at_most_once(self, message: Msg) -> None:
        """QoS 0 is not stored by NATS: kept when the log takes it at once, lost otherwise, as its sender chose."""
        if not (message.headers or {}).get("Nmqtt-Pub", "").startswith("0"):
            return
        try:
            outcome = await self._writer.append(self._signals(message.subject, message.data, None))
            figures.ACCEPTED.labels("mqtt").inc(outcome.accepted)
        except Fault:
            figures.REFUSED.inc()

    def _signals(self, subject: str, payload: bytes, stored: float | None) -> list[Signal]:
        """The signals of one message; what is wrong is told in the log, there is no one to answer to."""
        now = clock.now()
        level, kind = subject.split(".")[2:4]
        device = level.replace("//", ".")
        at = now if stored is None else min(clock.at_real(stored), now)
        known = Defaults(device=device, kind=kind, at=at)
        try:
            raws = bodies.items(payload, ndjson=False)
        except Fault as fault:
            _refused(device, kind, fault)
            return []
        signals = []
        for raw in raws:  # a bad item loses itself only: its neighbours were acknowledged with it
            item: Any = {"value": raw} if isinstance(raw, bool | int | float) else raw
            try:
                if isinstance(item, ItemFault):
                    raise item
                signals.append(parse_item(item, now, known, kept()))
            except ItemFault as refused:
                _refused(device, kind, refused.fault)
        return signals


def _refused(device: str, kind: str, fault: Fault | FieldFault) -> None:
    figures.REJECTED.labels("mqtt").inc()
    figures.LOG.warning("mqtt message refused", device=device, kind=kind, error=say(fault.key, "en", **fault.params))


async def _still_at_work(messages: list[Msg]) -> None:
    """Until cancelled. When NATS is away it will not hear of it, and delivers again: no harm is done."""
    with contextlib.suppress(NatsError, OSError):
        while True:
            await asyncio.sleep(_STILL)
            for message in messages:
                await message.in_progress()


async def _tell(fault: Exception) -> None:
    """Faults outside of our own calls; a lost connection ends ``_serve`` besides."""
    figures.LOG.warning("mqtt door", error=repr(fault))


async def _close(client: Client) -> None:
    try:
        await asyncio.wait_for(client.close(), 2)
    except (NatsError, OSError, TimeoutError):
        return
