"""Evidence over HTTP: send a file, look at its clean copy, prove that it is unchanged."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pydantic
from django.http import FileResponse, HttpRequest
from ninja import File, Form, Query, Router, Status
from ninja.files import UploadedFile

from gridloop.access.api import open_door, signed_in, viewer_for_request
from gridloop.evidence import actions, selectors
from gridloop.evidence.messages import Content, Stored
from gridloop.evidence.schemas import CheckOut, EvidenceForm, EvidenceList, LookQuery, Place, StoredOut
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.headers import FILE_POLICY

router = Router(tags=["evidence"], auth=signed_in)


@router.post("/evidence", response={201: StoredOut}, summary="Send a photo or document; a verb then names its id")
def add(request: HttpRequest, form: Form[EvidenceForm], file: File[UploadedFile]) -> Status[Stored]:
    place = _place(form.place)
    stored = actions.add(
        viewer_for_request(request),
        actions.content_of(file),
        at=form.at,
        lon=place.lon if place else None,
        lat=place.lat if place else None,
        sha256=form.sha256,
        kind=form.kind,
    )
    return Status(201, stored)


def _place(given: str) -> Place | None:
    try:
        return Place.model_validate_json(given) if given.strip() else None
    except pydantic.ValidationError as fault:
        raise Invalid("evidence.bad_place", errors=(FieldFault("/place", "evidence.bad_place"),)) from fault


def _serve(content: Content) -> FileResponse:
    """Our own copies may be shown; whatever came from outside is only ever downloaded, and runs nothing if opened."""
    try:
        response = FileResponse(
            open(content.path, "rb"),  # noqa: SIM115  # the response closes it
            content_type=content.mime,
            as_attachment=not content.inline,
            filename=content.filename,
        )
    except FileNotFoundError as fault:
        raise NotFound("evidence.lost") from fault
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = FILE_POLICY
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=3600" if content.inline else "no-store"  # a look that is written down is one look
    return response


@router.get("/evidence/{uuid:file_id}", auth=open_door, summary="The clean copy; `pass` stands in links of the reporter's page")
def view(request: HttpRequest, file_id: UUID, link: str = Query("", alias="pass", max_length=200)) -> FileResponse:  # type: ignore[type-arg]  # ninja's Query is both a marker and a type
    return _serve(selectors.view_by_pass(file_id, link) if link else selectors.view(viewer_for_request(request), file_id))


@router.get("/evidence/{uuid:file_id}/thumb", summary="A small clean copy (320 px)")
def thumb(request: HttpRequest, file_id: UUID) -> FileResponse:
    return _serve(selectors.view(viewer_for_request(request), file_id, thumb=True))


@router.get("/evidence/{uuid:file_id}/original", summary="The file as it was sent; needs a purpose and a reason, and is logged")
def original(request: HttpRequest, file_id: UUID, look: Query[LookQuery]) -> FileResponse:
    return _serve(actions.open_original(viewer_for_request(request), file_id, look.purpose, look.reason))


@router.get("/evidence/{uuid:file_id}/check", response=CheckOut, summary="Whether the stored file still has the hash of its fact")
def check(request: HttpRequest, file_id: UUID) -> dict[str, Any]:
    sha256, intact = selectors.check_stored(viewer_for_request(request), file_id)
    return {"sha256": sha256, "intact": intact}


@router.get("/cases/{code}/evidence", response=EvidenceList, summary="Evidence of one case")
def of_case(request: HttpRequest, code: str) -> dict[str, Any]:
    return {"items": selectors.of_case(viewer_for_request(request), code), "next": None}
