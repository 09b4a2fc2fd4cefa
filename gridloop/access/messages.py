"""What this room hands over and takes in, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SampleLogin:
    """One account to create. ``password`` empty = no password log-in (role button or token only)."""

    username: str
    name: str
    staff_code: str | None
    role: str
    region: str
    unit_code: str | None
    password: str = ""
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: network address and what the browser calls itself."""

    address: str
    agent: str
