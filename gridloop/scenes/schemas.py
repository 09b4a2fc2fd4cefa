"""Shapes of scene packs on the way in and out."""

from __future__ import annotations

from ninja import Field

from gridloop.journal.shapes import Schema


class PackDetectorOut(Schema):
    """What a pack makes of many readings; the sentences are made from the definition."""

    name: str
    title_zh: str
    title_en: str
    sentence_zh: str
    sentence_en: str


class PackOut(Schema):
    """An installed scene pack; ``units`` are those whose territory differs from ``enabled``. ``legal_zh``, ``legal_en``: the law it leans

    on, '' for most; then ``bases`` are the documents recorded where it is on.
    """

    name: str
    version: str
    title_zh: str
    title_en: str
    tier: str
    enabled: bool
    units: list[int]
    type: str
    process: str
    needs: list[str]
    legal_zh: str
    legal_en: str
    bases: list[str]
    detectors: list[PackDetectorOut]


class PackPage(Schema):
    items: list[PackOut]
    next: str | None = None


class SwitchIn(Schema):
    """On or off, everywhere (``unit`` null) or in one unit's territory."""

    on: bool
    unit: int | None = Field(None, ge=1)
    basis: str = Field("", max_length=500, description="the document that allows it, for a pack that names a law")
