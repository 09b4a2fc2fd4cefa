"""Faults people can mend: a key with placeholders; the sentences live in each room's ``texts.yaml`` in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One wrong part of the input: a JSON pointer, a text key and its placeholders."""

    pointer: str
    key: str
    params: dict[str, Any] = field(default_factory=dict)


class Fault(Exception):
    """Something the caller can mend. ``status`` is the HTTP status a door answers with."""

    status = 400

    def __init__(self, key: str, *, errors: tuple[FieldFault, ...] = (), **params: Any) -> None:
        super().__init__(key, params)
        self.key = key
        self.params = params
        self.errors = errors


class Invalid(Fault):
    """The input is understood but wrong (422)."""

    status = 422


class Forbidden(Fault):
    """The viewer may not do this (403)."""

    status = 403


class NotFound(Fault):
    """Not there, or not to be seen by this viewer (404)."""

    status = 404


class NotNow(Fault):
    """The verb exists but is not allowed in this state (409); ``allowed`` in params lists what is."""

    status = 409


class TooMuch(Fault):
    """Over a limit of size (413)."""

    status = 413


class Busy(Fault):
    """Overload; ``retry_after`` seconds in params (429)."""

    status = 429


class Unavailable(Fault):
    """A part the verb needs is down; nothing was kept half (503)."""

    status = 503
