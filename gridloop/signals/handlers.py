"""What signals bring about, run by the worker: devices are heard, scenes recognise, cases open or join.

Effects and position move in one transaction, so a crash repeats the batch as a whole; what is repeated or delivered twice has
no second effect, because a recognised signal's identity is unique in ``signals_seen``.
"""

from __future__ import annotations

import logging
import os
import random
import socket
from collections.abc import Callable, Sequence
from hashlib import md5
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction

from gridloop.cases.actions import receive_signal
from gridloop.cases.messages import SceneMatch
from gridloop.journal.frame import scoped
from gridloop.kernel import clock, tracing
from gridloop.kernel.hints import hint_worker
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.selectors import region_at
from gridloop.registry.actions import devices_heard
from gridloop.registry.selectors import devices_by_code
from gridloop.sdk.signals import Batch, Packed, Signal, microseconds, moment_of, unpack_rows
from gridloop.signals import positions
from gridloop.signals.actions import back_online, emit
from gridloop.signals.models import Trouble
from gridloop.signals.outcomes import matcher, note_witness
from gridloop.signals.rules import OWN_SOURCE
from gridloop.signals.sharing import Crew
from gridloop.signals.source import batches as batches_after
from gridloop.signals.source import source

log = logging.getLogger(__name__)
Act = Callable[[positions.Lease], positions.Lease | None]
EFFECTS, HEARD = "effects", "heard"
BATCHES = 20  # batches in one transaction
HEARD_BATCHES = 200  # a device is noted once for all it said in them
HEARD_DEVICES = 10_000  # in one transaction: what follows the trace waits for the oldest one that writes
TURNS = 10  # transactions before another partition has its turn


def owner_name() -> str:
    """This worker, in a way no other has ever been called."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{random.getrandbits(32):08x}"


_OWNER = owner_name()


def run_effects() -> bool:
    """Job: one turn over every partition that waits. True when more may be waiting."""
    return _run(EFFECTS, apply_next)


def run_heard() -> bool:
    """Job: devices of every partition that waits are noted as heard. True when more may be waiting."""
    return _run(HEARD, hear_next)


def _run(consumer: str, act: Act) -> bool:
    waiting = positions.waiting(consumer)
    random.shuffle(waiting)  # several workers begin at different ends
    return sum(_run_partition(consumer, partition, act) for partition in waiting) > 0


_crew: Crew | None = None


def run_detectors() -> bool:
    """Job: the detectors take what the log has. True when more may be waiting."""
    global _crew
    if _crew is None:
        _crew = Crew(_OWNER, lambda: matcher().detectors())
    return _crew.turn()


def end_detectors() -> None:
    """The worker ends: what the detectors know is stored, so that whoever comes next begins at once and reads nothing again."""
    if _crew is not None:
        _crew.end()


run_detectors.end = end_detectors  # type: ignore[attr-defined]  # read by the worker's loop


def _run_partition(consumer: str, partition: int, act: Act) -> bool:
    lease = positions.claim(consumer, partition, _OWNER)
    if lease is None:
        return False
    try:
        for _ in range(TURNS):
            following = act(lease)
            if following is None:
                return False
            lease = following
        return True
    except positions.Fenced as fenced:
        log.warning("%s", fenced)
        return True
    finally:
        positions.release(lease)


def apply_next(lease: positions.Lease, limit: int = BATCHES) -> positions.Lease | None:
    """Effects of the next batches with their position in one transaction; None when there is nothing."""
    with scoped(SYSTEM):
        _not_for_ever()
        batches = batches_after(lease.partition, lease.seq, limit, matcher().kinds())
        if not batches:
            return None
        if known := [(batch, s) for batch in batches for s in batch.signals]:
            _recognise(known)
        return positions.advance(lease, batches[-1].seq)


def _not_for_ever() -> None:
    """A worker that stands still must not keep its locks."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '60s'")


def hear_next(lease: positions.Lease) -> positions.Lease | None:
    """Devices of the next batches with their position in one transaction; None when there is nothing."""
    with scoped(SYSTEM):
        _not_for_ever()
        found = source().packed({lease.partition: lease.seq}, HEARD_BATCHES)
        if not found:
            return None
        return positions.advance(lease, hear(found))


