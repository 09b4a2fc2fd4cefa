"""NATS asks us who may connect (auth callout): a device with its secret may publish its own topics and nothing else.

NATS wants answers as JWTs signed by a key it knows (Ed25519, written as an "nkey"). The key is derived from the password
our own connection uses, so that a deployment has one secret less to keep. No answer means no connection: before this
process is ready to keep messages, no device gets in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gridloop.doors.ingest import figures
from gridloop.doors.ingest.auth import Sender, Senders, Unauthorized
from gridloop.kernel.errors import Fault

if TYPE_CHECKING:
    from nats.aio.msg import Msg  # the supervisor, too, writes what NATS is to believe: it needs no client

SUBJECT = "$SYS.REQ.USER.AUTH"
OWN_USER = "gridloop"
TOKEN_USER = "token"  # a bridge or gateway logs in with this name and an API token for many devices
_ACCOUNT_PREFIX = b"\x00"  # gives an nkey that starts with A
_LEVEL = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")


class Issuer:
    """Signs what NATS is to believe."""

    def __init__(self, password: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"gridloop nats issuer\n" + password.encode()).digest())
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = _nkey(_ACCOUNT_PREFIX, raw)

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT as NATS wants it; ``claims`` gets issuer, time and id."""
        whole = claims | {"iss": self.public, "iat": int(time.time())}
        whole["jti"] = base64.b32encode(hashlib.sha256(orjson.dumps(whole)).digest()).decode().rstrip("=")
        head = _b64(b'{"typ":"JWT","alg":"ed25519-nkey"}') + "." + _b64(orjson.dumps(whole))
        return head + "." + _b64(self._key.sign(head.encode()))


def authorization(password: str) -> str:
    """The part of NATS's configuration that lets our own user in and asks us about everybody else."""
    own = {"user": OWN_USER, "password": password}
    callout = {"issuer": Issuer(password).public, "auth_users": [OWN_USER]}
    # 10 s: after a power cut thousands of devices log in at once
    return f"authorization {{ timeout: 10, users: [ {json.dumps(own)} ], auth_callout: {json.dumps(callout)} }}\n"


def _nkey(prefix: bytes, raw: bytes) -> str:
    body = prefix + raw
    crc = 0
    for byte in body:  # CRC-16/XMODEM
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return base64.b32encode(body + crc.to_bytes(2, "little")).decode().rstrip("=")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read_request(data: bytes) -> dict[str, Any]:
    """The claims of NATS's question (it comes over our own authenticated connection)."""
    payload = data.split(b".")[1]
    claims: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))["nats"]
    return claims


def subject_of(device: str) -> str | None:
    """The subjects of a device's topics ``gridloop/v1/{device}/#``; None for codes that would be a pattern or break the subject."""
    if not _LEVEL.fullmatch(device):
        return None
    return f"gridloop.v1.{device.replace('.', '//')}.>"


def answer(issuer: Issuer, request: dict[str, Any], allowed: list[str], fault: str = "") -> bytes:
    """NATS's answer: the user with its rights, or why not."""
    user, server = request["user_nkey"], request["server_id"]["id"]
    content: dict[str, Any] = {"type": "authorization_response", "version": 2}
    if fault:
        content["error"] = fault
    else:
        rights = {
            "pub": {"allow": allowed},
            "sub": {"allow": allowed},
            "subs": -1,
            "data": -1,
            "payload": -1,
            "allowed_connection_types": ["MQTT", "MQTT_WS"],
            "type": "user",
            "version": 2,
        }
        name = request.get("connect_opts", {}).get("user", "")
        content["jwt"] = issuer.sign({"sub": user, "aud": "$G", "name": name, "nats": rights})
    return issuer.sign({"sub": user, "aud": server, "nats": content}).encode()


async def decide(senders: Senders, name: str, secret: str) -> tuple[list[str], str]:
    """The subjects a log-in may use, or the reason of its refusal."""
    try:
        sender = await (senders.check(f"Bearer {secret}") if name == TOKEN_USER else senders.device(name, secret))
        if sender.fault:
            raise Unauthorized(sender.fault)
    except Fault as fault:
        return [], fault.key
    return _subjects(sender)


def _subjects(sender: Sender) -> tuple[list[str], str]:
    if not sender.device:
        return ["gridloop.v1.>"], ""
    subject = subject_of(sender.device)
    return ([subject], "") if subject else ([], "signals.bad_credential")


def callback(issuer: Issuer, senders: Senders) -> Callable[[Msg], Awaitable[None]]:
    """Answers one question of NATS."""

    async def reply(message: Msg) -> None:
        request = read_request(message.data)
        login = request.get("connect_opts", {})
        name = str(login.get("user", ""))
        allowed, fault = await decide(senders, name, str(login.get("pass", "")))
        if fault:
            figures.LOG.warning("mqtt log-in refused", device=name[:64], reason=fault, host=request.get("client_info", {}).get("host", ""))
        await message.respond(answer(issuer, request, allowed, fault))

    return reply
