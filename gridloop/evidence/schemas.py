"""Shapes of evidence on the wire."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ninja import Field

from gridloop.journal.shapes import Schema


class EvidenceForm(Schema):
    at: datetime | None = Field(None, description="when it was taken; now when left out")
    place: str = Field("", max_length=200, description='JSON {"lon": …, "lat": …}')
    sha256: str = Field("", max_length=64, description="of the file as sent; 422 when it differs")
    kind: str = Field("", max_length=16, description="before, after, scene or document")


class Place(Schema):
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)


class StoredOut(Schema):
    id: UUID
    sha256: str


class EvidenceOut(Schema):
    id: UUID
    sha256: str
    media_type: str = Field(alias="mime")
    size: int
    width: int | None
    height: int | None
    kind: str
    at: datetime
    lon: float | None
    lat: float | None
    gap_m: float | None = Field(description="metres between the stated place and the camera's own")
    by: str
    task: UUID | None
    seq: int | None = Field(description="position of its fact in the case's chain")
    status: str
    url: str
    thumb: str


class EvidenceList(Schema):
    items: list[EvidenceOut]
    next: str | None


class CheckOut(Schema):
    sha256: str
    intact: bool


class LookQuery(Schema):
    purpose: str = Field(max_length=40)
    reason: str = Field(max_length=400)
