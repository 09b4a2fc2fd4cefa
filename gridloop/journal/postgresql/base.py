"""What Django looks for by this name in an engine."""

from __future__ import annotations

import select
import time
from typing import Any, Final

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

SILENT: Final = 30.0  # seconds after which the server is asked all the same: a line may be dead without an end on it


class DatabaseWrapper(base.DatabaseWrapper):
    """Before each request and each turn of a job Django asks whether the kept connection still works.

    A server that ends a connection says so on it, and one that nobody uses says nothing else: so an idle line with nothing to
    read is good, and only then. What there is to read, an error since the last time and long silence are settled by asking.
    """

    _asked = 0.0  # by the monotonic clock

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._asked = time.monotonic()
        return super().get_new_connection(conn_params)

    def is_usable(self) -> bool:
        if not self.errors_occurred and time.monotonic() - self._asked < SILENT and self._quiet():
            return True
        self._asked = time.monotonic()
        return bool(super().is_usable())

    def _quiet(self) -> bool:
        server = self.connection.pgconn if self.connection is not None else None
        if server is None or server.transaction_status != TransactionStatus.IDLE:
            return False
        line = select.poll()
        line.register(server.socket, select.POLLIN | select.POLLPRI)
        return not line.poll(0)  # the end of a line and faults on it are told unasked
