"""How often something was tried within a while, counted for all processes together: one statement a try, nothing else locked.

Counted in real time, whatever the deployment's clock says: it is the machine that is being flooded.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from django.db import connection

_COUNT = """
INSERT INTO access_meter (key, count, ends) VALUES (%s, 1, now() + %s * interval '1 second')
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN access_meter.ends <= now() THEN 1 ELSE access_meter.count + 1 END,
    ends = CASE WHEN access_meter.ends <= now() THEN excluded.ends ELSE access_meter.ends END
RETURNING count, ceil(extract(epoch FROM ends - now()))::int
"""
_SWEEP_AT = 1000  # every so many tries of one key; a meter that is over costs nothing but its row


@dataclass(frozen=True, slots=True)
class Meter:
    """``most`` tries in ``seconds`` for each key."""

    name: str
    most: int
    seconds: int

    def _key(self, key: str) -> str:
        return f"{self.name}:{key}"[:200]

    def count(self, key: str) -> tuple[int, int]:
        """Count one try; how many there were in this span, and seconds until it ends."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [self._key(key), self.seconds])
            count, left = cursor.fetchone()
            if count % _SWEEP_AT == 1:
                cursor.execute("DELETE FROM access_meter WHERE ends < now() - interval '1 hour'")
        return int(count), max(1, int(left))

    def wait(self, key: str) -> int:
        """Seconds to wait when the span is used up; 0 when another try is allowed. Counts nothing."""
        with connection.cursor() as cursor:
            sql = "SELECT ceil(extract(epoch FROM ends - now()))::int FROM access_meter WHERE key = %s AND ends > now() AND count >= %s"
            cursor.execute(sql, [self._key(key), self.most])
            row = cursor.fetchone()
        return max(1, int(row[0])) if row else 0

    def forget(self, key: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM access_meter WHERE key = %s", [self._key(key)])


def network_of(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the /64 that a single IPv6 customer gets."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:60]
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.IPv6Network((found, 64), strict=False).network_address)
    return address
