"""Canonical JSON (RFC 8785), SHA-256 and commitments to personal values."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

import orjson
import rfc8785

ZERO_HASH = "0" * 64
_EXACT = 2**53 - 1  # the largest whole number that JSON readers agree on


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    orjson writes the same bytes for all but fractions and rare keys, many times faster: there the reference implementation writes.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if _plain(value) else rfc8785.dumps(value)


def _plain(value: Any) -> bool:
    """No fraction, no number beyond 2⁵³, no key whose order depends on its encoding, nothing that is only like JSON."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict:
        return all(type(key) is str and key.isascii() and _plain(inner) for key, inner in value.items())
    if kind is list:
        return all(map(_plain, value))
    return kind is int and -_EXACT <= value <= _EXACT


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


def token_of(name: str) -> int:
    """A number for whom or what a reading names, 63 bits, 0 for ''."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1 or 1 if name else 0
