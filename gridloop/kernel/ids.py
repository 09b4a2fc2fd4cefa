"""Identifiers: time-ordered UUIDs (version 7, RFC 9562), case codes and secret keys."""

from __future__ import annotations

import secrets
import time
import uuid

KEY_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz"  # no 0/O, 1/I/l: read aloud on a phone


def uuid7() -> uuid.UUID:
    """A UUID of version 7: 48 bits of milliseconds, then random; made by the program so that PostgreSQL 15 suffices."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def secret_key(length: int = 16) -> str:
    """A key a person can type (about 5.75 bits a character)."""
    return "".join(secrets.choice(KEY_ALPHABET) for _ in range(length))
