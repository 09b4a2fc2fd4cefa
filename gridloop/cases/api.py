"""Thin HTTP of cases, tasks, reports and the reporter's page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

import pydantic
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Query, Router, Status
from ninja.errors import ValidationError
from pydantic import AwareDatetime

from gridloop.access.api import need, open_door, signed_in, viewer_for_request
from gridloop.access.selectors import need_account
from gridloop.cases import actions, assisting, export, present, selectors, tracking
from gridloop.cases.messages import Report
from gridloop.cases.rules import STATUSES
from gridloop.cases.schemas import (
    AcceptIn,
    ActIn,
    CaseDetail,
    CaseMap,
    CasePage,
    CaseTypeOut,
    Counts,
    DraftIn,
    DraftOut,
    FactPage,
    ForgottenOut,
    MergeIn,
    NoteIn,
    Rated,
    RateIn,
    ReportIn,
    ReportOut,
    RouteIn,
    SourcePage,
    SplitSourceIn,
    TaskOut,
    TaskPage,
    Told,
    Track,
    UrgeIn,
)
from gridloop.cases.selectors import CaseFilter
from gridloop.cases.types import case_types
from gridloop.evidence import actions as evidence
from gridloop.journal.selectors import scoped
from gridloop.journal.shapes import Schema
from gridloop.kernel.bodies import read_json, refuse_nul
from gridloop.kernel.errors import FieldFault, Invalid
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

router = Router(tags=["cases"], auth=signed_in)
MAX_PAGE = 500
MAX_PHOTOS = 9


def _bbox(text: str) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise Invalid("doors.bad_bbox", errors=(FieldFault("/bbox", "doors.bad_bbox"),)) from error
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # false for what is no number, too
        raise Invalid("doors.bad_bbox", errors=(FieldFault("/bbox", "doors.bad_bbox"),))
    return west, south, east, north


class CaseQuery(Schema):
    """Words a list, a count or a map may be narrowed by."""

    status: str = Field("", description="statuses, comma separated")
    type: str = Field("", description="case type, or its first digits")
    region: str = Field("", description="region code: everything inside")
    unit: int | None = None
    source: str = ""
    scene: str = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    closed_since: AwareDatetime | None = None
    q: str = Field("", max_length=100)
    bbox: str = Field("", description="west,south,east,north")
    card: str = ""
    severity: int | None = Field(None, ge=1, le=4)
    stage: str = ""
    box: Literal["", "todo", "doing", "open", "done", "all"] = ""
    codes: str = ""
    overdue: bool = False
    origin: str = Field("", max_length=60, description="the sending platform, as its reports named it")
    origin_id: str = Field("", max_length=120, description="with origin: its own number of one report")

    def wanted(self) -> CaseFilter:
        """The filter of the selectors, or what is wrong with the words."""
        statuses = tuple(s for s in self.status.split(",") if s)
        if unknown := [s for s in statuses if s not in STATUSES]:
            params = {"status": unknown[0], "allowed": ", ".join(STATUSES)}
            raise Invalid("cases.bad_status", errors=(FieldFault("/status", "cases.bad_status", params),), **params)
        if self.origin_id and not self.origin:
            raise Invalid("cases.origin_needed", errors=(FieldFault("/origin", "cases.origin_needed"),))
        if self.since and self.until and self.since > self.until:  # no case can lie there: an empty list would be taken for an answer
            raise Invalid("cases.bad_span", errors=(FieldFault("/until", "cases.bad_span"),))
        words = {name: getattr(self, name).replace("\x00", "") for name in ("q", "origin", "origin_id")}
        plain = self.model_dump(exclude={"status", "bbox", "codes", "zoom"}) | words
        codes = tuple(c for c in self.codes.split(",") if c)[:MAX_PAGE]
        return CaseFilter(status=statuses, bbox=_bbox(self.bbox), codes=codes, **plain)


class PageQuery(Schema):
    limit: int = Field(50, ge=1, le=MAX_PAGE)
    after: str = ""
    count: bool = False
    order: Literal["newest", "urgent"] = "newest"


class MapQuery(CaseQuery):
    zoom: float = Field(12, ge=0, le=22)


class LookQuery(Schema):
    """Why personal data is opened."""

    purpose: str = Field("", max_length=40)
    reason: str = Field("", max_length=400)


class TraceQuery(LookQuery):
    after: int = Field(0, ge=0, le=2**62)
    limit: int = Field(200, ge=1, le=MAX_PAGE)


class TaskQuery(Schema):
    mine: bool = True
    status: Literal["", "live", "open", "accepted", "done", "cancelled"] = "live"
    limit: int = Field(100, ge=1, le=200)
    after: str = ""


class KeyQuery(Schema):
    """The reporter's key from the report's answer."""

    key: str = Field("", max_length=64)


# ---- cases -----------------------------------------------------------------------------------------------------------


@router.get("/cases", response=CasePage, summary="Cases in the caller's scope, newest first, cursor in next")
def cases(request: HttpRequest, query: Query[CaseQuery], page: Query[PageQuery]) -> dict[str, Any]:
    viewer = need(request, "case.read")
    rows, following = selectors.case_page(viewer, query.wanted(), page.limit, page.after, page.order)
    total: int | str | None = None
    if page.count:  # what fits one page is counted
        whole = following is None and not page.after
        total = len(rows) if whole else selectors.case_total(viewer, query.wanted(), len(rows))
    return {"items": present.case_items(viewer, rows), "next": following, "total": total}


_CSV = {"responses": {200: {"description": "CSV, UTF-8", "content": {"text/csv": {"schema": {"type": "string"}}}}}}


@router.get(
    "/cases.csv", openapi_extra=_CSV, summary="The list as a file for a spreadsheet, at most 20,000 rows; times of the deployment's zone"
)
def cases_csv(request: HttpRequest, query: Query[CaseQuery]) -> StreamingHttpResponse:
    viewer = need(request, "case.read")
    answer = StreamingHttpResponse(export.case_csv(viewer, query.wanted()), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="cases.csv"'
    return answer


@router.get("/cases/counts", response=Counts, summary="Counts by severity, status and box")
def counts(request: HttpRequest, query: Query[CaseQuery]) -> dict[str, Any]:
    return selectors.case_counts(need(request, "case.read"), query.wanted())


@router.get("/cases/map", response=CaseMap, summary="Points, or clusters when there are many")
def case_map(request: HttpRequest, query: Query[MapQuery]) -> dict[str, Any]:
    return selectors.case_map(need(request, "case.read"), query.wanted(), query.zoom)


@router.get("/case-types", response=dict[str, list[CaseTypeOut]], auth=open_door, summary="The catalogue of case types")
def types(request: HttpRequest) -> dict[str, Any]:
    items = [
        {
            "code": t.code,
            "name_zh": t.zh,
            "name_en": t.en,
            "severity": t.severity,
            "category": {"code": t.category, "name_zh": t.category_zh, "name_en": t.category_en},
        }
        for t in case_types().values()
    ]
    return {"items": items}


@router.get("/cases/{code}", response=CaseDetail, summary="One case with proposal, candidates, tasks and what the caller may do")
def case(request: HttpRequest, code: str) -> dict[str, Any]:
    return present.case_detail(need(request, "case.read"), code)


@router.get(
    "/cases/{code}/trace",
    response=FactPage,
    summary="The facts of a case in order; numbers in notes opened with purpose and reason, which is logged",
)
def trace(request: HttpRequest, code: str, page: Query[TraceQuery]) -> dict[str, Any]:
    items = present.trace(need(request, "case.read"), code, page.after, page.limit, page.purpose, page.reason)
    return {"items": items, "next": str(items[-1]["seq"]) if len(items) == page.limit else None}


@router.get(
    "/cases/{code}/reporter",
    response=dict[str, list[Told]],
    summary="Who reported it and in which words, for a purpose; the look is logged",
)
def case_reporter(request: HttpRequest, code: str, look: Query[LookQuery]) -> dict[str, Any]:
    return {"items": present.reporter_opened(viewer_for_request(request), code, look.purpose, look.reason)}


@router.get("/cases/{code}/signals", response=SourcePage, summary="Every source of a case")
def case_signals(request: HttpRequest, code: str) -> dict[str, Any]:
    return {"items": present.case_sources(need(request, "case.read"), code), "next": None}


@router.get("/cases/{code}/tasks", response=TaskPage, summary="The tasks of a case")
def case_tasks(request: HttpRequest, code: str) -> dict[str, Any]:
    return {"items": present.case_tasks(need(request, "case.read"), code), "next": None}


@router.post("/cases/{code}/accept", response=CaseDetail, summary="受理/采纳: take the proposal; verify, file and dispatch at once")
def accept(request: HttpRequest, code: str, body: AcceptIn) -> dict[str, Any]:
    viewer = need(request, "case.read")
    with scoped(viewer):
        return present.accepted(viewer, actions.accept(viewer, code, body.model_dump(exclude_none=True)))


@router.post("/cases/{code}/route", response=CaseDetail, summary="Send to a unit, post or person")
def route(request: HttpRequest, code: str, body: RouteIn) -> dict[str, Any]:
    viewer = need(request, "case.read")
    actions.route(viewer, code, body.model_dump(exclude_none=True))
    return present.case_detail(viewer, code)


@router.post("/cases/{code}/merge", response=CaseDetail, summary="并案: this case goes on in another one")
def merge(request: HttpRequest, code: str, body: MergeIn) -> dict[str, Any]:
    viewer = need(request, "case.read")
    actions.merge(viewer, code, body.into, {"note": body.note})
    return present.case_detail(viewer, body.into)


@router.post("/cases/{code}/split", response=CaseDetail, summary="拆分: a report joined or merged by mistake becomes a case of its own")
def split(request: HttpRequest, code: str, body: SplitSourceIn) -> dict[str, Any]:
    viewer = need(request, "case.read")
    return present.case_detail(viewer, actions.split(viewer, code, body.source, body.note))


@router.post("/cases/{code}/draft", response=DraftOut, summary="A draft by the language model, if one is set up: a summary, or a reply")
def draft(request: HttpRequest, code: str, body: DraftIn) -> dict[str, str]:
    return {"text": assisting.draft(need(request, "case.read"), code, body.kind)}


@router.post("/cases/{code}/urge", response=CaseDetail, summary="催办")
def urge(request: HttpRequest, code: str, body: UrgeIn) -> dict[str, Any]:
    viewer = need(request, "case.read")
    payload = {"note": body.note, "reply_by": body.reply_by.isoformat() if body.reply_by else None}
    actions.urge(viewer, code, payload)
    return present.case_detail(viewer, code)


@router.post("/cases/{code}/supervise", response=CaseDetail, summary="督办: those who hold it and their commanders are told")
def supervise(request: HttpRequest, code: str, body: UrgeIn) -> dict[str, Any]:
    viewer = need(request, "case.read")
    payload = {"note": body.note, "reply_by": body.reply_by.isoformat() if body.reply_by else None}
    actions.supervise(viewer, code, payload)
    return present.case_detail(viewer, code)


@router.post("/cases/{code}/void", response=CaseDetail, summary="作废, with a reason")
def void(request: HttpRequest, code: str, body: NoteIn) -> dict[str, Any]:
    viewer = need(request, "case.read")
    actions.void(viewer, code, {"note": body.note})
    return present.case_detail(viewer, code)


@router.post("/cases/{code}/rate", response=Rated, summary="评价, one to five stars")
def rate(request: HttpRequest, code: str, body: RateIn) -> dict[str, Any]:
    actions.rate(viewer_for_request(request), code, {"stars": body.stars, "note": body.note})
    return {"code": code, "rating": body.model_dump(include={"stars", "note"})}


@router.post("/cases/{code}/erase-reporter", response=ForgottenOut, summary="Erase who reported it, their words and what they sent")
def erase_reporter(request: HttpRequest, code: str, body: NoteIn) -> Any:
    return actions.erase_reporter(viewer_for_request(request), code, body.note)


# ---- tasks -----------------------------------------------------------------------------------------------------------


@router.get("/tasks", response=TaskPage, summary="Tasks that wait for the caller, soonest limit first, cursor in next")
def tasks(request: HttpRequest, query: Query[TaskQuery]) -> dict[str, Any]:
    return present.my_tasks(need(request, "task.read"), query.status, query.mine, query.limit, query.after)


@router.get("/tasks/{uuid:task_id}", response=TaskOut, summary="One task")
def task(request: HttpRequest, task_id: UUID) -> dict[str, Any]:
    return present.one_task(need(request, "task.read"), str(task_id))


TaskVerb = Literal[
    "accept", "return", "transfer", "delegate", "submit", "approve", "reject", "suspend", "resume", "extend", "escalate", "check_in"
]


@router.post("/tasks/{uuid:task_id}/{verb}", response=TaskOut, summary="Act on a task; 409 says which verbs are allowed now")
def act(request: HttpRequest, task_id: UUID, verb: TaskVerb, body: ActIn) -> dict[str, Any]:
    viewer = viewer_for_request(request)
    return present.acted(viewer, actions.act(viewer, str(task_id), verb, body.model_dump(exclude_none=True)))


# ---- reports and the reporter's page ---------------------------------------------------------------------------------


# The place is already among the components; a $ref into this schema's own $defs would point nowhere in the OpenAPI document.
_REPORT_SCHEMA = ReportIn.model_json_schema(ref_template="#/components/schemas/{model}")
_REPORT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {k: v for k, v in _REPORT_SCHEMA.items() if k != "$defs"}},
            "multipart/form-data": {"schema": {"type": "object", "description": "the same fields (place as lon and lat) and photos"}},
        },
    }
}


@router.post(
    "/reports", response={201: ReportOut}, auth=open_door, openapi_extra=_REPORT_BODY, summary="A person's report; needs no account"
)
def report(request: HttpRequest) -> Status[dict[str, Any]]:
    viewer = viewer_for_request(request)
    body = _read_report(request)
    if body.account:
        need_account(viewer, body.account)
    with scoped(viewer):  # the photos and the case, or nothing
        photos = [evidence.add_with_report(viewer, f) for f in request.FILES.getlist("photos")[:MAX_PHOTOS]]
        new = Report(
            text=body.text,
            source=body.source,
            kind=body.kind,
            lon=body.place.lon if body.place else None,
            lat=body.place.lat if body.place else None,
            address=body.address,
            contact=body.contact,
            name=body.name,
            region=body.region,
            plate=body.plate,
            origin=body.origin if viewer.can("signals.write") else "",
            origin_id=body.origin_id if viewer.can("signals.write") else "",
            evidence=(*body.evidence, *photos),
        )
        done = actions.report(viewer, new)
    return Status(
        201, {"case": done.case, "track_url": f"/track/{done.case}?key={done.key}", "merged": done.merged, "repeated": done.repeated}
    )


def _read_report(request: HttpRequest) -> ReportIn:
    """The body as JSON or as a form; ninja's own error shape for what does not fit."""
    if request.content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        fields: dict[str, Any] = {k: v for k, v in request.POST.items() if k in ReportIn.model_fields}
        if "lon" in request.POST or "lat" in request.POST:
            fields["place"] = {"lon": request.POST.get("lon"), "lat": request.POST.get("lat")}
        fields["evidence"] = request.POST.getlist("evidence")
        refuse_nul(fields)
    else:
        fields = read_json(request.body or b"{}")
        if not isinstance(fields, dict):  # the schema would read a list's or a text's attributes
            raise Invalid("doors.not_an_object", errors=(FieldFault("/", "doors.not_an_object"),))
    return _validated(lambda: ReportIn.model_validate(fields))


