"""Thin HTTP: what devices have said, detectors held back, erasing a person. Signals come in by the door ``ingest``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router

from gridloop.access.api import need, signed_in
from gridloop.journal.shapes import Schema
from gridloop.signals import actions, selectors
from gridloop.signals.readings import MOST_HOURS, readings

router = Router(tags=["registry"], auth=signed_in)


class EraseIn(Schema):
    """``reason`` is kept sealed; ``words`` are further ones the person is known by, such as the name in the data of signals."""

    reason: str = Field(max_length=400)
    words: list[str] = Field([], max_length=20)


class ErasureOut(Schema):
    """What an erasure took: signals without data and place, sealed values, cases whose reporter went, files they had sent."""

    signals: int
    values: int
    cases: int
    files: int


class ReadingsQuery(Schema):
    """``purpose`` and ``reason`` open what a household's device said; the look is written down."""

    hours: int = Field(24, ge=1, le=MOST_HOURS)
    purpose: str = Field("", max_length=40)
    reason: str = Field("", max_length=400)


class ReadingPointOut(Schema):
    """Least, mean and most of a step that begins ``at``."""

    at: datetime
    low: float
    mean: float
    high: float
    count: int


class ReadingSeriesOut(Schema):
    """``count`` includes readings without a value."""

    kind: str
    count: int
    points: list[ReadingPointOut]


class ReadingsOut(Schema):
    """``hidden``: a household's, shown for a purpose with a reason only."""

    since: datetime
    until: datetime
    step_seconds: int
    hidden: bool
    series: list[ReadingSeriesOut]


@router.get("/devices/{code}/readings", response=ReadingsOut, summary="What a device has said, by steps of time, for a chart")
def device_readings(request: HttpRequest, code: str, query: Query[ReadingsQuery]) -> Any:
    viewer = need(request, "device.read")
    return readings(viewer, code[:64].replace("\x00", ""), query.hours, query.purpose, query.reason)


@router.post("/people/{code}/erase", response=ErasureOut, summary="Erase a person everywhere; the trace still verifies")
def erase_person(request: HttpRequest, code: str, body: EraseIn) -> Any:
    return actions.erase_person(need(request, "people.erase"), code[:64].replace("\x00", ""), body.reason, body.words)


class HeldDetectorOut(Schema):
    """A detector of which nothing is told since it raised so many ``alarms``, more than people can take in an hour."""

    name: str
    since: datetime
    alarms: int


class HeldDetectorsPage(Schema):
    items: list[HeldDetectorOut]
    next: str | None = None


@router.get("/detectors/held", response=HeldDetectorsPage, summary="Detectors held back because of too many alarms")
def held_detectors(request: HttpRequest) -> dict[str, Any]:
    return {"items": selectors.held_detectors(need(request, "pack.read"))}


@router.post("/detectors/{name}/release", response=HeldDetectorsPage, summary="Let a detector that was held back be told of again")
def release_detector(request: HttpRequest, name: str) -> dict[str, Any]:
    viewer = need(request, "pack.switch")
    actions.release_detector(viewer, name[:100])
    return {"items": selectors.held_detectors(viewer)}
