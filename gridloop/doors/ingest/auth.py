"""Who sends: an API token with the right to send signals, or a device with its secret. Answers are kept for at most 10 s."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import psycopg

from gridloop.access.rules import permissions_of
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault, Forbidden, Unavailable
from gridloop.signals.log import Connect

KEPT_SECONDS = 10.0
_MOST_KEPT = 20_000
PERMISSION = "signals.write"
SCOPES = frozenset({"all", "signals", PERMISSION})


class Unauthorized(Fault):
    """No or wrong credentials (401)."""

    status = 401


@dataclass(frozen=True, slots=True)
class Sender:
    """``device`` is set for a device's own credential, which may send for itself only."""

    device: str = ""
    user_id: int | None = None
    fault: str = ""  # text key of why this sender may not send


class Senders:
    """Looks senders up through two functions of the database that show nothing else."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._kept: dict[str, tuple[float, Sender]] = {}

    async def check(self, authorization: str) -> Sender:
        """The sender of an Authorization header. Raises ``Unauthorized``, ``Forbidden``, ``Unavailable``."""
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() == "bearer" and secret.strip():
            sender = await self._kept_or(authorization, lambda: self._token(secret.strip()))
        elif scheme.lower() == "basic":
            device, password = _basic(secret)
            sender = await self.device(device, password)
        else:
            raise Unauthorized("signals.unauthorized")
        if sender.fault:
            raise Forbidden(sender.fault) if sender.fault == "signals.no_scope" else Unauthorized(sender.fault)
        return sender

    async def device(self, code: str, secret: str) -> Sender:
        """The sender of a device's credential; ``fault`` is set when it is wrong."""
        return await self._kept_or(f"{code}\n{secret}", lambda: self._device(code, secret))

    async def _kept_or(self, credential: str, look_up: Callable[[], Sender]) -> Sender:
        key = sha256(credential.encode("utf-8", "surrogateescape")).hexdigest()
        kept = self._kept.get(key)
        if kept and kept[0] > time.monotonic():
            return kept[1]
        try:
            sender = await asyncio.to_thread(look_up)
        except psycopg.Error as fault:
            raise Unavailable("signals.unavailable") from fault
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (time.monotonic() + KEPT_SECONDS, sender)
        return sender

    def _token(self, token: str) -> Sender:
        hashed = sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        with self._connect() as connection:
            row = connection.execute("SELECT user_id, scopes, roles FROM gl_bearer(%s, %s)", [hashed, clock.now()]).fetchone()
        if row is None or row[0] is None:
            return Sender(fault="signals.bad_credential")
        user_id, scopes, roles = row
        allowed = PERMISSION in permissions_of(roles) and SCOPES & set(scopes.split())
        return Sender(user_id=user_id, fault="" if allowed else "signals.no_scope")

    def _device(self, code: str, secret: str) -> Sender:
        if "\x00" in code:
            return Sender(fault="signals.bad_credential")
        hashed = sha256(secret.encode()).hexdigest()
        with self._connect() as connection:
            row = connection.execute("SELECT gl_ingest_device(%s, %s, %s)", [code, hashed, clock.now()]).fetchone()
        return Sender(device=code) if row and row[0] else Sender(fault="signals.bad_credential")


def _basic(encoded: str) -> tuple[str, str]:
    try:
        device, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # no base64, not even ASCII, or no UTF-8 in it
        raise Unauthorized("signals.bad_credential") from None
    if not device or not colon:
        raise Unauthorized("signals.bad_credential")
    return device, secret
