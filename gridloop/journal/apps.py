"""The journal's app: how times are read from the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from psycopg.types.datetime import TimestamptzLoader


class UtcLoader(TimestamptzLoader):
    """Times in UTC, read by the interpreter's own parser: the loader Django derives from takes ten times as long."""

    timezone = UTC  # Django looks here whether the loader fits its connection

    def load(self, data: Any) -> datetime:
        try:
            return datetime.fromisoformat(bytes(data).decode())
        except ValueError:  # before the common era, say
            return super().load(data).replace(tzinfo=UTC)


def _read_times(connection: Any, **_: Any) -> None:
    if connection.vendor == "postgresql" and connection.timezone == UTC:
        connection.connection.adapters.register_loader("timestamptz", UtcLoader)


class JournalConfig(AppConfig):
    name = "gridloop.journal"
    label = "journal"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        connection_created.connect(_read_times, dispatch_uid="gridloop.journal.times")
