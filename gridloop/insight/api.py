"""Thin HTTP of the read models."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router
from pydantic import AwareDatetime

from gridloop.access.api import need, signed_in
from gridloop.cases.schemas import CasePage
from gridloop.insight import selectors
from gridloop.journal.shapes import Schema
from gridloop.kernel.viewer import Viewer

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


class SpanQuery(Schema):
    """Where, and from when (included) to when (not included); without: the caller's scope, the last 30 days."""

    region: str = Field("", description="region code: everything inside")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class ListQuery(SpanQuery):
    limit: int = Field(50, ge=1, le=500)
    after: str = ""


class IndicatorScene(Schema):
    name: str
    title: str


class IndicatorOut(Schema):
    """One figure: numerator ÷ denominator; a mean's numerator is a sum of seconds. ``value`` is null when the denominator is 0.

    ``scene``: whose pack declares it; null of those that count the cases of every scene.
    """

    name: str
    title: str
    formula: str
    unit: Literal["share", "seconds"]
    numerator: float
    denominator: int
    value: float | None
    scene: IndicatorScene | None


class IndicatorsOut(Schema):
    at: datetime
    region: dict[str, str]
    since: datetime
    until: datetime
    items: list[IndicatorOut]


def _reader(request: HttpRequest) -> Viewer:
    """Whoever may read indicators; they count no further than the cases the caller may read."""
    need(request, "indicator.read")
    return need(request, "case.read")


@router.get("/indicators", response=IndicatorsOut, summary="Figures of outcomes over a span, each with its formula")
def indicators(request: HttpRequest, query: Query[SpanQuery]) -> dict[str, Any]:
    return selectors.indicators(_reader(request), query.region, query.since, query.until)


@router.get(
    "/indicators/{name}/{side}",
    response=CasePage,
    summary="The cases above or below the line of one indicator, newest first",
)
def indicator_cases(request: HttpRequest, name: str, side: Literal["numerator", "denominator"], query: Query[ListQuery]) -> dict[str, Any]:
    return selectors.indicator_cases(_reader(request), name, side, query.region, (query.since, query.until), query.limit, query.after)