def _validated(make: Callable[[], ReportIn]) -> ReportIn:
    try:
        return make()
    except pydantic.ValidationError as error:
        raise ValidationError(
            [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False, include_context=False)]
        ) from error


track_router = Router(tags=["track"], auth=open_door)


@track_router.get("/{code}", response=Track, summary="The reporter's progress page as JSON; the key is in the report's answer")
def track(request: HttpRequest, code: str, key: Query[KeyQuery]) -> dict[str, Any]:
    return _track(request, code, key.key)


@track_router.post("/{code}/rate", response=Track, summary="The reporter's stars")
def track_rate(request: HttpRequest, code: str, body: RateIn, key: Query[KeyQuery]) -> dict[str, Any]:
    actions.rate_by_key(_tracker(request), code, key.key, {"stars": body.stars, "note": body.note})
    return _track(request, code, key.key)


@track_router.post("/{code}/urge", response=Track, summary="The reporter asks how long it still takes")
def track_urge(request: HttpRequest, code: str, body: NoteIn, key: Query[KeyQuery]) -> dict[str, Any]:
    actions.urge_by_key(_tracker(request), code, key.key, {"note": body.note})
    return _track(request, code, key.key)


def _tracker(request: HttpRequest) -> Viewer:
    """Whoever holds the key acts as the reporter, also in a browser where somebody else is logged in."""
    viewer = viewer_for_request(request)
    return viewer if viewer.can("case.track") else replace(PUBLIC, lang=viewer.lang)


def _track(request: HttpRequest, code: str, key: str) -> dict[str, Any]:
    found = actions.by_key(code, key)
    return tracking.track_page(SYSTEM, found, viewer_for_request(request).lang)
