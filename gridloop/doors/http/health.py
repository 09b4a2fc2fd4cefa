"""``/healthz``: this process lives. ``/readyz``: it can also do its work; what is missing is named."""

from __future__ import annotations

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from gridloop.doors import broker


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Alive: asks nothing of anybody else."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers as an ordinary role and the devices' door is open, else 503; ``parts`` says which."""
    parts = {"database": _database(), "nats": _nats()}
    ready = all(word == "ok" for word in parts.values())
    return JsonResponse({"status": "ok" if ready else "not ready", "parts": parts}, status=200 if ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            return "row security does not bind this role" if cursor.fetchone()[0] else "ok"
    except Error as fault:
        connection.close()
        return type(fault).__name__


def _nats() -> str:
    return (settings.NATS_URL and broker.fault(settings.NATS_URL)) or "ok"
