"""Reads of the signals room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.viewer import Viewer
from gridloop.registry.selectors import device_counts, overdue_devices
from gridloop.signals.actions import is_mass_silence
from gridloop.signals.models import Trouble
from gridloop.signals.positions import CONSUMERS

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
def state(viewer: Viewer) -> State:
    """Lags of the consumers, signals that could not be taken, and whether most devices fell silent together."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG, [list(CONSUMERS)])
        lags = {name: Lag(int(batches), since) for name, batches, since in cursor.fetchall()}
    last = Trouble.objects.order_by("-at").first()
    late = len(overdue_devices(viewer, clock.now()))
    return State(lags, Trouble.objects.count(), last.error if last else "", is_mass_silence(late, device_counts(viewer)["online"]))
