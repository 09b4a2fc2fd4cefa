"""Canonical JSON (RFC 8785), SHA-256 and commitments to personal values."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

import rfc8785

ZERO_HASH = "0" * 64


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value."""
    return rfc8785.dumps(value)


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fact_hash(fact: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON of the fact without its own ``hash``."""
    return sha256_hex(canonical({k: v for k, v in fact.items() if k != "hash"}))


def new_key() -> bytes:
    """A random 32-byte commitment key, kept beside the value and erased with it."""
    return secrets.token_bytes(32)


def commitment(key: bytes, value: Any) -> str:
    """HMAC-SHA-256 of the canonical JSON of the value: proves the value while the key lives, says nothing after."""
    return hmac.new(key, canonical(value), hashlib.sha256).hexdigest()