def hear(batches: Sequence[Packed]) -> int:
    """When devices were heard last, inside the caller's transaction, up to the batch with which they are enough: its sequence.

    None was heard later than its batch was received.
    """
    seq = 0
    last: dict[str, tuple[int, float | None]] = {}
    first: dict[str, int] = {}
    for batch in batches:
        received = microseconds(batch.at)
        for _, sender, code, _, at, value, *_ in unpack_rows(batch.data):
            if code and sender != OWN_SOURCE:
                at = min(at, received)
                if code not in last or last[code][0] < at:
                    last[code] = (at, value)
                if first.setdefault(code, at) > at:
                    first[code] = at
        seq = batch.seq
        if len(last) >= HEARD_DEVICES:
            break
    if last:
        back = devices_heard(SYSTEM, [(code, moment_of(at), value) for code, (at, value) in last.items()])
        emit([back_online(code, moment_of(first[code])) for code in back])
    return seq


def _recognise(known: Sequence[tuple[Batch, Signal]]) -> None:
    devices = devices_by_code(SYSTEM, {s.device for _, s in known if s.device})
    matched: list[tuple[Batch, Signal, str, Sequence[SceneMatch]]] = []
    for batch, signal in known:
        device = devices.get(signal.device)
        region = device.region_code if device else ""
        if device and signal.lon is None and device.lon is not None:
            signal = _placed(signal, device.lon, device.lat)
        elif signal.lon is not None and signal.lat is not None:
            region = region_at(SYSTEM, signal.lon, signal.lat) or region
        if matches := matcher().recognise(signal, region):
            matched.append((batch, signal, region, matches))
    if matched:  # who is to be told of it, a loudspeaker for one, is told at once
        transaction.on_commit(lambda: hint_worker("notices.facts"))
    fresh = first_time([s for _, s, _, _ in matched])
    for batch, signal, region, matches in matched:
        if identity(signal) in fresh:
            fresh.discard(identity(signal))  # the same signal twice in one turn
            for match in matches:
                _receive(batch, signal, region, match)


def _placed(s: Signal, lon: float, lat: float | None) -> Signal:
    """A signal without a place lies where its device stands."""
    return Signal(s.id, s.source, s.device, s.kind, s.at, s.value, lon, lat, s.data, s.trace)


def _receive(batch: Batch, s: Signal, region: str, match: SceneMatch) -> None:
    """One effect in a savepoint: a signal that cannot be taken is written down and passed, it never blocks those behind it."""
    try:
        with transaction.atomic(), tracing.span("signal effect", s.trace, "consumer", signal=s.kind):
            case = receive_signal(SYSTEM, s, match)
            if case is not None and match.verb == "open":
                note_witness(s, case, region, match.scene_version_id)
    except (OperationalError, InterfaceError):
        raise  # a dead-lock or a lost connection is no fault of the signal: the whole turn is repeated
    except Exception as fault:
        log.exception("signal %s of %s has no effect", s.id, s.source)
        error = f"{type(fault).__name__}: {fault}"[:500]
        Trouble.objects.create(partition=batch.partition, seq=batch.seq, source=s.source, signal=s.id, error=error, at=clock.now())


def identity(signal: Signal) -> UUID:
    """What makes a signal the same one: readings by device, kind and time, all others by source and id."""
    parts = (signal.device, signal.kind, signal.at.isoformat()) if signal.is_reading else signal.identity
    return UUID(bytes=md5("\x00".join(parts).encode(), usedforsecurity=False).digest())


def first_time(signals: Sequence[Signal]) -> set[UUID]:
    """Write down identities; returns those that were not known. Kept for at least seven days (``actions.forget``)."""
    keys = sorted({identity(s) for s in signals})  # sorted: two workers never wait for each other
    if not keys:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO signals_seen (key, day) SELECT unnest(%s::uuid[]), %s ON CONFLICT DO NOTHING RETURNING key",
            [keys, clock.now().date()],
        )
        return {row[0] for row in cursor.fetchall()}
