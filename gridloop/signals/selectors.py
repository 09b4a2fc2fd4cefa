"""Reads of the signals room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.viewer import Viewer
from gridloop.registry.selectors import device_counts, overdue_devices
from gridloop.signals.actions import is_mass_silence, most_late
from gridloop.signals.models import Trouble
from gridloop.signals.positions import CONSUMERS

EFFECTS_LATE, HISTORY_LATE = 10.0, 3 * 3600.0  # seconds a batch may wait; the history takes whole hours

# How far behind the log's end every consumer is: batches, and the age of the first one waiting.
_LAG = """
SELECT n.name, COALESCE(sum(p.seq - COALESCE(c.seq, 0)), 0), min(b.at)
FROM unnest(%s::text[]) AS n(name) CROSS JOIN signals_partition p
LEFT JOIN signals_position c ON c.partition = p.partition AND c.consumer = n.name
LEFT JOIN signals_batch b ON b.partition = p.partition AND b.seq = COALESCE(c.seq, 0) + 1
GROUP BY n.name
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """``batches`` not yet worked through, the first of them durable since ``since``."""

    batches: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class State:
    """How the room is, for ``gridloop doctor``."""

    lags: dict[str, Lag]
    troubles: int
    last_trouble: str
    mass_silence: bool


@reading
def lags(viewer: Viewer) -> dict[str, Lag]:
    """How far behind the log's end each of its consumers is."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG, [list(CONSUMERS)])
        return {name: Lag(int(batches), since) for name, batches, since in cursor.fetchall()}


@reading
def state(viewer: Viewer) -> State:
    """Lags of the consumers, signals that could not be taken, and whether most devices fell silent together."""
    last = Trouble.objects.order_by("-at").first()
    late = len(overdue_devices(viewer, clock.now(), limit=most_late(viewer)))
    return State(lags(viewer), Trouble.objects.count(), last.error if last else "", is_mass_silence(late, device_counts(viewer)["online"]))


def doctor(viewer: Viewer) -> list[tuple[str, str, str]]:
    """Lines for ``gridloop doctor``: level, name, what is."""
    now = clock.now()
    found = state(viewer)
    lines = []
    for name, lag in sorted(found.lags.items()):
        age = (now - lag.since).total_seconds() if lag.since else 0.0
        most = HISTORY_LATE if name == "history" else EFFECTS_LATE
        normal = f"up to {most:.0f} s is normal" + (": history is written by the hour" if name == "history" else "")
        text = f"{lag.batches} batches behind, the first waits {age:.0f} s ({normal})"
        lines.append(("warn" if age > most else "ok", f"signals {name}", text))
    if found.troubles:
        lines.append(("warn", "signals without effect", f"{found.troubles} in the last 30 days, last: {found.last_trouble}"))
    if found.mass_silence:
        lines.append(("BAD", "devices", "many have fallen silent together: look at ingest, network and NATS"))
    return lines
