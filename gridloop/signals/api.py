"""Thin HTTP of what reaches through every room: erasing a person. Signals themselves come in by the door ``ingest``."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Router

from gridloop.access.api import need, signed_in
from gridloop.journal.shapes import Schema
from gridloop.signals import actions

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


@router.post("/people/{code}/erase", response=ErasureOut, summary="Erase a person everywhere; the trace still verifies")
def erase_person(request: HttpRequest, code: str, body: EraseIn) -> Any:
    return actions.erase_person(need(request, "people.erase"), code[:64].replace("\x00", ""), body.reason, body.words)
