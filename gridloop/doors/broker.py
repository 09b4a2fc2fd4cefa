"""The message broker (NATS) asked in its own words whether it lets us in, by those who need no client for more than that.

Protocol: docs.nats.io, "NATS Protocol" (INFO, CONNECT, PING, PONG, -ERR).
"""

from __future__ import annotations

import json
import socket
from urllib.parse import unquote, urlsplit


def fault(url: str, seconds: float = 1.0) -> str:
    """What keeps us from using the first server of ``url``, in a word or two; empty when it lets us in.

    That something listens there is not enough: it may be the server of another deployment, which would take our devices' readings.
    """
    parts = urlsplit(url.split(",")[0])
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 4222), timeout=seconds) as line:
            stream = line.makefile("rwb")
            word, _, info = stream.readline().partition(b" ")
            if word != b"INFO":
                return "NotNats"
            if json.loads(info).get("tls_required"):  # that it is NATS must do: the client shakes hands
                return ""
            stream.write(b"CONNECT " + json.dumps(_login(parts.username, parts.password)).encode() + b"\r\nPING\r\n")
            stream.flush()
            answer = stream.readline().strip().decode(errors="replace")
            return "" if answer == "PONG" else answer or "Closed"
    except (OSError, ValueError) as error:
        return type(error).__name__


def _login(user: str | None, password: str | None) -> dict[str, object]:
    known = {"verbose": False, "pedantic": False, "lang": "gridloop", "version": "1", "protocol": 1}
    if user is None:
        return known
    if password is None:
        return known | {"auth_token": unquote(user)}
    return known | {"user": unquote(user), "pass": unquote(password)}
