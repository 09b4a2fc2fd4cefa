"""What this room takes in and hands out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file turned out to be. ``view`` and ``thumb`` are clean JPEG copies of pictures; documents have none.

    ``taken_lon``, ``taken_lat``, ``taken_at`` are the camera's own words (``taken_at`` without a zone, as cameras write it). ``look``: 256
    bits by which the same view is known again; None for a document and for a picture with nothing on it.
    """

    mime: str
    sha256: str
    size: int
    width: int | None = None
    height: int | None = None
    taken_lon: float | None = None
    taken_lat: float | None = None
    taken_at: str = ""
    view: bytes | None = None
    thumb: bytes | None = None
    look: bytes | None = None


@dataclass(frozen=True, slots=True)
class Alike:
    """A picture that shows what an earlier one showed: ``bits`` of 256 differ. ``case`` is the earlier one's."""

    file: UUID
    case: str
    earlier: UUID
    bits: int


@dataclass(frozen=True, slots=True)
class Camera:
    """What is known of one picture's making. ``taken_at`` is the camera's own word, without a zone; places are degrees."""

    file: UUID
    said_at: datetime
    said_lon: float | None
    said_lat: float | None
    taken_at: str
    taken_lon: float | None
    taken_lat: float | None


@dataclass(frozen=True, slots=True)
class Stored:
    """The receipt of an upload."""

    id: UUID
    sha256: str


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One piece of evidence as lists and doors show it."""

    id: UUID
    sha256: str
    mime: str
    size: int
    width: int | None
    height: int | None
    kind: str
    at: datetime
    lon: float | None
    lat: float | None
    gap_m: float | None
    by: str
    task: UUID | None
    seq: int | None
    status: str
    url: str
    thumb: str


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes to serve: ``inline`` only for our own re-encoded pictures."""

    path: str
    mime: str
    filename: str
    inline: bool


@dataclass(frozen=True, slots=True)
class OutwardRow:
    """What the reporter sees of the result; ``url`` works for a day without an account."""

    id: UUID
    url: str
    kind: str
