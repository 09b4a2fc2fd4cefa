"""Thin HTTP of notices."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router

from gridloop.access.api import signed_in, viewer_for_request
from gridloop.journal.shapes import Schema
from gridloop.notices import selectors

router = Router(tags=["notices"], auth=signed_in)


class NoticeOut(Schema):
    """One notice; ``to`` is masked, ``text`` only in one's own."""

    id: str
    case: str
    template: str
    audience: str
    channel: str
    status: str
    created_at: datetime
    done_at: datetime | None
    error: str
    to: str
    text: str


class NoticeList(Schema):
    items: list[NoticeOut]
    next: str | None = None


class NoticeQuery(Schema):
    limit: int = Field(50, ge=1, le=200)


@router.get("/notices", response=NoticeList, summary="The caller's own notices, newest first")
def mine(request: HttpRequest, query: Query[NoticeQuery]) -> dict[str, Any]:
    return {"items": [asdict(n) for n in selectors.mine(viewer_for_request(request), query.limit)], "next": None}


@router.get("/cases/{code}/notices", response=NoticeList, summary="Who was told what about a case")
def of_case(request: HttpRequest, code: str) -> dict[str, Any]:
    return {"items": [asdict(n) for n in selectors.of_case(viewer_for_request(request), code)], "next": None}
