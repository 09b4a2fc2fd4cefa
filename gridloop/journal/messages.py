"""What the trace hands to its consumers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class FactIn:
    """A fact still to be appended: the action and its data (ids, codes, figures, commitments; never personal values)."""

    action: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact as consumers and doors see it, with its place (tx, id) in the trace.

    ``trace``: the W3C traceparent of the span that wrote it, '' when traces were not collected; it is no part of the hash.
    """

    id: int
    tx: int
    chain: str
    seq: int
    at: datetime
    actor: str
    action: str
    data: dict[str, Any]
    previous_hash: str
    hash: str
    case_code: str | None
    trace: str = ""

    def public(self) -> dict[str, Any]:
        """The contract's shape; the hash is over this without ``hash``."""
        return {
            "chain": self.chain,
            "seq": self.seq,
            "at": stamp(self.at),
            "actor": self.actor,
            "action": self.action,
            "data": self.data,
            "previous_hash": self.previous_hash,
            "hash": self.hash,
        }


@dataclass(frozen=True, slots=True)
class Broken:
    """The first fact or checkpoint that does not verify."""

    where: str
    why: str


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds: one spelling, so that the hash is reproducible."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
