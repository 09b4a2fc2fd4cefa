"""What comes out: alarms, and what makes one the same as another."""

from __future__ import annotations

from typing import NamedTuple

from gridloop.kernel.hashing import canonical, sha256_hex

RAISED, STEPPED, CLEARED = "raised", "stepped", "cleared"


class Alarm(NamedTuple):
    """``at``: the moment of the data at which it was raised, became more severe or was over. ``start``: when it was raised, ms."""

    at: int
    detector: str
    version: int
    key: int
    start: int
    severity: int
    what: str


def alarm_id(detector: str, version: int, key: str, start: int) -> str:
    """32 hex digits that name the alarm; ``key`` is the name of the device, subject or place, which outlives its number. Raised again from

    the same data it has the same id, so that a replay doubles nothing.
    """
    return sha256_hex(canonical(["alarm", detector, version, key, start]))[:32]
