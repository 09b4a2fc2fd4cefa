"""Thin HTTP of the read models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from gridloop.access.api import need, signed_in
from gridloop.insight import selectors
from gridloop.journal.shapes import Schema

router = Router(tags=["insight"], auth=signed_in)


class CockpitOut(Schema):
    """Live numbers of a scope; docs/reference/cockpit.md says what each one counts."""

    at: datetime
    region: dict[str, str]
    today: dict[str, int | float | None]
    now: dict[str, int | dict[str, int]]
    satisfaction: dict[str, int | float | None]
    by_type: list[dict[str, Any]]
    by_region: list[dict[str, Any]]
    hours: list[dict[str, Any]]
    grids: list[dict[str, Any]]
    overdue: list[dict[str, Any]]
    latest: list[dict[str, Any]]
    force: dict[str, int]


@router.get("/cockpit", response=CockpitOut, summary="Live numbers of the caller's scope")
def cockpit(request: HttpRequest, region: str = "") -> dict[str, Any]:
    return selectors.cockpit(need(request, "case.read"), region)
